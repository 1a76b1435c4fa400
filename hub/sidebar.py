"""What stands in the side bar: pages that exist and this person may open, and some counts. It changes nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth.models import AnonymousUser, User
from django.core.cache import cache
from django.urls import reverse

from deliveries.models import Circuit, Lane, Replay
from deliveries.models.replay import ReplayState
from deliveries.selectors.alert_pages import open_count
from deliveries.selectors.issue_pages import open_issues

FRESH_S = 5  # a count is asked for at most this often, whoever looks
MOST_LANES = 100  # troubled lanes that are read; more are told as 99+
MOST_ISSUES = MOST_ALERTS = 99

Person = User | AnonymousUser


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A page that may stand in the side bar, and what it takes to see it."""

    name: str
    icon: str
    page: str
    permission: str
    query: str = ""
    count: Callable[[], str] | None = None
    is_quiet: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    name: str
    icon: str
    address: str
    count: str
    is_here: bool
    is_quiet: bool = False  # its count is no trouble


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    name: str
    entries: list[Entry]


def _open_issues() -> str:
    return _shown(open_issues(datetime.now(UTC), MOST_ISSUES + 1), MOST_ISSUES)


def _open_alerts() -> str:
    return _shown(open_count(MOST_ALERTS + 1), MOST_ALERTS)


def _troubled_lanes() -> str:
    rows = Lane.objects.exclude(circuit=Circuit.CLOSED).order_by()
    return _shown(len(rows.values_list("pk", flat=True)[:MOST_LANES]), MOST_LANES - 1)


def _running_replays() -> str:
    running = Replay.objects.filter(state=ReplayState.RUNNING).order_by()
    return _shown(len(running.values_list("pk", flat=True)[:MOST_LANES]), MOST_LANES - 1)


def _list_of(
    name: str,
    icon: str,
    model: str,
    query: str = "",
    count: Callable[[], str] | None = None,
    *,
    is_quiet: bool = False,
) -> Place:
    app, _, row = model.partition(".")
    return Place(
        name=name, icon=icon, page=f"admin:{app}_{row}_changelist", permission=f"{app}.view_{row}",
        query=query, count=count, is_quiet=is_quiet,
    )  # fmt: skip


PLACES: tuple[tuple[str, tuple[Place, ...]], ...] = (
    (
        "Monitor",
        (
            Place(name="Overview", icon="board", page="admin:index", permission="deliveries.view_rollup"),
            _list_of("Alerts", "bell", "deliveries.alert", count=_open_alerts),
            _list_of("Issues", "alert", "deliveries.issue", count=_open_issues),
            _list_of("Deliveries", "arrow", "deliveries.delivery"),
            _list_of("Events", "inbox", "webhooks.event"),
            _list_of("Refusals", "shield", "webhooks.refusal"),
            _list_of("Cascades", "tree", "deliveries.cascade"),
        ),
    ),
    ("Act", (_list_of("Replays", "replay", "deliveries.replay", count=_running_replays, is_quiet=True),)),
    (
        "Configure",
        (
            _list_of("Sources", "bolt", "webhooks.source"),
            _list_of("Subscriptions", "plug", "deliveries.subscription", count=_troubled_lanes),
            _list_of("Subscribers", "team", "webhooks.subscriber"),
            _list_of("Event types", "list", "webhooks.eventtype"),
            _list_of("API keys", "key", "webhooks.apikey"),
        ),
    ),
    (
        "System",
        (
            Place(
                name="Queue and workers", icon="chip", page="admin:queue", permission="deliveries.view_seat"
            ),
            _list_of("Audit log", "log", "webhooks.auditentry"),
            _list_of("Users", "user", "auth.user"),
            _list_of("Roles", "role", "auth.group"),
            Place(name="All records", icon="list", page="admin:records", permission="deliveries.view_rollup"),
        ),
    ),
)


def sections(person: Person, path: str) -> list[Section]:
    """A section without a page for this person is left out."""
    shown = [
        Section(
            name=name, entries=[_entry(place, path) for place in places if person.has_perm(place.permission)]
        )
        for name, places in PLACES
    ]
    return [section for section in shown if section.entries]


def _entry(place: Place, path: str) -> Entry:
    address = reverse(place.page)
    count = cache.get_or_set(f"hub.sidebar.{place.page}", place.count, FRESH_S) if place.count else ""
    return Entry(
        name=place.name,
        icon=place.icon,
        address=address + place.query,
        count=str(count or ""),
        is_here=path == address if place.page == "admin:index" else path.startswith(address),
        is_quiet=place.is_quiet,
    )


def _shown(number: int, most: int) -> str:
    """Empty for none."""
    return f"{most}+" if number > most else str(number or "")
