"""How one attempt is told as JSON: what was sent and what was answered, credentials masked. It reads no table."""

from rest_framework import serializers

from deliveries.models import Attempt, Exchange, Phase
from deliveries.selectors.delivery_story import pairs_of
from webhooks.rest import PublicId

from .delivery_bodies import EXCERPT, excerpt

_HEADERS = "By name and value; credentials are masked."


class Sent(serializers.Serializer[Exchange]):
    """`sent` of the context is what every attempt of the delivery sends, or None once retention dropped it."""

    url = serializers.CharField(help_text="Where it was sent.")
    headers = serializers.SerializerMethodField(help_text=_HEADERS)
    body = serializers.SerializerMethodField(
        help_text=f"Its first {EXCERPT:,} characters; null once retention dropped it."
    )

    def get_headers(self, exchange: Exchange) -> list[list[str]]:
        return [list(pair) for pair in pairs_of(exchange.request_headers)]

    def get_body(self, exchange: Exchange) -> str | None:
        sent: bytes | None = self.context["sent"]
        return None if sent is None else excerpt(sent)


class Answered(serializers.Serializer[Exchange]):
    headers = serializers.SerializerMethodField(help_text=_HEADERS)
    body = serializers.SerializerMethodField(help_text=f"Its first {EXCERPT:,} characters.")
    is_truncated = serializers.BooleanField(help_text="Whether more came than is kept.")

    def get_headers(self, exchange: Exchange) -> list[list[str]]:
        return [list(pair) for pair in pairs_of(exchange.response_headers)]

    def get_body(self, exchange: Exchange) -> str:
        return excerpt(bytes(exchange.response_body))


class AttemptWhole(serializers.Serializer[Attempt]):
    id = PublicId("attempt", help_text="The attempt's id.")
    number = serializers.IntegerField(help_text="Counts from 1 without gaps, over replays too.")
    queue = serializers.SerializerMethodField(
        help_text="Which of the lane's queues it came from: first, retry or replay."
    )
    started_at = serializers.DateTimeField(help_text="When the request began.")
    duration_ms = serializers.IntegerField(help_text="Milliseconds until the answer was read, or given up.")
    outcome = serializers.CharField(help_text="What came of it, such as `ok`, `server_error` or `timeout`.")
    status = serializers.IntegerField(allow_null=True, help_text="The HTTP status; null without an answer.")
    error = serializers.CharField(help_text="The failure in a sentence; empty where there was an answer.")
    request = Sent(
        source="exchange",
        allow_null=True,
        default=None,
        help_text="What was sent; null once retention dropped it.",
    )
    response = Answered(
        source="exchange",
        allow_null=True,
        default=None,
        help_text="What was answered; null once retention dropped it.",
    )

    def get_queue(self, attempt: Attempt) -> str:
        return Phase(attempt.phase).name.lower()
