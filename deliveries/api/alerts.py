"""The door of alerts: read by state, rule and severity, acknowledged, muted for a while."""

from datetime import UTC, datetime, timedelta
from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Alert, Mute, Severity
from deliveries.selectors.alert_pages import mute_of, mutes_now
from deliveries.services import alert_acts
from webhooks.rest import Conflict, Door, MadeBetween, PublicId, Strict
from webhooks.serializers import Reason

STATES = ("open", "closed")


class AlertBody(serializers.Serializer[Alert]):
    """A threshold that was crossed."""

    id = PublicId("alert", help_text="Its id.")
    rule = serializers.CharField(help_text="The slug of the rule that opened it, such as `success-rate`.")
    scope = serializers.CharField(
        allow_blank=True, help_text="The id of what it is about; empty: the whole hub."
    )
    severity = serializers.ChoiceField(choices=Severity.choices, help_text="How loud it is.")
    state = serializers.SerializerMethodField(help_text="Whether it is open or closed.")
    summary = serializers.CharField(help_text="What was measured, in a sentence.")
    opened_at = serializers.DateTimeField(help_text="When it opened.")
    told_at = serializers.DateTimeField(
        allow_null=True, help_text="When channels were last told that it is open; null: it was muted."
    )
    acknowledged_at = serializers.DateTimeField(
        allow_null=True, help_text="When somebody took it on; null: nobody has."
    )
    acknowledged_by = serializers.CharField(allow_blank=True, help_text="Who took it on.")
    muted_until = serializers.SerializerMethodField(
        help_text="Until when nobody is told of it; null: people are told."
    )
    closed_at = serializers.DateTimeField(allow_null=True, help_text="When it closed; null while it is open.")
    ending = serializers.CharField(allow_blank=True, help_text="How it came to its end, in a sentence.")

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, alert: Alert) -> str:
        return "closed" if alert.closed_at else "open"

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_muted_until(self, alert: Alert) -> datetime | None:
        mute = None if alert.closed_at else mute_of(alert, self.context["mutes"])
        return mute.until if mute else None


class AlertFilters(MadeBetween):
    state = serializers.ChoiceField(
        choices=STATES,
        source="closed_at__isnull",
        required=False,
        help_text="Only those that are open, or closed.",
    )
    rule = serializers.CharField(
        required=False, max_length=100, help_text="Only those of the rule with this slug."
    )
    severity = serializers.ChoiceField(
        choices=Severity.choices, required=False, help_text="Only those of this severity."
    )
    scope = serializers.CharField(
        required=False, max_length=200, help_text="Only those about the thing with this id."
    )

    def validate_state(self, state: str) -> bool:
        return state == "open"


class MuteBody(Strict):
    """For how long nobody is told of this rule, about this scope; and why."""

    for_s = serializers.IntegerField(
        min_value=60,
        max_value=int(alert_acts.LONGEST_MUTE.total_seconds()),
        help_text="For how long nobody is told, in seconds: a minute to 31 days.",
    )
    reason = serializers.CharField(max_length=500, help_text="Why, for whoever reads the audit.")


class AlertDone(AlertBody):
    """An alert, after what was asked for was done."""

    detail = serializers.CharField(help_text="What was done, in a sentence.")


class AlertDoor(ListModelMixin, RetrieveModelMixin, Door[Alert]):
    owned_by = None  # they tell of the whole hub, and of others' lanes
    queryset = Alert.objects.all()
    serializer_class = AlertBody
    filters = AlertFilters
    kind = "alert"

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "mutes": self._mutes()}

    @extend_schema(request=Reason, responses={200: AlertDone})
    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """Acknowledge an alert. Nobody is reminded of it any more; a conflict where it is closed, or somebody did."""
        alert = self.get_object()
        wanted = self.read(Reason)
        verdict = alert_acts.acknowledge(
            alert_id=alert.pk, actor=self.actor, now=datetime.now(UTC), **wanted.validated_data
        )
        if not verdict.is_done:
            raise Conflict(verdict.sentence)
        return Response({**self._shown(alert), "detail": verdict.sentence})

    @extend_schema(request=MuteBody, responses={200: AlertDone})
    @action(detail=True, methods=["post"])
    def mute(self, request: Request, pk: str) -> Response:
        """Mute an alert's rule for what it is about. It opens, shows and closes as ever; nobody is told meanwhile."""
        alert, now = self.get_object(), datetime.now(UTC)
        wanted = self.read(MuteBody).validated_data
        try:
            mute = alert_acts.mute_alert(
                alert_id=alert.pk,
                until=now + timedelta(seconds=wanted["for_s"]),
                reason=wanted["reason"],
                actor=self.actor,
                now=now,
            )
        except alert_acts.Refused as refusal:
            raise Conflict(str(refusal)) from None
        detail = f"Nobody is told of it until {mute.until:%Y-%m-%d %H:%M:%S} UTC."
        return Response({**self._shown(alert), "detail": detail})

    def _shown(self, alert: Alert) -> dict[str, Any]:
        return AlertBody(self.again(alert.pk), context={"mutes": self._mutes()}).data

    def _mutes(self) -> list[Mute]:
        return mutes_now(datetime.now(UTC))
