"""The door of subscriptions: made, changed, held and released, their circuits ordered, their endpoints tested."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Subscription
from deliveries.services import circuits, ping, proving, subscriptions
from deliveries.services.circuits import OrderVerdict
from deliveries.services.signing_keys import Keys
from deliveries.services.subscriptions import Created
from webhooks.rest import LOOKS, Busy, Conflict, Strict
from webhooks.serializers import GivenReason, Reason

from .pausing import Pause
from .subscription_bodies import (
    PingBody,
    Rotation,
    SubscriptionBody,
    SubscriptionChange,
    SubscriptionFilters,
    SubscriptionMade,
    SubscriptionOrdered,
    SubscriptionProved,
)
from .subscription_health import HealthDoor
from .subscription_secrets import SecretsDoor

R = TypeVar("R")


class SubscriptionDoor(ListModelMixin, RetrieveModelMixin, HealthDoor, SecretsDoor):
    subscribers_may = LOOKS | {
        "create",
        "partial_update",
        "pause",
        "resume",
        "prove",
        "test",
        "health",
        "secrets",
        "rotate_secret",
        "expire_secrets",
    }
    queryset = Subscription.objects.select_related("source", "lane").prefetch_related("secrets")
    serializer_class = SubscriptionBody
    filters = SubscriptionFilters
    kind = "subscription"
    http_method_names = ("get", "post", "patch", "head", "options")  # kept, since their history is

    def version_of(self, row: Subscription) -> str:
        return subscriptions.version_of(row)

    @extend_schema(request=SubscriptionBody, responses={201: SubscriptionMade})
    def create(self, request: Request) -> Response:
        """Make a subscription. Its signing secret is shown this once."""
        wanted = self.read(SubscriptionBody)
        made = subscriptions.create_subscription(actor=self.actor, **wanted.validated_data)
        shown = self._shown(made.subscription.pk)
        return Response(shown | _once(made), status=status.HTTP_201_CREATED)

    @extend_schema(request=SubscriptionChange, responses={200: SubscriptionBody})
    def partial_update(self, request: Request, pk: str) -> Response:
        subscription = self.get_object()
        wanted = self.read(SubscriptionChange, instance=subscription, partial=True)
        subscriptions.update_subscription(
            subscription_id=subscription.pk, actor=self.actor, seen=self.seen, **wanted.validated_data
        )
        return Response(self._shown(subscription.pk))

    @extend_schema(request=Pause, responses={200: SubscriptionBody})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a subscription, for a time or until it is resumed. Events are still owed to it, and none is sent."""
        subscription = self.get_object()
        asked = self.read(Pause).validated_data
        is_done = self._carry_out(subscription, subscriptions.pause, asked)
        if not is_done and asked.get("until"):
            raise Conflict("It is paused already; resume it first, to pause it for a time.")
        return Response(self._shown(subscription.pk))

    @extend_schema(request=Reason, responses={200: SubscriptionBody})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a paused subscription. What waited is sent at its pace."""
        return self._move(subscriptions.resume)

    @extend_schema(request=GivenReason, responses={200: SubscriptionBody})
    @action(detail=True, methods=["post"])
    def disable(self, request: Request, pk: str) -> Response:
        """Disable a subscription. Events are still owed to it, and none is sent until it is enabled."""
        return self._move(subscriptions.disable, GivenReason)

    @extend_schema(request=Reason, responses={200: SubscriptionBody})
    @action(detail=True, methods=["post"])
    def enable(self, request: Request, pk: str) -> Response:
        """Enable a disabled subscription. What waited is sent at its pace."""
        return self._move(subscriptions.enable)

    @extend_schema(request=Reason, responses={202: SubscriptionOrdered, 200: SubscriptionOrdered})
    @action(detail=True, methods=["post"])
    def trip(self, request: Request, pk: str) -> Response:
        """Open a subscription's circuit. Nothing is attempted until a probe succeeds."""
        return self._order(circuits.trip)

    @extend_schema(request=GivenReason, responses={202: SubscriptionOrdered, 200: SubscriptionOrdered})
    @action(detail=True, methods=["post"])
    def reset(self, request: Request, pk: str) -> Response:
        """Close a subscription's circuit. Whatever was counted against it is forgotten."""
        return self._order(circuits.reset, GivenReason)

    @extend_schema(request=Reason, responses={202: SubscriptionOrdered, 200: SubscriptionOrdered})
    @action(detail=True, methods=["post"])
    def probe(self, request: Request, pk: str) -> Response:
        """Probe a subscription's endpoint now. The cool-down of its open circuit ends."""
        return self._order(circuits.probe_now)

    @extend_schema(request=Reason, responses={200: PingBody})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str) -> Response:
        """Send one signed `weir.test` now. 200 shows what came back, which may be a failure."""
        try:
            return Response(PingBody(self._act(self.get_object(), ping.ping_endpoint)).data)
        except ping.Busy as busy:
            raise Busy(str(busy)) from None

    @extend_schema(request=Reason, responses={200: SubscriptionProved})
    @action(detail=True, methods=["post"])
    def prove(self, request: Request, pk: str) -> Response:
        """Prove a subscription's endpoint by one signed ping. A 2xx lets what waits go; 200 says what came of it."""
        subscription = self.get_object()
        verdict = self._act(subscription, proving.prove)
        shown = {"is_proved": verdict.is_ordered, "detail": verdict.sentence}
        return Response(self._shown(subscription.pk) | shown)

    @extend_schema(request=Rotation, responses={200: SubscriptionMade})
    @action(detail=True, methods=["post"], url_path="rotate-secret")
    def rotate_secret(self, request: Request, pk: str) -> Response:
        """Rotate a subscription's signing secret. The new one is shown this once; the others sign on for a while."""
        subscription = self.get_object()
        wanted = self.read(Rotation)
        values = dict(wanted.validated_data)
        if "overlap_s" in values:
            values["overlap"] = timedelta(seconds=values.pop("overlap_s"))
        try:
            keys = subscriptions.rotate_secret(subscription_id=subscription.pk, actor=self.actor, **values)
        except subscriptions.Refused as refusal:
            raise Conflict(str(refusal)) from None
        return Response(self._shown(subscription.pk) | _once(keys))

    def _move(self, service: Callable[..., bool], body: type[Strict] = Reason) -> Response:
        subscription = self.get_object()
        self._act(subscription, service, body)
        return Response(self._shown(subscription.pk))

    def _order(self, service: Callable[..., OrderVerdict], body: type[Strict] = Reason) -> Response:
        """202, since the lane's owner carries it out; 200 when there is nothing to carry out."""
        subscription = self.get_object()
        verdict = self._act(subscription, service, body)
        shown = {**self._shown(subscription.pk), "detail": verdict.sentence}
        return Response(shown, status=status.HTTP_202_ACCEPTED if verdict.is_ordered else status.HTTP_200_OK)

    def _act(self, subscription: Subscription, service: Callable[..., R], body: type[Strict] = Reason) -> R:
        return self._carry_out(subscription, service, self.read(body).validated_data)

    def _carry_out(
        self, subscription: Subscription, service: Callable[..., R], asked: Mapping[str, Any]
    ) -> R:
        try:
            return service(subscription_id=subscription.pk, actor=self.actor, **asked)
        except subscriptions.Refused as refusal:
            raise Conflict(str(refusal)) from None

    def _shown(self, pk: Any) -> dict[str, Any]:
        return SubscriptionBody(self.again(pk)).data


def _once(made: Created | Keys) -> dict[str, str | None]:
    """The new keys: a secret is told this once, a public key at any time; a private one never."""
    return {"secret": made.secret or None, "public_key": made.public_key or None}
