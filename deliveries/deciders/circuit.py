"""Decides when a lane stops sending to an endpoint that fails, and how it begins again. It never sends.

closed → open → half-open → recovering → closed. It opens at a share of failures over a least volume, or at that
volume of failures in a row: an endpoint that was busy and dies must not be asked until its successes are
forgotten (simulated: 972 requests to a dead one in an hour, not 21). While it is open nothing is sent and no
attempt is spent; then one probe goes out; then the number of requests in flight grows by one per success,
halved by a failure.
Times are seconds since the epoch, on whatever clock the caller keeps.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import isfinite
from typing import Literal, NamedTuple

from .outcome import VERDICTS, Verdict

Stage = Literal["closed", "open", "half_open", "recovering"]

BUCKETS = 12  # parts of the sliding window: an attempt is forgotten up to a twelfth of it early, never late
MOST_DOUBLINGS = 64  # 2 to this power times any cool-down is past any cap, and still a float


class Sign(StrEnum):
    """What one settled attempt says of its endpoint's health."""

    GOOD = "good"  # it answered, even if it disliked this payload
    FAULT = "fault"  # it failed
    NEUTRAL = "neutral"  # our own fault, which says nothing


_SIGN_OF = {
    Verdict.RETRY: Sign.FAULT,
    Verdict.DELIVER: Sign.GOOD,
    Verdict.REJECT: Sign.GOOD,
    Verdict.GONE: Sign.GOOD,
}
SIGNS = {outcome: _SIGN_OF.get(verdict, Sign.NEUTRAL) for outcome, verdict in VERDICTS.items()}


class Bucket(NamedTuple):
    """What settled in one part of the sliding window; `start` is when its first attempt did."""

    start: float
    good: int
    faults: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    failure_rate: float = 0.5  # this share of what settled opens it …
    min_volume: int = 10  # … once so many have settled …
    window_s: float = 60.0  # … in so many seconds
    cooldown_s: float = 5.0  # the first; each further one lasts twice as long …
    cooldown_cap_s: float = 300.0  # … up to this
    cap: int = 10  # requests in flight while closed
    jitter: float = 0.1  # share of a cool-down that chance may add, so that lanes don't probe in step


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    phase: Stage = "closed"
    since: float = 0.0
    openings: int = 0  # in a row, without having closed since
    cooldown_until: float | None = None
    probe: Hashable | None = None
    window: int | None = None  # while recovering
    buckets: tuple[Bucket, ...] = ()
    run: int = 0  # faults in a row …
    run_from: float = 0.0  # … since then


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One transition. `delivery` is the one whose attempt tipped it, if an attempt did."""

    before: Stage
    after: Stage
    why: str
    delivery: Hashable | None = None


Step = tuple[State, list[Change]]


def limit(state: State, rules: Rules) -> int:
    """How many requests may be in flight now."""
    if state.phase == "closed":
        return rules.cap
    if state.phase == "recovering":
        return min(rules.cap, state.window or 1)
    return 1 if state.phase == "half_open" and state.probe is None else 0


def settle(
    state: State, rules: Rules, *, settled: Sequence[tuple[Hashable, Sign]], now: float, draw: float
) -> Step:
    """Takes in what settled, in order. Attempts begun before the circuit last opened are the caller's to leave out."""
    if state.phase == "closed" and not any(sign is Sign.FAULT for _, sign in settled):
        return answered(state, rules, count=sum(sign is Sign.GOOD for _, sign in settled), now=now), []
    changes: list[Change] = []
    for delivery, sign in settled:
        after = _settle_one(state, rules, delivery, sign, now, draw)
        if after.phase != state.phase:
            why = _why(state, rules, delivery, sign, after)
            changes.append(Change(before=state.phase, after=after.phase, why=why, delivery=delivery))
        state = after
    return state, changes


def answered(state: State, rules: Rules, *, count: int, now: float) -> State:
    """Counts good attempts of a closed circuit, which change nothing else, many at once."""
    return _counted(state, rules, now, good=count) if count else state


