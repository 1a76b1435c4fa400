"""How a cascade is told: whole while it is small, in groups when it is large; and where its nodes lie. All pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from deliveries.deciders.cascade_tree import MOST_DOTS, MOST_DRAWN, Hop, Leg, Told, tell
from deliveries.deciders.cascade_twigs import Twig, pruned
from deliveries.deciders.delivery_query import Status
from hub.charts.tree import BOX_HEIGHT, PITCH, tree

ZERO = datetime(2026, 11, 25, 12, tzinfo=UTC)


def hop(number: int, cause: int | None = None, at_ms: int = 0, **more: str) -> Hop:
    return Hop(
        id=UUID(int=number), event_type=more.get("type", f"e.{number}"), source="Shop",
        state=more.get("state", "routed"), at=ZERO + timedelta(milliseconds=at_ms),
        cause_id=UUID(int=cause) if cause else None,
    )  # fmt: skip


def leg(
    number: int,
    event: int,
    status: Status = Status.DELIVERED,
    at_ms: int = 0,
    took_ms: int = 100,
    to: int = 0,
) -> Leg:
    begins = ZERO + timedelta(milliseconds=at_ms)
    return Leg(
        id=UUID(int=number), event_id=UUID(int=event), subscription_id=UUID(int=9_000 + (to or number)),
        subscription=f"s{to or number}", status=status, tag="200" if status is Status.DELIVERED else "TLS", tone="",
        begins=begins, ends=begins + timedelta(milliseconds=took_ms),
    )  # fmt: skip


def chain() -> Told:
    """1 → 11 → 2 → 21 (dead), and 1 → 12."""
    return tell(
        hop(1),
        [hop(2, cause=11, at_ms=150)],
        [leg(11, 1), leg(12, 1, took_ms=40), leg(21, 2, Status.DEAD, at_ms=160, took_ms=80)],
    )


def test_a_small_one_is_told_whole() -> None:
    told = chain()
    assert (told.is_grouped, told.depth, told.span_s) == (False, 2, 0.24)
    assert told.statuses == {Status.DELIVERED: 2, Status.DEAD: 1}
    first, second = told.tree.children
    assert (told.tree.title, told.tree.note) == ("e.1", "received from Shop")
    assert (first.title, first.tone, second.title, second.note) == ("s11", "good", "s12", "40 ms")
    (child,) = first.children
    assert (child.title, child.note, child.aside) == ("e.2", "via s11", "+150 ms")
    assert [(each.title, each.note, each.tone) for each in child.children] == [("s21", "TLS", "bad")]


def test_rows_go_depth_first_and_say_when_each_began() -> None:
    rows = [
        (row.depth, row.hop.event_type, row.leg and row.leg.subscription, row.begins_s, row.took)
        for row in chain().rows
    ]
    assert rows == [
        (0, "e.1", "s11", 0, "100 ms"),
        (1, "e.2", "s21", 0.16, "80 ms"),
        (0, "e.1", "s12", 0, "40 ms"),
    ]


def test_an_event_that_nobody_wanted_has_a_row_of_its_own() -> None:
    told = tell(hop(1), [hop(2, cause=11, state="unmatched")], [leg(11, 1)])
    assert [(row.depth, row.leg is None) for row in told.rows] == [(0, False), (1, True)]


def test_of_a_wide_fan_what_went_well_is_folded_and_what_failed_never() -> None:
    legs = [leg(100 + n, 1) for n in range(MOST_DOTS + 30)] + [
        leg(500 + n, 1, Status.DEAD) for n in range(20)
    ]
    twigs = tell(hop(1), [], legs).tree.children
    assert [twig.tone for twig in twigs[:20]] == ["bad"] * 20
    assert (len(twigs), twigs[-1].title) == (20 + MOST_DOTS + 1, "+ 30 more delivered")


def test_a_large_one_is_told_in_groups_with_numbers() -> None:
    hops = [hop(1_000 + n, cause=11, type="line.sent") for n in range(200)]
    legs = [leg(11, 1)] + [
        leg(5_000 + n, 1_000 + n, Status.DEAD if n < 3 else Status.DELIVERED, to=7) for n in range(200)
    ]
    told = tell(hop(1), hops, legs)
    assert told.is_grouped and len(told.rows) == 201
    (group,) = told.tree.children[0].children
    assert (group.title, group.aside, group.key) == ("line.sent", "× 200", UUID(int=1_000))
    (sums,) = group.children
    assert (sums.title, sums.note, sums.tone) == ("s7", "197 delivered, 3 dead letter", "bad")


def test_what_is_its_own_forebear_is_told_once() -> None:
    told = tell(hop(1, cause=21), [hop(2, cause=11)], [leg(11, 1), leg(21, 2)])
    assert len(told.rows) == 2


def test_however_much_there_is_the_drawing_stays_small() -> None:
    hops = [hop(1_000 + n, cause=11, type=f"type.{n % 40}") for n in range(2_000)]
    legs = [leg(11, 1)] + [leg(5_000 + n, 1_000 + n, to=n % 90 + 1) for n in range(2_000)]
    drawn = tell(hop(1), hops, legs).tree

    def count(twig: Twig) -> int:
        return 1 + sum(count(child) for child in twig.children)

    assert count(drawn) < 150
    assert drawn.children[0].children[-1].title == "28 more types"


def test_a_deep_one_is_told_to_its_end() -> None:
    hops = [hop(n, cause=10_000 + n - 1) for n in range(2, 3_000)]
    legs = [leg(10_000 + n, n) for n in range(1, 3_000)]
    told = tell(hop(1), hops, legs)
    assert (told.depth, len(told.rows)) == (2_999, 2_999)


@dataclass(frozen=True, kw_only=True)
class Node:
    kind: str
    title: str = "t"
    note: str = ""
    aside: str = ""
    tone: str = ""
    address: str = ""
    lasts: str = ""
    is_critical: bool = False
    children: "tuple[Node, ...]" = ()


def test_boxes_lie_in_columns_and_never_on_each_other() -> None:
    leaf = Node(kind="delivery", title="leaf", tone="bad")
    inner = Node(kind="event", children=(leaf, leaf, leaf))
    root = Node(kind="event", children=(Node(kind="delivery", children=(inner, inner)), leaf))
    drawn = tree(title="a tree", root=root)
    places = sorted((float(box.x), float(box.y)) for box in drawn.boxes)
    assert [x for x, _ in places] == [16, 16 + PITCH, 16 + PITCH]
    assert places[2][1] - places[1][1] >= BOX_HEIGHT
    assert all(y >= 0 and y + BOX_HEIGHT <= drawn.height for _, y in places)
    assert len(drawn.dots) == 8 and [box.is_first for box in drawn.boxes].count(True) == 1
    assert {edge.tone for edge in drawn.edges} == {"", "bad"}


def test_long_words_are_cut_and_kept_whole_in_the_title() -> None:
    (box,) = tree(title="a tree", root=Node(kind="event", title="x" * 80, note="n")).boxes
    assert (len(box.title), box.whole) == (25, "x" * 80 + ", n")


def test_the_critical_way_leads_back_from_what_ended_last() -> None:
    told = chain()
    assert told.critical == [UUID(int=each) for each in (1, 11, 2, 21)]
    assert [row.is_critical for row in told.rows] == [True, True, False]
    first, second = told.tree.children
    assert (first.is_critical, first.lasts, second.is_critical) == (True, "100 ms", False)


def test_a_branch_that_is_broken_deep_down_comes_first() -> None:
    hops = [hop(2, cause=11), hop(3, cause=12)]
    told = tell(hop(1), hops, [leg(11, 1), leg(12, 1), leg(21, 2), leg(31, 3, Status.DEAD)])
    assert [each.title for each in told.tree.children] == ["s12", "s11"]


def test_an_event_that_was_set_aside_is_a_closed_end_that_says_why() -> None:
    closed = Hop(
        id=UUID(int=2), event_type="e.2", source="Shop", state="quarantined", at=ZERO, cause_id=UUID(int=11),
        why="too deep in its cascade, as in a loop",
    )  # fmt: skip
    (end,) = tell(hop(1), [closed], [leg(11, 1)]).tree.children[0].children
    assert (end.note, end.tone, end.children) == ("too deep in its cascade, as in a loop", "held", [])


def test_of_what_one_delivery_caused_the_broken_comes_first() -> None:
    hops = [hop(2, cause=11), hop(3, cause=11, at_ms=5)]
    told = tell(hop(1), hops, [leg(11, 1), leg(21, 2), leg(31, 3, Status.DEAD)])
    assert [each.title for each in told.tree.children[0].children] == ["e.3", "e.2"]


def test_the_first_box_of_a_tall_tree_is_in_sight() -> None:
    leaves = tuple(Node(kind="delivery", title="leaf", tone="good") for _ in range(100))
    (first,) = [
        box for box in tree(title="a tree", root=Node(kind="event", children=leaves)).boxes if box.is_first
    ]
    assert float(first.y) < 320


def broad(levels: int, fan: int, broken: int = 0) -> Told:
    """Each delivery caused `fan` events of types of their own, and so on; the one that led to `broken` died."""
    hops, legs, above, number = [], [leg(10_001, 1)], [10_001], 1
    for _ in range(levels):
        level = []
        for cause in above:
            for _ in range(fan):
                number += 1
                hops.append(hop(number, cause=cause, at_ms=number))
                status = Status.DEAD if number == broken else Status.DELIVERED
                legs.append(leg(10_000 + number, number, status, at_ms=number))
                level.append(10_000 + number)
        above = level
    return tell(hop(1), hops, legs)


def as_node(twig: Twig) -> Node:
    return Node(kind=twig.kind, children=tuple(as_node(child) for child in twig.children))


def nodes(twig: Twig) -> list[Twig]:
    return [twig, *(each for child in twig.children for each in nodes(child))]


def test_a_broad_and_deep_one_is_folded_where_it_would_grow_too_large() -> None:
    told = broad(levels=4, fan=7)  # 2,801 events
    drawn = nodes(told.tree)
    folds = [each for each in drawn if each.kind == "fold"]
    assert len([each for each in drawn if each.kind != "fold"]) <= MOST_DRAWN
    assert tree(title="", root=as_node(told.tree)).height < 4_000
    shown = sum(each.count for each in drawn if each.kind == "event")
    behind = sum(int(each.title.split()[1].replace(",", "")) for each in folds)
    assert shown + behind == 2_801


def test_what_is_broken_deep_down_is_drawn_before_what_lies_near() -> None:
    told = broad(levels=4, fan=7, broken=2_801)
    assert [each.title for each in nodes(told.tree) if each.tone == "bad"] == ["s12801"]


def test_a_fold_has_the_colour_of_the_worst_behind_it() -> None:
    dead = Twig(kind="delivery", title="s", tone="bad")
    event = Twig(kind="event", title="e", children=[dead, dead])
    (fold,) = pruned(event, 2).children
    assert (fold.kind, fold.title, fold.tone) == ("fold", "+ its deliveries", "bad")


def test_what_fits_is_not_touched() -> None:
    told = chain()
    assert pruned(told.tree, 5) == told.tree
    assert pruned(told.tree, 4) != told.tree
