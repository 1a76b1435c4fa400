"""How a delivery and its attempts are told as JSON, by themselves or with their event. It reads no request."""

from rest_framework import serializers

from deliveries.models import Attempt, Delivery
from webhooks.deciders.redaction import mask_body
from webhooks.rest import PublicId
from webhooks.serializers import BySlug, EventWhole

EXCERPT = 2_000  # characters of a response: enough to read an error, small enough to list with every attempt


def excerpt(body: bytes) -> str:
    """The beginning of a body as text, and no secret that a provider keeps inside it."""
    return mask_body(body[: 4 * EXCERPT]).decode(errors="replace")[:EXCERPT]


class AttemptBody(serializers.Serializer[Attempt]):
    id = PublicId("attempt")
    number = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    duration_ms = serializers.IntegerField(allow_null=True)
    outcome = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    response = serializers.SerializerMethodField()

    def get_response(self, attempt: Attempt) -> str | None:
        if not hasattr(attempt, "exchange"):
            return None
        return excerpt(bytes(attempt.exchange.response_body))


class DeliveryBrief(serializers.Serializer[Delivery]):
    id = PublicId("delivery")
    event = PublicId("event", source="event_id")
    event_id = serializers.CharField(source="external_id")
    event_type = serializers.CharField()
    source = BySlug("source", read_only=True)  # type: ignore[assignment]
    subscription = PublicId("subscription", source="subscription_id")
    state = serializers.CharField()
    attempt_count = serializers.IntegerField(source="attempts")
    created_at = serializers.DateTimeField()
    due_at = serializers.DateTimeField(allow_null=True)
    settled_at = serializers.DateTimeField(allow_null=True)
    last_outcome = serializers.CharField()
    last_status = serializers.IntegerField(allow_null=True)
    last_latency_ms = serializers.IntegerField(allow_null=True)
    last_error = serializers.CharField()


class EventDelivered(EventWhole):
    """With the deliveries it became."""

    deliveries = DeliveryBrief(many=True)
    more_deliveries = serializers.CharField(required=False)


class DeliveryWhole(DeliveryBrief):
    attempts = AttemptBody(many=True, source="tries")


class DeliveryOrdered(DeliveryWhole):
    """With what was done about an order to send or discard it."""

    detail = serializers.CharField()
