"""What a cascade's drawing is made of, and how much of it there may be. It knows no event and no delivery."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from typing import Final
from uuid import UUID

WORST: Final = ("bad", "held", "warn", "next", "quiet", "good")
BROKEN: Final = frozenset({"bad", "held", "warn"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Twig:
    """A node to draw: an event is a box, a delivery a dot before what it caused. `key` names it for its address.

    `lasts` is said on the edge that leads to it; `is_critical` puts it on the way to what ended last. It stands for
    `count` events, or deliveries.
    """

    kind: str  # event, delivery, fold
    title: str
    note: str = ""
    aside: str = ""
    tone: str = "quiet"
    key: UUID | None = None
    lasts: str = ""
    is_critical: bool = False
    count: int = 1
    children: Sequence["Twig"] = ()


def worst(twig: Twig) -> int:
    """Of what lies in it: how it stands in WORST, as far as that is broken."""
    own = WORST.index(twig.tone) if twig.tone in BROKEN else len(WORST)
    return min([own, *(worst(child) for child in twig.children)])


def pruned(tree: Twig, most: int) -> Twig:
    """At most so many nodes, folds aside: first what is broken or critical, then what lies near the first event.

    An event whose deliveries do not fit any more ends in a fold, which says how many events lie behind it.
    """
    opened: set[int] = set()
    came = count()  # of two as urgent and as near, the first
    waiting: list[tuple[int, int, int, Twig]] = [(0, 0, next(came), tree)]
    left = most - 1
    while waiting:
        _, depth, _, event = heappop(waiting)
        further = [each for delivery in event.children for each in delivery.children]
        cost = len(event.children) + len(further)
        if cost > left:
            continue
        left -= cost
        opened.add(id(event))
        for each in further:
            heappush(waiting, (_urgency(each), depth + 1, next(came), each))
    return _cut(tree, opened)


def _urgency(twig: Twig) -> int:
    return min(worst(twig), len(WORST) - 1 if _is_critical(twig) else len(WORST))


def _is_critical(twig: Twig) -> bool:
    return twig.is_critical or any(_is_critical(child) for child in twig.children)


def _cut(event: Twig, opened: set[int]) -> Twig:
    if not event.children:
        return event
    if id(event) in opened:
        kept = [
            replace(delivery, children=[_cut(each, opened) for each in delivery.children])
            for delivery in event.children
        ]
        return replace(event, children=kept)
    behind = sum(_events(child) for child in event.children)
    title = f"+ {behind:,} more event{'s'[: behind != 1]}" if behind else "+ its deliveries"
    is_worst = min(worst(child) for child in event.children)
    tone = WORST[is_worst] if is_worst < len(WORST) else "quiet"
    return replace(event, children=[Twig(kind="fold", title=title, tone=tone, key=event.key)])


def _events(twig: Twig) -> int:
    own = twig.count if twig.kind == "event" else 0
    return own + sum(_events(child) for child in twig.children)
