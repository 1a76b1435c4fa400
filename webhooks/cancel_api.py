"""The door where an event that was published for later is taken back, before its time. It takes back nothing else."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks.models import Event
from webhooks.rest import Conflict, Door
from webhooks.serializers import EventBrief, Reason
from webhooks.services import scheduled


class EventCancelled(EventBrief):
    """With what was done, which tells no body: a publisher reads none."""

    detail = serializers.CharField(help_text="What was done, in a sentence.")


class CancelDoor(Door[Event]):
    """A part of the door of events."""

    owned_by = None
    publishers_may = frozenset({"cancel"})

    @extend_schema(request=Reason, responses={200: EventCancelled})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel an event that waits for its `deliver_at`. It is kept, goes to nobody, and its id stays taken.

        409 where its time had come first, or it was cancelled already. A publisher cancels events of its sources.
        """
        event = self.get_object()
        wanted = self.read(Reason)
        verdict = scheduled.cancel(event_id=event.pk, actor=self.actor, **wanted.validated_data)
        if not verdict.is_done:
            raise Conflict(verdict.sentence, code="not-scheduled")
        shown = EventBrief(self.get_object()).data
        return Response({**shown, "detail": verdict.sentence})