def tick(state: State, rules: Rules, *, now: float) -> Step:
    """Ends a cool-down that is over, and shortens one that a clock set back has made too long."""
    if state.phase != "open":
        return state, []
    longest = cool_down_s(rules, state.openings) * (1 + rules.jitter)
    until = min(now if state.cooldown_until is None else state.cooldown_until, now + longest)
    if until <= now:
        return _half_open(state, now, "Its cool-down is over.")
    return (state if until == state.cooldown_until else replace(state, cooldown_until=until)), []


def sent_probe(state: State, delivery: Hashable) -> State:
    return replace(state, probe=delivery)


def lost_probe(state: State) -> State:
    """The probe never went out, or what came of it says nothing: another may go."""
    return replace(state, probe=None)


def trip(state: State, rules: Rules, *, now: float, draw: float, who: str) -> Step:
    """Opens it for a first cool-down; one that is open stays as it is."""
    if state.phase == "open":
        return state, []
    after = _opened(replace(state, openings=0), rules, now, draw)
    return after, [Change(before=state.phase, after="open", why=f"Tripped by {who}.")]


def reset(state: State, rules: Rules, *, now: float, draw: float, who: str) -> Step:
    """Closes it at its cap and forgets what was counted."""
    if state.phase == "closed":
        return replace(state, buckets=(), run=0, run_from=0.0), []
    return _closed(now), [Change(before=state.phase, after="closed", why=f"Reset by {who}.")]


def probe_now(state: State, rules: Rules, *, now: float, draw: float, who: str) -> Step:
    """Ends the cool-down; where there is none, there is nothing to end."""
    if state.phase != "open":
        return state, []
    return _half_open(state, now, f"A probe was asked for by {who}.")


def cool_down_s(rules: Rules, openings: int) -> float:
    """How long at least the n-th opening in a row lasts."""
    doublings = min(max(0, openings - 1), MOST_DOUBLINGS)
    return min(rules.cooldown_s * 2.0**doublings, rules.cooldown_cap_s)


def faults_counted(state: State) -> int:
    return _totals(state.buckets)[1]


def check(rules: Rules) -> None:
    """Raises ValueError, in one sentence, where the rules make no sense."""
    numbers = (rules.failure_rate, rules.window_s, rules.cooldown_s, rules.cooldown_cap_s, rules.jitter)
    if not all(isfinite(number) for number in numbers):
        raise ValueError("Every threshold of a circuit must be a finite number.")
    if not 0.01 <= rules.failure_rate <= 1:
        raise ValueError("The share of failures that opens a circuit must be between 0.01 and 1.")
    if not 1 <= rules.min_volume <= 10_000:
        raise ValueError("The fewest attempts to judge a circuit by must be between 1 and 10,000.")
    if not 1 <= rules.window_s <= 3_600:
        raise ValueError("A circuit must be judged over 1 to 3,600 seconds.")
    if not 0.1 <= rules.cooldown_s <= 3_600:
        raise ValueError("The first cool-down must last 0.1 to 3,600 seconds.")
    if not rules.cooldown_s <= rules.cooldown_cap_s <= 86_400:
        raise ValueError("The longest cool-down must be no shorter than the first, and at most a day.")
    if rules.cap < 1:
        raise ValueError("A closed circuit must allow at least one request at once.")
    if not 0 <= rules.jitter <= 1:
        raise ValueError("The jitter of a cool-down must be between 0 and 1.")


