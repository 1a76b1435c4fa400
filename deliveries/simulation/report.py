"""Tells a terminal what came of a rehearsal: a sentence, a table and a chart for each policy. It writes no file."""

from collections.abc import Callable, Iterator, Sequence
from math import ceil, log10

from .rehearse import Figures
from .scenario import Scenario

NAMES = {"naive": "naive", "backoff": "backoff, no jitter", "weir": "Weir"}
WIDTH = 72  # columns of a chart
LABEL = 8
EIGHTHS = " ▁▂▃▄▅▆▇█"

ROWS: tuple[tuple[str, Callable[[Figures], str]], ...] = (
    ("requests sent", lambda each: f"{each.sent:,}"),
    ("requests sent ÷ deliveries owed", lambda each: f"{each.amplification:,.3f}"),
    ("to one endpoint while it was down", lambda each: f"{each.sent_while_down:,}"),
    ("at once to one endpoint, at most", lambda each: f"{each.most_at_once:,}"),
    ("in one second, at most", lambda each: f"{each.peak_per_s:,}"),
    ("endpoints that fell over under the load", lambda each: f"{each.falls:,}"),
    ("openings of circuits", lambda each: f"{each.openings:,}"),
    ("delivered", lambda each: f"{each.delivered:,}"),
    ("given up", lambda each: f"{each.dead:,}"),
    ("still owed at the end", lambda each: f"{each.still_owed:,}"),
    ("owed to one endpoint at recovery", lambda each: f"{each.owed_at_recovery:,}"),
    ("recovery noticed after", lambda each: _seconds(each.noticed_s, "–")),
    ("drained after", lambda each: _seconds(each.drained_s, "not at the end")),
    ("the cap alone would take", lambda each: _seconds(each.cap_allows_s, "–")),
)


def text(scenario: Scenario, results: Sequence[Figures], *, seed: int) -> str:
    charts = "\n\n".join(_chart(scenario, each, shown_s(results)) for each in results)
    return f"{describe(scenario, seed)}\n\n{_table(results)}\n\n{charts}\n"


def describe(scenario: Scenario, seed: int) -> str:
    strength = scenario.strength
    down = ", ".join(f"{start:,.0f}–{end:,.0f} s" for start, end in scenario.down)
    verb = "refuses" if strength.fault == "refuse" else "hangs"
    who = "the endpoint" if scenario.endpoints == 1 else f"{scenario.endpoints_down:,} of them"
    return (
        f"{scenario.name}: {_count(scenario.endpoints, 'endpoint')} owed"
        f" {_count(scenario.deliveries, 'delivery', 'deliveries')}, due over {scenario.arriving_s:,.0f} s."
        f" An answer takes {strength.latency_s:g} s and longer above {strength.capacity_per_s:g} a second;"
        f" above {strength.breaking_point:,} at once an endpoint falls over for {strength.restart_s:g} s."
        f" Down ({who}; {verb}): {down}. Seed {seed}."
    )


def shown_s(results: Sequence[Figures]) -> int:
    """Until the last request of any policy."""
    return max(_last_busy(each.load) for each in results) + 1


def _last_busy(load: Sequence[int]) -> int:
    return max((second for second, count in enumerate(load) if count), default=0)


def _table(results: Sequence[Figures]) -> str:
    lines = [("", *(NAMES[each.policy] for each in results))]
    lines += [(label, *(cell(each) for each in results)) for label, cell in ROWS]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]) for line in lines
    )


def _chart(scenario: Scenario, figures: Figures, shown_s: int) -> str:
    """A decade to a line, for a flood is thousands of times what it should be."""
    columns = list(_columns(figures.load[:shown_s]))
    decades = max(1, ceil(log10(max(*columns, 2))))
    lines = [f"{NAMES[figures.policy]}: requests a second, the busiest second of each column"]
    for decade in reversed(range(decades)):
        bars = "".join(_bar(count, decade) for count in columns)
        lines.append(f"{10**decade:>{LABEL},} │{bars}".rstrip())
    lines.append(" " * LABEL + " └" + "".join(_ground(scenario, shown_s)) + "  × down")
    lines.append(" " * LABEL + "  0 s" + f"{shown_s - 1:,} s".rjust(WIDTH - 3))
    return "\n".join(lines)


def _columns(load: Sequence[int]) -> Iterator[int]:
    for column in range(WIDTH):
        start = column * len(load) // WIDTH
        yield max(load[start : max(start + 1, (column + 1) * len(load) // WIDTH)])


def _bar(count: int, decade: int) -> str:
    if not count:
        return " "
    eighths = round((log10(count) - decade) * 8)
    return EIGHTHS[min(8, max(1 - min(decade, 1), eighths))]


def _ground(scenario: Scenario, shown_s: int) -> Iterator[str]:
    for column in range(WIDTH):
        at = (column + 0.5) * shown_s / WIDTH
        yield "×" if any(start <= at < end for start, end in scenario.down) else "─"


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _seconds(value: float | None, otherwise: str) -> str:
    return otherwise if value is None else f"{value:,.0f} s"
