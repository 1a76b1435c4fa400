"""The inbound doors of the REST API: sources, subscribers, and events, which are published here."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks.cancel_api import CancelDoor
from webhooks.models import Event, Source, Subscriber
from webhooks.publish_api import PublishDoor
from webhooks.rest import Door, MadeBetween
from webhooks.selectors.sources import with_last_event
from webhooks.serializers import (
    EventBrief,
    EventWhole,
    SourceBody,
    SubscriberBody,
    find_source,
)
from webhooks.services import sources, subscribers


class SourceDoor(ListModelMixin, RetrieveModelMixin, Door[Source]):
    """Found by slug or id."""

    owned_by = None
    filters = MadeBetween
    queryset = with_last_event(Source.objects.prefetch_related("secrets"))
    serializer_class = SourceBody
    kind = "source"

    def find(self, queryset: QuerySet[Source], text: str) -> Source | None:
        return find_source(queryset, text)

    def version_of(self, row: Source) -> str:
        return sources.version_of(row)

    @extend_schema(responses={201: SourceBody})
    def create(self, request: Request) -> Response:
        wanted = self.read(SourceBody)
        source = sources.create_source(actor=self.actor, **wanted.validated_data)
        return Response(self._shown(source.pk), status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        source = self.get_object()
        wanted = self.read(SourceBody, instance=source, partial=True)
        sources.update_source(source_id=source.pk, actor=self.actor, seen=self.seen, **wanted.validated_data)
        return Response(self._shown(source.pk))

    def _shown(self, pk: Any) -> dict[str, Any]:
        return SourceBody(self.again(pk)).data


class SubscriberDoor(ListModelMixin, RetrieveModelMixin, Door[Subscriber]):
    """A subscriber's key finds that subscriber here and no other."""

    owned_by = "pk"
    queryset = Subscriber.objects.all()
    filters = MadeBetween
    serializer_class = SubscriberBody
    kind = "subscriber"

    def version_of(self, row: Subscriber) -> str:
        return subscribers.version_of(row)

    def create(self, request: Request) -> Response:
        wanted = self.read(SubscriberBody)
        subscriber = subscribers.create_subscriber(actor=self.actor, **wanted.validated_data)
        return Response(SubscriberBody(self.again(subscriber.pk)).data, status=status.HTTP_201_CREATED)


class EventDoor(ListModelMixin, RetrieveModelMixin, CancelDoor, PublishDoor):
    """Events belong to nobody: a subscriber is shown the deliveries that they became."""

    owned_by = None
    publishers_may = PublishDoor.publishers_may | CancelDoor.publishers_may
    queryset = Event.objects.select_related("source")

    def get_queryset(self) -> QuerySet[Event]:
        """To a publisher that is bound to sources, events of others do not exist."""
        events = super().get_queryset()
        if self.holder is not None and self.holder.source_ids:
            events = events.filter(source_id__in=self.holder.source_ids)
        return events.select_related("content") if self.action == "retrieve" else events

    def get_serializer_class(self) -> type[EventBrief]:
        return EventBrief if self.action == "list" else EventWhole
