"""What the deliveries page shows: tabs, filters, chips, one page of rows, and counts. It changes nothing."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.core.cache import cache

from deliveries.deciders.delivery_address import Parsed, to_params, to_url
from deliveries.deciders.delivery_query import NEEDS_ATTENTION, DeliveryQuery, Status
from deliveries.deciders.delivery_signs import duration, response_tag, shown_status, squares
from deliveries.deciders.delivery_words import OUTCOME_WORDS, STATUS_WORDS, chips
from deliveries.deciders.outcome import Outcome
from deliveries.deciders.undoing import Undo, offered
from deliveries.models import Delivery, Subscription
from deliveries.selectors.columns import known_types
from deliveries.selectors.delivery_filters import filters_of
from deliveries.selectors.delivery_pages import Page, count, page
from deliveries.selectors.delivery_story import rows_of
from deliveries.selectors.patience import TooSlow, patience
from deliveries.selectors.selection_course import Course, course_of
from webhooks.ids import public_id
from webhooks.models import Source

from .list_parts import Choice, counted, kept, neighbours, spans, toggled

PAGE = 50
TABS: Final[Sequence[tuple[str, str, tuple[Status, ...]]]] = (
    ("all", "All", ()),
    ("attention", "Needs attention", tuple(sorted(NEEDS_ATTENTION))),
    *((status.value, STATUS_WORDS[status], (status,)) for status in (
        Status.DEAD, Status.RETRYING, Status.HELD, Status.PENDING, Status.DELIVERED)),
)  # fmt: skip
CODES: Final = ("2xx", "3xx", "4xx", "5xx", "net")
LEAST_ATTEMPTS: Final = (2, 3, 5, 10)
LISTED = 60  # choices written into the page; more are loaded when their filter is opened
COUNTS_FRESH_S = 15
CHOICES_FRESH_S = 60
CHOSEN_FRESH_S = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    delivery: Delivery
    status: Status
    words: str
    squares: Sequence[str]
    tag: str
    tone: str
    latency: str
    only_subscription: str
    undo: Undo | None
    is_settled: bool


def list_context(parsed: Parsed, now: datetime) -> dict[str, Any]:
    """All of the page. When the database is too slow, the page without rows, which says so and keeps the filters."""
    query = parsed.query
    try:
        with patience():
            filters = filters_of(query, now)
            found, is_slow = page(query, now, PAGE, filters), False
            rows = shown_rows(rows_of(found.ids), filters.held, query, now)
            course = course_of(query, now) if rows else Course()
    except TooSlow:
        found, rows, is_slow, course = Page(), [], True, Course()
    names = {key: name for key, name, _ in subscriptions()}
    return {
        "query": query,
        "notices": parsed.notices,
        "rows": rows,
        "course": course,
        "is_slow": is_slow,
        "tabs": _tabs(query),
        "chips": [
            *_status_chips(query),
            *((chip.words, to_url(chip.without)) for chip in chips(query, names=names)),
        ],
        "is_unfiltered": query == DeliveryQuery(),
        "clear": to_url(DeliveryQuery(statuses=query.statuses)),
        "widened": to_url(replace(query.first_page(), since="all", start=None, end=None)),
        "here": to_url(query.first_page()),
        "turned": to_url(replace(query.first_page(), oldest_first=not query.oldest_first)),
        **neighbours(query, found, to_url),
        **_filter_choices(query, names),
        "now": now,
    }


def shown_rows(
    rows: Iterable[Delivery], held: frozenset[UUID], query: DeliveryQuery, now: datetime
) -> list[Row]:
    first = query.first_page()
    addresses: dict[UUID, str] = {}
    shown = []
    for row in rows:
        status = shown_status(state=row.state, phase=row.phase, is_held=row.subscription_id in held)
        tag, tone = response_tag(row.last_outcome, row.last_status)
        key = row.subscription_id
        if key not in addresses:
            addresses[key] = to_url(replace(first, subscriptions=(key,)))
        shown.append(
            Row(
                delivery=row,
                status=status,
                words=STATUS_WORDS[status],
                squares=squares(attempts=row.attempts, state=row.state, outcome=row.last_outcome),
                tag=tag,
                tone=tone,
                latency=duration(row.last_latency_ms),
                only_subscription=addresses[key],
                undo=offered(row, status=status, now=now),
                is_settled=row.state != Status.PENDING,
            )
        )
    return shown


def newer_rows(query: DeliveryQuery, after: UUID, now: datetime) -> list[Row]:
    """What came since, newest first; at most a page of it, and then the newest."""
    asked = replace(query, before=None, after=None, oldest_first=False)
    filters = filters_of(asked, now)
    ids = [each for each in page(asked, now, PAGE, filters).ids if each > after]
    return shown_rows(rows_of(ids), filters.held, asked, now)


def counts(query: DeliveryQuery, now: datetime) -> dict[str, str]:
    """How many each tab would show, up to a limit; a tab that takes too long has none."""
    asked = replace(query.first_page(), statuses=(), oldest_first=False)
    key = "deliveries.counts." + sha256(to_url(asked).encode()).hexdigest()
    told = cache.get(key)
    if told is None:
        told = {
            name: counted(partial(count, replace(asked, statuses=statuses), now))
            for name, _, statuses in TABS
        }
        cache.set(key, told, COUNTS_FRESH_S)
    return dict(told)


def subscriptions() -> list[tuple[UUID, str, str]]:
    """Every subscription's id, name and public id, by name; remembered a little while."""
    found = cache.get("deliveries.subscriptions")
    if found is None:
        rows = Subscription.objects.order_by("name", "pk").values_list("pk", "name")
        found = [(key, name, public_id("subscription", key)) for key, name in rows]
        cache.set("deliveries.subscriptions", found, CHOSEN_FRESH_S)
    return list(found)


