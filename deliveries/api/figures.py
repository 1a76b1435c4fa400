"""How figures of a window are told as JSON: counts, shares, latencies. It reads no table."""

from rest_framework import serializers

from deliveries.selectors.rollups import Cause, Figures


class Latencies(serializers.Serializer[Figures]):
    """Right to within their buckets; null where nothing was answered."""

    p50 = serializers.SerializerMethodField(help_text="What half of the answers took at most.")
    p95 = serializers.SerializerMethodField(help_text="What 95 of 100 took at most.")
    p99 = serializers.SerializerMethodField(help_text="What 99 of 100 took at most.")

    def get_p50(self, figures: Figures) -> float | None:
        return figures.latency(0.5)

    def get_p95(self, figures: Figures) -> float | None:
        return figures.latency(0.95)

    def get_p99(self, figures: Figures) -> float | None:
        return figures.latency(0.99)


class FiguresBody(serializers.Serializer[Figures]):
    attempts = serializers.IntegerField(help_text="Requests made.")
    replays = serializers.IntegerField(help_text="Of these, attempts of replayed deliveries.")
    delivered = serializers.IntegerField(help_text="Deliveries that arrived.")
    delivered_first = serializers.IntegerField(help_text="Of these, by their very first attempt.")
    delivered_retry = serializers.IntegerField(help_text="Of these, by a later one.")
    retried = serializers.IntegerField(help_text="Failed attempts by which no delivery died.")
    dead = serializers.IntegerField(help_text="Deliveries given up.")
    faults = serializers.IntegerField(help_text="Failed attempts that were the endpoint's fault.")
    success_rate = serializers.FloatField(
        allow_null=True,
        help_text="Of the deliveries that came to an end, the share that arrived; null: none did.",
    )
    latency_ms = Latencies(source="*", help_text="How long answers took, in milliseconds.")


class CauseBody(serializers.Serializer[Cause]):
    outcome = serializers.CharField(
        help_text="What came of the attempts, such as `server_error` or `timeout`."
    )
    status = serializers.SerializerMethodField(help_text="The HTTP status; null where there was no answer.")
    count = serializers.IntegerField(source="failures", help_text="How often.")

    def get_status(self, cause: Cause) -> int | None:
        return cause.status or None
