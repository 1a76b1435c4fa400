"""The door of refusals: requests that were not accepted, looked at, and accepted after all. It discards none.

They go by themselves: after some days, and the oldest of a source when there are too many.
"""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks.ids import public_id
from webhooks.models import Refusal, Role
from webhooks.refusal_bodies import Acceptance, RefusalAccepted, RefusalBrief, RefusalFilters, RefusalWhole
from webhooks.rest import Conflict, Door
from webhooks.services.accept import accept, try_again


class RefusalDoor(ListModelMixin, Door[Refusal]):
    owned_by = None
    queryset = Refusal.objects.select_related("source")
    serializer_class = RefusalBrief
    filters = RefusalFilters
    kind = "refusal"

    @extend_schema(responses={200: RefusalWhole})
    def retrieve(self, request: Request, pk: str) -> Response:
        """Read one refusal. It comes with headers and body, credentials masked; to operators, with its prospects.

        The audit tells of each reading.
        """
        return Response(self._whole(self.get_object()))

    @extend_schema(request=Acceptance, responses={200: RefusalAccepted})
    @action(detail=True, methods=["post"])
    def accept(self, request: Request, pk: str) -> Response:
        """Accept a refused request after all. It is judged again by today's secrets, and becomes an event, once."""
        refusal = self.get_object()
        wanted = self.read(Acceptance)
        told = accept(refusal_id=refusal.pk, actor=self.actor, **wanted.validated_data)
        if not told.is_done:
            raise Conflict(told.sentence)
        name = public_id("event", told.event_id) if told.event_id else None
        return Response({**self._whole(self.get_object()), "event": name, "detail": told.sentence})

    def _whole(self, refusal: Refusal) -> dict[str, Any]:
        """A verdict may have a provider's certificate fetched, so it is given to those alone who may act on it."""
        judges = getattr(self.request.user, "role", "") == Role.OPERATOR and not refusal.accepted_at
        self.opened = ("refusal", refusal.pk)
        trial = try_again(refusal, now=datetime.now(UTC)) if judges else None
        return dict(RefusalWhole(refusal, context={"trial": trial}).data)
