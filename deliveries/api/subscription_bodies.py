"""How a subscription is read and told as JSON, and what came of a test. A secret is shown once, when it is made."""

from typing import Any

from rest_framework import serializers

from deliveries.deciders import retry
from deliveries.models import (
    ClientErrors,
    Format,
    Lane,
    Ordering,
    Signing,
    Subscription,
)
from deliveries.services.circuits import waiting_order, window_now
from deliveries.services.defaults import (
    circuit_rules_of,
    client_errors_of,
    disable_after_of,
    headers_of,
    schedule_of,
    timeout_of,
    window_of,
)
from deliveries.services.ping import PingAnswer
from deliveries.services.subscriptions import MAX_OVERLAP
from webhooks.models import Source, Subscriber
from webhooks.rest import MadeBetween, PublicId, Strict
from webhooks.serializers import BySlug, GivenReason, OwnSubscriber, SecretHint


def _number(**kwargs: Any) -> serializers.FloatField:
    return serializers.FloatField(required=False, allow_null=True, **kwargs)


ONE_WAY = (Signing.V1, Signing.V1A)
HOW = "How it signs. `v1`: HMAC-SHA256, by a secret both sides know; `v1a`: ed25519, by the private half of a pair."


class SigningKeyHint(SecretHint):
    """A key that signs: of a pair its public half, which is no secret, else the last four characters."""

    signing = serializers.ChoiceField(choices=ONE_WAY, read_only=True, help_text=HOW)
    public_key = serializers.CharField(
        read_only=True, help_text="whpk_…, by which v1a is verified; empty of a shared secret."
    )


class LaneBody(serializers.Serializer[Lane]):
    """How a subscription's lane moves just now. `order` is what a person asked of its circuit, until it is done."""

    hold = serializers.CharField()
    hold_reason = serializers.CharField()
    held_at = serializers.DateTimeField(allow_null=True)
    hold_until = serializers.DateTimeField(allow_null=True)
    circuit = serializers.CharField()
    circuit_since = serializers.DateTimeField(allow_null=True)
    cooldown_until = serializers.DateTimeField(allow_null=True)
    window = serializers.SerializerMethodField()
    not_before = serializers.DateTimeField(allow_null=True)
    failing_since = serializers.DateTimeField(allow_null=True)
    warned_at = serializers.DateTimeField(allow_null=True)
    order = serializers.SerializerMethodField()

    def get_window(self, lane: Lane) -> int:
        return window_now(lane, cap=window_of(lane.subscription))

    def get_order(self, lane: Lane) -> str:
        return waiting_order(lane).value


