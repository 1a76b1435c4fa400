"""The door of alerts: read by state, rule and severity, acknowledged, muted for a while."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.mixins import ListModelMixin, RetrieveModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.models import Alert, Mute, Severity
from deliveries.selectors.alert_pages import mute_of, mutes_now
from deliveries.serializers import Reason
from deliveries.services import alert_acts
from webhooks.rest import Conflict, Door, Filters, PublicId, Strict


class AlertBody(serializers.Serializer[Alert]):
    """`scope` is the public id of what it is about; empty: the whole hub."""

    id = PublicId("alert")
    rule = serializers.CharField()
    scope = serializers.CharField()
    severity = serializers.CharField()
    state = serializers.SerializerMethodField()
    summary = serializers.CharField()
    opened_at = serializers.DateTimeField()
    told_at = serializers.DateTimeField()
    acknowledged_at = serializers.DateTimeField()
    acknowledged_by = serializers.CharField()
    muted_until = serializers.SerializerMethodField()
    closed_at = serializers.DateTimeField()
    ending = serializers.CharField()

    def get_state(self, alert: Alert) -> str:
        return "closed" if alert.closed_at else "open"

    def get_muted_until(self, alert: Alert) -> datetime | None:
        mute = None if alert.closed_at else mute_of(alert, self.context["mutes"])
        return mute.until if mute else None


class AlertFilters(Filters):
    state = serializers.ChoiceField(choices=["open", "closed"], required=False)
    rule = serializers.CharField(required=False, max_length=100)
    severity = serializers.ChoiceField(choices=Severity.choices, required=False)
    scope = serializers.CharField(required=False, max_length=200)

    def narrow(self, queryset: QuerySet[Any, Any]) -> QuerySet[Any, Any]:
        asked = dict(self.validated_data)
        if state := asked.pop("state", None):
            queryset = queryset.filter(closed_at__isnull=state == "open")
        return queryset.filter(**asked)


class MuteBody(Strict):
    """For how long nobody is told of this rule, about this scope; and why."""

    for_s = serializers.IntegerField(min_value=60, max_value=int(alert_acts.LONGEST_MUTE.total_seconds()))
    reason = serializers.CharField(max_length=500)


class AlertDoor(ListModelMixin, RetrieveModelMixin, Door[Alert]):
    queryset = Alert.objects.all()
    serializer_class = AlertBody
    filters = AlertFilters
    kind = "alert"

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "mutes": self._mutes()}

    @action(detail=True, methods=["post"])
    def acknowledge(self, request: Request, pk: str) -> Response:
        """409 when it is closed, or somebody has acknowledged it."""
        alert = self.get_object()
        wanted = Reason(data=request.data)
        wanted.is_valid(raise_exception=True)
        verdict = alert_acts.acknowledge(
            alert_id=alert.pk, actor=self.actor, now=datetime.now(UTC), **wanted.validated_data
        )
        if not verdict.is_done:
            raise Conflict(verdict.sentence)
        return Response({**self._shown(alert), "detail": verdict.sentence})

    @action(detail=True, methods=["post"])
    def mute(self, request: Request, pk: str) -> Response:
        """Alerts open, show and close as ever; until then nobody is told."""
        alert, now = self.get_object(), datetime.now(UTC)
        wanted = MuteBody(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            alert_acts.mute_alert(
                alert_id=alert.pk,
                until=now + timedelta(seconds=wanted.validated_data["for_s"]),
                reason=wanted.validated_data["reason"],
                actor=self.actor,
                now=now,
            )
        except alert_acts.Refused as refusal:
            raise Conflict(str(refusal)) from None
        return Response(self._shown(alert))

    def _shown(self, alert: Alert) -> dict[str, Any]:
        return AlertBody(self.get_queryset().get(pk=alert.pk), context={"mutes": self._mutes()}).data

    def _mutes(self) -> list[Mute]:
        return mutes_now(datetime.now(UTC))
