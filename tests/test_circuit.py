"""When a lane stops sending to an endpoint that fails, and how gently it begins again."""

import dataclasses
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.circuit import (
    SIGNS,
    Bucket,
    Change,
    Rules,
    Sign,
    State,
    answered,
    check,
    cool_down_s,
    limit,
    lost_probe,
    probe_now,
    reset,
    sent_probe,
    settle,
    tick,
    trip,
)
from deliveries.deciders.outcome import ENDPOINT_FAULTS, Outcome

RULES = Rules()
GOOD, FAULT, NEUTRAL = Sign.GOOD, Sign.FAULT, Sign.NEUTRAL
HOUR_S = 3600.0
NOW = 1_000_000.0


def fed(state: State, *signs: Sign, now: float = NOW, rules: Rules = RULES, draw: float = 0) -> State:
    settled = [(number, sign) for number, sign in enumerate(signs)]
    return settle(state, rules, settled=settled, now=now, draw=draw)[0]


def opened(now: float = NOW, *, openings: int = 1, rules: Rules = RULES) -> State:
    return dataclasses.replace(
        trip(State(), rules, now=now, draw=0, who="a test")[0],
        openings=openings,
        cooldown_until=now + cool_down_s(rules, openings),
    )


def half_open(*, openings: int = 1) -> State:
    return sent_probe(State(phase="half_open", since=NOW, openings=openings), "probe")


def recovering(window: int, *, openings: int = 1) -> State:
    return State(phase="recovering", since=NOW, openings=openings, window=window)


@pytest.mark.parametrize(
    ("good", "faults", "phase"),
    [
        (0, 9, "closed"),  # too few to judge by
        (0, 10, "open"),
        (5, 4, "closed"),
        (5, 5, "open"),  # exactly half
        (6, 5, "closed"),
        (6, 6, "open"),
        (51, 50, "closed"),
        (51, 51, "open"),
    ],
)
def test_it_opens_exactly_at_the_failure_rate_over_the_minimum_volume(good, faults, phase) -> None:
    assert fed(State(), *scattered(good, faults)).phase == phase


