"""Makes and changes channels, and sends them a test. An address goes in, is sealed, and is never shown whole again."""

import threading
from functools import partial
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from deliveries import messenger
from deliveries.models import AlertChannel, AlertMessage, AlertRule, MessageState, Severity
from webhooks.sealing import Unreadable
from webhooks.services import audit

from .alert_messages import sender_name

TEST_LIMIT_S = 10.0  # a person waits for it, and so does one of the web server's threads
HINT = 4
LONGEST = 2_000
DISABLED = "Its channel was disabled."

_record = partial(audit.record_change, "alertchannel")
_turn = threading.Lock()  # one at a time in each process, so that tests never hold all of its threads


class ChannelOptions(TypedDict, total=False):
    """`url` empty: it stays as it is. `rules` are slugs."""

    name: str
    is_enabled: bool
    url: str
    severities: list[str]
    rules: list[str]


def create_channel(
    *, actor: str, user: User | None = None, **options: Unpack[ChannelOptions]
) -> AlertChannel:
    """Raises ValidationError with every wrong field named, and repeats nothing of an address."""
    channel = AlertChannel()
    changed = _apply(channel, options)
    check(channel, url=options.get("url", ""))
    with transaction.atomic():
        channel.save(force_insert=True)
        _record("create", channel.pk, actor, user, after=changed)
    return channel


def update_channel(
    *, channel_id: UUID, actor: str, user: User | None = None, **options: Unpack[ChannelOptions]
) -> AlertChannel:
    """Changes what is given; what a disabled channel was still to be told is given up. Raises ValidationError."""
    with transaction.atomic():
        channel = AlertChannel.objects.select_for_update().defer("sealed_url").get(pk=channel_id)
        before = {
            name: getattr(channel, name) for name in ("name", "is_enabled", "severities", "rules", "hint")
        }
        changed = _apply(channel, options)
        check(channel, url=options.get("url", ""))
        sealed = ["sealed_url", "service", "hint"] if options.get("url") else []
        names = ["name", "is_enabled", "severities", "rules"]
        channel.save(update_fields=[*names, *sealed, "updated_at"])
        if not channel.is_enabled:
            waiting = AlertMessage.objects.filter(channel=channel, state=MessageState.PENDING)
            waiting.update(state=MessageState.GIVEN_UP, due_at=None, last_error=DISABLED)
        told = {name: value for name, value in changed.items() if before.get(name) != value}
        if told:
            before = {name: before[name] for name in told}
            _record("update", channel.pk, actor, user, before=before, after=told)
    return channel


def send_test(*, channel_id: UUID, actor: str, user: User | None = None) -> str:
    """Sends one message now, 10 s at most; returns why it was not taken, in one sentence, or nothing."""
    if not _turn.acquire(blocking=False):
        return "Another test is under way; try again in a few seconds."
    try:
        channel = AlertChannel.objects.get(pk=channel_id)
        error = messenger.send(
            channel.sealed_url,
            title=f"A test from {sender_name()}",
            text=f"{actor} asked whether this channel is told. If you read this, it is.",
            tone=Severity.INFO,
            limit_s=TEST_LIMIT_S,
        )
    except Unreadable:
        error = "Its address was sealed with a key that HUB_ENCRYPTION_KEYS no longer holds; give it again."
    finally:
        _turn.release()
    audit.record(
        actor=actor, user=user, verb="test", object_kind="alertchannel", object_id=channel_id,
        after={"error": error} if error else {"taken": True},
    )  # fmt: skip
    return error


def check(channel: AlertChannel, *, url: str = "") -> None:
    """Raises ValidationError with one sentence for each wrong field."""
    problems = {}
    if not channel.name.strip():
        problems["name"] = "Give the channel a name."
    elif len(channel.name) > 100:
        problems["name"] = "A name has at most 100 characters."
    if not set(channel.severities) <= set(Severity.values):
        problems["severities"] = f"Choose among {', '.join(Severity.values)}."
    known = AlertRule.objects.filter(slug__in=channel.rules).values_list("slug", flat=True)
    if missing := set(channel.rules) - set(known):
        problems["rules"] = f"There is no rule {', '.join(sorted(missing))}."
    if sentence := _wrong_address(channel, url):
        problems["url"] = sentence
    if problems:
        raise ValidationError(problems)


def _wrong_address(channel: AlertChannel, url: str) -> str:
    if not url:
        return (
            "Give its address, such as mailtos://user:password@mail.example.com." if not channel.hint else ""
        )
    if len(url) > LONGEST:
        return f"An address has at most {LONGEST:,} characters."
    try:
        messenger.check_address(url)
    except ValueError as error:
        return str(error)
    return ""


def _apply(channel: AlertChannel, options: ChannelOptions) -> dict[str, Any]:
    """What it changes, as the audit may keep it: of an address its last four characters."""
    given: dict[str, Any] = dict(options)
    url = str(given.pop("url", "") or "").strip()
    for name, value in given.items():
        setattr(channel, name, value)
    if url:
        try:
            channel.service = messenger.check_address(url)
        except ValueError:
            return given  # which the check says
        channel.sealed_url, channel.hint = url, url[-HINT:]
        given["hint"] = channel.hint
    return given