def _settle_one(state: State, rules: Rules, delivery: Hashable, sign: Sign, now: float, draw: float) -> State:
    if state.phase == "half_open":
        return _probed(state, rules, delivery, sign, now, draw)
    if state.phase == "open" or sign is Sign.NEUTRAL:
        return state
    if sign is Sign.GOOD:
        counted = _counted(state, rules, now, good=1)
        return _grown(counted, rules, now) if state.phase == "recovering" else counted
    counted = _counted(state, rules, now, faults=1)
    if _is_too_much(counted, rules) or (state.phase == "recovering" and (state.window or 1) == 1):
        return _opened(counted, rules, now, draw)
    return replace(counted, window=(state.window or 1) // 2) if state.phase == "recovering" else counted


def _probed(state: State, rules: Rules, delivery: Hashable, sign: Sign, now: float, draw: float) -> State:
    if state.probe is None or delivery != state.probe:
        return state
    if sign is Sign.NEUTRAL:
        return lost_probe(state)
    if sign is Sign.FAULT:
        return _opened(state, rules, now, draw)
    return State(phase="recovering", since=now, openings=state.openings, window=1)


def _grown(state: State, rules: Rules, now: float) -> State:
    window = (state.window or 1) + 1
    if window >= rules.cap:
        return State(since=now, buckets=state.buckets)
    return replace(state, window=window)


def _opened(state: State, rules: Rules, now: float, draw: float) -> State:
    openings = state.openings + 1
    lasts = cool_down_s(rules, openings) * (1 + rules.jitter * draw)
    return State(phase="open", since=now, openings=openings, cooldown_until=now + lasts)


def _half_open(state: State, now: float, why: str) -> Step:
    after = State(phase="half_open", since=now, openings=state.openings)
    return after, [Change(before=state.phase, after="half_open", why=why)]


def _closed(now: float) -> State:
    return State(since=now)


def _is_too_much(state: State, rules: Rules) -> bool:
    good, faults = _totals(state.buckets)
    return _is_often(good, faults, rules) or state.run >= rules.min_volume


def _is_often(good: int, faults: int, rules: Rules) -> bool:
    return good + faults >= rules.min_volume and faults / (good + faults) >= rules.failure_rate


def _totals(buckets: Sequence[Bucket]) -> tuple[int, int]:
    return sum(bucket.good for bucket in buckets), sum(bucket.faults for bucket in buckets)


def _counted(state: State, rules: Rules, now: float, *, good: int = 0, faults: int = 0) -> State:
    width = rules.window_s / BUCKETS
    buckets = _live(state.buckets, rules, now)
    last = buckets[-1] if buckets else None
    if last is not None and now < last.start + width:
        buckets = (*buckets[:-1], Bucket(last.start, last.good + good, last.faults + faults))
    else:
        buckets = (*buckets, Bucket(now, good, faults))
    run, run_from = _run(state, rules, now, good=good, faults=faults)
    return State(
        phase=state.phase,
        since=state.since,
        openings=state.openings,
        cooldown_until=state.cooldown_until,
        probe=state.probe,
        window=state.window,
        buckets=buckets,
        run=run,
        run_from=run_from,
    )


def _run(state: State, rules: Rules, now: float, *, good: int, faults: int) -> tuple[int, float]:
    """Faults in a row and since when, no longer ago than the window; a good answer ends them."""
    if good:
        return 0, 0.0
    if state.run and 0 <= now - state.run_from < rules.window_s:
        return state.run + faults, state.run_from
    return faults, now


def _live(buckets: tuple[Bucket, ...], rules: Rules, now: float) -> tuple[Bucket, ...]:
    """Those inside the window. One from the future is kept only if two clocks that differ a little explain it."""
    oldest, newest = now - rules.window_s, now + rules.window_s / BUCKETS
    if not buckets or (oldest < buckets[0].start and buckets[-1].start <= newest):
        return buckets
    return tuple(bucket for bucket in buckets if oldest < bucket.start <= newest)


def _why(before: State, rules: Rules, delivery: Hashable, sign: Sign, after: State) -> str:
    if after.phase == "closed":
        return f"Its window is back at its cap of {rules.cap}."
    if after.phase == "recovering":
        return "Its probe was answered."
    if before.phase == "half_open":
        return f"Its probe failed, so it waits {_shown(rules, after.openings)} or more."
    if before.phase == "recovering":
        return f"It failed again while recovering, so it waits {_shown(rules, after.openings)} or more."
    good, faults = _totals(_live(before.buckets, rules, after.since))
    if _is_often(good, faults + 1, rules):
        return f"{faults + 1} of {good + faults + 1} attempts failed within {rules.window_s:g} s."
    return f"{rules.min_volume} attempts in a row failed."


def _shown(rules: Rules, openings: int) -> str:
    return f"{cool_down_s(rules, openings):g} s"
