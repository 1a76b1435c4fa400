"""Decides how a cascade is told: as a tree to draw, and as rows from its first event on. It reads and draws nothing.

A small cascade is told whole. A large one is told in groups: what one place caused, of one type and by one
subscription, is one node with a count.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from uuid import UUID

from .delivery_query import Status
from .delivery_signs import waited
from .delivery_words import STATUS_WORDS

MOST_NODES: Final = 150  # drawn one by one
MOST_DOTS: Final = 12  # deliveries of one event that caused nothing; further ones that went well are folded
MOST_BRANCHES: Final = (
    6  # subscriptions below one place of a tree in groups, and further ones that caused something
)
DEEPEST_DRAWN: Final = 24  # levels in groups; the rows go on
MOST_TYPES: Final = 12  # that one subscription caused there
TONES: Final[Mapping[Status, str]] = {
    Status.DEAD: "bad",
    Status.RETRYING: "warn",
    Status.HELD: "held",
    Status.PENDING: "next",
    Status.DELIVERED: "good",
    Status.DISCARDED: "quiet",
    Status.SUPERSEDED: "quiet",
}
WORST: Final = ("bad", "held", "warn", "next", "quiet", "good")


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """An event of a cascade."""

    id: UUID
    event_type: str
    source: str
    at: datetime
    state: str
    cause_id: UUID | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Leg:
    """A delivery of one; `tag` says its last answer."""

    id: UUID
    event_id: UUID
    subscription_id: UUID
    subscription: str
    status: Status
    tag: str
    tone: str
    begins: datetime
    ends: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Twig:
    """A node to draw: an event is a box, a delivery a dot before what it caused. `key` names it for its address."""

    kind: str  # event, delivery, fold
    title: str
    note: str = ""
    aside: str = ""
    tone: str = "quiet"
    key: UUID | None = None
    children: Sequence["Twig"] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the waterfall; without a leg, an event that has none. Times are seconds since the first event."""

    depth: int
    hop: Hop
    leg: Leg | None
    begins_s: float
    lasts_s: float

    @property
    def took(self) -> str:
        return waited(self.lasts_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    tree: Twig
    rows: Sequence[Row]
    is_grouped: bool
    depth: int
    span_s: float
    statuses: Mapping[Status, int] = field(default_factory=dict)


class _Family:
    """Who came of whom, the troubled first. Whoever is its own forebear is told once."""

    def __init__(self, hops: Iterable[Hop], legs: Iterable[Leg]) -> None:
        self.legs: dict[UUID, list[Leg]] = defaultdict(list)
        self.hops: dict[UUID, list[Hop]] = defaultdict(list)
        for leg in sorted(legs, key=lambda each: (each.begins, each.id)):
            self.legs[leg.event_id].append(leg)
        for hop in sorted(hops, key=lambda each: (each.at, each.id)):
            if hop.cause_id:
                self.hops[hop.cause_id].append(hop)

    def walk(self, root: Hop) -> Iterable[tuple[int, Hop, Leg | None]]:
        """Depth first, without recursion: a cascade may be deeper than Python's stack."""
        seen = {root.id}
        stack: list[tuple[int, Hop, Leg | None]] = []
        self._push(stack, 0, root)
        while stack:
            depth, hop, leg = stack.pop()
            yield depth, hop, leg
            for child in reversed(self.hops[leg.id] if leg else []):
                if child.id not in seen:
                    seen.add(child.id)
                    self._push(stack, depth + 1, child)

    def _push(self, stack: list[tuple[int, Hop, Leg | None]], depth: int, hop: Hop) -> None:
        legs = self.legs[hop.id]
        stack += [(depth, hop, leg) for leg in reversed(legs)] if legs else [(depth, hop, None)]


def tell(root: Hop, hops: Sequence[Hop], legs: Sequence[Leg]) -> Told:
    """`hops` are the events that others caused, without the root."""
    family = _Family(hops, legs)
    walked = list(family.walk(root))
    is_grouped = 1 + len(hops) + len(legs) > MOST_NODES
    ends = max([root.at, *(hop.at for hop in hops), *(leg.ends for leg in legs)])
    return Told(
        tree=_grouped(root, family) if is_grouped else _whole(root, family, root.at),
        rows=[_row(depth, hop, leg, root.at) for depth, hop, leg in walked],
        is_grouped=is_grouped,
        depth=1 + max(depth for depth, _, _ in walked),
        span_s=(ends - root.at).total_seconds(),
        statuses=Counter(leg.status for leg in legs),
    )


def _row(depth: int, hop: Hop, leg: Leg | None, zero: datetime) -> Row:
    begins, ends = (leg.begins, leg.ends) if leg else (hop.at, hop.at)
    return Row(
        depth=depth,
        hop=hop,
        leg=leg,
        begins_s=max((begins - zero).total_seconds(), 0),
        lasts_s=max((ends - begins).total_seconds(), 0),
    )


def _whole(hop: Hop, family: _Family, zero: datetime, via: str = "") -> Twig:
    """Small, so that it can be walked by recursion."""
    twigs = [_delivery(leg, family, zero) for leg in family.legs[hop.id]]
    return Twig(
        kind="event",
        title=hop.event_type or "no type",
        note=f"via {via}" if via else f"received from {hop.source}",
        aside=f"+{waited((hop.at - zero).total_seconds())}" if via else "",
        tone=_tone_of_event(hop),
        key=hop.id,
        children=_folded(twigs),
    )


def _delivery(leg: Leg, family: _Family, zero: datetime) -> Twig:
    return Twig(
        kind="delivery",
        title=leg.subscription,
        note=waited((leg.ends - leg.begins).total_seconds()) if leg.status is Status.DELIVERED else leg.tag,
        aside=STATUS_WORDS[leg.status],
        tone=TONES[leg.status],
        key=leg.id,
        children=[_whole(child, family, zero, leg.subscription) for child in family.hops[leg.id]],
    )


def _folded(twigs: list[Twig]) -> list[Twig]:
    """What caused something first, then what failed; of the rest as many as can be looked over."""
    twigs.sort(key=lambda twig: (not twig.children, WORST.index(twig.tone)))
    plain = [twig for twig in twigs if not twig.children and twig.tone == "good"]
    if len(plain) <= MOST_DOTS:
        return twigs
    shown = [twig for twig in twigs if twig not in plain[MOST_DOTS:]]
    return [*shown, Twig(kind="fold", title=f"+ {len(plain) - MOST_DOTS} more delivered", tone="good")]


def _tone_of_event(hop: Hop) -> str:
    return {"quarantined": "held", "unmatched": "quiet", "received": "next"}.get(hop.state, "")


def _grouped(root: Hop, family: _Family) -> Twig:
    return _group([root], family, f"received from {root.source}", set())


def _group(hops: Sequence[Hop], family: _Family, note: str, seen: set[UUID], depth: int = 0) -> Twig:
    """Events of one type and one cause, as one; deeper than can be looked at, it ends."""
    seen |= {hop.id for hop in hops}
    legs: dict[tuple[str, UUID], list[Leg]] = defaultdict(list)
    for hop in hops if depth < DEEPEST_DRAWN else ():
        for leg in family.legs[hop.id]:
            legs[leg.subscription, leg.subscription_id].append(leg)
    twigs = [
        _group_of_legs(name, theirs, family, seen, depth)
        for (name, _), theirs in sorted(legs.items(), key=str)
    ]
    twigs.sort(key=lambda twig: (not twig.children, WORST.index(twig.tone)))
    shown = max(MOST_BRANCHES, sum(bool(twig.children) for twig in twigs[: 2 * MOST_BRANCHES]))
    if len(twigs) > shown:
        fold = Twig(kind="fold", title=f"+ {len(twigs) - shown} more subscriptions")
        twigs = [*twigs[:shown], fold]
    return Twig(
        kind="event",
        title=hops[0].event_type or "no type",
        note=note,
        aside=f"× {len(hops):,}" if len(hops) > 1 else "",
        tone=_tone_of_event(hops[0]) if len(hops) == 1 else "",
        key=hops[0].id if len(hops) == 1 else None,
        children=twigs,
    )


def _group_of_legs(name: str, legs: Sequence[Leg], family: _Family, seen: set[UUID], depth: int) -> Twig:
    by_type: dict[str, list[Hop]] = defaultdict(list)
    for leg in legs:
        for hop in family.hops[leg.id]:
            if hop.id not in seen:
                by_type[hop.event_type].append(hop)
    largest = sorted(by_type.items(), key=lambda each: (-len(each[1]), each[0]))
    more = sum(len(hops) for _, hops in largest[MOST_TYPES:])
    rest = [
        Twig(
            kind="event",
            title=f"{len(largest) - MOST_TYPES} more types",
            note=f"via {name}",
            aside=f"× {more:,}",
        )
    ]
    counts = Counter(leg.status for leg in legs)
    tone = min((TONES[status] for status in counts), key=WORST.index)
    said = ", ".join(f"{number:,} {STATUS_WORDS[status].lower()}" for status, number in counts.most_common())
    return Twig(
        kind="delivery",
        title=name,
        note=said,
        tone=tone,
        key=legs[0].id if len(legs) == 1 else None,
        children=[
            *(_group(hops, family, f"via {name}", seen, depth + 1) for _, hops in largest[:MOST_TYPES]),
            *(rest if more else []),
        ],
    )
