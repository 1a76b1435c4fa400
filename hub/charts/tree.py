"""A tree from left to right: boxes, dots before what they led to, curves in between. It says where they lie."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from .scale import short

BOX_WIDTH, BOX_HEIGHT = 184, 46
PITCH = 244  # from one box to the next one's
ROW, GAP, MARGIN = 28, 10, 16
TALL = 640  # beside what is taller, a node stands near its top, so that the first one is in sight
LABEL = 230  # right of a dot that led to nothing
TITLE, NOTE, ASIDE = 25, 28, 9  # characters that fit
BROKEN: Final = frozenset({"bad", "warn", "held"})


class Node(Protocol):
    """What is drawn: an event is a box; everything else a dot, with a label where it led to nothing."""

    @property
    def kind(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def aside(self) -> str: ...
    @property
    def tone(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def lasts(self) -> str: ...
    @property
    def is_critical(self) -> bool: ...
    @property
    def children(self) -> "Sequence[Node]": ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Box:
    x: str
    y: str
    title: str
    note: str
    aside: str
    tone: str
    address: str
    whole: str  # all of its words, where some were left out
    is_first: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Dot:
    x: str
    y: str
    tone: str
    label: str
    note: str
    address: str
    whole: str
    lasts: str  # said on the edge before it, where it led to something


@dataclass(frozen=True, kw_only=True, slots=True)
class Edge:
    path: str
    tone: str
    is_critical: bool = False


@dataclass(kw_only=True, slots=True)
class Tree:
    title: str
    width: int = 0
    height: int = 0
    box_width: int = BOX_WIDTH
    box_height: int = BOX_HEIGHT
    boxes: list[Box] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)


def tree(*, title: str, root: Node) -> Tree:
    drawn = Tree(title=title)
    height = _box(drawn, root, x=MARGIN, top=MARGIN, is_first=True)[1]
    drawn.height = int(height + 2 * MARGIN)
    drawn.width += MARGIN
    return drawn


def _high(node: Node) -> float:
    below = sum(_high(child) for child in node.children)
    return max(BOX_HEIGHT + GAP, below) if node.kind == "event" else max(ROW, below)


def _box(drawn: Tree, node: Node, *, x: float, top: float, is_first: bool = False) -> tuple[float, float]:
    """Draws it with all below it; gives its middle and its height."""
    height = _high(node)
    middle = top + min(height, TALL) / 2
    below = top + (height - sum(_high(child) for child in node.children)) / 2
    for child in node.children:
        at = _dot(drawn, child, x=x + PITCH - 9, top=below)
        drawn.edges.append(_edge(child, x + BOX_WIDTH, middle, x + PITCH - 9, at))
        below += _high(child)
    drawn.boxes.append(
        Box(
            x=short(x),
            y=short(middle - BOX_HEIGHT / 2),
            title=_cut(node.title, TITLE),
            note=_cut(node.note, NOTE - (len(node.aside) + 2 if node.aside else 0)),
            aside=node.aside,
            tone=node.tone,
            address=node.address,
            whole=_whole(node),
            is_first=is_first,
        )
    )
    drawn.width = max(drawn.width, int(x + BOX_WIDTH))
    return middle, height


def _dot(drawn: Tree, node: Node, *, x: float, top: float) -> float:
    """Boxes that it led to lie right beside it, one below the other."""
    height = _high(node)
    middle = top + min(height, TALL) / 2
    below = top + (height - sum(_high(child) for child in node.children)) / 2
    for child in node.children:
        at, high = _box(drawn, child, x=x + 9, top=below)
        if len(node.children) > 1:
            path = f"M{short(x)} {short(middle)}V{short(at)}H{short(x + 9)}"
            drawn.edges.append(Edge(path=path, tone="", is_critical=child.is_critical))
        below += high
    is_leaf = not node.children
    drawn.dots.append(
        Dot(
            x=short(x),
            y=short(middle),
            tone=node.tone,
            label=_cut(node.title, TITLE) if is_leaf else "",
            note=_cut(node.note, NOTE) if is_leaf else "",
            address=node.address,
            whole=_whole(node),
            lasts="" if is_leaf else node.lasts,
        )
    )
    drawn.width = max(drawn.width, int(x + (LABEL if is_leaf else 0)))
    return middle


def _edge(node: Node, x: float, y: float, to_x: float, to_y: float) -> Edge:
    tone = node.tone if node.tone in BROKEN else ""
    return Edge(path=_curve(x, y, to_x, to_y), tone=tone, is_critical=node.is_critical)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    bend = (to_x - x) / 2
    start, end = f"{short(x)} {short(y)}", f"{short(to_x)} {short(to_y)}"
    return f"M{start}C{short(x + bend)} {short(y)} {short(to_x - bend)} {short(to_y)} {end}"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def _whole(node: Node) -> str:
    return ", ".join(part for part in (node.title, node.note, node.aside) if part)
