"""Charts as values: pure functions from numbers to where things lie. Templates draw them as SVG; no Django here.

Widths are percentages, so that a chart fits any column and its words keep their size; heights are pixels.
"""

from .lines import Lines, Point, Series, lines
from .small import Gauge, Sparkline, Strip, gauge, sparkline, strip
from .stacks import Column, Kind, Stacks, stacks

__all__ = [
    "Column",
    "Gauge",
    "Kind",
    "Lines",
    "Point",
    "Series",
    "Sparkline",
    "Stacks",
    "Strip",
    "gauge",
    "lines",
    "sparkline",
    "stacks",
    "strip",
]
