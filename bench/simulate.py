"""What an outage does to an endpoint, on a simulated clock: the deciders that send in earnest, against other policies.

It touches no database and no network, so it is the same wherever the hub runs.
"""

import time
from collections.abc import Iterator

from bench.extent import Extent
from bench.figures import Figure
from bench.stage import BenchFailed
from deliveries.models import Subscription
from deliveries.services.defaults import circuit_rules_of, schedule_of
from deliveries.simulation.lane import Pace
from deliveries.simulation.policies import POLICIES, Policy
from deliveries.simulation.rehearse import Figures, rehearse
from deliveries.simulation.scenario import PRESETS, Scenario

DEAD = Scenario(name="dead", deliveries=100_000, healthy_s=0, outage_s=3_600, all_due_at_start=True)
REQUESTS, TO_CAP, TO_CAP_S, AMPLIFICATION = 60, 1, 1.2, 1.05


def run(extent: Extent) -> Iterator[Figure]:
    """A round is a seed: another one is another chance."""
    seeds = range(1, extent.rounds + 1)
    yield from _dead([_rehearsed(DEAD, "weir", seed) for seed in seeds])
    for policy in POLICIES:
        yield _amplification(policy, [_rehearsed(PRESETS["outage"], policy, seed) for seed in seeds])
    if not extent.is_quick:
        yield _crowd(PRESETS["crowd"])


def _dead(rounds: list[Figures]) -> Iterator[Figure]:
    what = f"an endpoint dead for an hour and owed {DEAD.deliveries:,}"
    cap = _pace().rules.cap
    yield _figure(f"{what}: requests it sees", [each.sent_while_down for each in rounds], "", REQUESTS)
    at_once = [each.most_at_once / cap for each in rounds]
    yield _figure("the same: most requests at once when it is back ÷ the cap", at_once, "×", TO_CAP)
    drained = [_drained(each) for each in rounds]
    yield _figure("the same: time to drain ÷ what the cap allows", drained, "×", TO_CAP_S)


def _drained(figures: Figures) -> float:
    if figures.drained_s is None or not figures.cap_allows_s:
        raise BenchFailed(f"Of {figures.owed:,} deliveries {figures.still_owed:,} are still owed at the end.")
    return figures.drained_s / figures.cap_allows_s


def _amplification(policy: Policy, rounds: list[Figures]) -> Figure:
    owed = f"{PRESETS['outage'].deliveries:,} owed through an outage of an hour"
    goal = AMPLIFICATION if policy == "weir" else None
    what = f"{owed}: requests ÷ deliveries, policy {policy}"
    return _figure(what, [each.amplification for each in rounds], "×", goal)


def _crowd(scenario: Scenario) -> Figure:
    began_at = time.monotonic()
    rehearse(scenario, policy="weir", pace=_pace(), seed=1)
    what = f"{scenario.deliveries:,} deliveries to {scenario.endpoints:,} endpoints, rehearsed on one core"
    return _figure(what, [time.monotonic() - began_at], "s")


def _rehearsed(scenario: Scenario, policy: Policy, seed: int) -> Figures:
    return rehearse(scenario, policy=policy, pace=_pace(), seed=seed)


def _pace() -> Pace:
    usual = Subscription()  # has no word of its own, so the hub's holds
    return Pace(schedule=schedule_of(usual), rules=circuit_rules_of(usual))


def _figure(what: str, values: list[float], unit: str, goal: float | None = None) -> Figure:
    return Figure(bench="simulate", what=what, values=tuple(values), unit=unit, at_most=goal)