def scattered(good: int, faults: int) -> list[Sign]:
    """The good ones first, but for those that keep ten faults from following one another."""
    apart = min(good, (faults - 1) // 9)
    late = [sign for _ in range(apart) for sign in [*[FAULT] * 9, GOOD]]
    return [GOOD] * (good - apart) + late + [FAULT] * (faults - 9 * apart)


@pytest.mark.parametrize(
    ("rate", "good", "phase"), [(0.07, 93, "open"), (0.07, 94, "closed"), (1, 1, "closed")]
)
def test_the_share_is_compared_exactly(rate, good, phase) -> None:
    rules = Rules(failure_rate=rate, min_volume=8)
    assert fed(State(), *[GOOD] * good, *[FAULT] * 7, rules=rules).phase == phase


@pytest.mark.parametrize(("faults", "phase"), [(9, "closed"), (10, "open")])
def test_as_many_faults_in_a_row_open_it_however_well_it_went_before(faults, phase) -> None:
    assert fed(State(), *[GOOD] * 10_000, *[FAULT] * faults).phase == phase


def test_one_good_answer_breaks_the_row_and_our_own_fault_does_not() -> None:
    busy = fed(State(), *[GOOD] * 100)
    assert fed(busy, *[FAULT] * 9, GOOD, *[FAULT] * 9).phase == "closed"
    assert fed(busy, *[FAULT] * 9, NEUTRAL, FAULT).phase == "open"


@pytest.mark.parametrize(("later", "phase"), [(59.9, "open"), (60.0, "closed")])
def test_a_row_is_no_longer_than_the_window(later, phase) -> None:
    state = fed(fed(State(), *[GOOD] * 100), *[FAULT] * 9)
    assert fed(state, FAULT, now=NOW + later).phase == phase


def test_only_a_fault_opens_it() -> None:
    state = fed(State(), *[FAULT] * 9)
    assert fed(state, GOOD).phase == "closed"
    assert fed(state, *[GOOD] * 10).phase == "closed"


def test_our_own_faults_count_for_nothing() -> None:
    assert fed(State(), *[NEUTRAL] * 100) == State()
    assert fed(State(), *[FAULT] * 9, *[NEUTRAL] * 100).phase == "closed"


@pytest.mark.parametrize(("later", "phase"), [(59.9, "open"), (60.0, "closed"), (60.1, "closed")])
def test_what_settled_longer_ago_than_the_window_is_forgotten(later, phase) -> None:
    state = fed(State(), *[FAULT] * 9)
    assert fed(state, FAULT, now=NOW + later).phase == phase


def test_the_window_slides() -> None:
    state = State()
    for second in range(0, 600, 10):  # never more than six in sixty seconds
        state = fed(state, FAULT, now=NOW + second)
        assert state.phase == "closed"
        assert sum(bucket.faults for bucket in state.buckets) <= 6


def test_buckets_stay_few_however_often_it_settles() -> None:
    state = State()
    for step in range(2000):
        state = answered(state, RULES, count=3, now=NOW + step / 10)
    assert len(state.buckets) <= 13


def test_an_opening_says_why_and_names_the_delivery_that_tipped_it() -> None:
    settled = [(number, FAULT) for number in range(12)]
    state, changes = settle(State(), RULES, settled=settled, now=NOW, draw=0.5)
    assert changes == [
        Change(before="closed", after="open", why="10 of 10 attempts failed within 60 s.", delivery=9)
    ]
    assert state == State(phase="open", since=NOW, openings=1, cooldown_until=NOW + 5.25)


def test_an_opening_after_a_row_of_faults_says_so() -> None:
    busy = fed(State(), *[GOOD] * 100)
    settled = [(number, FAULT) for number in range(10)]
    _, changes = settle(busy, RULES, settled=settled, now=NOW, draw=0)
    assert [change.why for change in changes] == ["10 attempts in a row failed."]


def test_while_open_late_results_move_nothing() -> None:
    assert fed(opened(), *[GOOD] * 50, *[FAULT] * 50, NEUTRAL) == opened()


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (State(), 10),
        (opened(), 0),
        (lost_probe(half_open()), 1),
        (half_open(), 0),
        (recovering(1), 1),
        (recovering(7), 7),
        (recovering(12), 10),  # a person has lowered the cap meanwhile
    ],
)
def test_how_many_may_be_in_flight(state, expected) -> None:
    assert limit(state, RULES) == expected


@pytest.mark.parametrize(
    ("openings", "lasts"), [(1, 5), (2, 10), (3, 20), (6, 160), (7, 300), (8, 300), (100_000, 300)]
)
def test_each_opening_in_a_row_lasts_twice_as_long_up_to_the_cap(openings, lasts) -> None:
    assert cool_down_s(RULES, openings) == lasts
    state = fed(half_open(openings=openings - 1), FAULT)  # not the probe's
    assert state.phase == "half_open"
    after, changes = settle(
        half_open(openings=openings - 1), RULES, settled=[("probe", FAULT)], now=NOW, draw=1
    )
    assert after.openings == openings
    assert after.cooldown_until == NOW + lasts * 1.1
    assert changes[0].why == f"Its probe failed, so it waits {lasts} s or more."


@pytest.mark.parametrize(("later", "phase"), [(4.999, "open"), (5.0, "half_open"), (HOUR_S, "half_open")])
def test_a_cool_down_ends_when_it_is_over(later, phase) -> None:
    state, changes = tick(opened(), RULES, now=NOW + later)
    assert state.phase == phase
    assert [(change.before, change.after) for change in changes] == [("open", phase)] * (phase != "open")
    assert tick(state, RULES, now=NOW + later) == (state, [])


