"""What people do about alerts: take one on, close one by hand, ask for quiet. It opens none, and sends nothing."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction

from deliveries.models import Alert, AlertRule, MessageKind, Mute
from webhooks.services import audit

from . import alert_messages
from .alert_messages import News

LONGEST_MUTE = timedelta(days=31)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlertVerdict:
    """Whether it changed something, and a sentence for whoever asked."""

    is_done: bool
    sentence: str


class Refused(Exception):
    """Says why in one sentence."""


def acknowledge(
    *, alert_id: UUID, actor: str, now: datetime, user: User | None = None, reason: str = ""
) -> AlertVerdict:
    """Says that somebody is at it: nobody is reminded any more. One conditional update, so that one is first."""
    with transaction.atomic():
        fresh = Alert.objects.filter(pk=alert_id, closed_at=None, acknowledged_at=None)
        if fresh.update(acknowledged_at=now, acknowledged_by=actor[:200]):
            audit.record(
                actor=actor, user=user, verb="acknowledge", object_kind="alert", object_id=alert_id, reason=reason
            )  # fmt: skip
            return AlertVerdict(is_done=True, sentence="Acknowledged: nobody is reminded of it any more.")
    alert = Alert.objects.filter(pk=alert_id).first()
    if alert is None:
        return AlertVerdict(is_done=False, sentence="There is no such alert.")
    if alert.closed_at:
        return AlertVerdict(is_done=False, sentence="It is closed already.")
    return AlertVerdict(is_done=False, sentence=f"It was acknowledged already, by {alert.acknowledged_by}.")


def close(
    *, alert_id: UUID, reason: str, actor: str, now: datetime, user: User | None = None
) -> AlertVerdict:
    """Ends what nothing else will end, such as an alert on a lane that is sent nothing any more.

    If it is so still, the next look opens another. Whoever was told of it is told of its end.
    """
    if not reason.strip():
        return AlertVerdict(is_done=False, sentence="Say why: a reason is needed.")
    ending = f"Closed by {actor}: {reason.strip()}"[:500]
    with transaction.atomic():
        alert = Alert.objects.select_for_update().filter(pk=alert_id, closed_at=None).first()
        if alert is None:
            return AlertVerdict(is_done=False, sentence="It is closed already.")
        alert.closed_at, alert.ending = now, ending
        alert.save(update_fields=["closed_at", "ending"])
        rule = AlertRule.objects.filter(slug=alert.rule).first()
        news = News(rule=rule.name if rule else alert.rule, name="", text=ending, tells=True)
        alert_messages.write({MessageKind.CLOSED: [(alert, news)]}, now=now)
        audit.record(
            actor=actor, user=user, verb="close", object_kind="alert", object_id=alert_id, reason=reason.strip()
        )  # fmt: skip
    return AlertVerdict(is_done=True, sentence="Closed; if it is so still, the next look opens another.")


def mute_alert(
    *, alert_id: UUID, until: datetime, reason: str, actor: str, now: datetime, user: User | None = None
) -> Mute:
    """Of this alert's rule, about what this alert is about, nobody is told until then. Raises Refused."""
    alert = Alert.objects.filter(pk=alert_id).first()
    if alert is None:
        raise Refused("There is no such alert.")
    mute = Mute(
        rule=alert.rule, scope=alert.scope, until=until, reason=reason, muted_by=actor, created_at=now
    )
    return _mute(mute, object_kind="alert", object_id=alert_id, user=user)


def mute_rule(
    *, rule_id: UUID, until: datetime, reason: str, actor: str, now: datetime, user: User | None = None
) -> Mute:
    """Of this rule nobody is told until then, whatever it is about. Raises Refused."""
    rule = AlertRule.objects.filter(pk=rule_id).first()
    if rule is None:
        raise Refused("There is no such rule.")
    mute = Mute(
        rule=rule.slug, is_of_every_scope=True, until=until, reason=reason, muted_by=actor, created_at=now
    )
    return _mute(mute, object_kind="alertrule", object_id=rule_id, user=user)


def unmute(*, mute_id: UUID, actor: str, now: datetime, user: User | None = None) -> AlertVerdict:
    """Ends a mute now; what stands open and was not told is told at the next look."""
    with transaction.atomic():
        running = Mute.objects.filter(pk=mute_id, until__gt=now)
        mute = running.first()
        if mute is None or not running.update(until=now):
            return AlertVerdict(is_done=False, sentence="It is over already.")
        rule = AlertRule.objects.filter(slug=mute.rule).first()
        audit.record(
            actor=actor, user=user, verb="unmute", object_kind="alertrule", object_id=rule.pk if rule else mute.rule,
            before={"scope": mute.scope, "until": mute.until.isoformat()},
        )  # fmt: skip
    return AlertVerdict(is_done=True, sentence="Muted no longer.")


def _mute(mute: Mute, *, object_kind: str, object_id: UUID, user: User | None) -> Mute:
    if not mute.created_at < mute.until <= mute.created_at + LONGEST_MUTE:
        raise Refused(f"A mute ends later than now and within {LONGEST_MUTE.days} days.")
    if not mute.reason.strip():
        raise Refused("Say why: a reason is needed.")
    mute.reason, actor = mute.reason.strip()[:500], mute.muted_by
    mute.muted_by = actor[:200]
    with transaction.atomic():
        mute.save(force_insert=True)
        audit.record(
            actor=actor, user=user, verb="mute", object_kind=object_kind, object_id=object_id, reason=mute.reason,
            after={"rule": mute.rule, "scope": mute.scope, "until": mute.until.isoformat()},
        )  # fmt: skip
    return mute
