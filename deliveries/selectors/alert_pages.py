"""Reads what the pages of alerts show: open ones, closed ones by page, names, mutes, messages. It changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Count, OuterRef, Subquery

from deliveries.models import (
    Alert,
    AlertChannel,
    AlertMessage,
    AlertRule,
    MessageState,
    Mute,
    Subscription,
)
from webhooks.ids import PREFIXES
from webhooks.models import Source, Subscriber

MOST_OPEN = 200  # shown at once; nobody reads more, and the oldest may wait
PAGE = 50
MESSAGES = 50
_ABOUT: dict[str, type[Subscription] | type[Subscriber] | type[Source]] = {
    PREFIXES["subscription"]: Subscription,
    PREFIXES["subscriber"]: Subscriber,
    PREFIXES["source"]: Source,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClosedPage:
    """`older` is the id to go on from, or None."""

    alerts: Sequence[Alert]
    older: UUID | None


def open_alerts(most: int = MOST_OPEN, rule: str = "") -> list[Alert]:
    """The latest first."""
    still = Alert.objects.filter(closed_at=None, **_of(rule))
    return list(still.order_by("-pk")[:most])


def open_count(most: int) -> int:
    """Counts no further than `most`."""
    return len(Alert.objects.filter(closed_at=None).order_by().values_list("pk", flat=True)[:most])


def closed_alerts(before: UUID | None, rule: str = "") -> ClosedPage:
    """By when they opened, the latest first."""
    over = Alert.objects.filter(closed_at__isnull=False, **_of(rule))
    if before is not None:
        over = over.filter(pk__lt=before)
    found = list(over.order_by("-pk")[: PAGE + 1])
    return ClosedPage(alerts=found[:PAGE], older=found[PAGE - 1].pk if len(found) > PAGE else None)


def names_of(scopes: Iterable[str]) -> dict[str, str]:
    """What subscriptions, subscribers and sources are called, by public id; one statement for each kind there is."""
    wanted: dict[str, list[UUID]] = {prefix: [] for prefix in _ABOUT}
    for scope in filter(None, scopes):
        prefix, _, digits = scope.partition("_")
        try:
            wanted[prefix].append(UUID(digits))
        except (KeyError, ValueError):
            continue  # an alert of an older day, about what nobody knows any more
    found: dict[str, str] = {}
    for prefix, keys in wanted.items():
        rows = _ABOUT[prefix]._default_manager.filter(pk__in=keys).values_list("pk", "name") if keys else ()
        found |= {f"{prefix}_{key.hex}": name for key, name in rows}
    return found


def rules_by_slug() -> dict[str, AlertRule]:
    return {rule.slug: rule for rule in AlertRule.objects.order_by("name", "pk")}


def open_by_rule() -> dict[str, int]:
    still = Alert.objects.filter(closed_at=None).order_by()
    return dict(still.values_list("rule").annotate(Count("pk")))


def mutes_now(now: datetime) -> list[Mute]:
    """Those that end last first."""
    return list(Mute.objects.filter(until__gt=now).order_by("-until", "-pk")[:MOST_OPEN])


def mute_of(alert: Alert, mutes: Iterable[Mute]) -> Mute | None:
    return next(
        (
            mute
            for mute in mutes
            if mute.rule == alert.rule and (mute.is_of_every_scope or mute.scope == alert.scope)
        ),
        None,
    )


def messages_of(*, alert: UUID | None = None, channel: UUID | None = None) -> list[AlertMessage]:
    """The latest of an alert, or to a channel."""
    rows = AlertMessage.objects.select_related("channel").defer("channel__sealed_url")
    rows = rows.filter(alert_id=alert) if alert else rows.filter(channel_id=channel)
    return list(rows.order_by("-pk")[:MESSAGES])


def channels_with_last() -> list[AlertChannel]:
    """Each with `last_state`, `last_error` and `last_at` of what it was told last, and without its address."""
    last = AlertMessage.objects.filter(channel_id=OuterRef("pk")).order_by("-pk")
    told = {
        f"last_{name}": Subquery(last.values(column)[:1])
        for name, column in (("state", "state"), ("error", "last_error"), ("at", "created_at"))
    }
    return list(AlertChannel.objects.defer("sealed_url").annotate(**told).order_by("name", "pk"))


def waiting_by_channel() -> dict[UUID, int]:
    """How many messages are still to be sent, by the index of those."""
    waiting = AlertMessage.objects.filter(state=MessageState.PENDING).order_by()
    return dict(waiting.values_list("channel_id").annotate(Count("pk")))


def has_channel() -> bool:
    return AlertChannel.objects.filter(is_enabled=True).exists()


def _of(rule: str) -> dict[str, str]:
    return {"rule": rule} if rule else {}
