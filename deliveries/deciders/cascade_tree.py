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

from .cascade_twigs import WORST, Twig, pruned, worst
from .delivery_query import Status
from .delivery_signs import waited
from .delivery_words import STATUS_WORDS

MOST_NODES: Final = 150  # drawn one by one
MOST_DRAWN: Final = 80  # in groups; what would be more is folded where it begins
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Hop:
    """An event of a cascade."""

    id: UUID
    event_type: str
    source: str
    at: datetime
    state: str
    cause_id: UUID | None
    why: str = ""  # it was set aside


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

    @property
    def lasts_s(self) -> float:
        return (self.ends - self.begins).total_seconds()


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the waterfall; without a leg, an event that has none. Times are seconds since the first event."""

    depth: int
    hop: Hop
    leg: Leg | None
    begins_s: float
    lasts_s: float
    is_critical: bool = False

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
    critical: Sequence[UUID] = ()  # events and deliveries in turn, from the first event to what ended last


class _Family:
    """Who came of whom, the troubled first. Whoever is its own forebear is told once."""

    def __init__(self, hops: Iterable[Hop], legs: Iterable[Leg]) -> None:
        self.legs: dict[UUID, list[Leg]] = defaultdict(list)
        self.hops: dict[UUID, list[Hop]] = defaultdict(list)
        self.critical: frozenset[UUID] = frozenset()
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
    critical = _critical(root, hops, legs)
    family.critical = frozenset(critical)
    is_grouped = 1 + len(hops) + len(legs) > MOST_NODES
    ends = max([root.at, *(hop.at for hop in hops), *(leg.ends for leg in legs)])
    return Told(
        tree=_grouped(root, family) if is_grouped else _whole(root, family, root.at),
        rows=[_row(depth, hop, leg, root.at, family.critical) for depth, hop, leg in walked],
        is_grouped=is_grouped,
        depth=1 + max(depth for depth, _, _ in walked),
        span_s=(ends - root.at).total_seconds(),
        statuses=Counter(leg.status for leg in legs),
        critical=critical,
    )


def _critical(root: Hop, hops: Sequence[Hop], legs: Sequence[Leg]) -> list[UUID]:
    """Back from what ended last, cause by cause: had any of these been faster, all would have ended sooner."""
    if not legs:
        return [root.id]
    events = {hop.id: hop for hop in (*hops, root)}
    deliveries = {leg.id: leg for leg in legs}
    leg: Leg | None = max(legs, key=lambda each: (each.ends, each.id))
    way: list[UUID] = []
    while leg is not None and leg.id not in way:
        hop = events.get(leg.event_id)
        way += [leg.id, leg.event_id]
        leg = deliveries.get(hop.cause_id) if hop and hop.cause_id and hop.id != root.id else None
    return way[::-1]


def _row(depth: int, hop: Hop, leg: Leg | None, zero: datetime, critical: frozenset[UUID]) -> Row:
    begins, ends = (leg.begins, leg.ends) if leg else (hop.at, hop.at)
    return Row(
        depth=depth,
        hop=hop,
        leg=leg,
        begins_s=max((begins - zero).total_seconds(), 0),
        lasts_s=max((ends - begins).total_seconds(), 0),
        is_critical=leg is not None and leg.id in critical,
    )


def _whole(hop: Hop, family: _Family, zero: datetime, via: str = "") -> Twig:
    """Small, so that it can be walked by recursion."""
    twigs = [_delivery(leg, family, zero) for leg in family.legs[hop.id]]
    return Twig(
        kind="event",
        title=hop.event_type or "no type",
        note=hop.why or (f"via {via}" if via else f"received from {hop.source}"),
        aside=f"+{waited((hop.at - zero).total_seconds())}" if via else "",
        tone=_tone_of_event(hop),
        key=hop.id,
        is_critical=hop.id in family.critical,
        children=_folded(twigs, hop),
    )


def _delivery(leg: Leg, family: _Family, zero: datetime) -> Twig:
    return Twig(
        kind="delivery",
        title=leg.subscription,
        note=waited(leg.lasts_s) if leg.status is Status.DELIVERED else leg.tag,
        aside=STATUS_WORDS[leg.status],
        tone=TONES[leg.status],
        key=leg.id,
        lasts=waited(leg.lasts_s),
        is_critical=leg.id in family.critical,
        children=sorted(
            (_whole(child, family, zero, leg.subscription) for child in family.hops[leg.id]), key=worst
        ),
    )


def _folded(twigs: list[Twig], hop: Hop) -> list[Twig]:
    """Of what went well and caused nothing, as many as can be looked over."""
    twigs.sort(key=_rank)
    plain = [twig for twig in twigs if not twig.children and twig.tone == "good"]
    if len(plain) <= MOST_DOTS:
        return twigs
    shown = [twig for twig in twigs if twig not in plain[MOST_DOTS:]]
    more = f"+ {len(plain) - MOST_DOTS:,} more delivered"
    return [*shown, Twig(kind="fold", title=more, tone="good", key=hop.id)]


def _rank(twig: Twig) -> tuple[int, bool, int]:
    """Broken branches first, however deep they are broken; then what caused something; then the rest."""
    return (worst(twig), not twig.children, WORST.index(twig.tone))


def _tone_of_event(hop: Hop) -> str:
    return {"quarantined": "held", "unmatched": "quiet", "discarded": "quiet", "received": "next"}.get(
        hop.state, ""
    )


def _tone_of_events(hops: Sequence[Hop]) -> str:
    if len(hops) == 1:
        return _tone_of_event(hops[0])
    return "held" if _set_aside(hops) else ""


def _set_aside(hops: Sequence[Hop]) -> str:
    """How many of several events go no further."""
    held = sum(bool(hop.why) for hop in hops)
    return hops[0].why if held == len(hops) == 1 else f"{held:,} set aside" if held else ""


def _grouped(root: Hop, family: _Family) -> Twig:
    return pruned(_group([root], family, f"received from {root.source}", set()), MOST_DRAWN)


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
    twigs.sort(key=_rank)
    shown = max(MOST_BRANCHES, sum(bool(twig.children) for twig in twigs[: 2 * MOST_BRANCHES]))
    if len(twigs) > shown:
        fold = Twig(kind="fold", title=f"+ {len(twigs) - shown} more subscriptions", key=hops[0].id)
        twigs = [*twigs[:shown], fold]
    return Twig(
        kind="event",
        title=hops[0].event_type or "no type",
        note=_set_aside(hops) or note,
        aside=f"× {len(hops):,}" if len(hops) > 1 else "",
        tone=_tone_of_events(hops),
        key=hops[0].id,  # of several the first, which leads to the others
        count=len(hops),
        is_critical=any(hop.id in family.critical for hop in hops),
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
            count=more,
            key=next((hops[0].id for _, hops in largest[MOST_TYPES:]), None),
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
        key=legs[0].id,
        count=len(legs),
        lasts=waited(max(leg.lasts_s for leg in legs)),
        is_critical=any(leg.id in family.critical for leg in legs),
        children=[
            *sorted(
                (_group(hops, family, f"via {name}", seen, depth + 1) for _, hops in largest[:MOST_TYPES]),
                key=worst,
            ),
            *(rest if more else []),
        ],
    )
