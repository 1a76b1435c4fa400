"""What the list of subscriptions shows: tabs, columns to sort by, one page of rows. It changes nothing."""

from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from deliveries.deciders.delivery_address import to_url
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_signs import duration
from deliveries.deciders.subscription_query import STATE_WORDS, Read, SubscriptionQuery
from deliveries.selectors.subscription_list import PAGE, Row, listed
from webhooks.ids import parse_id
from webhooks.models import Subscriber

from .list_parts import Choice

TABS: Final = {
    "": "All",
    "active": "Active",
    "paused": "Paused",
    "disabled": "Disabled",
    "unproved": "Unproved",
    "circuit": "Circuit not closed",
}
COLUMNS: Final = {
    "name": "Name",
    "host": "Host",
    "state": "State",
    "success": "Success, 24 h",
    "p95": "p95, 24 h",
    "dead": "Dead letters",
    "rate": "Rate",
}
NUMBERS: Final = frozenset({"success", "p95", "dead", "rate"})
POOR: Final = 0.95  # a success rate below this is drawn as trouble
FAIR: Final = 0.995


def list_context(asked: Read, now: datetime) -> dict[str, Any]:
    query, found = asked.query, listed(asked.query, now)
    notices = list(asked.notices)
    if found.page != query.page:
        notices.append(f"There is no page {query.page}; the last one is shown.")
        query = replace(query, page=found.page)
    first = replace(query, page=1)
    return {
        "query": query,
        "notices": notices,
        "rows": [drawn(row) for row in found.rows],
        "total": found.total,
        "every": found.states[""],
        "first": (found.page - 1) * PAGE + 1,
        "last": (found.page - 1) * PAGE + len(found.rows),
        "tabs": [
            (found.states[state], Choice(words=words, address=replace(first, state=state).address(),
                                         is_chosen=query.state == state))
            for state, words in TABS.items()
        ],
        "columns": [_column(query, name, words) for name, words in COLUMNS.items()],
        "previous": replace(query, page=found.page - 1).address() if found.page > 1 else "",
        "next": replace(query, page=found.page + 1).address() if found.page * PAGE < found.total else "",
        "chip": _subscriber_chip(query),
        "now": now,
    }  # fmt: skip


def _column(query: SubscriptionQuery, name: str, words: str) -> dict[str, Any]:
    is_sorted = query.sort.removeprefix("-") == name
    way = "descending" if query.sort.startswith("-") else "ascending"
    return {
        "name": name,
        "words": words,
        "address": query.sorted_by(name).address(),
        "way": way if is_sorted else "",
        "is_number": name in NUMBERS,
    }


def drawn(row: Row) -> dict[str, Any]:
    rate, p95 = row.figures.success_rate, row.p95
    return {
        "row": row,
        "state_words": STATE_WORDS[row.state],
        "success": "–" if rate is None else f"{int(rate * 1000) / 10:.1f} %",
        "success_tone": "" if rate is None or rate >= FAIR else "warn" if rate >= POOR else "bad",
        "p95": duration(None if p95 is None else round(p95)),
        "rate": "no limit" if row.rate_per_s is None else f"{row.rate_per_s:g}/s",
        "dead_address": to_url(DeliveryQuery(subscriptions=(row.id,), statuses=(Status.DEAD,), since="all")),
    }


def _subscriber_chip(query: SubscriptionQuery) -> tuple[str, str] | None:
    """Words of the filter that has no tab, and the address without it."""
    if not query.subscriber:
        return None
    try:
        name = Subscriber.objects.values_list("name", flat=True).get(
            pk=parse_id("subscriber", query.subscriber)
        )
    except (Subscriber.DoesNotExist, ValueError):
        name = query.subscriber
    return f"Subscriber {name}", replace(query, subscriber="", page=1).address()
