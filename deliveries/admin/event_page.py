"""What one event's page shows: what came, who vouches for it, whether it was known, what became of it. No change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.deciders.event_query import STATUS_WORDS, EventStatus
from deliveries.models import Delivery
from deliveries.selectors import event_story as story
from deliveries.selectors.delivery_filters import held_lanes
from deliveries.selectors.event_pages import told_of
from webhooks.deciders.arrival import Arrival
from webhooks.deciders.schemes import SCHEMES
from webhooks.deciders.shown_body import show
from webhooks.deciders.skew import skew_s
from webhooks.models import Event, EventBody

from .delivery_list import shown_rows
from .event_list import some_of

BY_OURSELVES = "api-key"  # what `verified_by` says of what was published with one of our keys


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the address asks to see."""

    raw: bool = False
    whole: bool = False

    @classmethod
    def read(cls, params: Any) -> "tuple[Wish, list[str]]":
        notices = [
            f"There is no filter “{name[:40]}”; it was ignored." for name in params if name not in _KNOWN
        ]
        return cls(raw=params.get("raw") == "1", whole=params.get("whole") == "1"), notices

    def address(self, **changed: bool) -> str:
        flags = {"raw": self.raw, "whole": self.whole} | changed
        return "?" + urlencode({name: 1 for name, is_set in flags.items() if is_set})


_KNOWN = ("raw", "whole", "_changelist_filters")


def page_context(event: Event, wish: Wish, now: datetime, *, may_see_payload: bool) -> dict[str, Any]:
    """Everything but the shell, in as many questions however many deliveries it has."""
    content, deliveries = story.content_of(event), story.deliveries_of(event)
    body = bytes(content.body) if content else None
    told = told_of([event.pk], held_lanes())[event.pk]
    key = story.key_of(event, body)
    return {
        "event": event,
        "status_words": STATUS_WORDS[EventStatus(event.state)],
        "told": told,
        "some": some_of(told),
        "key": key,
        "twins": story.twins_of(event, key),
        "business_keys": story.business_keys_of(event),
        "conflicts": story.conflicts_of(event) if told.conflicts else [],
        "rows": shown_rows(deliveries, held_lanes(), DeliveryQuery(), now),
        "most_deliveries": story.MOST_DELIVERIES,
        "now": now,
        **_signature(event, content),
        **_cascade(event, deliveries),
        "cancelled_at": story.cancelled_at(event),
        **_payload(content, wish, may_see_payload=may_see_payload),
    }


def _signature(event: Event, content: EventBody | None) -> dict[str, Any]:
    """The scheme that it was verified by, and by which secret's last characters or which pinned certificate."""
    slug, _, hint = event.verified_by.partition(" …")
    slug, _, pin_hint = slug.partition(" pinned ")
    row = SCHEMES.get(slug)
    seconds = None
    if row is not None and content is not None:
        arrival = Arrival(
            method="POST",
            headers={str(name).lower(): str(value) for name, value in content.headers},
            body=bytes(content.body),
            query="",
            remote_address="",
            received_at=event.received_at,
        )
        seconds = skew_s(row, arrival)
    return {
        "scheme": row,
        "scheme_slug": slug,
        "secret_hint": hint,
        "pin_hint": pin_hint,
        "is_published": slug == BY_OURSELVES,
        "skew": _skewed(seconds),
    }


def _skewed(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if abs(seconds) < 1:
        return "its clock agrees with ours"
    return f"{abs(seconds):.0f} s {'old' if seconds > 0 else 'in the future'} when it came"


def _cascade(event: Event, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    cascade = story.cascade_of(event.trace_id)
    return {
        "cascade": cascade,
        "cause": story.cause_of(event),
        **story.guarded(event),
        "caused": story.caused_by(event, list(deliveries)) if cascade else [],
        "most_caused": story.MOST_CAUSED,
    }


def _payload(content: EventBody | None, wish: Wish, *, may_see_payload: bool) -> dict[str, Any]:
    """Without the permission neither the body nor a header's value reaches the page."""
    shown: dict[str, Any] = {
        "may_see_payload": may_see_payload,
        "has_content": content is not None,
        "content_type": content.content_type if content else "",
        "raw": wish.raw,
        "toggled": wish.address(raw=not wish.raw),
        "whole_address": wish.address(whole=True),
    }
    if not may_see_payload or content is None:
        return shown
    headers = [(str(name), str(value)) for name, value in content.headers]
    return shown | {"body": show(bytes(content.body), whole=wish.whole, raw=wish.raw), "headers": headers}
