"""The door of subscriptions: made, changed, held and released, their circuits ordered, their endpoints tested."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Subscription
from deliveries.serializers import (
    PingBody,
    Reason,
    Rotation,
    SubscriptionBody,
    SubscriptionChange,
    SubscriptionFilters,
)
from deliveries.services import circuits, ping, subscriptions
from deliveries.services.circuits import OrderVerdict
from webhooks.rest import LOOKS, Busy, Conflict, Door

R = TypeVar("R")


class SubscriptionDoor(ListModelMixin, RetrieveModelMixin, Door[Subscription]):
    owned_by = "subscriber"
    subscribers_may = LOOKS | {"create", "partial_update", "pause", "resume", "rotate_secret", "test"}
    queryset = Subscription.objects.select_related("source", "lane").prefetch_related("secrets")
    serializer_class = SubscriptionBody
    filters = SubscriptionFilters
    kind = "subscription"
    http_method_names = ("get", "post", "patch", "head", "options")  # kept, since their history is

    def create(self, request: Request) -> Response:
        wanted = self.read(SubscriptionBody)
        made = subscriptions.create_subscription(actor=self.actor, **wanted.validated_data)
        shown = self._shown(made.subscription.pk)
        return Response({**shown, "secret": made.secret}, status=status.HTTP_201_CREATED)

    def partial_update(self, request: Request, pk: str) -> Response:
        subscription = self.get_object()
        wanted = self.read(SubscriptionChange, instance=subscription, partial=True)
        subscriptions.update_subscription(
            subscription_id=subscription.pk, actor=self.actor, **wanted.validated_data
        )
        return Response(self._shown(subscription.pk))

    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        return self._move(subscriptions.pause)

    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        return self._move(subscriptions.resume)

    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: str) -> Response:
        return self._move(subscriptions.disable)

    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: str) -> Response:
        return self._move(subscriptions.enable)

    @action(detail=True, methods=["post"])
    def trip(self, request: Request, pk: str) -> Response:
        return self._order(circuits.trip)

    @action(detail=True, methods=["post"])
    def reset(self, request: Request, pk: str) -> Response:
        return self._order(circuits.reset)

    @action(detail=True, methods=["post"])
    def probe(self, request: Request, pk: str) -> Response:
        return self._order(circuits.probe_now)

    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Sends one signed `weir.test` now and shows the answer, which may be a failure, as a 200."""
        try:
            return Response(PingBody(self._act(self.get_object(), ping.ping_endpoint)).data)
        except ping.Busy as busy:
            raise Busy(str(busy)) from None

    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        subscription = self.get_object()
        wanted = self.read(Rotation)
        values = dict(wanted.validated_data)
        if "overlap_s" in values:
            values["overlap"] = timedelta(seconds=values.pop("overlap_s"))
        try:
            secret = subscriptions.rotate_secret(subscription_id=subscription.pk, actor=self.actor, **values)
        except subscriptions.Refused as refusal:
            raise Conflict(str(refusal)) from None
        return Response({**self._shown(subscription.pk), "secret": secret})

    def _move(self, service: Callable[..., bool]) -> Response:
        subscription = self.get_object()
        self._act(subscription, service)
        return Response(self._shown(subscription.pk))

    def _order(self, service: Callable[..., OrderVerdict]) -> Response:
        """202, since the lane's owner carries it out; 200 when there is nothing to carry out."""
        subscription = self.get_object()
        verdict = self._act(subscription, service)
        shown = {**self._shown(subscription.pk), "detail": verdict.sentence}
        return Response(shown, status=status.HTTP_202_ACCEPTED if verdict.is_ordered else status.HTTP_200_OK)

    def _act(self, subscription: Subscription, service: Callable[..., R]) -> R:
        wanted = self.read(Reason)
        try:
            return service(subscription_id=subscription.pk, actor=self.actor, **wanted.validated_data)
        except subscriptions.Refused as refusal:
            raise Conflict(str(refusal)) from None

    def _shown(self, pk: Any) -> dict[str, Any]:
        return SubscriptionBody(self.get_queryset().get(pk=pk)).data
