"""Reads what the overview tells, from slices, samples and small tables. It reads no big table, whatever the window."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, OuterRef, Q, Subquery

from deliveries.models import (
    Alert,
    Circuit,
    CircuitChange,
    DeadLetter,
    Hold,
    Issue,
    Lane,
    Notice,
    Replay,
    Severity,
    Subscription,
)
from deliveries.models.dead_letter import IssueState
from deliveries.models.replay import ReplayState
from deliveries.services.depths import Waiting, waiting
from deliveries.services.folding import folded_until
from webhooks.ids import first_id_at, public_id
from webhooks.models import AuditEntry

from . import rollups
from .alert_pages import open_alerts
from .rollups import Cause, Figures, Window

WORST = 7
CANDIDATES = 25  # of those with the most failures; which of them do worst is told by their success
TROUBLED = 6
ISSUES = 4
NEWS = 4
ALERTS = 3
MOST_ALERTS = 99
REPLAYS = 3
OPENED_LATELY = timedelta(minutes=15)
NEWS_FRESH = timedelta(hours=24)
SHOWN_ELSEWHERE = "circuit-"  # notices of this kind: the page has a card for circuits


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoint:
    """One subscription's window; `strip` counts its failed attempts in each of the window's coarse steps."""

    id: UUID
    name: str
    hold: str
    circuit: str
    figures: Figures
    strip: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """A lane that is held, or whose circuit is not closed. `opened_at`, `why`: when and why it left closed."""

    id: UUID
    name: str
    hold: str
    circuit: str
    since: datetime
    opened_at: datetime | None
    why: str
    cooldown_until: datetime | None
    window: int | None
    cap: int | None
    held_by: str
    held_why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenIssue:
    issue: Issue
    dead: int
    strip: Sequence[int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A replay that is not over, and how far it has come."""

    replay: Replay
    done: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """All of it, as of one moment. `before` is the equal window before this one."""

    window: Window
    steps: Sequence[tuple[datetime, Figures]]
    depths: Sequence[tuple[int, int]]
    now: Figures
    before: Figures
    causes: Sequence[Cause]
    worst: Sequence[Endpoint]
    lanes: int
    moving: int
    troubles: Sequence[Trouble]
    troubled: int
    opened: Sequence[tuple[UUID, str]]
    issues: Sequence[OpenIssue]
    waiting: Waiting
    replays: Sequence[Running]
    alerts: Sequence[Alert]
    open_alerts: int
    notices: Sequence[Notice]
    folded_until: datetime


def overview(window: Window, now: datetime) -> Overview:
    steps = rollups.series(window)
    lanes, alerts = _lanes(), open_alerts(MOST_ALERTS + 1)
    return Overview(
        window=window,
        steps=steps,
        depths=rollups.depths(window),
        now=sum((figures for _, figures in steps), Figures()),
        before=rollups.totals(window.before()),
        causes=rollups.causes(window),
        worst=_worst(window),
        lanes=sum(lanes.values()),
        moving=lanes.get(True, 0),
        troubled=lanes.get(False, 0),
        troubles=_troubles(),
        opened=_opened(now),
        issues=_issues(window),
        waiting=waiting(),
        replays=_replays(),
        alerts=sorted(alerts, key=lambda alert: Severity.values.index(alert.severity))[:ALERTS],
        open_alerts=len(alerts),
        notices=_notices(now),
        folded_until=folded_until(now=now),
    )


def _worst(window: Window) -> list[Endpoint]:
    """Whose deliveries arrive least, of those that fail most: one failure of one attempt is no news."""
    failing = [subscription for subscription, _ in rollups.failing(window, CANDIDATES)]
    figures = rollups.of(window, failing)
    rows = Subscription.objects.filter(pk__in=list(figures)).values_list(
        "pk", "name", "lane__hold", "lane__circuit"
    )
    ranked = sorted(rows, key=lambda row: _badness(figures[row[0]]))[:WORST]
    strips = rollups.strips(window.coarse(), [row[0] for row in ranked])
    return [
        Endpoint(
            id=key, name=name, hold=hold or "", circuit=circuit or Circuit.CLOSED, figures=figures[key],
            strip=[step.failed for step in strips[key]],
        )
        for key, name, hold, circuit in ranked
    ]  # fmt: skip


def _badness(figures: Figures) -> tuple[float, int]:
    """Where nothing came to an end, the attempts say it."""
    rate = figures.success_rate
    if rate is None:
        rate = figures.delivered / figures.attempts if figures.attempts else 0.0
    return rate, -figures.failed


