"""Reads issues by tab and page, and what their page says of them: one question for all rows of a page each."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from django.db.models import Count, F, Q, QuerySet

from deliveries.deciders.issue_query import TABS, Cursor, IssueQuery
from deliveries.models import DeadLetter, Delivery, DeliveryState, Issue
from deliveries.models.dead_letter import IssueState

from .moments import Second

COUNTED = 1_000  # issues of a tab; more is shown as 1k+
LETTERS_COUNTED = 10_000
HOUR_S = 3_600
STRIP_HOURS = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuePage:
    issues: Sequence[Issue] = ()
    has_older: bool = False
    has_newer: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Letters:
    """What waits in one issue."""

    dead: int = 0
    types: int = 0
    one_type: str = ""  # its name, where it is but one


def issue_page(query: IssueQuery, now: datetime, size: int) -> IssuePage:
    """One row more than `size` is read, to know whether another page follows."""
    rows = _shown(query, now)
    if query.after is not None:
        found = list(rows.filter(_later(query.after)).order_by("last_seen_at", "pk")[: size + 1])
        return IssuePage(issues=found[:size][::-1], has_older=True, has_newer=len(found) > size)
    if query.before is not None:
        rows = rows.filter(_earlier(query.before))
    found = list(rows.order_by("-last_seen_at", "-pk")[: size + 1])
    return IssuePage(issues=found[:size], has_older=len(found) > size, has_newer=query.before is not None)


def of_tab(tab: str, now: datetime) -> Q:
    """What was ignored until now is open again, before anybody has written so."""
    is_over = Q(state=IssueState.IGNORED, ignored_until__lte=now)
    if tab == "open":
        return Q(state__in=[IssueState.OPEN, IssueState.REGRESSED]) | is_over
    if tab == "ignored":
        return Q(state=IssueState.IGNORED, ignored_until__gt=now)
    return Q(state=tab)


def issue_counts(query: IssueQuery, now: datetime) -> dict[str, int]:
    """How many each tab would show; one more than counted where there are more."""
    asked = {tab: _of_subscription(query).filter(of_tab(tab, now)) for tab in TABS}
    return {tab: rows[: COUNTED + 1].count() for tab, rows in asked.items()}


def open_issues(now: datetime, most: int) -> int:
    """Bounded, without counting; for the side bar."""
    return len(Issue.objects.filter(of_tab("open", now)).values_list("pk", flat=True)[:most])


def dead_letters() -> int:
    """Of the hub; one more than counted where there are more."""
    return Delivery.objects.filter(state=DeliveryState.DEAD)[: LETTERS_COUNTED + 1].count()


def letters_of(fingerprints: Iterable[str]) -> dict[str, Letters]:
    """By the criteria that the list of deliveries and a replay of them have, so that all three say one number."""
    dead = Delivery.objects.filter(state=DeliveryState.DEAD, fingerprint__in=list(fingerprints)).order_by()
    rows = dead.values_list("fingerprint", "event_type").annotate(dead=Count("pk"))
    found: dict[str, Letters] = {}
    for fingerprint, event_type, number in rows:
        before = found.get(fingerprint, Letters())
        found[fingerprint] = Letters(
            dead=before.dead + number, types=before.types + 1, one_type="" if before.types else event_type
        )
    return found


def last_day(issues: Iterable[UUID], now: datetime) -> dict[UUID, list[int]]:
    """How many deliveries died in each of the last 24 hours; the last one is under way."""
    hour = int(now.timestamp()) // HOUR_S
    since = datetime.fromtimestamp((hour - STRIP_HOURS + 1) * HOUR_S, UTC)
    died = DeadLetter.objects.filter(issue_id__in=list(issues), died_at__gte=since).order_by()
    step = (Second(F("died_at")) - int(since.timestamp())) / HOUR_S
    strips: dict[UUID, list[int]] = {}
    for issue, at, number in died.values_list("issue_id", step).annotate(Count("pk")):
        strip = strips.setdefault(issue, [0] * STRIP_HOURS)
        strip[min(at, STRIP_HOURS - 1)] += number
    return strips


def last_death() -> datetime | None:
    """When a delivery last died, once no dead letter waits: all issues are resolved then, or ignored."""
    over = Issue.objects.filter(state=IssueState.RESOLVED).order_by("-last_seen_at")
    return over.values_list("last_seen_at", flat=True).first()


def newest_dead(issue: Issue) -> UUID | None:
    """The delivery to send first: its body is the likeliest to be wanted still."""
    dead = Delivery.objects.filter(
        ~Q(fingerprint=""), fingerprint=issue.fingerprint, state=DeliveryState.DEAD
    )
    return dead.order_by("-pk").values_list("pk", flat=True).first()


def _shown(query: IssueQuery, now: datetime) -> QuerySet[Issue]:
    # A subscription's headers are sealed, and unsealing them for every row is slow and for nothing.
    rows = Issue.objects.select_related("subscription__lane").defer("subscription__headers")
    if query.issue is not None:
        return rows.filter(pk=query.issue)
    rows = rows.filter(of_tab(query.tab, now))
    return rows.filter(subscription_id=query.subscription) if query.subscription else rows


def _of_subscription(query: IssueQuery) -> QuerySet[Issue]:
    return (
        Issue.objects.filter(subscription_id=query.subscription)
        if query.subscription
        else Issue.objects.all()
    )


def _earlier(cursor: Cursor) -> Q:
    """Its first term lets the index be used."""
    at = cursor.seen_at
    return Q(last_seen_at__lte=at) & (Q(last_seen_at__lt=at) | Q(pk__lt=cursor.issue))


def _later(cursor: Cursor) -> Q:
    at = cursor.seen_at
    return Q(last_seen_at__gte=at) & (Q(last_seen_at__gt=at) | Q(pk__gt=cursor.issue))
