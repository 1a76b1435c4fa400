"""The signing secrets of a subscription over the API: which ones sign, and an end to those that were replaced.

A secret itself is shown once, when it is made; here stand its last four characters.
"""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Subscription
from deliveries.selectors.subscription_story import live_secrets
from deliveries.services import subscriptions
from webhooks.rest import Conflict, Door
from webhooks.serializers import GivenReason

from .subscription_bodies import SigningKeyHint


class SigningSecrets(serializers.Serializer[Any]):
    secrets = SigningKeyHint(many=True, help_text="The secrets that sign now, the newest first.")


class SecretsTold(SigningSecrets):
    detail = serializers.CharField(help_text="What was done, in a sentence.")


class SecretsDoor(Door[Subscription]):
    """A part of the door of subscriptions."""

    owned_by = "subscriber"

    @extend_schema(responses={200: SigningSecrets})
    @action(detail=True)
    def secrets(self, request: Request, pk: str) -> Response:
        """Read which secrets sign. They are told by their last characters alone."""
        return Response({"secrets": _shown(self.get_object())})

    @extend_schema(request=GivenReason, responses={200: SecretsTold})
    @action(detail=True, methods=["post"], url_path="secrets/expire")
    def expire_secrets(self, request: Request, pk: str) -> Response:
        """Let replaced secrets expire. From now on the newest alone signs."""
        subscription = self.get_object()
        wanted = self.read(GivenReason)
        ended = subscriptions.end_overlap(
            subscription_id=subscription.pk, actor=self.actor, **wanted.validated_data
        )
        if not ended:
            raise Conflict("No older secret signs any more.")
        return Response(
            {"secrets": _shown(subscription), "detail": "Only the newest secret signs from now on."}
        )


def _shown(subscription: Subscription) -> list[dict[str, Any]]:
    live = live_secrets(subscription.pk, datetime.now(UTC))
    return [dict(SigningKeyHint(each).data) for each in live]
