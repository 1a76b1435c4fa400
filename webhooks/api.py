"""The inbound doors of the REST API: sources, subscribers, and events, which are published here."""

from typing import Any
from uuid import uuid4

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks import store
from webhooks.authentication import MayPublish
from webhooks.deciders.causality import cause_of, passed_on
from webhooks.deciders.trace_context import parent_of
from webhooks.deprecation import with_deprecation
from webhooks.ids import public_id
from webhooks.models import Event, Source, Subscriber
from webhooks.rest import Conflict, Door, MadeBetween
from webhooks.selectors.sources import with_last_event
from webhooks.serializers import (
    EventBrief,
    EventWhole,
    Publication,
    Published,
    SourceBody,
    SubscriberBody,
    find_source,
)
from webhooks.services import event_types, publish, sources, subscribers


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
        return Response(SubscriberBody(subscriber).data, status=status.HTTP_201_CREATED)


class EventDoor(ListModelMixin, RetrieveModelMixin, Door[Event]):
    """Events belong to nobody: a subscriber is shown the deliveries that they became."""

    owned_by = None
    queryset = Event.objects.select_related("source")
    kind = "event"
    writers = MayPublish

    def get_queryset(self) -> QuerySet[Event]:
        events = super().get_queryset()
        return events.select_related("content") if self.action == "retrieve" else events

    def get_serializer_class(self) -> type[EventBrief]:
        return EventBrief if self.action == "list" else EventWhole

    @extend_schema(request=Publication, responses={201: Published, 200: Published})
    def create(self, request: Request) -> Response:
        """Publish an event. 201 when stored, 200 when it was already, 409 when its id means something else."""
        wanted = self.read(Publication)
        # A repeat whose first try died before it could answer must not become an event of its own.
        made_id = self.claim.id if self.claim else uuid4()
        said = {"event_id": made_id.hex, **wanted.validated_data}
        headers = {name.lower(): value for name, value in request.headers.items()}
        catalogue = event_types.look_up([said["event_type"]])
        verdict = publish.publish(
            **said,
            cause_id=cause_of(headers),
            sender=parent_of(headers),
            tracestate=passed_on(headers),
            catalogue=catalogue,
        )
        name = public_id("event", verdict.event_id)
        if isinstance(verdict, store.Conflict):
            sentence = f"This id was published before, with other data, as {name}."
            raise Conflict(sentence, code="id-conflict")
        is_new = isinstance(verdict, store.Stored)
        answer = {"id": name, "event_id": said["event_id"], "status": "accepted" if is_new else "duplicate"}
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return with_deprecation(Response(answer, status=code), catalogue)
