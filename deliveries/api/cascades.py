"""The doors of cascades and of events in quarantine: looked at, released, discarded. Each act is one service's."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Cascade
from deliveries.services import quarantine
from deliveries.services.quarantine import QuarantineVerdict
from webhooks.ids import parse_uuid
from webhooks.models import Event
from webhooks.rest import Conflict, Cursor, Door, Filters, PublicId, Rows, by_key
from webhooks.serializers import Reason


class CascadeBrief(serializers.Serializer[Cascade]):
    """What one event caused, counted."""

    id = serializers.CharField(
        source="trace_id.hex", help_text="Its trace id, which every traceparent of it carries."
    )
    first_event = PublicId("event", source="root_id", help_text="The id of the event that began it.")
    events = serializers.IntegerField(help_text="How many events it has.")
    depth = serializers.IntegerField(help_text="How many hops its deepest event is from the first.")
    quarantined = serializers.IntegerField(help_text="How many of its events wait in quarantine.")
    quarantined_at = serializers.DateTimeField(
        allow_null=True, help_text="Since when some do; null: none does."
    )
    created_at = serializers.DateTimeField(help_text="When an event of it was first known to be caused.")


class CascadeFilters(Filters):
    quarantined = serializers.BooleanField(
        required=False, help_text="Only those of which events wait in quarantine, or none does."
    )

    def narrow(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        asked = self.validated_data.get("quarantined")
        if asked is None:
            return queryset
        return queryset.filter(quarantined__gt=0) if asked else queryset.filter(quarantined=0)


class LetGo(serializers.Serializer[Any]):
    """What came of it."""

    events = serializers.IntegerField(help_text="How many events left quarantine.")
    detail = serializers.CharField(help_text="What was done, in a sentence.")


class CascadeDoor(ListModelMixin, RetrieveModelMixin, Door[Cascade]):
    """Found by trace id. They belong to nobody: an event may have gone to anyone."""

    owned_by = None
    queryset = Cascade.objects.all()
    serializer_class = CascadeBrief
    filters = CascadeFilters
    kind = "cascade"

    def find(self, queryset: QuerySet[Cascade], text: str) -> Cascade | None:
        try:
            return queryset.filter(pk=parse_uuid(text)).first()
        except ValueError:
            return None

    def read_page(self, queryset: QuerySet[Cascade, Any], cursor: Cursor, size: int) -> Rows:
        """By their first events, as the console does: trace ids are random, and tell no time."""
        return by_key(queryset, cursor, size, key="root_id")

    @extend_schema(request=Reason, responses={200: LetGo})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Release a cascade's events from quarantine. They are routed, and it has a fresh budget from then on."""
        return self._let_go(quarantine.release_cascade)

    @extend_schema(request=Reason, responses={200: LetGo})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard a cascade's events in quarantine. They stay to be read, and are never routed."""
        return self._let_go(quarantine.discard_cascade)

    def _let_go(self, service: Callable[..., QuarantineVerdict]) -> Response:
        trace = self.get_object().pk
        return let_go(service(trace_id=trace, actor=self.actor, reason=_reason(self)))


class QuarantineDoor(Door[Event]):
    """A part of the door of events."""

    owned_by = None

    @extend_schema(request=Reason, responses={200: LetGo})
    @action(detail=True, methods=["post"])
    def release(self, request: Request, pk: str) -> Response:
        """Release an event from quarantine. It is routed, and its cascade has a fresh budget from then on."""
        event = self.get_object().pk
        return let_go(quarantine.release_event(event_id=event, actor=self.actor, reason=_reason(self)))

    @extend_schema(request=Reason, responses={200: LetGo})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard an event in quarantine. It stays to be read, and is never routed."""
        event = self.get_object().pk
        return let_go(quarantine.discard_event(event_id=event, actor=self.actor, reason=_reason(self)))


def let_go(verdict: QuarantineVerdict) -> Response:
    if not verdict.is_done:
        raise Conflict(verdict.sentence, code="not-in-quarantine")
    return Response({"events": verdict.moved, "detail": verdict.sentence})


def _reason(door: Door[Any]) -> str:
    return str(door.read(Reason).validated_data.get("reason", ""))
