"""Writes what channels and subscribers are to be told, in the transaction in which it comes about. It sends nothing.

A look that opens very many alerts of one rule tells of them in one message for each channel: when a network fails, a
thousand circuits open, and nobody reads a thousand mails.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from django.conf import settings
from django.urls import reverse

from deliveries.models import Alert, AlertChannel, AlertMessage, MessageKind

from . import alert_announcements

SINGLY = 10  # alerts of one rule told one by one in one look; more are told together
BATCH = 500
_BEGINNINGS = {MessageKind.OPENED: "", MessageKind.REMINDED: "Still so: ", MessageKind.CLOSED: "Over: "}


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What is to be said of an alert: its rule and what it is about by name, and a sentence."""

    rule: str
    name: str
    text: str
    tells: bool


Told = tuple[Alert, News]


def write(news: Mapping[MessageKind, Sequence[Told]], *, now: datetime) -> int:
    """Says how many messages wait for being sent now."""
    told = {kind: [each for each in several if each[1].tells] for kind, several in news.items()}
    if not any(told.values()):
        return 0
    alert_announcements.announce(
        {kind: [(alert, each.text) for alert, each in several] for kind, several in told.items()}
    )
    channels = list(AlertChannel.objects.filter(is_enabled=True).defer("sealed_url").order_by("pk"))
    heard = _who_heard([alert for alert, _ in told.get(MessageKind.CLOSED, ())]) if channels else set()
    rows: list[AlertMessage] = []
    for kind, several in told.items():
        for channel in channels:
            wanted = [each for each in several if channel.wants(each[0])]
            if kind is MessageKind.CLOSED:
                wanted = [each for each in several if (each[0].pk, channel.pk) in heard]
            rows += (_message(kind, channel, some, now) for some in _grouped(wanted))
    AlertMessage.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
    return len(rows)


def link_to(alert: Alert) -> str:
    """Its page, where the hub knows by which address people use it."""
    page = reverse("admin:deliveries_alert_change", args=[alert.pk])
    return f"{settings.HUB_PUBLIC_URL}{page}" if settings.HUB_PUBLIC_URL else ""


def sender_name() -> str:
    return f"Weir, {settings.HUB_ENVIRONMENT}" if settings.HUB_ENVIRONMENT else "Weir"


def _who_heard(closed: Iterable[Alert]) -> set[tuple[object, object]]:
    """Alerts with the channels that were told of them: these are told of the end too, and no other."""
    messages = AlertMessage.objects.filter(alert__in=[alert.pk for alert in closed])
    return set(messages.order_by().values_list("alert_id", "channel_id"))


def _grouped(wanted: Sequence[Told]) -> Iterable[Sequence[Told]]:
    for _, several in groupby(sorted(wanted, key=lambda each: each[0].rule), key=lambda each: each[0].rule):
        some = list(several)
        yield from ([each] for each in some) if len(some) <= SINGLY else [some]


def _message(kind: MessageKind, channel: AlertChannel, told: Sequence[Told], now: datetime) -> AlertMessage:
    alert, news = told[0]
    about = f": {news.name}" if news.name else ""
    text = news.text
    if len(told) > 1:
        about = f": {len(told)} at once"
        names = [each.name for _, each in told[:SINGLY]]
        text = f"{text} It is so of {len(told)} at once: {', '.join(names)}, and {len(told) - SINGLY} more."
    return AlertMessage(
        alert=alert,
        channel=channel,
        kind=kind,
        severity=alert.severity,
        title=f"{_BEGINNINGS[kind]}{news.rule}{about} ({sender_name()})"[:300],
        text=f"{text[:700]}\n{link_to(alert)}".strip(),
        due_at=now,
        created_at=now,
    )
