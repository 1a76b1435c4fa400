"""The door where one event is published: the long way, by the tables. The short way is `publish_at_once`."""

from functools import cached_property
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks import publish_at_once, store
from webhooks.ids import public_id
from webhooks.models import Event
from webhooks.publish_at_once import Tried, origin_of, told
from webhooks.rest import Conflict, Door
from webhooks.serializers import Publication, Published
from webhooks.services import event_types, known_publishers, publish, scheduled
from webhooks.services.publications import Said


class PublishDoor(Door[Event]):
    """A part of the door of events."""

    owned_by = None
    kind = "event"
    publishers_may = frozenset({"create"})
    tried: Tried

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.tried = publish_at_once.tried(request)
        self.spent = self.tried.spent
        return super().dispatch(request, *args, **kwargs)

    @extend_schema(request=Publication, responses={201: Published, 200: Published})
    def create(self, request: Request) -> Response:
        """Publish an event. 201 when stored, 200 when it was already, 409 when its id means something else."""
        said = Said(**{"event_id": self.made_id.hex, **self.read(Publication).validated_data})
        catalogue = event_types.look_up([said.event_type])
        verdict = publish.publish(said, catalogue=catalogue, origin=origin_of(request))
        known_publishers.remember(self.key, said.source)
        if isinstance(verdict, store.Conflict):
            name = public_id("event", verdict.event_id)
            sentence = (
                f"This id was published before as {name}, and what was said of it then was something else."
            )
            raise Conflict(sentence, code="id-conflict")
        answer, headers = told(said, verdict, catalogue)
        is_new = isinstance(verdict, store.Stored)
        if not is_new and scheduled.cancelled_among([verdict.event_id]):
            answer["cancelled"] = True
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(answer, status=code, headers=headers)

    @cached_property
    def made_id(self) -> UUID:
        """A repeat whose first try died before it could answer must not become an event of its own."""
        return self.claim.id if self.claim else self.tried.made_id