@pytest.mark.parametrize("openings", [1, 4, 50])
def test_a_clock_set_back_an_hour_makes_no_cool_down_longer_than_it_may_be(openings) -> None:
    before = opened(openings=openings)
    state, changes = tick(before, RULES, now=NOW - HOUR_S)
    assert (state.phase, changes) == ("open", [])
    assert state.cooldown_until == NOW - HOUR_S + cool_down_s(RULES, openings) * 1.1


def test_a_clock_set_forth_an_hour_lets_one_probe_out() -> None:
    state, _ = tick(opened(openings=7), RULES, now=NOW + HOUR_S)
    assert limit(state, RULES) == 1
    assert limit(sent_probe(state, "a"), RULES) == 0


@pytest.mark.parametrize("jump_s", [-HOUR_S, HOUR_S])
def test_counts_from_another_hour_are_dropped(jump_s) -> None:
    state = fed(fed(State(), *[FAULT] * 9), FAULT, now=NOW + jump_s)
    assert state.buckets == (Bucket(NOW + jump_s, 0, 1),)


def test_two_clocks_that_differ_a_little_lose_no_counts() -> None:
    assert fed(fed(State(), *[FAULT] * 9), FAULT, now=NOW - 0.5).phase == "open"


def test_only_the_probes_own_result_counts_while_half_open() -> None:
    state = half_open()
    assert fed(state, *[GOOD] * 20, *[FAULT] * 20) == state


def test_a_probe_that_is_answered_begins_the_recovery_with_a_window_of_one() -> None:
    state, changes = settle(half_open(openings=3), RULES, settled=[("probe", GOOD)], now=NOW, draw=0)
    assert state == State(phase="recovering", since=NOW, openings=3, window=1)
    assert (changes[0].after, changes[0].delivery) == ("recovering", "probe")


def test_a_probe_that_failed_by_our_own_fault_is_forgotten_and_another_may_go() -> None:
    state, changes = settle(half_open(), RULES, settled=[("probe", NEUTRAL)], now=NOW, draw=0)
    assert (state, changes) == (lost_probe(half_open()), [])
    assert limit(state, RULES) == 1


def test_the_window_grows_by_one_per_success_until_the_lane_is_closed() -> None:
    state, windows = recovering(1), []
    while state.phase == "recovering":
        state = fed(state, GOOD)
        windows.append(limit(state, RULES))
    assert windows == [2, 3, 4, 5, 6, 7, 8, 9, 10]
    assert (state.phase, state.openings, state.window) == ("closed", 0, None)


@pytest.mark.parametrize(("window", "after"), [(2, 1), (3, 1), (4, 2), (5, 2), (9, 4)])
def test_a_failure_halves_the_window(window, after) -> None:
    state = fed(recovering(window), FAULT)
    assert (state.phase, state.window) == ("recovering", after)


def test_a_failure_at_a_window_of_one_opens_it_again_for_longer() -> None:
    state = fed(recovering(1, openings=2), FAULT)
    assert (state.phase, state.openings, state.cooldown_until) == ("open", 3, NOW + 20)


def test_the_failure_rate_opens_a_recovering_lane_too() -> None:
    rules = Rules(cap=100, min_volume=4)
    state = fed(recovering(60), GOOD, GOOD, FAULT, rules=rules)
    assert state.phase == "recovering"
    assert fed(state, FAULT, rules=rules).phase == "open"


def test_a_lane_whose_cap_is_one_recovers_with_one_success_after_its_probe() -> None:
    rules = Rules(cap=1)
    assert fed(recovering(1), GOOD, rules=rules).phase == "closed"


@pytest.mark.parametrize("state", [State(), half_open(openings=4), recovering(3, openings=4)])
def test_a_person_trips_it_for_a_first_cool_down(state) -> None:
    after, changes = trip(state, RULES, now=NOW, draw=0, who="Ada")
    assert after == State(phase="open", since=NOW, openings=1, cooldown_until=NOW + 5)
    assert [change.why for change in changes] == ["Tripped by Ada."]
    assert trip(after, RULES, now=NOW + 1, draw=0, who="Ada") == (after, [])


