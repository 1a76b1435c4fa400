"""What a dispatcher knows of one lane in its hand: values only, no database, no clock, no chance of its own."""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from deliveries.deciders import circuit, pacing
from deliveries.deciders.circuit import Change, Rules, Sign, State
from deliveries.deciders.mixing import Room
from deliveries.models import LaneOrder, Phase

from . import waves
from .admission import Run
from .pace import Pace, Shift, Transition, transition_id

LUMP_S = 1.0  # good attempts of a healthy lane are counted together, as of the first: one by one they cost too much
A_PERSON = "a person"


class Settled(NamedTuple):
    """What one result says of the lane's endpoint; `attempt_id` is None where nothing was sent."""

    delivery_id: UUID
    sign: Sign
    attempt_id: UUID | None


@dataclass(slots=True)
class LanePage:
    """One lane in hand. `in_hand` maps the deliveries that are buffered, in flight or unsettled to their phase.

    `late` are those of them that were picked up before the circuit last opened: what comes of them says
    nothing of how the endpoint is since.
    """

    subscription_id: UUID
    subscriber_id: UUID
    pace: Pace = field(default_factory=Pace)
    rules: Rules = field(default_factory=Rules)
    rate_per_s: float | None = None
    in_hand: dict[UUID, int] = field(default_factory=dict)
    late: set[UUID] = field(default_factory=set)
    hungry: bool = True  # there may be due work that no claim has read yet
    size: int = 0  # bytes of the bodies in hand
    served: int = 0  # the number of the claim that last gave it something; 0: none did
    waits: bool = False  # what is due waits for what is in hand: no claim need look before that is put down
    idle_since: float = 0.0
    last_was_first: bool = False
    is_leaving: bool = False  # above our share: it takes nothing new, and goes when it is empty
    window: int = 1  # how many may be in hand, kept at hand since every turn asks
    is_calm: bool = True  # closed, and its endpoint answers: a good attempt moves nothing
    looks_for_token_at: float = 0.0
    runs: dict[UUID, Run] = field(
        default_factory=dict
    )  # the running replays that have something for this lane
    looks_for_item_at: float = 0.0
    fed_at: float = 0.0  # in vain: a look that let something in is followed by the next at once
    _run_tokens: dict[UUID, pacing.Tokens] = field(default_factory=dict)
    _run_rests: dict[UUID, float] = field(default_factory=dict)  # until when: its next wave may not go yet
    _good: int = 0
    _good_from: float = 0.0

    def room(self) -> Room:
        held = list(self.in_hand.values())
        return Room(
            window=self.window,
            firsts=held.count(Phase.FIRST),
            retries=held.count(Phase.RETRY),
            replays=held.count(Phase.REPLAY),
            last_was_first=self.last_was_first,
            tokens=None if self.pace.tokens is None else pacing.whole(self.pace.tokens),
        )

    # -- the circuit

    @property
    def circuit(self) -> State:
        return self.pace.circuit

    def follow(self, rules: Rules, rate_per_s: float | None, *, at: float) -> None:
        """Goes by these rules from now on. A rate that is new begins with a full burst."""
        self.rules, self.rate_per_s, self.looks_for_token_at = rules, rate_per_s, 0.0
        if rate_per_s is None:
            self.pace = replace(self.pace, tokens=None)
        elif self.pace.tokens is None:
            self.pace = replace(self.pace, tokens=pacing.full(rate_per_s, now=at))
        else:  # no more of them than the new rate allows, and from this claim on
            self.pace = replace(self.pace, tokens=pacing.refilled(self.pace.tokens, rate_per_s, now=at))
        self._measure()

    def answered(self, at: float) -> None:
        """Counts a good attempt of a calm lane: nothing to write, and next to nothing to do."""
        if self._good and not 0 <= at - self._good_from < LUMP_S:
            self._count()
        if not self._good:
            self._good_from = at
        self._good += 1

    def take_in(self, settled: Sequence[Settled], *, at: datetime, draw: float) -> Shift | None:
        """What these results, in order, make of the lane; None where they change nothing."""
        self._count()
        news = [(each.delivery_id, each.sign) for each in settled if each.delivery_id not in self.late]
        state, changes = circuit.settle(self.circuit, self.rules, settled=news, now=at.timestamp(), draw=draw)
        failing_since = self.pace.failing_since
        for each in settled:
            if each.sign is Sign.GOOD:
                failing_since = None
            elif each.sign is Sign.FAULT:
                failing_since = failing_since or at
        after = replace(self.pace, circuit=state, failing_since=failing_since)
        if after == self.pace:
            return None
        attempts: dict[Hashable, UUID | None] = {each.delivery_id: each.attempt_id for each in settled}
        return Shift(
            lane_id=self.subscription_id,
            pace=after,
            transitions=[_tipped(change, attempts.get(change.delivery)) for change in changes],
        )

    def tick(self, at: float) -> Shift | None:
        """Ends a cool-down that is over; one that a clock set back made too long is only shortened."""
        state, changes = circuit.tick(self.circuit, self.rules, now=at)
        if changes:
            return self._shift(state, changes, at=self.circuit.cooldown_until or at)
        self.pace = replace(self.pace, circuit=state)
        return None

    def obey(self, order: str, number: int, *, at: float, draw: float) -> Shift | None:
        """Carries out what a person ordered, unless it is done already."""
        if number <= self.pace.order_done:
            return None
        self._count()
        act = _ACTS.get(order)
        state, changes = (
            act(self.circuit, self.rules, now=at, draw=draw, who=A_PERSON) if act else (self.circuit, [])
        )
        return self._shift(state, changes, at=at, order_done=number)

    def probe(self, delivery_id: UUID) -> Shift:
        return self._shift(circuit.sent_probe(self.circuit, delivery_id), [])

    def accept(self, pace: Pace) -> None:
        """Believes what is committed."""
        if pace.circuit.phase == "open" and self.circuit.phase != "open":
            self.late = set(self.in_hand)
        if pace.circuit.phase != self.circuit.phase:
            self.hungry = True
        self.pace = replace(pace, tokens=self.pace.tokens)
        self._measure()

    def worth_keeping(self) -> Pace | None:
        """The pace, where a later owner would do wrong without it."""
        self._count()
        is_full = self.pace.tokens is None or (
            self.rate_per_s is not None and self.pace.tokens.level >= pacing.burst(self.rate_per_s)
        )
        is_plain = self.circuit.phase == "closed" and not circuit.faults_counted(self.circuit) and is_full
        return None if is_plain else self.pace

    def cools_for(self, at: float) -> float:
        """How long the circuit stays open; nothing when it is not."""
        until = self.circuit.cooldown_until
        return max(0.0, until - at) if self.circuit.phase == "open" and until else 0.0

    # -- the rate

    def waits_for_token(self, at: float) -> float:
        """How long until a request may begin by the lane's rate."""
        tokens, rate = self.pace.tokens, self.rate_per_s
        if tokens is None or rate is None:
            return 0.0
        tokens = pacing.refilled(tokens, rate, now=at)
        self.pace = replace(self.pace, tokens=tokens)
        return 0.0 if pacing.whole(tokens) else pacing.wait_s(tokens, rate)

    def spend(self, count: int) -> None:
        """Tokens of requests that begin; a negative count is of those that never did."""
        if self.pace.tokens is not None:
            self.pace = replace(self.pace, tokens=pacing.spent(self.pace.tokens, count))

    # -- replays

    def follow_runs(self, runs: Sequence[Run], *, at: float) -> None:
        """Goes by these from now on. One that is new to this owner may begin one item at once, and no burst."""
        known, self.runs, self._run_rests = self._run_tokens, {run.replay_id: run for run in runs}, {}
        self.looks_for_item_at = self.fed_at = 0.0
        self._run_tokens = {
            run.replay_id: pacing.refilled(
                known.get(run.replay_id) or pacing.Tokens(level=1.0, at=at), run.rate_per_s, now=at
            )
            for run in runs
            if run.rate_per_s is not None
        }

    def keep_runs(self, running: Collection[UUID]) -> None:
        """The others are paused, stopped or over; who goes on with one raises the lane's revision."""
        self.runs = {key: run for key, run in self.runs.items() if key in running}

    def has_room_for_runs(self) -> bool:
        if not self.runs or self.is_leaving or not self.window:
            return False
        return list(self.in_hand.values()).count(Phase.REPLAY) < max(1, self.window // 2)

    def waits_for_run(self, at: float) -> float:
        """How long until an item may be let in by the rate of one of the replays, and by its waves."""
        waits = []
        for key, run in self.runs.items():
            wait = 0.0
            if run.rate_per_s is not None:
                tokens = pacing.refilled(self._run_tokens[key], run.rate_per_s, now=at)
                self._run_tokens[key] = tokens
                wait = 0.0 if pacing.whole(tokens) else pacing.wait_s(tokens, run.rate_per_s)
            waits.append(max(wait, self._rest_of(key, at)))
        return min(waits, default=0.0)

    def rest_run(self, replay_id: UUID, until: float) -> None:
        """Nothing of it need be looked for before that moment."""
        self._run_rests[replay_id] = until

    def _rest_of(self, replay_id: UUID, at: float) -> float:
        rest = self._run_rests.get(replay_id, 0.0) - at
        return rest if 0.0 < rest <= waves.REST_S else 0.0  # a clock that went back makes none wait

    def rests_from_feeding(self, at: float, pause_s: float) -> float:
        """How long until another look is worth it; a clock that went back makes none wait."""
        since = at - self.fed_at
        return pause_s - since if 0 <= since < pause_s else 0.0

    def run_tokens(self, replay_id: UUID) -> int:
        """How many items its rate lets in now."""
        if replay_id not in self.runs:
            return 0
        tokens = self._run_tokens.get(replay_id)
        return self.window if tokens is None else pacing.whole(tokens)

    def let_in(self, replay_id: UUID, count: int) -> None:
        if count:
            self.hungry, self.fed_at = True, 0.0
        if replay_id in self._run_tokens:
            self._run_tokens[replay_id] = pacing.spent(self._run_tokens[replay_id], count)

    # -- in hand

    def pick_up(self, delivery_id: UUID, phase: int, size: int = 0) -> None:
        self.in_hand[delivery_id] = phase
        self.size += size
        self.last_was_first = phase == Phase.FIRST

    def put_down(self, delivery_id: UUID, size: int, clock: float) -> None:
        self.in_hand.pop(delivery_id, None)
        self.size -= size
        self.hungry, self.waits = self.hungry or self.waits, False
        self.late.discard(delivery_id)
        self.idle_since = clock

    def unsent(self, delivery_id: UUID) -> None:
        """It was picked up and never began: its token is free, and so is its place as the probe."""
        self.spend(-1)
        if self.circuit.probe == delivery_id:
            self.pace = replace(self.pace, circuit=circuit.lost_probe(self.circuit))

    def _count(self) -> None:
        if self._good:
            state = circuit.answered(self.circuit, self.rules, count=self._good, now=self._good_from)
            self.pace = replace(self.pace, circuit=state)
            self._good = 0

    def _measure(self) -> None:
        # A probe that is out fills its window of one, so the window itself stays one.
        is_probing = self.circuit.phase == "half_open"
        self.window = 1 if is_probing else circuit.limit(self.circuit, self.rules)
        self.is_calm = self.circuit.phase == "closed" and self.pace.failing_since is None

    def _shift(
        self, state: State, changes: Sequence[Change], *, at: float = 0.0, order_done: int | None = None
    ) -> Shift:
        done = self.pace.order_done if order_done is None else order_done
        return Shift(
            lane_id=self.subscription_id,
            pace=replace(self.pace, circuit=state, order_done=done),
            transitions=[
                Transition(id=transition_id(self.subscription_id, at, done, change.after), change=change)
                for change in changes
            ],
        )


def _tipped(change: Change, attempt_id: UUID | None) -> Transition:
    # Only an attempt tips, and one circuit once at most; so its id is the transition's too.
    assert attempt_id is not None  # noqa: S101
    return Transition(id=attempt_id, change=change, attempt_id=attempt_id)


_ACTS = {
    LaneOrder.TRIP.value: circuit.trip,
    LaneOrder.RESET.value: circuit.reset,
    LaneOrder.PROBE.value: circuit.probe_now,
}
