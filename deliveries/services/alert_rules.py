"""Makes and changes rules: each is checked, and recorded. It measures nothing and opens no alert."""

from collections.abc import Mapping
from functools import partial
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from deliveries.models import Alert, AlertRule, Breach, MessageKind, Subscription
from webhooks.models import Source, Subscriber
from webhooks.services import audit
from webhooks.services.uniqueness import unless_taken

from . import alert_messages
from .alert_messages import News
from .alert_rule_checks import TAKEN, check

# What a rule is about: once one of these changes, its open alerts tell of something else.
ABOUT = frozenset({"measure", "detail", "over", "subscription", "subscriber", "source"})
CHANGED = "Over: the rule was changed to be about something else."

_record = partial(audit.record_change, "alertrule")


class RuleOptions(TypedDict, total=False):
    """What may be set when a rule is made, and changed afterwards."""

    name: str
    is_enabled: bool
    severity: str
    measure: str
    detail: str
    over: str
    subscription: Subscription | None
    subscriber: Subscriber | None
    source: Source | None
    threshold: float | None
    clear_threshold: float | None
    window_s: int | None
    least_volume: int
    hold_s: int
    remind_s: int | None


def create_rule(
    *, slug: str, actor: str, user: User | None = None, **options: Unpack[RuleOptions]
) -> AlertRule:
    """Raises ValidationError with every wrong field named."""
    rule = AlertRule(slug=slug, **options)
    check(rule)
    with transaction.atomic():
        with unless_taken(AlertRule.objects.filter(slug=slug), "slug", TAKEN):
            rule.save(force_insert=True)
        _record("create", rule.pk, actor, user, after=_shown(options))
    return rule


def update_rule(
    *, rule_id: UUID, actor: str, user: User | None = None, **options: Unpack[RuleOptions]
) -> AlertRule:
    """Changes what is given. What it had opened about something else is closed. Raises ValidationError."""
    with transaction.atomic():
        rule = AlertRule.objects.select_for_update(of=("self",)).get(pk=rule_id)
        changed = {name: value for name, value in options.items() if getattr(rule, name) != value}
        if not changed:
            return rule
        before = _shown({name: getattr(rule, name) for name in changed})
        for name, value in changed.items():
            setattr(rule, name, value)
        check(rule)
        rule.save(update_fields=[*changed, "updated_at"])
        if ABOUT & changed.keys():
            _end_what_it_opened(rule)
        _record("update", rule.pk, actor, user, before=before, after=_shown(changed))
    return rule


def _end_what_it_opened(rule: AlertRule) -> None:
    Breach.objects.filter(rule=rule.slug).delete()
    now, still = timezone.now(), Alert.objects.filter(rule=rule.slug, closed_at=None)
    ended = list(still.select_for_update().order_by("pk"))
    still.update(closed_at=now, ending=CHANGED)
    news = [(alert, News(rule=rule.name, name="", text=CHANGED, tells=True)) for alert in ended]
    alert_messages.write({MessageKind.CLOSED: news}, now=now)


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    plain = (str, int, float, bool, type(None))
    return {name: value if isinstance(value, plain) else str(value) for name, value in values.items()}