def _lanes() -> dict[bool, int]:
    """How many move freely, and how many do not."""
    found = {True: 0, False: 0}
    for hold, circuit, lanes in Lane.objects.order_by().values_list("hold", "circuit").annotate(Count("pk")):
        found[hold == Hold.NONE and circuit == Circuit.CLOSED] += lanes
    return found


def _troubles() -> list[Trouble]:
    """Circuits first, the latest of them first: what people hold they know of."""
    left_closed = CircuitChange.objects.filter(subscription_id=OuterRef("pk"), before=Circuit.CLOSED)
    last = left_closed.order_by("-pk")
    lanes = (
        Lane.objects.filter(~Q(hold=Hold.NONE) | ~Q(circuit=Circuit.CLOSED))
        .select_related("subscription")
        .only(
            "hold", "hold_reason", "held_at", "circuit", "circuit_since", "cooldown_until", "window",
            "subscription__name", "subscription__window",
        )
        .annotate(opened_at=Subquery(last.values("at")[:1]), opened_why=Subquery(last.values("why")[:1]))
        .order_by("hold", "-circuit_since", "pk")[:TROUBLED]
    )  # fmt: skip
    rows = list(lanes)
    holders = _holders([lane.pk for lane in rows if lane.hold])
    return [_trouble(lane, holders) for lane in rows]


def _trouble(lane: Lane, holders: Mapping[UUID, str]) -> Trouble:
    held = bool(lane.hold)
    return Trouble(
        id=lane.pk,
        name=lane.subscription.name,
        hold=lane.hold,
        circuit=lane.circuit,
        since=(lane.held_at if held else None) or lane.circuit_since,
        opened_at=getattr(lane, "opened_at", None),
        why=getattr(lane, "opened_why", None) or "",
        cooldown_until=lane.cooldown_until,
        window=lane.window,
        cap=lane.subscription.window,
        held_by=holders.get(lane.pk, ""),
        held_why=lane.hold_reason,
    )


def _holders(lanes: Iterable[UUID]) -> dict[UUID, str]:
    """Who held these last, as the audit has it."""
    shown = {public_id("subscription", lane): lane for lane in lanes}
    entries = AuditEntry.objects.filter(
        object_kind="subscription", object_id__in=list(shown), verb__in=["pause", "disable"]
    )
    found = entries.order_by("pk").values_list("object_id", "actor")
    return {shown[name]: actor for name, actor in found}


def _opened(now: datetime) -> list[tuple[UUID, str]]:
    """Whose circuit left closed within the last quarter of an hour; each once."""
    lately = CircuitChange.objects.filter(
        pk__gte=first_id_at(now - OPENED_LATELY), before=Circuit.CLOSED, after=Circuit.OPEN
    )
    found = lately.order_by("-pk").values_list("subscription_id", "subscription__name")[: 2 * TROUBLED]
    return list(dict(found).items())


def _issues(window: Window) -> list[OpenIssue]:
    """Those with the most dead letters."""
    open_ones = Q(issue__state__in=[IssueState.OPEN, IssueState.REGRESSED])
    letters = DeadLetter.objects.filter(open_ones, resolved_at=None).order_by()
    most = letters.values("issue_id").annotate(dead=Count("pk")).order_by("-dead", "issue_id")
    dead = dict(most.values_list("issue_id", "dead")[:ISSUES])
    found = Issue.objects.select_related("subscription").defer("subscription__headers").in_bulk(list(dead))
    coarse = window.coarse()
    kinds = rollups.kinds_by_step(coarse, {issue.subscription_id for issue in found.values()})
    return [
        OpenIssue(issue=found[key], dead=number, strip=_strip(found[key], kinds, len(coarse.starts)))
        for key, number in dead.items()
        if key in found
    ]


def _strip(
    issue: Issue, kinds: Mapping[tuple[UUID, str, int], Sequence[tuple[int, int]]], steps: int
) -> list[int]:
    """The failures of its subscription that had its answer."""
    strip = [0] * steps
    for (subscription, _, status), failures in kinds.items():
        if subscription == issue.subscription_id and status == (issue.status or 0):
            for step, number in failures:
                strip[step] += number
    return strip


def _replays() -> list[Running]:
    running = Replay.objects.filter(state__in=[ReplayState.RUNNING, ReplayState.PAUSED]).order_by("-pk")
    return [Running(replay=row, done=row.done + row.returned, total=row.total) for row in running[:REPLAYS]]


def _notices(now: datetime) -> list[Notice]:
    lately = Notice.objects.filter(pk__gte=first_id_at(now - NEWS_FRESH))
    return list(lately.exclude(kind__startswith=SHOWN_ELSEWHERE).order_by("-pk")[:NEWS])
