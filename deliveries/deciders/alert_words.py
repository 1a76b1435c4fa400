"""Says rules, alerts and their ends in words a person can read aloud. It decides nothing and knows no clock."""

from dataclasses import dataclass

from .delivery_signs import duration
from .measures import MEASURES, WINDOWS, Bad, Detail, Measure, share_of

HUB = "the whole hub"


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What of a rule is said. `of` is what it is measured over, by name: `the whole hub`, `ERP core`."""

    measure: str
    detail: str
    of: str
    threshold: float | None
    clear: float | None = None
    window_s: int | None = None
    least_volume: int = 0
    hold_s: float = 0.0


def rule_sentence(rule: Said) -> str:
    """`Attempt success rate of the whole hub under 95 % over 15 minutes, of at least 20 attempts.`"""
    measure = MEASURES[rule.measure]
    words = _subject(measure, rule)
    if rule.threshold is not None:
        words += f" {_bound(measure, rule.threshold)}"
    if rule.window_s:
        words += f" over {WINDOWS[rule.window_s]}"
    if measure.volume and rule.least_volume > 1:
        words += f", of at least {rule.least_volume:,} {measure.volume}"
    if rule.hold_s:
        words += f", for {span(rule.hold_s)}"
    if rule.clear is not None and rule.clear != rule.threshold:
        side = "at" if measure.bad is Bad.LOW else "under"
        words += f"; it ends {side} {figure(measure, rule.clear)}"
    return f"{words}."


def opening(rule: Said, *, value: float, volume: int, lasted_s: float) -> str:
    """`Attempt success rate of ERP core: 82.1 %, under 95 % (15 minutes, 140 attempts).`"""
    measure = MEASURES[rule.measure]
    if measure.bad is Bad.SO:
        return f"{_subject(measure, rule)}, for {span(lasted_s)}."
    notes = [WINDOWS[rule.window_s]] if rule.window_s else []
    if measure.volume:
        notes.append(f"{volume:,} {measure.volume}")
    more = f" ({', '.join(notes)})" if notes else ""
    threshold = rule.threshold if rule.threshold is not None else value
    return f"{_subject(measure, rule)}: {figure(measure, value)}, {_bound(measure, threshold)}{more}."


def closing(rule: Said, *, value: float | None, lasted_s: float) -> str:
    """`Over after 25 min: Attempt success rate of ERP core is 99.2 %.`"""
    measure = MEASURES[rule.measure]
    now = "" if value is None or measure.bad is Bad.SO else f", now {figure(measure, value)}"
    return f"Over after {span(lasted_s)}: {_subject(measure, rule)}{now}."


def figure(measure: Measure, value: float) -> str:
    match measure.unit:
        case "%":
            return f"{_floored(value):.10g} %"
        case "ms":
            return duration(round(value))
        case "s":
            return span(value)
    return f"{value:,.10g}"


def span(seconds: float) -> str:
    """Two units at most: `45 s`, `10 min`, `2 h 5 min`, `3 d 4 h`."""
    whole, parts = round(seconds), []
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, whole = divmod(whole, size)
        if count:
            parts.append(f"{count} {name}")
        elif parts:
            break
    return " ".join(parts[:2]) or "0 s"


def _subject(measure: Measure, rule: Said) -> str:
    label = measure.label
    if measure.detail is Detail.SHARE:
        label += f" p{100 * share_of(rule.detail):.10g}"
    elif rule.detail:
        label += f" ({rule.detail})"
    if measure.bad is Bad.SO:
        return label if rule.of == HUB else f"{label}: {rule.of}"
    return f"{label} of {rule.of}"


def _bound(measure: Measure, value: float) -> str:
    return f"{'under' if measure.bad is Bad.LOW else 'at least'} {figure(measure, value)}"


def _floored(percent: float) -> float:
    """Never rounded up: 94.96 is under 95, and must not read as 95."""
    return int(percent * 10 + 1e-9) / 10
