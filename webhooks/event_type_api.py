"""The door of the catalogue of event types: listed, looked at, made, changed, deprecated, archived. None is deleted."""

from collections.abc import Callable

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks.deciders.wording import is_storable
from webhooks.ids import parse_id
from webhooks.models import EventType, EventTypeState
from webhooks.rest import Door, Filters, PublicId, Strict
from webhooks.services import event_types


@extend_schema_field({"type": "object"})
class _Schema(serializers.JSONField):
    pass


@extend_schema_field({"type": ["object", "array", "string", "number", "boolean"]})
class _Value(serializers.JSONField):
    pass


class EventTypeBody(Strict):
    id = PublicId("eventtype", read_only=True, help_text="Its id; its name will do in its place.")
    name = serializers.CharField(
        max_length=200, help_text=f"As events bear it: {event_types.NAMES}; for good."
    )
    description = serializers.CharField(
        required=False, allow_blank=True, max_length=5_000, help_text="When such an event happens."
    )
    schema = _Schema(
        required=False,
        allow_null=True,
        help_text="A JSON Schema (2020-12) that `data` of what is published must fit; null: anything fits. "
        "It refers to parts of itself only.",
    )
    example = _Value(
        required=False, allow_null=True, help_text="`data` of such an event, which fits the schema."
    )
    state = serializers.ChoiceField(
        choices=EventTypeState.choices,
        read_only=True,
        help_text="active; deprecated: still published, and publishers are told; archived: publishing is refused.",
    )
    created_at = serializers.DateTimeField(read_only=True, help_text="When it was put into the catalogue.")
    updated_at = serializers.DateTimeField(read_only=True, help_text="When it last changed.")
    deprecated_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Since when it is deprecated."
    )
    archived_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="Since when it is archived."
    )


class EventTypeChange(EventTypeBody):
    """Its name may be told again, and is settled for good: events bear it."""


class Why(Strict):
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="Why; kept in the audit."
    )


class EventTypeFilters(Filters):
    state = serializers.ChoiceField(
        choices=EventTypeState.choices, required=False, help_text="Only those of this state."
    )


class EventTypeDoor(ListModelMixin, RetrieveModelMixin, Door[EventType]):
    """Found by name or id."""

    owned_by = None
    queryset = EventType.objects.all()
    serializer_class = EventTypeBody
    filters = EventTypeFilters
    kind = "eventtype"
    http_method_names = ("get", "post", "patch", "head", "options")

    def version_of(self, row: EventType) -> str:
        return event_types.version_of(row)

    def find(self, queryset: QuerySet[EventType], text: str) -> EventType | None:
        """The name is tried first, since 32 hex digits can be one. What cannot be stored names nothing."""
        if not is_storable(text):
            return None
        found = queryset.filter(name=text).first()
        try:
            return found or queryset.filter(pk=parse_id(self.kind, text)).first()
        except ValueError:
            return None

    @extend_schema(request=EventTypeBody, responses={201: EventTypeBody})
    def create(self, request: Request) -> Response:
        """Put an event type into the catalogue. From now on what is published under its name must fit its schema."""
        wanted = self.read(EventTypeBody)
        made = event_types.create_event_type(actor=self.actor, **wanted.validated_data)
        return Response(EventTypeBody(self.again(made.pk)).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=EventTypeChange, responses={200: EventTypeBody})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change an event type. What was published before is not held to a new schema."""
        row = self.get_object()
        wanted = self.read(EventTypeChange, instance=row, partial=True)
        event_types.update_event_type(
            event_type_id=row.pk, actor=self.actor, seen=self.seen, **wanted.validated_data
        )
        return Response(EventTypeBody(self.again(row.pk)).data)

    @extend_schema(request=Why, responses={200: EventTypeBody})
    @action(detail=True, methods=["post"])
    def deprecate(self, request: Request, pk: str) -> Response:
        """Deprecate an event type. It is published under as before, and every answer to who does so says so."""
        return self._move(event_types.deprecate)

    @extend_schema(request=Why, responses={200: EventTypeBody})
    @action(detail=True, methods=["post"])
    def archive(self, request: Request, pk: str) -> Response:
        """Archive an event type. From now on nothing is published under it."""
        return self._move(event_types.archive)

    @extend_schema(request=Why, responses={200: EventTypeBody})
    @action(detail=True, methods=["post"])
    def activate(self, request: Request, pk: str) -> Response:
        """Activate an event type again. That it was deprecated or archived is taken back."""
        return self._move(event_types.activate)

    def _move(self, service: Callable[..., bool]) -> Response:
        row = self.get_object()
        wanted = self.read(Why)
        service(event_type_id=row.pk, actor=self.actor, **wanted.validated_data)
        return Response(EventTypeBody(self.again(row.pk)).data)
