"""The door of dead letters: what was given up and waits for a person, to be replayed or discarded one at a time.

Many at once are a replay's affair.
"""

from collections.abc import Callable

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import DeadLetter
from deliveries.services.replay import ReplayVerdict, discard_delivery, replay_delivery
from webhooks.rest import LOOKS, Conflict, Door, Strict
from webhooks.serializers import GivenReason, Reason

from .dead_letter_bodies import DeadLetterBody, DeadLetterFilters, DeadLetterTold


class DeadLetterDoor(ListModelMixin, RetrieveModelMixin, Door[DeadLetter]):
    owned_by = "subscription__subscriber"
    subscribers_may = LOOKS | {"replay"}
    queryset = DeadLetter.objects.select_related("delivery__source")
    serializer_class = DeadLetterBody
    filters = DeadLetterFilters
    kind = "deadletter"

    @extend_schema(request=Reason, responses={202: DeadLetterTold})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Replay a dead letter. Its delivery is sent again, with a fresh budget of attempts."""
        return self._order(replay_delivery, Reason)

    @extend_schema(request=GivenReason, responses={202: DeadLetterTold})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard a dead letter. Its delivery need not arrive, and is kept as discarded."""
        return self._order(discard_delivery, GivenReason)

    def _order(self, service: Callable[..., ReplayVerdict], body: type[Strict]) -> Response:
        letter = self.get_object()
        wanted = self.read(body)
        # Of two at once the second finds its delivery pending or discarded, which the service refuses.
        if letter.resolved_at:
            raise Conflict(
                f"It was {letter.resolution} already, at {letter.resolved_at:%Y-%m-%d %H:%M:%S} UTC."
            )
        verdict = service(delivery_id=letter.delivery_id, actor=self.actor, **wanted.validated_data)
        if not verdict.is_done:
            raise Conflict(verdict.sentence, code=verdict.answer)
        shown = DeadLetterBody(self.get_object()).data
        return Response({**shown, "detail": verdict.sentence}, status=status.HTTP_202_ACCEPTED)
