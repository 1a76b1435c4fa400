"""Plays one scenario under one policy on a clock of its own. It prints nothing."""

from dataclasses import dataclass

from .clock import Clock
from .endpoint import Endpoint
from .flood import Flood, Habit
from .lane import Lane, Pace
from .policies import Policy, treatment
from .scenario import Scenario
from .tally import Arrivals, Tally

Sender = Lane | Flood


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What came of it. Where there are many endpoints, those that speak of one tell of the worst."""

    policy: Policy
    owed: int
    sent: int
    delivered: int
    dead: int
    sent_while_down: int  # to one endpoint, in its outages
    most_at_once: int  # unanswered requests at one endpoint
    falls: int  # how often endpoints fell over by themselves, in all
    openings: int  # of circuits, in all
    owed_at_recovery: int  # to one endpoint, when the last outage ends
    noticed_s: float | None  # until the last circuit's probe was answered; None: none opened
    cap_allows_s: float | None  # to drain those at the lane's cap; None: there is no cap
    drained_s: float | None  # after the last outage; None: something is still owed at the end
    load: tuple[int, ...]  # requests in each second, to all endpoints

    @property
    def amplification(self) -> float:
        return self.sent / self.owed

    @property
    def still_owed(self) -> int:
        return self.owed - self.delivered - self.dead

    @property
    def peak_per_s(self) -> int:
        return max(self.load)


def rehearse(scenario: Scenario, *, policy: Policy, pace: Pace, seed: int) -> Figures:
    treated = treatment(policy, pace)
    lasts_s = scenario.recovered_at + scenario.after_s
    clock, tally = Clock(seed), Tally(lasts_s)
    endpoints: list[Endpoint] = []
    senders: list[Sender] = []
    for number in range(scenario.endpoints):
        outages = scenario.down if number < scenario.endpoints_down else ()
        endpoints.append(Endpoint(scenario.strength, outages))
        arrivals = _arrivals(scenario, number, clock.draw())
        senders.append(_sender(treated, clock=clock, endpoint=endpoints[-1], arrivals=arrivals, tally=tally))
    clock.run_until(scenario.recovered_at)
    owed_at_recovery = max(sender.owed(scenario.recovered_at) for sender in senders)
    clock.run_until(lasts_s)
    is_drained = tally.delivered + tally.dead == scenario.deliveries
    return Figures(
        policy=policy,
        owed=scenario.deliveries,
        sent=tally.sent,
        delivered=tally.delivered,
        dead=tally.dead,
        sent_while_down=max(endpoint.sent_while_down for endpoint in endpoints),
        most_at_once=max(endpoint.most_at_once for endpoint in endpoints),
        falls=sum(endpoint.falls for endpoint in endpoints),
        openings=tally.openings,
        owed_at_recovery=owed_at_recovery,
        noticed_s=_after(tally.last_answered_probe_at, scenario) if tally.openings else None,
        cap_allows_s=_cap_allows_s(treated, scenario, owed_at_recovery),
        drained_s=_after(tally.last_done_at, scenario) if is_drained else None,
        load=tuple(tally.load),
    )


def _after(at: float, scenario: Scenario) -> float:
    return max(0.0, at - scenario.recovered_at)


def _arrivals(scenario: Scenario, endpoint: int, draw: float) -> Arrivals:
    """The first at a time of its own, or all endpoints would be told in the same instant."""
    count = scenario.owed_to(endpoint)
    gap_s = scenario.arriving_s / count
    return Arrivals(first_at=gap_s * draw, gap_s=gap_s, count=count)


def _sender(
    treated: Pace | Habit, *, clock: Clock, endpoint: Endpoint, arrivals: Arrivals, tally: Tally
) -> Sender:
    if isinstance(treated, Pace):
        return Lane(clock=clock, endpoint=endpoint, arrivals=arrivals, tally=tally, pace=treated)
    return Flood(clock=clock, endpoint=endpoint, arrivals=arrivals, tally=tally, habit=treated)


def _cap_allows_s(treated: Pace | Habit, scenario: Scenario, owed: int) -> float | None:
    """At the lane's cap or the endpoint's capacity, whichever is lower."""
    if not isinstance(treated, Pace):
        return None
    strength = scenario.strength
    per_s = min(treated.rules.cap / strength.latency_s, strength.capacity_per_s)
    return owed / (per_s if treated.rate_per_s is None else min(per_s, treated.rate_per_s))
