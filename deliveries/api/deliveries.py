"""The door of deliveries: read with their attempts, sent again, cancelled or discarded one at a time."""

from collections.abc import Callable
from typing import Any

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Attempt, Delivery
from deliveries.selectors.columns import Column
from deliveries.selectors.subscription_list import subscriptions_of
from deliveries.services.replay import ReplayVerdict, cancel_delivery, discard_delivery, replay_delivery
from webhooks.rest import LOOKS, Conflict, Door, Strict
from webhooks.serializers import GivenReason, Reason

from .delivery_bodies import DeliveryBrief, DeliveryOrdered, DeliveryWhole
from .filters import DeliveryFilters
from .lists import Queried, among


class DeliveryDoor(Queried[Delivery], ListModelMixin, Door[Delivery]):
    owned_by = "subscription__subscriber"
    subscribers_may = LOOKS | {"replay"}
    queryset = Delivery.objects.select_related("source")
    filters = DeliveryFilters
    kind = "delivery"

    def get_queryset(self) -> QuerySet[Delivery]:
        if self.action == "list":
            return super().get_queryset()
        tries = Attempt.objects.select_related("exchange").order_by("number")
        return super().get_queryset().prefetch_related(Prefetch("tries", queryset=tries))

    def own(self) -> Column | None:
        """A subscriber's are read lane by lane, by the index that each lane has."""
        holder = self.holder
        if holder is None or holder.subscriber_id is None:
            return None
        return among("subscription_id", subscriptions_of(holder.subscriber_id))

    def get_serializer_class(self) -> type[DeliveryBrief]:
        return DeliveryBrief if self.action == "list" else DeliveryWhole

    def retrieve(self, request: Request, pk: str) -> Response:
        """Read one delivery. It comes with every attempt and what was answered; the audit tells of each reading."""
        return Response(self._whole(self.get_object()))

    @extend_schema(request=Reason, responses={202: DeliveryOrdered})
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, pk: str) -> Response:
        """Send a delivery again. A fresh budget of attempts begins; the attempts made so far are kept."""
        return self._order(replay_delivery, Reason)

    @extend_schema(request=GivenReason, responses={202: DeliveryOrdered})
    @action(detail=True, methods=["post"])
    def discard(self, request: Request, pk: str) -> Response:
        """Discard a delivery. One that is pending or dead need not arrive; it is kept, as discarded."""
        return self._order(discard_delivery, GivenReason)

    @extend_schema(request=GivenReason, responses={202: DeliveryOrdered})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a delivery that is still pending. It is discarded; one that has died meanwhile stays a dead letter.

        An attempt that is in flight comes to its end and is recorded.
        """
        return self._order(cancel_delivery, GivenReason)

    def _order(self, service: Callable[..., ReplayVerdict], body: type[Strict]) -> Response:
        delivery = self.get_object()
        wanted = self.read(body)
        verdict = service(delivery_id=delivery.pk, actor=self.actor, **wanted.validated_data)
        if not verdict.is_done:
            raise Conflict(verdict.sentence, code=verdict.answer)
        shown = self._whole(self.get_object())
        return Response({**shown, "detail": verdict.sentence}, status=status.HTTP_202_ACCEPTED)

    def _whole(self, delivery: Delivery) -> dict[str, Any]:
        shown = dict(DeliveryWhole(delivery).data)
        if any(attempt["response"] for attempt in shown["attempts"]):
            self.opened = ("delivery", delivery.pk)
        return shown
