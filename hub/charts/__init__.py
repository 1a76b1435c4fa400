"""Charts as values: pure functions from numbers to where things lie. Templates draw them as SVG; no Django here.

Widths are percentages, so that a chart fits any column and its words keep their size; heights are pixels. A tree alone
is as wide as it is.
"""

from .lines import Lines, Point, Series, lines
from .small import Gauge, Sparkline, Strip, gauge, sparkline, strip
from .stacks import Column, Kind, Stacks, stacks
from .tree import Node, Tree, tree

__all__ = [
    "Column",
    "Gauge",
    "Kind",
    "Lines",
    "Node",
    "Point",
    "Series",
    "Sparkline",
    "Stacks",
    "Strip",
    "Tree",
    "gauge",
    "lines",
    "sparkline",
    "stacks",
    "strip",
    "tree",
]