def _tabs(query: DeliveryQuery) -> list[tuple[str, Choice]]:
    first = query.first_page()
    return [
        (
            name,
            Choice(
                words=words,
                address=to_url(replace(first, statuses=statuses)),
                is_chosen=query.statuses == statuses,
            ),
        )
        for name, words, statuses in TABS
    ]


def _status_chips(query: DeliveryQuery) -> list[tuple[str, str]]:
    """Where no tab shows them."""
    if any(query.statuses == statuses for _, _, statuses in TABS):
        return []
    first = query.first_page()
    return [
        (
            STATUS_WORDS[each],
            to_url(replace(first, statuses=tuple(other for other in query.statuses if other != each))),
        )
        for each in query.statuses
    ]


def _filter_choices(query: DeliveryQuery, names: Mapping[UUID, str]) -> dict[str, Any]:
    first = query.first_page()
    known = cache.get_or_set("deliveries.types", known_types, CHOICES_FRESH_S) or []
    sources = cache.get_or_set("deliveries.sources", known_sources, CHOSEN_FRESH_S) or []
    return {
        "spans": spans(query, to_url),
        "kept": kept(to_params(first)),
        "types": [toggled(first, "types", each, each, to_url) for each in known[:LISTED]],
        "codes": [toggled(first, "codes", each, "No answer" if each == "net" else each, to_url) for each in CODES],
        "outcomes": [
            toggled(first, "outcomes", each, OUTCOME_WORDS[each], to_url) for each in Outcome if each is not Outcome.OK
        ],
        "sources": [toggled(first, "sources", slug, name, to_url) for slug, name in sources],
        "subscriptions": [
            toggled(first, "subscriptions", key, name, to_url) for key, name in islice(names.items(), LISTED)
        ] if len(names) <= LISTED else [],
        "subscription_count": len(names),
        "least": [
            Choice(words=f"{each} or more", address=to_url(replace(first, attempts=each)),
                   is_chosen=query.attempts == each)
            for each in LEAST_ATTEMPTS
        ],
    }  # fmt: skip


def known_sources() -> list[tuple[str, str]]:
    return list(Source.objects.order_by("name").values_list("slug", "name")[:LISTED])
