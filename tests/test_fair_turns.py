"""Whose turn it is: fair to subscribers, then to lanes, and never above a window or the cap."""

from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deliveries.deciders.pacing import share
from deliveries.dispatcher.turns import Turns


def turns_of(cap: int, lanes: dict[str, str], *, window: int = 10, jobs: int = 100) -> Turns[str]:
    """Lanes by name with their subscriber; every job is named for its lane."""
    turns: Turns[str] = Turns(cap)
    for lane, subscriber in lanes.items():
        turns.add(lane, subscriber, window)
        for _ in range(jobs):
            turns.offer(lane, lane)
    return turns


def take_all(turns: Turns[str]) -> list[str]:
    taken = []
    while (job := turns.take()) is not None:
        taken.append(job)
    return taken


@pytest.mark.parametrize(
    ("cap", "lanes", "part"), [(256, 1, 256), (256, 100, 2), (256, 256, 1), (256, 1000, 1), (256, 0, 256)]
)
def test_a_share_is_the_cap_divided_and_never_nothing(cap: int, lanes: int, part: int) -> None:
    assert share(cap=cap, active_lanes=lanes) == part


def test_lanes_are_served_in_turn() -> None:
    turns = turns_of(9, {"a": "A", "b": "B", "c": "C"})
    assert take_all(turns) == ["a", "b", "c"] * 3


def test_a_subscriber_with_many_lanes_gets_no_more_than_one_with_one() -> None:
    lanes = {f"many{number}": "many" for number in range(50)} | {"single": "single"}
    turns = turns_of(102, lanes)
    assert [turns.take() for _ in range(4)] == ["many0", "single", "many1", "single"]


def test_a_window_is_never_exceeded() -> None:
    turns = turns_of(100, {"a": "A"}, window=3)
    assert take_all(turns) == ["a"] * 3
    turns.finished("a")
    assert take_all(turns) == ["a"]


def test_the_cap_is_never_exceeded() -> None:
    turns = turns_of(4, {"a": "A", "b": "B"})
    assert Counter(take_all(turns)) == {"a": 2, "b": 2}
    assert turns.in_flight == 4


def test_a_lane_borrows_only_while_half_the_cap_is_free() -> None:
    turns = turns_of(20, {"busy": "A"}, window=20)
    for number in range(9):
        turns.add(f"idle{number}", "B", 20)
    assert turns.share == 2
    # Ten requests leave half of the cap free; the eleventh is the last that sees it so.
    assert take_all(turns) == ["busy"] * 11


def test_a_borrower_leaves_every_other_lane_its_share() -> None:
    turns = turns_of(20, {"sick": "A"}, window=20)
    for number in range(4):
        turns.add(f"well{number}", "B", 20)
    take_all(turns)
    for number in range(4):
        for _ in range(2):
            turns.offer(f"well{number}", f"well{number}")
    assert Counter(take_all(turns)) == {f"well{number}": 2 for number in range(4)}


def test_who_sat_out_comes_before_those_just_served() -> None:
    turns = turns_of(100, {"a": "A", "b": "B"}, jobs=5)
    turns.add("quiet", "C", 10)
    assert [turns.take() for _ in range(3)] == ["a", "b", "a"]
    turns.offer("quiet", "quiet")
    assert turns.take() == "quiet"


def test_a_slot_is_free_again_only_when_finished() -> None:
    turns = turns_of(10, {"a": "A"}, window=2, jobs=2)
    take_all(turns)
    assert turns.room("a") == 0
    turns.finished("a")
    assert turns.room("a") == 1


def test_room_counts_what_is_buffered() -> None:
    assert turns_of(10, {"a": "A"}, window=5, jobs=3).room("a") == 2


def test_a_smaller_window_holds_a_lane_back_and_a_larger_one_lets_it_go() -> None:
    turns = turns_of(10, {"a": "A"}, window=4)
    turns.take()
    turns.set_window("a", 1)
    assert turns.take() is None
    assert turns.room("a") == 0
    turns.set_window("a", 2)
    assert take_all(turns) == ["a"]


def test_a_dropped_lane_returns_what_it_had_not_started() -> None:
    turns = turns_of(10, {"a": "A"}, jobs=3)
    turns.take()
    assert turns.drop("a") == ["a", "a"]
    assert (turns.take(), turns.in_flight) == (None, 1)
    turns.finished("a")
    assert turns.in_flight == 0


def test_a_lane_that_comes_back_still_counts_what_is_in_flight() -> None:
    turns = turns_of(10, {"a": "A"}, window=2, jobs=1)
    turns.take()
    turns.drop("a")
    turns.add("a", "A", 2)
    assert turns.room("a") == 1


def test_a_dropped_lane_leaves_the_others_a_larger_share() -> None:
    turns = turns_of(8, {"a": "A", "b": "B"}, window=8)
    take_all(turns)
    turns.drop("b")
    assert turns.share == 8
    for _ in range(4):
        turns.finished("b")
    assert take_all(turns) == ["a"] * 4


