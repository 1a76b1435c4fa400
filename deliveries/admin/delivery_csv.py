"""Writes deliveries as CSV, page by page, so that neither memory nor a long transaction holds them all."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain
from typing import Any
from uuid import UUID

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.delivery_signs import shown_status
from deliveries.deciders.delivery_words import STATUS_WORDS
from deliveries.models import Delivery
from deliveries.selectors.delivery_filters import held_lanes
from deliveries.selectors.delivery_pages import each_page
from webhooks.csv_cells import harmless, line_writer
from webhooks.deciders.times import zulu
from webhooks.ids import public_id

MOST_ROWS = 100_000
PAGE = 2_000

HEAD = (
    "delivery", "status", "event_type", "event", "sender_id", "source", "subscription", "subscription_name",
    "attempts", "last_outcome", "last_status", "last_latency_ms", "last_error", "created_at", "next_try_at",
)  # fmt: skip
_COLUMNS = (
    "pk", "state", "phase", "subscription_id", "event_type", "event_id", "external_id", "source__slug",
    "subscription__name", "attempts", "last_outcome", "last_status", "last_latency_ms", "last_error",
    "created_at", "due_at",
)  # fmt: skip


def csv_lines(query: DeliveryQuery, now: datetime) -> Iterator[str]:
    write, left = line_writer(), MOST_ROWS
    yield write(HEAD)
    held = held_lanes()
    for ids in each_page(query, now, PAGE):
        rows = _rows(ids[:left])
        yield "".join(write(_cells(row, held)) for row in rows)
        left -= len(rows)
        if left <= 0:
            return


def _rows(ids: Sequence[UUID]) -> list[tuple[Any, ...]]:
    found = {row[0]: row for row in Delivery.objects.filter(pk__in=ids).values_list(*_COLUMNS)}
    return [found[each] for each in ids if each in found]


def _cells(row: tuple[Any, ...], held: frozenset[UUID]) -> list[str]:
    key, state, phase, to, event_type, event, sender_id, source, name, *last, created, due = row
    status = shown_status(state=state, phase=phase, is_held=to in held)
    cells = chain(
        [public_id("delivery", key), STATUS_WORDS[status], event_type, public_id("event", event), sender_id],
        [source, public_id("subscription", to), name, *last, _iso(created), _iso(due)],
    )
    return [harmless("" if cell is None else str(cell)) for cell in cells]


def _iso(at: datetime | None) -> str:
    return zulu(at) if at else ""
