"""Sends the messages to channels that are due, outside any transaction, and puts down what came of each.

A message is claimed before it is sent and settled afterwards, both as it was seen: two who send at once never send the
same, and one that was killed meanwhile is sent again when its claim runs out. Channels are served side by side, and one
that hangs or fails holds up its own messages alone.
"""

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, QuerySet
from django.utils import timezone

from deliveries import messenger
from deliveries.deciders.retry import Schedule, delay_after
from deliveries.models import AlertChannel, AlertMessage, MessageKind, MessageState
from webhooks.sealing import Unreadable

# 30 s, 90 s, 4.5 min, 13.5 min, then every half hour: given up after about two hours.
SCHEDULE = Schedule(first_s=30, factor=3, cap_s=1_800, max_attempts=8)
MOST = 200  # messages in one run,
OF_A_CHANNEL = 20  # and of one channel; the rest waits for the next run, half a minute later
LINE_S = 30.0  # after which a channel begins no further message in this run
CLAIM = timedelta(seconds=LINE_S + messenger.LIMIT_S + 70)
LANES = 32  # channels served side by side
NOT_TRIED = "not tried"


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    sent: int = 0
    failed: int = 0


def is_waiting(*, now: datetime) -> bool:
    return AlertMessage.objects.filter(state=MessageState.PENDING, due_at__lte=now).exists()


def send_due(*, limit_s: float = messenger.LIMIT_S) -> Sent:
    """One run over what is due now."""
    lines = [(url, claimed) for url, claimed in map(_claim, _due(timezone.now())) if claimed]
    if not lines:
        return Sent()
    sent = failed = 0
    with ThreadPoolExecutor(max_workers=min(LANES, len(lines))) as pool:
        serving = [pool.submit(_serve, url, claimed, limit_s) for url, claimed in lines]
        for line in as_completed(serving):
            for message, error in line.result():
                _settle(message, error)
                sent, failed = sent + (error == ""), failed + (error not in ("", NOT_TRIED))
    return Sent(sent=sent, failed=failed)


def _due(now: datetime) -> list[list[AlertMessage]]:
    """By channel, the oldest first."""
    rows = AlertMessage.objects.filter(state=MessageState.PENDING, due_at__lte=now, channel__is_enabled=True)
    by_channel: dict[UUID, list[AlertMessage]] = {}
    for message in rows.order_by("due_at", "pk")[:MOST]:
        by_channel.setdefault(message.channel_id, []).append(message)
    return [several[:OF_A_CHANNEL] for several in by_channel.values()]


def _claim(several: Sequence[AlertMessage]) -> tuple[str | None, list[AlertMessage]]:
    """The channel's address, in the clear, and those of its messages that nobody else has claimed."""
    claimed = []
    for message in several:
        until = timezone.now() + CLAIM
        if _as_seen(message).update(due_at=until, attempts=F("attempts") + 1):
            message.due_at, message.attempts = until, message.attempts + 1
            claimed.append(message)
    return _address(several[0].channel_id), claimed


def _address(channel_id: UUID) -> str | None:
    try:
        return str(AlertChannel.objects.get(pk=channel_id).sealed_url)
    except Unreadable:
        return None


def _serve(
    url: str | None, several: Sequence[AlertMessage], limit_s: float
) -> list[tuple[AlertMessage, str]]:
    """In a thread of its own, which asks the database nothing. After a failure the rest is left for later."""
    came: list[tuple[AlertMessage, str]] = []
    began = time.monotonic()
    for message in several:
        if (came and came[-1][1]) or time.monotonic() - began > LINE_S:
            came.append((message, NOT_TRIED))
            continue
        came.append((message, _send(url, message, limit_s)))
    return came


def _send(url: str | None, message: AlertMessage, limit_s: float) -> str:
    if url is None:
        return "Its address was sealed with a key that HUB_ENCRYPTION_KEYS no longer holds."
    tone = messenger.OVER if message.kind == MessageKind.CLOSED else message.severity
    return messenger.send(url, title=message.title, text=message.text, tone=tone, limit_s=limit_s)


def _settle(message: AlertMessage, error: str) -> None:
    now, mine = timezone.now(), _as_seen(message)
    if not error:
        mine.update(state=MessageState.SENT, sent_at=now, due_at=None, last_error="")
    elif error == NOT_TRIED:
        wait = SCHEDULE.first_s
        mine.update(due_at=now + timedelta(seconds=wait), attempts=F("attempts") - 1)
    elif (delay := delay_after(SCHEDULE, message.attempts, random.random())) is None:  # noqa: S311 (jitter)
        mine.update(state=MessageState.GIVEN_UP, due_at=None, last_error=error)
    else:
        mine.update(due_at=now + timedelta(seconds=delay), last_error=error)


def _as_seen(message: AlertMessage) -> QuerySet[AlertMessage]:
    return AlertMessage.objects.filter(pk=message.pk, state=MessageState.PENDING, due_at=message.due_at)