@pytest.mark.parametrize("misuse", ["add", "finished", "offer to a dropped", "drop a dropped"])
def test_a_mistake_of_the_caller_is_loud(misuse: str) -> None:
    turns = turns_of(4, {"a": "A"}, jobs=1)
    if "dropped" in misuse:
        turns.take()
        turns.drop("a")
    with pytest.raises((KeyError, ValueError)):
        {
            "add": lambda: turns.add("a", "A", 1),
            "finished": lambda: turns.finished("a"),
            "offer to a dropped": lambda: turns.offer("a", "a"),
            "drop a dropped": lambda: turns.drop("a"),
        }[misuse]()


def test_a_thousand_lanes_at_their_window_cost_a_take_nothing() -> None:
    turns = turns_of(2_002, {f"full{number}": "A" for number in range(1_000)}, window=1, jobs=2)
    take_all(turns)
    turns.add("free", "B", 10)
    turns.offer("free", "free")
    assert [len(lanes) for lanes in turns._owed._ring.values()] == [1]  # all that a take can look at
    assert len(turns._borrowing._ring) == 0
    assert turns.take() == "free"


class AnyUse(RuleBasedStateMachine):
    """Whatever the dispatcher does, in whatever order, beside a plain count of the same."""

    CAP = 12
    LANES = st.integers(0, 7)

    def __init__(self) -> None:
        super().__init__()
        self.turns: Turns[tuple[int, int]] = Turns(self.CAP)
        self.windows: dict[int, int] = {}
        self.waiting: dict[int, list[int]] = {}
        self.flying: Counter[int] = Counter()
        self.offered = 0

    @rule(lane=LANES, window=st.integers(0, 6))
    def add_or_resize(self, lane: int, window: int) -> None:
        if lane in self.windows:
            self.turns.set_window(lane, window)
        else:
            self.turns.add(lane, lane % 3, window)
            self.waiting[lane] = []
        self.windows[lane] = window

    @precondition(lambda self: self.windows)
    @rule(data=st.data())
    def offer(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.windows)))
        self.turns.offer(lane, (lane, self.offered))
        self.waiting[lane].append(self.offered)
        self.offered += 1

    @precondition(lambda self: self.windows)
    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.windows)))
        del self.windows[lane]
        assert self.turns.drop(lane) == [(lane, number) for number in self.waiting.pop(lane)]

    @rule()
    def take(self) -> None:
        free = self.CAP - self.flying.total()
        part = share(cap=self.CAP, active_lanes=len(self.windows))
        job = self.turns.take()
        able = [
            lane
            for lane, numbers in self.waiting.items()
            if numbers and self.flying[lane] < self.windows[lane]
        ]
        owed = [lane for lane in able if self.flying[lane] < part]
        if job is None:
            assert free <= 0 or not able or (not owed and 2 * free < self.CAP)
            return
        lane, number = job
        assert free > 0 and lane in (owed or able)
        assert owed or 2 * free >= self.CAP
        assert self.waiting[lane].pop(0) == number
        self.flying[lane] += 1

    @precondition(lambda self: self.flying.total())
    @rule(data=st.data())
    def finish(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from(sorted(self.flying.elements())))
        self.turns.finished(lane)
        self.flying[lane] -= 1

    @invariant()
    def counts_agree(self) -> None:
        assert self.turns.in_flight == self.flying.total() <= self.CAP
        for lane, window in self.windows.items():
            room = window - self.flying[lane] - len(self.waiting[lane])
            assert self.turns.room(lane) == max(0, room)


TestAnyUse = AnyUse.TestCase


@given(st.lists(st.integers(0, 4), min_size=2, max_size=12), st.integers(1, 4), st.integers(1, 30))
def test_every_lane_with_work_is_served_within_a_round(owners: list[int], window: int, cap: int) -> None:
    lanes = {f"lane{number}": f"subscriber{owner}" for number, owner in enumerate(owners)}
    turns = turns_of(cap, lanes, window=window, jobs=1_000)
    served: Counter[str] = Counter()
    flying: list[str] = []
    for _ in range(len(owners) * len(set(owners)) + cap):
        while (lane := turns.take()) is not None:
            served[lane] += 1
            flying.append(lane)
        turns.finished(flying.pop(0))
    assert set(served) == set(lanes)


@given(st.lists(st.integers(1, 6), min_size=2, max_size=4))
def test_subscribers_get_equal_parts_whatever_their_lanes(lane_counts: list[int]) -> None:
    lanes = {
        f"{owner}/{number}": str(owner) for owner, count in enumerate(lane_counts) for number in range(count)
    }
    turns = turns_of(2 * len(lanes), lanes, window=1_000, jobs=1_000)
    served: Counter[str] = Counter()
    for _ in range(100 * len(lane_counts)):
        lane = turns.take()
        assert lane is not None
        served[lanes[lane]] += 1
        turns.finished(lane)
    assert set(served.values()) == {100}


def test_ten_thousand_lanes_of_one_subscriber_do_not_starve_the_single_lane_of_another() -> None:
    many = {f"many{number}": "big" for number in range(10_000)}
    turns = turns_of(64, many | {"single": "small"}, jobs=20)
    in_flight, served = deque(take_all(turns)), []
    for _ in range(640):  # ten times all slots
        turns.finished(in_flight.popleft())
        taken = take_all(turns)
        in_flight += taken
        served += taken
    assert served.count("single") == 10  # a place in each round, for which it waits but for its own slot
    assert len(served) == 640
