"""What the lists of deliveries and events may be narrowed by over the API. It reads no table."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from django.db.models import Q
from rest_framework import serializers

from deliveries.deciders.delivery_address import CODE
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.event_query import EventQuery, EventStatus
from deliveries.deciders.list_address import matching, pattern, search
from deliveries.deciders.outcome import Outcome
from deliveries.models import DeliveryState
from deliveries.selectors.columns import Column
from deliveries.selectors.delivery_filters import events_sent_as, filters_of
from deliveries.selectors.event_pages import events_filters
from deliveries.selectors.subscription_list import subscriptions_of
from webhooks.ids import parse_id
from webhooks.models import EventState, Source
from webhooks.rest import PublicId, Read, Several
from webhooks.serializers import BySlug

from .lists import QueryFilters, among, one

# What is owed is pending in the table, whatever people call it.
_OWED: Final = (Status.HELD, Status.PENDING, Status.RETRYING)
_ID: Final = re.compile(r"[^\0]{1,500}")
_FIT: Final = "of at most 500 characters, none of them a NUL"


def _type() -> Read:
    sentence = "Write an event type, or a pattern such as order.*."
    return Read(pattern, sentence, help_text="An event type, or all below one: `order.*`.")


def _q(what: str) -> Read:
    return Read(search, f"Write an id {_FIT}.", help_text=f"An id, exactly: {what}.")


class DeliveryFilters(QueryFilters):
    state = serializers.ChoiceField(
        choices=DeliveryState.choices,
        required=False,
        help_text="The stored state; `pending` is all that is owed.",
    )
    status = Several(
        Status,
        f"Choose among {', '.join(Status)}.",
        help_text="As the console calls it, several with commas: `retrying` was tried before, and `held` waits in a "
        "lane that does not move; neither is then `pending`.",
    )
    subscription = Several(
        lambda text: parse_id("subscription", text),
        "This is not a subscription id: expected sub_ and 32 hex digits.",
        help_text="Ids of subscriptions, several with commas.",
    )
    subscriber = PublicId("subscriber", required=False, help_text="Those owed to one subscriber.")
    source = BySlug(  # type: ignore[assignment]
        "source", queryset=Source.objects.all(), required=False, help_text="The slug of a source."
    )
    event_type = _type()
    event = PublicId("event", required=False, help_text="What one event became.")
    event_id = Read(
        matching(_ID),
        f"Write a sender's id {_FIT}.",
        help_text="The sender's id of the event.",
    )
    outcome = Several(
        Outcome,
        f"Choose among {', '.join(Outcome)}.",
        help_text="What came of the last attempt, several with commas.",
    )
    status_code = Several(
        matching(CODE),
        "Write a status such as 503, a class such as 5xx, or net where there was no answer.",
        help_text="The status of the last answer: `503`, `5xx`, or `net` where there was none; several with commas.",
    )
    q = _q("of a delivery, an event, a subscription or the sender")

    def columns(self, now: datetime) -> Sequence[Column]:
        asked = self.validated_data
        source = asked.get("source")
        statuses = asked.get("status", ())
        if (state := asked.get("state")) and not statuses:
            statuses = _OWED if state == DeliveryState.PENDING else (Status(state),)
        query = DeliveryQuery(
            since="all",
            statuses=statuses,
            subscriptions=asked.get("subscription", ()),
            sources=(source.slug,) if source else (),
            types=(asked["event_type"],) if asked.get("event_type") else (),
            codes=asked.get("status_code", ()),
            outcomes=asked.get("outcome", ()),
            search=asked.get("q", ""),
            start=asked.get("since"),
            end=asked.get("until"),
        )
        return [*filters_of(query, now).columns, *self._besides(asked)]

    def _besides(self, asked: dict[str, Any]) -> list[Column]:
        """What the console does not ask."""
        columns = []
        if "event" in asked:
            columns.append(one("event_id", asked["event"]))
        if "event_id" in asked:
            columns.append(one("event_id__in", events_sent_as(asked["event_id"])))
        if "subscriber" in asked:
            columns.append(among("subscription_id", subscriptions_of(asked["subscriber"])))
        if "state" in asked and "status" in asked:
            columns.append(Column(whole=Q(state=asked["state"])))
        return columns


class EventFilters(QueryFilters):
    state = Several(
        EventStatus,
        f"Choose among {', '.join(EventState.values)}.",
        help_text="What became of it, several with commas: `unmatched` is what no subscription wanted.",
    )
    source = BySlug(  # type: ignore[assignment]
        "source", queryset=Source.objects.all(), required=False, help_text="The slug of a source."
    )
    event_type = _type()
    event_id = Read(matching(_ID), f"Write a sender's id {_FIT}.", help_text="The sender's id.")
    q = _q("of an event or a delivery, the sender's, or a business key")

    def columns(self, now: datetime) -> Sequence[Column]:
        asked = self.validated_data
        source = asked.get("source")
        query = EventQuery(
            since="all",
            statuses=asked.get("state", ()),
            sources=(source.slug,) if source else (),
            types=(asked["event_type"],) if asked.get("event_type") else (),
            search=asked.get("q", ""),
            start=asked.get("since"),
            end=asked.get("until"),
        )
        columns = list(events_filters(query, now).columns)
        return [*columns, one("external_id", asked["event_id"])] if "event_id" in asked else columns
