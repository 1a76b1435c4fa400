"""Decides whether a rule may be saved, with a sentence for each wrong field. It saves nothing."""

import math
from collections.abc import Callable, Mapping

from django.core.exceptions import ValidationError

from deliveries.deciders.measures import (
    MEASURES,
    WINDOWS,
    Bad,
    Detail,
    Measure,
    Over,
    check_failure,
    share_of,
)
from deliveries.models import AlertRule, Severity
from webhooks.models.source import SLUG

MONTH_S = 31 * 86_400
MOST = 1e9
TAKEN = "There is a rule with this slug already."
NAMED_BY: Mapping[str, str] = {
    Over.SUBSCRIPTION: "subscription",
    Over.SUBSCRIBER: "subscriber",
    Over.SOURCE: "source",
}


def check(rule: AlertRule) -> None:
    """Raises ValidationError with one sentence for each wrong field."""
    problems = {field: said for field, look in _FIELDS.items() if (said := look(rule))}
    if "measure" not in problems:
        measure = MEASURES[rule.measure]
        problems |= {field: said for field, look in _OF_MEASURE.items() if (said := look(rule, measure))}
    if problems:
        raise ValidationError(problems)


def _slug(rule: AlertRule) -> str:
    try:
        SLUG(rule.slug)
    except ValidationError as error:
        return error.messages[0]
    taken = AlertRule.objects.filter(slug=rule.slug).exclude(pk=rule.pk)
    return TAKEN if taken.exists() else ""


def _name(rule: AlertRule) -> str:
    if not rule.name.strip():
        return "Give the rule a name."
    return "A name has at most 100 characters." if len(rule.name) > 100 else ""


def _measure(rule: AlertRule) -> str:
    return "" if rule.measure in MEASURES else "Choose what is measured."


def _severity(rule: AlertRule) -> str:
    return "" if rule.severity in Severity.values else f"Choose one of {', '.join(Severity.values)}."


def _between(field: str, least: int, most: int, words: str) -> Callable[[AlertRule], str]:
    def look(rule: AlertRule) -> str:
        value = getattr(rule, field)
        return "" if value is None or least <= value <= most else words

    return look


def _over(rule: AlertRule, measure: Measure) -> str:
    if rule.over not in measure.over:
        from_these = ", ".join(over.replace("_", " ") for over in measure.over)
        return f"{measure.label} is measured over one of: {from_these}."
    return ""


def _named(field: str) -> Callable[[AlertRule, Measure], str]:
    def look(rule: AlertRule, measure: Measure) -> str:
        if rule.over not in measure.over:
            return ""  # which is said at `over`
        is_named, is_asked = getattr(rule, f"{field}_id") is not None, NAMED_BY.get(rule.over) == field
        if is_asked and not is_named:
            return f"Say which {field}."
        return f"Leave this empty: the rule is not about one {field}." if is_named and not is_asked else ""

    return look


def _threshold(rule: AlertRule, measure: Measure) -> str:
    value = rule.threshold
    if measure.bad is Bad.SO:
        return "" if value is None else "Leave this empty: it is so or it is not; say for how long instead."
    if value is None:
        return "Say from which figure on it is bad."
    most, least = (100.0 if measure.unit == "%" else MOST), 0.0
    if not (math.isfinite(value) and least < value <= most):
        return f"Choose more than 0 and at most {most:,.10g}{' ' + measure.unit if measure.unit else ''}."
    return ""


def _clear(rule: AlertRule, measure: Measure) -> str:
    value, threshold = rule.clear_threshold, rule.threshold
    if value is None:
        return ""
    if measure.bad is Bad.SO:
        return "Leave this empty: it is over when it is so no longer."
    if not math.isfinite(value) or value < 0 or (measure.unit == "%" and value > 100):
        return "Choose 0 or more, and of a rate at most 100 %."
    if threshold is not None and (value < threshold if measure.bad is Bad.LOW else value > threshold):
        side = "at least" if measure.bad is Bad.LOW else "at most"
        return f"It is over at a better figure than it began at: choose {side} {threshold:,.10g}."
    return ""


def _window(rule: AlertRule, measure: Measure) -> str:
    if not measure.has_window:
        return "" if rule.window_s is None else "Leave this empty: it is measured as of now."
    if rule.window_s not in WINDOWS:
        return f"Choose one of {', '.join(WINDOWS.values())}."
    return ""


def _least_volume(rule: AlertRule, measure: Measure) -> str:
    if rule.least_volume and not measure.volume:
        return "Leave this at 0: there is nothing to have too few of."
    return ""


def _detail(rule: AlertRule, measure: Measure) -> str:
    try:
        if measure.detail is Detail.FAILURE:
            check_failure(rule.detail)
        elif measure.detail is Detail.SHARE:
            share_of(rule.detail)
        elif rule.detail:
            return f"Leave this empty: {measure.label} asks for none."
    except ValueError as error:
        return str(error)
    return ""


_FIELDS: Mapping[str, Callable[[AlertRule], str]] = {
    "slug": _slug,
    "name": _name,
    "measure": _measure,
    "severity": _severity,
    "hold_s": _between("hold_s", 0, MONTH_S, "Choose 0 seconds to 31 days."),
    "remind_s": _between(
        "remind_s", 60, MONTH_S, "Choose 60 seconds to 31 days, or leave it empty for never."
    ),
    "least_volume": _between("least_volume", 0, 10**9, "Choose 0 or more."),
}
_OF_MEASURE: Mapping[str, Callable[[AlertRule, Measure], str]] = {
    "over": _over,
    "subscription": _named("subscription"),
    "subscriber": _named("subscriber"),
    "source": _named("source"),
    "threshold": _threshold,
    "clear_threshold": _clear,
    "window_s": _window,
    "least_volume": _least_volume,
    "detail": _detail,
}