@pytest.mark.parametrize("state", [opened(openings=5), half_open(openings=4), recovering(3, openings=4)])
def test_a_person_resets_it_to_its_cap(state) -> None:
    after, changes = reset(state, RULES, now=NOW, draw=0, who="Ada")
    assert after == State(since=NOW)
    assert [(change.after, change.why) for change in changes] == [("closed", "Reset by Ada.")]


def test_resetting_a_closed_one_forgets_what_was_counted() -> None:
    assert reset(fed(State(), *[FAULT] * 9), RULES, now=NOW, draw=0, who="Ada") == (State(), [])


def test_a_person_ends_the_cool_down() -> None:
    after, changes = probe_now(opened(openings=5), RULES, now=NOW + 1, draw=0, who="Ada")
    assert after == State(phase="half_open", since=NOW + 1, openings=5)
    assert [change.why for change in changes] == ["A probe was asked for by Ada."]
    for state in (State(), half_open(), recovering(2)):
        assert probe_now(state, RULES, now=NOW, draw=0, who="Ada") == (state, [])


def test_the_endpoints_faults_and_no_others_are_faults() -> None:
    assert {outcome for outcome, sign in SIGNS.items() if sign is FAULT} == ENDPOINT_FAULTS
    assert {outcome for outcome, sign in SIGNS.items() if sign is GOOD} == {
        Outcome.OK, Outcome.GONE, Outcome.CLIENT_ERROR, Outcome.REDIRECT,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"failure_rate": 0}, "The share of failures"),
        ({"failure_rate": 1.01}, "The share of failures"),
        ({"failure_rate": float("nan")}, "Every threshold"),
        ({"min_volume": 0}, "The fewest attempts"),
        ({"min_volume": 10_001}, "The fewest attempts"),
        ({"window_s": 0}, "A circuit must be judged"),
        ({"window_s": 3601}, "A circuit must be judged"),
        ({"cooldown_s": 0}, "The first cool-down"),
        ({"cooldown_s": -5}, "The first cool-down"),
        ({"cooldown_s": float("inf")}, "Every threshold"),
        ({"cooldown_cap_s": 4.9}, "The longest cool-down"),
        ({"cooldown_cap_s": 86_401}, "The longest cool-down"),
        ({"cap": 0}, "A closed circuit"),
        ({"jitter": 1.1}, "The jitter"),
    ],
)
def test_absurd_rules_are_refused_in_a_sentence(change, complaint) -> None:
    check(RULES)
    with pytest.raises(ValueError, match=complaint):
        check(dataclasses.replace(RULES, **change))


rules = st.builds(
    Rules,
    failure_rate=st.floats(0.01, 1),
    min_volume=st.integers(1, 20),
    window_s=st.floats(1, 100),
    cooldown_s=st.floats(0.1, 50),
    cooldown_cap_s=st.floats(50, 500),
    cap=st.integers(1, 20),
    jitter=st.floats(0, 1),
)
STEPS = (
    "settle",
    "settle",
    "settle",
    "late",
    "wait",
    "wait",
    "trip",
    "reset",
    "probe",
    "lose",
    "back",
    "forth",
)


