"""Draws the load of each policy over time as a PNG, where matplotlib is installed. It measures nothing."""

from collections.abc import Sequence
from pathlib import Path

from .rehearse import Figures
from .report import NAMES, shown_s
from .scenario import Scenario

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
except ImportError:  # the hub runs without it
    is_possible = False
else:
    is_possible = True

COLOURS = {"naive": "#b3452c", "backoff": "#b8862b", "weir": "#1f6f8b"}
POINTS = 900  # across; a point shows the busiest of its seconds
UNIT_S, UNIT = 60, "minutes"


def draw(scenario: Scenario, results: Sequence[Figures], path: Path) -> None:
    """Raises OSError where the file cannot be written."""
    figure = Figure(figsize=(9, 1.2 + 1.7 * len(results)), dpi=110, layout="constrained")
    panels = figure.subplots(len(results), sharex=True, sharey=True, squeeze=False)
    for panel, each in zip(panels[:, 0], results, strict=True):
        _panel(panel, scenario, each, shown_s(results))
    panels[-1, 0].set_xlabel(UNIT)
    figure.supylabel("requests a second (logarithmic)", fontsize="medium")
    figure.savefig(path, format="png", metadata={"Software": None})


def _panel(panel: "Axes", scenario: Scenario, figures: Figures, until_s: int) -> None:
    times, counts = _busiest(figures.load[:until_s])
    for start, end in scenario.down:
        panel.axvspan(start / UNIT_S, end / UNIT_S, color="0.9", linewidth=0)
    if scenario.endpoints == 1:
        panel.axhline(scenario.strength.capacity_per_s, color="0.4", linestyle="--", linewidth=0.8)
    panel.fill_between(times, 0.5, counts, step="post", color=COLOURS[figures.policy], linewidth=0.6)
    panel.set_yscale("log")
    panel.set_ylim(bottom=0.5)
    panel.yaxis.set_major_formatter("{x:,.0f}")
    panel.set_xlim(0, until_s / UNIT_S)
    panel.set_title(_caption(figures), loc="left", fontsize="medium")
    panel.spines[["top", "right"]].set_visible(False)


def _busiest(load: Sequence[int]) -> tuple[list[float], list[float]]:
    step = max(1, len(load) // POINTS)
    starts = range(0, len(load), step)
    return [start / UNIT_S for start in starts], [
        max(*load[start : start + step], 0, 0.5) for start in starts
    ]


def _caption(figures: Figures) -> str:
    drained = (
        "not drained at the end"
        if figures.drained_s is None
        else f"drained {figures.drained_s:,.0f} s after recovery"
    )
    return f"{NAMES[figures.policy]}: {figures.amplification:,.2f} requests per delivery, {drained}"
