"""Measures what rules ask for: from slices, samples and small tables, in so many statements however many rules there
are. It judges nothing.

What a rule is measured over is named by a scope: the public id of a subscription, subscriber or source, or nothing for
the whole hub. A scope that is left out has no data; of a state, it is not so.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Max, Sum
from django.db.models.functions import Now

from deliveries.deciders.alerting import Measurement
from deliveries.deciders.measures import Over, is_failure, share_of
from deliveries.models import (
    AlertRule,
    Cascade,
    Circuit,
    DepthSample,
    Hold,
    Lane,
    Quarantine,
    Seat,
    Subscription,
)
from deliveries.models.cascade import Fate
from deliveries.models.rollup import EVERY
from webhooks.ids import public_id
from webhooks.models import Source
from webhooks.selectors.sources import silent_sources

from . import rollups
from .rollups import Cause, Figures, Window

STALE = timedelta(seconds=60)  # depths are sampled every 15 s while anybody dispatches
MINUTE = timedelta(minutes=1)
USUAL_WINDOW_S = 900
HUB_SCOPE = ""

Measured = dict[str, Measurement]  # by scope


@dataclass(frozen=True, kw_only=True, slots=True)
class Depth:
    """What of a lane was due at its last sample."""

    due: int
    oldest_due_at: datetime | None


NOTHING_DUE = Depth(due=0, oldest_due_at=None)


class Figured:
    """One look: what is asked for is read once, when the first rule asks for it."""

    def __init__(self, rules: Sequence[AlertRule], now: datetime) -> None:
        self.rules, self.now = rules, now

    def of(self, rule: AlertRule) -> Measured:
        return _MEASURES[rule.measure](self, rule)

    def name(self, rule: AlertRule, scope: str) -> str:
        """What a scope is called; empty for the whole hub."""
        if rule.over in (Over.EACH_SOURCE, Over.SOURCE):
            return self.source_names.get(scope, scope)
        if rule.over == Over.SUBSCRIBER:
            return str(rule.subscriber)
        return self.names.get(scope, scope) if scope else ""

    # -- what is read ------------------------------------------------------------------------------------

    @cached_property
    def lanes(self) -> list[tuple[UUID, str, UUID]]:
        return list(Subscription.objects.order_by("pk").values_list("pk", "name", "subscriber_id"))

    @cached_property
    def names(self) -> dict[str, str]:
        return {public_id("subscription", key): name for key, name, _ in self.lanes}

    @cached_property
    def of_subscriber(self) -> Mapping[UUID, list[UUID]]:
        found: dict[UUID, list[UUID]] = defaultdict(list)
        for key, _, subscriber in self.lanes:
            found[subscriber].append(key)
        return found

    @cached_property
    def figures(self) -> dict[tuple[Window, UUID], Figures]:
        measured = [rule for rule in self.rules if rule.measure in _FROM_FIGURES]
        with_latency = any(rule.measure == "latency" for rule in measured)
        return rollups.at_once(self._windows(measured), _asked_of(measured), with_latency=with_latency)

    @cached_property
    def causes(self) -> dict[tuple[Window, UUID], list[Cause]]:
        measured = [rule for rule in self.rules if rule.measure == "error_rate" and rule.detail]
        return rollups.causes_at_once(self._windows(measured), _asked_of(measured))

    @cached_property
    def sampled_at(self) -> datetime | None:
        at: datetime | None = DepthSample.objects.aggregate(at=Max("sampled_at"))["at"]
        return at

    @property
    def is_sampled(self) -> bool:
        return self.sampled_at is not None and self.sampled_at >= self.now - STALE

    @cached_property
    def depths(self) -> dict[UUID, Depth]:
        """In a lane that does not move nothing is due."""
        rows = DepthSample.objects.order_by().values_list(
            "pk", "due", "oldest_due_at", "subscription__lane__hold", "subscription__lane__circuit"
        )
        return {
            key: Depth(due=due, oldest_due_at=oldest) if not hold and circuit in _MOVING else NOTHING_DUE
            for key, due, oldest, hold, circuit in rows
        }

    @cached_property
    def troubled(self) -> dict[UUID, datetime]:
        """Lanes whose circuit is not closed and which nobody holds, with when it last changed."""
        lanes = Lane.objects.filter(hold=Hold.NONE).exclude(circuit=Circuit.CLOSED).order_by()
        return dict(lanes.values_list("pk", "circuit_since"))

    @cached_property
    def quarantined(self) -> int:
        """As cascades count them, and those that no cascade counts: what could not be routed."""
        counted = Cascade.objects.filter(quarantined__gt=0).aggregate(events=Sum("quarantined"))
        alone = Quarantine.objects.filter(trace_id=None, fate=Fate.WAITING).count()
        return (counted["events"] or 0) + alone

    @cached_property
    def silent(self) -> dict[str, datetime]:
        return {public_id("source", each.pk): at for each, at in silent_sources(now=self.now)}

    @cached_property
    def source_names(self) -> dict[str, str]:
        return {public_id("source", key): name for key, name in Source.objects.values_list("pk", "name")}

    @cached_property
    def missing_since(self) -> tuple[bool, datetime | None]:
        """Whether nobody dispatches, and when somebody last did."""
        if Seat.objects.filter(leased_until__gt=Now(), is_draining=False).exists():
            return False, None
        return True, Seat.objects.aggregate(at=Max("seen_at"))["at"]

    # -- windows and groups ------------------------------------------------------------------------------

    def window(self, rule: AlertRule) -> Window:
        """It ends with the minute that is under way."""
        until = datetime.fromtimestamp(self.now.timestamp() // 60 * 60, UTC) + MINUTE
        since = until - timedelta(seconds=rule.window_s or USUAL_WINDOW_S)
        return Window(since=since, until=until, step_s=60)

    def _windows(self, rules: Iterable[AlertRule]) -> list[Window]:
        return list(dict.fromkeys(self.window(rule) for rule in rules))

    def groups(self, rule: AlertRule, keys: Iterable[UUID]) -> Iterator[tuple[str, list[UUID]]]:
        """Scopes, with the subscriptions that each puts together; `keys` are those there is anything of."""
        match rule.over:
            case Over.HUB:
                yield HUB_SCOPE, [EVERY]
            case Over.SUBSCRIPTION:
                if rule.subscription_id:
                    yield public_id("subscription", rule.subscription_id), [rule.subscription_id]
            case Over.SUBSCRIBER:
                if rule.subscriber_id:
                    members = self.of_subscriber.get(rule.subscriber_id, [])
                    yield public_id("subscriber", rule.subscriber_id), members
            case Over.EACH_SUBSCRIPTION:
                for key in keys:
                    yield public_id("subscription", key), [key]


# -- one function for each kind of figure ------------------------------------------------------------------


def _rates(figured: Figured, rule: AlertRule) -> Measured:
    window = figured.window(rule)
    busy = [key for at, key in figured.figures if at == window and key != EVERY]
    found = {}
    for scope, members in figured.groups(rule, busy):
        figures = [figured.figures[window, key] for key in members if (window, key) in figured.figures]
        if figures:
            found[scope] = _rate(figured, rule, window, members, sum(figures, Figures()))
    return found


def _rate(
    figured: Figured, rule: AlertRule, window: Window, members: Iterable[UUID], total: Figures
) -> Measurement:
    if rule.measure == "dead_letters":
        return Measurement(value=total.dead)
    if rule.measure == "latency":
        return Measurement(value=total.latency(share_of(rule.detail)), volume=sum(total.took))
    if not total.attempts:
        return Measurement()
    if rule.measure == "success_rate":
        return Measurement(value=100 * total.delivered / total.attempts, volume=total.attempts)
    failed = total.failed
    if rule.detail:
        causes = [cause for key in members for cause in figured.causes.get((window, key), ())]
        failed = sum(
            cause.failures
            for cause in causes
            if is_failure(rule.detail, outcome=cause.outcome, status=cause.status)
        )
    # What failed before any attempt was made is a failure too, so there may be more of them than attempts.
    return Measurement(value=min(100.0, 100 * failed / total.attempts), volume=total.attempts)


def _deaths(figured: Figured, rule: AlertRule) -> Measured:
    """Where nothing was settled, nothing died: that is known, and no lack of data."""
    found = _rates(figured, rule)
    if rule.over != Over.EACH_SUBSCRIPTION:
        for scope, _ in figured.groups(rule, ()):
            found.setdefault(scope, Measurement(value=0))
        return found
    return {scope: Measurement(value=0) for scope in figured.names} | found


def _depths(figured: Figured, rule: AlertRule) -> Measured:
    depths, found = figured.depths, {}
    for scope, members in figured.groups(rule, depths):
        keys = depths if members == [EVERY] else [key for key in members if key in depths]
        measured = _depth(figured, rule, [depths[key] for key in keys])
        if measured is not None:
            found[scope] = measured
    return found


def _depth(figured: Figured, rule: AlertRule, depths: Sequence[Depth]) -> Measurement | None:
    """Of an old sample only the age still tells: what was due then and is sent by nobody is due still."""
    if rule.measure == "queue_depth":
        return Measurement(value=sum(depth.due for depth in depths)) if figured.is_sampled else None
    oldest = min((depth.oldest_due_at for depth in depths if depth.oldest_due_at), default=None)
    if oldest is None:
        return Measurement(value=0) if figured.is_sampled else None
    return Measurement(value=max(0.0, (figured.now - oldest).total_seconds()))


def _circuits(figured: Figured, rule: AlertRule) -> Measured:
    found = {}
    for scope, members in figured.groups(rule, figured.troubled):
        since = [figured.troubled[key] for key in members if key in figured.troubled]
        if since:
            found[scope] = Measurement(value=1, since=min(since))
    return found


def _silence(figured: Figured, rule: AlertRule) -> Measured:
    only = public_id("source", rule.source_id) if rule.source_id else ""
    chosen = [scope for scope in figured.silent if rule.over == Over.EACH_SOURCE or scope == only]
    return {scope: Measurement(value=1, since=figured.silent[scope]) for scope in chosen}


def _quarantine(figured: Figured, rule: AlertRule) -> Measured:
    return {HUB_SCOPE: Measurement(value=figured.quarantined)}


def _dispatchers(figured: Figured, rule: AlertRule) -> Measured:
    is_missing, since = figured.missing_since
    return {HUB_SCOPE: Measurement(value=1, since=since)} if is_missing else {}


_MOVING = (Circuit.CLOSED, Circuit.RECOVERING)
_FROM_FIGURES = ("success_rate", "error_rate", "latency", "dead_letters")
_MEASURES: dict[str, Callable[[Figured, AlertRule], Measured]] = {
    "success_rate": _rates,
    "error_rate": _rates,
    "latency": _rates,
    "dead_letters": _deaths,
    "oldest_due": _depths,
    "queue_depth": _depths,
    "circuit_open": _circuits,
    "source_silent": _silence,
    "quarantined": _quarantine,
    "dispatcher_missing": _dispatchers,
}


def _asked_of(rules: Iterable[AlertRule]) -> list[UUID] | None:
    """Whose slices are read; None: everybody's, since some rule looks at each."""
    asked = {EVERY}
    for rule in rules:
        if rule.over in (Over.EACH_SUBSCRIPTION, Over.SUBSCRIBER):
            return None
        if rule.over == Over.SUBSCRIPTION and rule.subscription_id:
            asked.add(rule.subscription_id)
    return sorted(asked)