@dataclass
class Lane:
    """A lane as its owner keeps it, with requests in flight, driven by whatever may happen."""

    rules: Rules
    state: State = State()
    now: float = NOW
    next_id: int = 0
    in_flight: list[int] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    promised: float | None = None  # no request before this
    clock_jumped: bool = False

    def become(self, state: State, changes: list[Change]) -> None:
        opening = any(change.after == "open" for change in changes)
        if opening:
            self.late, self.in_flight = self.late + self.in_flight, []
            self.clock_jumped = False
        self.state = state
        if state.phase == "open" and opening:
            self.promised = state.since + cool_down_s(self.rules, state.openings)

    def fill(self) -> None:
        """Sends as much as it may."""
        while len(self.in_flight) < (limit(self.state, self.rules) or 0):
            self.next_id += 1
            self.in_flight.append(self.next_id)
            if self.state.phase == "half_open":
                self.state = sent_probe(self.state, self.next_id)

    def step(self, kind: str, sign: Sign, amount: float) -> None:
        if kind == "settle" and self.in_flight:
            one = self.in_flight.pop(int(amount * 1e6) % len(self.in_flight))
            self.become(*settle(self.state, self.rules, settled=[(one, sign)], now=self.now, draw=amount))
        elif kind == "late" and self.late:
            self.late.pop()
        elif kind == "wait":
            self.now += amount * self.rules.cooldown_cap_s
        elif kind == "lose" and self.state.phase == "half_open" and self.state.probe in self.in_flight:
            self.in_flight.remove(self.state.probe)
            self.state = lost_probe(self.state)
        elif kind in ("back", "forth"):
            self.now += HOUR_S if kind == "forth" else -HOUR_S
            self.clock_jumped = True
        elif kind == "trip":
            self.become(*trip(self.state, self.rules, now=self.now, draw=amount, who="x"))
        elif kind == "reset":
            self.become(*reset(self.state, self.rules, now=self.now, draw=amount, who="x"))
        elif kind == "probe":
            self.become(*probe_now(self.state, self.rules, now=self.now, draw=amount, who="x"))
            self.promised = None
        before = self.state
        self.become(*tick(self.state, self.rules, now=self.now))
        if before.phase == "open" and self.state.phase == "half_open" and not self.clock_jumped:
            assert self.promised is None or self.now >= self.promised, "a cool-down was cut short"


@given(
    rules,
    st.lists(
        st.tuples(st.sampled_from(STEPS), st.sampled_from([GOOD, FAULT, FAULT, NEUTRAL]), st.floats(0, 1)),
        max_size=60,
    ),
)
def test_whatever_happens_it_keeps_its_promises(rules: Rules, steps) -> None:
    lane = Lane(rules)
    for kind, sign, amount in steps:
        sent = lane.next_id
        lane.step(kind, sign, amount)
        state = lane.state
        if state.phase == "open":
            lane.fill()
            assert lane.next_id == sent, "a parked lane sent something"
            assert state.cooldown_until is not None
            ahead = state.cooldown_until - lane.now
            assert ahead <= cool_down_s(rules, state.openings) * (1 + rules.jitter) * 1.000001
        lane.fill()
        assert 0 <= limit(lane.state, rules) <= rules.cap
        assert len(lane.in_flight) <= rules.cap
        if state.phase == "half_open":
            assert len(lane.in_flight) == 1, "exactly one probe"
        if state.phase == "closed":
            assert limit(state, rules) == rules.cap
            assert state.openings == 0
        if state.phase == "recovering":
            assert state.window is not None
            assert 1 <= state.window < max(2, rules.cap)
        assert (state.probe is None) or state.phase == "half_open"


@given(rules, st.lists(st.sampled_from([-HOUR_S, HOUR_S, 1.0]), max_size=10), st.floats(0, 1))
def test_whatever_the_clock_does_an_open_lane_probes_within_its_longest_cool_down(rules, jumps, draw) -> None:
    state, _ = trip(State(), rules, now=NOW, draw=draw, who="x")
    now = NOW
    for jump in jumps:
        now += jump
        state, _ = tick(state, rules, now=now)
    state, _ = tick(state, rules, now=now + rules.cooldown_cap_s * (1 + rules.jitter) + 1e-6)
    assert state.phase == "half_open"


@given(rules, st.lists(st.sampled_from([GOOD, FAULT, NEUTRAL]), max_size=80), st.integers(1, 7))
def test_it_does_not_matter_how_results_are_batched(rules: Rules, signs, size) -> None:
    settled = [(number, sign) for number, sign in enumerate(signs)]
    at_once = settle(State(), rules, settled=settled, now=NOW, draw=0.5)
    state, changes = State(), []
    for start in range(0, len(settled), size):
        state, more = settle(state, rules, settled=settled[start : start + size], now=NOW, draw=0.5)
        changes += more
    assert (state, changes) == at_once