class SubscriptionBody(Strict):
    id = PublicId("subscription", read_only=True)
    subscriber = OwnSubscriber(queryset=Subscriber.objects.all())
    name = serializers.CharField(max_length=200)
    url = serializers.CharField(max_length=2_000)
    source = BySlug("source", queryset=Source.objects.all(), required=False, allow_null=True)  # type: ignore[assignment]
    event_types = serializers.ListField(child=serializers.CharField(max_length=200))
    filter = serializers.CharField(required=False, allow_blank=True)
    transform = serializers.CharField(required=False, allow_blank=True)
    format = serializers.ChoiceField(
        choices=Format.choices,
        required=False,
        help_text="standard: the body, or what the transform makes of it; cloudevents: that as `data` of a CloudEvent.",
    )
    signing = serializers.ChoiceField(
        choices=Signing.choices,
        required=False,
        help_text="v1: HMAC-SHA256 by a shared secret; v1a: ed25519, with a public key; both. Later by rotate-secret.",
    )
    prove = serializers.BooleanField(
        required=False,
        help_text="Whether nothing is sent before its endpoint has answered a signed ping with a 2xx.",
    )
    proved_at = serializers.DateTimeField(
        read_only=True,
        allow_null=True,
        help_text="When its present address answered one; null: not yet, or never asked.",
    )
    headers = serializers.DictField(
        child=serializers.CharField(allow_blank=True), write_only=True, required=False
    )
    timeout_s = _number()
    retry_first_s = _number()
    retry_factor = _number()
    retry_cap_s = _number()
    retry_max_attempts = serializers.IntegerField(required=False, allow_null=True)
    retry_delays_s = serializers.ListField(child=serializers.FloatField(), required=False, allow_null=True)
    retry_jitter = _number()
    retry_max_age_s = _number()
    client_errors = serializers.ChoiceField(choices=ClientErrors.choices, required=False, allow_blank=True)
    window = serializers.IntegerField(required=False, allow_null=True)
    rate_per_s = _number()
    ordering = serializers.ChoiceField(choices=Ordering.choices, required=False)
    latest_only = serializers.BooleanField(required=False)
    circuit_failure_rate = _number()
    circuit_min_volume = serializers.IntegerField(required=False, allow_null=True)
    circuit_window_s = _number()
    circuit_cooldown_s = _number()
    circuit_cooldown_cap_s = _number()
    disable_after_s = _number()
    secret = serializers.CharField(write_only=True, required=False, max_length=200)

    header_names = serializers.SerializerMethodField()
    secrets = SigningKeyHint(many=True, read_only=True)
    effective = serializers.SerializerMethodField()
    hold = serializers.CharField(source="lane.hold", read_only=True)
    hold_reason = serializers.CharField(source="lane.hold_reason", read_only=True)
    circuit = serializers.CharField(source="lane.circuit", read_only=True)
    lane = LaneBody(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    updated_at = serializers.DateTimeField(read_only=True)

    def get_header_names(self, subscription: Subscription) -> list[str]:
        return sorted(headers_of(subscription))

    def get_effective(self, subscription: Subscription) -> dict[str, Any]:
        """What holds once the hub's defaults are filled in."""
        schedule = schedule_of(subscription)
        return {
            "schedule": retry.describe(schedule),
            "worst_case_s": round(retry.worst_case_s(schedule), 3),
            "timeout_s": timeout_of(subscription),
            "window": window_of(subscription),
            "client_errors": client_errors_of(subscription),
            "circuit": _thresholds(subscription),
            "disable_after_s": disable_after_of(subscription),
        }


def _thresholds(subscription: Subscription) -> dict[str, float]:
    rules = circuit_rules_of(subscription)
    return {
        "failure_rate": rules.failure_rate,
        "min_volume": rules.min_volume,
        "window_s": rules.window_s,
        "cooldown_s": rules.cooldown_s,
        "cooldown_cap_s": rules.cooldown_cap_s,
    }


class SubscriptionChange(SubscriptionBody):
    """Whom a subscription belongs to is settled for good, and how it signs changes by rotation."""

    subscriber = OwnSubscriber(read_only=True)
    signing = serializers.ChoiceField(choices=Signing.choices, read_only=True, help_text="How it signs.")
    secret = None  # type: ignore[assignment]


class SubscriptionMade(SubscriptionBody):
    """With its new keys: the secret, if there is one, is shown this once."""

    secret = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="By which v1 is verified; null where nobody else need know one.",
    )
    public_key = serializers.CharField(
        read_only=True,
        allow_null=True,
        help_text="whpk_…, by which v1a is verified; null where it does not sign so.",
    )


class SubscriptionProved(SubscriptionBody):
    """With what came of the ping."""

    is_proved = serializers.BooleanField(
        read_only=True, help_text="Whether this ping proved it; false, too, where it was proved before."
    )
    detail = serializers.CharField(read_only=True)


class SubscriptionOrdered(SubscriptionBody):
    """With what was done about an order to its circuit."""

    detail = serializers.CharField(read_only=True)


class Rotation(GivenReason):
    secret = serializers.CharField(required=False, max_length=200)
    signing = serializers.ChoiceField(
        choices=Signing.choices,
        required=False,
        help_text="How it signs from now on; left out: as it did. The old keys sign beside the new ones meanwhile.",
    )
    overlap_s = serializers.FloatField(required=False)

    def validate_overlap_s(self, seconds: float) -> float:
        if not 0 <= seconds <= MAX_OVERLAP.total_seconds():  # NaN fails both comparisons
            raise serializers.ValidationError(f"Choose between 0 seconds and {MAX_OVERLAP.days} days.")
        return seconds


class SubscriptionFilters(MadeBetween):
    subscriber = PublicId(
        "subscriber", source="subscriber_id", required=False, help_text="Those of one subscriber."
    )
    source = BySlug(  # type: ignore[assignment]
        "source", queryset=Source.objects.all(), required=False, help_text="Those that name this source."
    )


class PingBody(serializers.Serializer[PingAnswer]):
    """What a test sent and what came back, its credentials masked."""

    detail = serializers.CharField(source="sentence")
    outcome = serializers.CharField()
    status = serializers.IntegerField(allow_null=True)
    error = serializers.CharField()
    duration_ms = serializers.IntegerField()
    request = serializers.SerializerMethodField()
    response = serializers.SerializerMethodField()
    probe_ordered = serializers.BooleanField(source="has_ordered_probe")

    def get_request(self, answer: PingAnswer) -> dict[str, Any]:
        return {
            "url": answer.url,
            "headers": answer.request_headers,
            "body": answer.request_body.decode(),
        }

    def get_response(self, answer: PingAnswer) -> dict[str, Any]:
        return {
            "headers": answer.response_headers,
            "body": answer.response_body.decode(errors="replace"),
            "is_truncated": answer.is_truncated,
        }
