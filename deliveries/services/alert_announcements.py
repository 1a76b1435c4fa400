"""Tells subscribers of alerts about themselves, as events of Weir's own. Of what concerns the hub they hear nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from deliveries.deciders.own_types import ALERT_CLOSED, ALERT_OPENED
from deliveries.models import Alert, MessageKind
from webhooks.deciders.times import zulu
from webhooks.ids import parse_id, public_id

from . import announcements

KINDS: Final = {MessageKind.OPENED: ALERT_OPENED, MessageKind.CLOSED: ALERT_CLOSED}


def announce(told: Mapping[MessageKind, Sequence[tuple[Alert, str]]]) -> None:
    """Alerts with the sentence that is told of each, in the transaction in which they opened or closed.

    An alert opens and closes once, so each of both is one event however often it is told.
    """
    for kind, event_type in KINDS.items():
        several = told.get(kind, ())
        _of_subscriptions(event_type, several)
        for alert, subscriber, text in _about("subscriber", several):
            data = _data(alert, text)
            announcements.announce(kind=event_type, subscriber=subscriber, data=data, key=alert.pk.hex)


def _of_subscriptions(event_type: str, several: Iterable[tuple[Alert, str]]) -> None:
    news = [
        announcements.News(kind=event_type, data=_data(alert, text), about=subscription, key=alert.pk.hex)
        for alert, subscription, text in _about("subscription", several)
    ]
    announcements.announce_each(news)


def _about(kind: str, several: Iterable[tuple[Alert, str]]) -> Iterable[tuple[Alert, UUID, str]]:
    """Those whose scope is one of that kind."""
    for alert, text in several:
        try:
            yield alert, parse_id(kind, alert.scope), text
        except ValueError:
            continue


def _data(alert: Alert, text: str) -> dict[str, Any]:
    return {
        "alert": public_id("alert", alert.pk),
        "rule": alert.rule,
        "severity": alert.severity,
        "text": text,
        "opened_at": zulu(alert.opened_at),
        "closed_at": zulu(alert.closed_at) if alert.closed_at else None,
    }
