"""Channels carry alerts outside: by mail and by HTTP to real servers, again when one fails, and never with a secret."""

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django_q.models import OrmQ, Schedule

from deliveries import messenger, tasks
from deliveries.models import Alert, AlertChannel, AlertMessage
from deliveries.services import alert_channels, alert_outbox
from deliveries.services.alert_outbox import Sent, send_due
from hub.qcluster import ensure_schedules
from tests import make
from tests.alerting import channel, no_rules, rule  # noqa: F401 (a fixture)
from tests.endpoints import Behaviour, Endpoint, answers, never_answers, takes_turns
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

TOKEN = "tok-5ecret-9f1c"
UNKNOWN = "Apprise does not know this address; look at https://appriseit.com/services/ for its form."


@dataclass
class Mailbox:
    envelopes: list[Envelope] = field(default_factory=list)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.envelopes.append(envelope)
        return "250 Taken"


@pytest.fixture
def mailbox(free_port: int) -> Iterator[tuple[Mailbox, str]]:
    """A real SMTP server, and the address by which apprise finds it."""
    box = Mailbox()
    server = Controller(box, hostname="127.0.0.1", port=free_port)
    server.start()
    yield box, f"mailto://127.0.0.1:{free_port}?from=weir@example.com&to=ops@example.com"
    server.stop()


def message(to: AlertChannel, kind: str = "opened", **options: Any) -> AlertMessage:
    alert = options.pop("alert", None) or Alert.objects.create(
        rule="success", summary="It fails.", scope=str(AlertMessage.objects.count())
    )
    values = {"title": "Success (Weir)", "text": "It fails.", "severity": "critical", "due_at": make.now()}
    return AlertMessage.objects.create(alert=alert, channel=to, kind=kind, **values | options)


def hook(endpoint: Endpoint) -> str:
    return f"json://127.0.0.1:{endpoint.port}/{TOKEN}"


def listening(behaviour: Behaviour | None = None) -> Endpoint:
    return Endpoint(behaviour or answers(200))


def due_again(told: AlertMessage) -> None:
    AlertMessage.objects.filter(pk=told.pk).update(due_at=make.now())


# -- sent ----------------------------------------------------------------------------------------------


def test_a_mail_arrives(mailbox: tuple[Mailbox, str]) -> None:
    box, address = mailbox
    told = message(channel(url=address))
    assert send_due() == Sent(sent=1)
    envelope = box.envelopes[0]
    mail = message_from_bytes(envelope.original_content or b"", policy=policy.default)
    assert (envelope.mail_from, envelope.rcpt_tos) == ("weir@example.com", ["ops@example.com"])
    assert mail["subject"] == "Success (Weir)"
    assert mail.get_body().get_content().strip() == "It fails."
    told.refresh_from_db()
    assert (told.state, told.attempts, told.due_at, told.last_error) == ("sent", 1, None, "")


@pytest.mark.parametrize(
    ("kind", "severity", "shown"),
    [
        ("opened", "critical", "failure"),
        ("opened", "warning", "warning"),
        ("reminded", "info", "info"),
        ("closed", "critical", "success"),
    ],
)
def test_a_webhook_is_told_how_loud_it_is_and_of_the_end_as_a_success(
    kind: str, severity: str, shown: str
) -> None:
    with listening() as endpoint:
        message(channel(url=hook(endpoint)), kind, severity=severity)
        assert send_due() == Sent(sent=1)
    request = endpoint.requests[0]
    body = json.loads(request.body)
    assert request.path == f"/{TOKEN}"
    assert (body["title"], body["message"], body["type"]) == ("Success (Weir)", "It fails.", shown)


def test_what_is_sent_is_not_sent_again() -> None:
    with listening() as endpoint:
        message(channel(url=hook(endpoint)))
        assert [send_due(), send_due()] == [Sent(sent=1), Sent()]
    assert len(endpoint.requests) == 1


def test_messages_of_a_channel_go_out_in_their_order() -> None:
    with listening() as endpoint:
        to = channel(url=hook(endpoint))
        for number in range(3):
            message(to, title=f"number {number}")
        send_due()
    assert [json.loads(each.body)["title"] for each in endpoint.requests] == [
        "number 0",
        "number 1",
        "number 2",
    ]


@pytest.mark.django_db(transaction=True)
def test_eight_who_send_at_once_send_it_once() -> None:
    def send(_: int) -> Sent:
        try:
            return send_due()
        finally:
            connections.close_all()

    with listening() as endpoint, ThreadPoolExecutor(8) as pool:
        message(channel(url=hook(endpoint)))
        assert sum(each.sent for each in pool.map(send, range(8))) == 1
    assert len(endpoint.requests) == 1


def test_what_was_claimed_by_one_who_was_killed_is_sent_when_the_claim_runs_out() -> None:
    with listening() as endpoint:
        told = message(channel(url=hook(endpoint)))
        told.due_at = make.now() + alert_outbox.CLAIM
        told.save()
        assert send_due() == Sent()
        due_again(told)
        assert send_due() == Sent(sent=1)


# -- not sent ------------------------------------------------------------------------------------------


def test_what_fails_is_sent_again_later_and_given_up_in_the_end() -> None:
    with listening(answers(503)) as endpoint:
        told = message(channel(url=hook(endpoint)))
        waits = []
        for _ in range(alert_outbox.SCHEDULE.attempts):
            before = make.now()
            assert send_due() == Sent(failed=1)
            told.refresh_from_db()
            if told.due_at:
                waits.append((told.due_at - before).total_seconds())
            due_again(told) if told.state == "pending" else None
    promised = [30, 90, 270, 810, 1_800, 1_800, 1_800]
    assert all(low <= wait <= 1.1 * low + 5 for low, wait in zip(promised, waits, strict=True))
    assert (told.state, told.attempts, told.due_at) == ("given_up", 8, None)
    assert told.last_error == "The receiver answered 503."
    assert len(endpoint.requests) == 8


def test_what_failed_once_arrives_the_next_time() -> None:
    with listening(takes_turns(answers(500), answers(200))) as endpoint:
        told = message(channel(url=hook(endpoint)))
        assert send_due() == Sent(failed=1)
        due_again(told)
        assert send_due() == Sent(sent=1)
        told.refresh_from_db()
        assert (told.state, told.attempts, told.last_error) == ("sent", 2, "")


def test_nobody_listening_is_said(free_port: int) -> None:
    told = message(channel(url=f"json://127.0.0.1:{free_port}/{TOKEN}"))
    assert send_due() == Sent(failed=1)
    told.refresh_from_db()
    assert told.last_error == "It could not be reached, or refused it."


def test_a_redirect_is_not_followed() -> None:
    with listening() as other:
        moved = answers(307, {"Location": f"http://127.0.0.1:{other.port}/"})
        with listening(moved) as endpoint:
            told = message(channel(url=hook(endpoint)))
            assert send_due() == Sent(failed=1)
    told.refresh_from_db()
    assert (told.last_error, other.requests) == ("The receiver answered 307.", [])


def test_a_channel_that_hangs_or_fails_holds_up_no_other() -> None:
    with (
        listening(never_answers) as hanging,
        listening(answers(500)) as failing,
        listening() as fine,
    ):
        told = [message(channel(url=hook(each))) for each in (hanging, failing, fine)]
        second = message(told[0].channel)
        began = time.monotonic()
        assert send_due(limit_s=0.5) == Sent(sent=1, failed=2)
        assert time.monotonic() - began < 3
    for each in (*told, second):
        each.refresh_from_db()
    assert [(each.state, each.last_error) for each in told] == [
        ("pending", "It was not taken within 0.5 s."),
        ("pending", "The receiver answered 500."),
        ("sent", ""),
    ]
    # What stood behind the one that hung was not tried, and no try of it is spent.
    assert (second.state, second.attempts, second.last_error) == ("pending", 0, "")
    assert len(hanging.requests) == 1


def test_a_service_that_raises_is_told_without_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def raises(*_: object, **__: object) -> bool:
        raise RuntimeError(TOKEN)

    monkeypatch.setattr("apprise.plugins.custom_json.NotifyJSON.send", raises)
    told = message(channel(url=f"json://127.0.0.1:9/{TOKEN}"))
    assert send_due() == Sent(failed=1)
    told.refresh_from_db()
    assert told.last_error == "The service failed on it."


def test_an_address_sealed_with_a_lost_key_is_told(settings: Any) -> None:
    told = message(channel())
    settings.HUB_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert send_due() == Sent(failed=1)
    told.refresh_from_db()
    assert told.last_error == "Its address was sealed with a key that HUB_ENCRYPTION_KEYS no longer holds."


# -- secrets -------------------------------------------------------------------------------------------


def test_an_address_is_encrypted_at_rest_and_known_by_its_last_four_characters() -> None:
    made = alert_channels.create_channel(name="Ops", url=f"json://127.0.0.1:9/{TOKEN}", actor="ada")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sealed_url FROM deliveries_alertchannel")
        stored = cursor.fetchone()[0]
    assert TOKEN not in stored and stored.startswith("gAAAA")
    assert (made.service, made.hint) == ("JSON", "9f1c")
    assert AlertChannel.objects.get().sealed_url == f"json://127.0.0.1:9/{TOKEN}"


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that reaches the hub's log, at the most talkative level."""
    lines: list[str] = []
    root, handler = logging.getLogger(), logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield lines
    root.setLevel(level)
    root.removeHandler(handler)


def test_no_secret_reaches_a_log_a_row_or_the_terminal(
    logged: list[str], capfd: pytest.CaptureFixture[str], free_port: int
) -> None:
    addresses = [
        f"json://ada:{TOKEN}@127.0.0.1:{free_port}/{TOKEN}",
        f"mailto://ada:{TOKEN}@127.0.0.1:{free_port}?from=weir@example.com&to=ops@example.com",
        f"slack://{TOKEN}",
        f"nonsense://{TOKEN}",
    ]
    for number, address in enumerate(addresses):
        message(channel(str(number), url=address))
    send_due()
    made = alert_channels.create_channel(name="x", url=addresses[0], actor="ada")
    alert_channels.send_test(channel_id=made.pk, actor="ada")
    rows = [str(row) for model in (AlertMessage, AuditEntry) for row in model.objects.values()]
    printed = capfd.readouterr()
    logging.getLogger("hub").info("Something reaches the log.")
    assert "Something reaches the log." in logged
    assert TOKEN not in "".join((*rows, *logged, printed.out, printed.err))


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("", "Give its address, such as mailtos://user:password@mail.example.com."),
        (f"nonsense://{TOKEN}", UNKNOWN),
        (f"slack://{TOKEN}", UNKNOWN),
        ("dbus://", "Addresses that begin with dbus:// act on this machine and are not for channels."),
        ("SYSLOG://local", "Addresses that begin with syslog:// act on this machine and are not for channels."),
        ("json://" + "x" * 2_000, "An address has at most 2,000 characters."),
    ],
)  # fmt: skip
def test_an_address_that_is_none_is_refused_and_not_repeated(address: str, sentence: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        alert_channels.create_channel(name="Ops", url=address, actor="ada")
    assert refusal.value.message_dict == {"url": [sentence]}
    assert not AlertChannel.objects.exists() and not AuditEntry.objects.exists()


def test_what_is_wrong_besides_is_told_for_each_field() -> None:
    with pytest.raises(ValidationError) as refusal:
        alert_channels.create_channel(
            name=" ", url="json://localhost", severities=["deafening"], rules=["none"], actor="ada"
        )
    assert refusal.value.message_dict == {
        "name": ["Give the channel a name."],
        "severities": ["Choose among critical, warning, info."],
        "rules": ["There is no rule none."],
    }


# -- changed, tried ------------------------------------------------------------------------------------


def test_a_change_without_an_address_keeps_the_one_there_is() -> None:
    rule("loud")
    made = channel(url=f"json://127.0.0.1:9/{TOKEN}")
    alert_channels.update_channel(channel_id=made.pk, name="Night", rules=["loud"], url="", actor="ada")
    made.refresh_from_db()
    assert (made.name, made.rules, made.sealed_url, made.hint) == (
        "Night", ["loud"], f"json://127.0.0.1:9/{TOKEN}", "9f1c",
    )  # fmt: skip
    entry = AuditEntry.objects.get(object_kind="alertchannel")
    assert (entry.verb, entry.before, entry.after) == (
        "update", {"name": "Ops", "rules": []}, {"name": "Night", "rules": ["loud"]},
    )  # fmt: skip


def test_a_new_address_is_audited_by_its_hint_alone() -> None:
    made = channel(url="json://127.0.0.1:9/old1")
    alert_channels.update_channel(channel_id=made.pk, url=f"json://127.0.0.1:9/{TOKEN}", actor="ada")
    entry = AuditEntry.objects.get(object_kind="alertchannel")
    assert (entry.before, entry.after) == ({"hint": "old1"}, {"hint": "9f1c"})


def test_what_a_disabled_channel_was_still_to_be_told_is_given_up() -> None:
    with listening() as endpoint:
        told = message(channel(url=hook(endpoint)))
        alert_channels.update_channel(channel_id=told.channel_id, is_enabled=False, actor="ada")
        assert send_due() == Sent()
    told.refresh_from_db()
    assert (told.state, told.last_error) == ("given_up", "Its channel was disabled.")
    assert endpoint.requests == []


def test_a_test_is_sent_at_once_and_recorded() -> None:
    with listening(takes_turns(answers(200), answers(401))) as endpoint:
        made = channel(url=hook(endpoint))
        said = [alert_channels.send_test(channel_id=made.pk, actor="ada") for _ in range(2)]
    assert said == ["", "The receiver answered 401."]
    assert json.loads(endpoint.requests[0].body)["title"] == "A test from Weir"
    tests = AuditEntry.objects.filter(verb="test").order_by("pk").values_list("after", flat=True)
    assert list(tests) == [{"taken": True}, {"error": "The receiver answered 401."}]
    assert not AlertMessage.objects.exists()


def test_one_test_at_a_time_holds_a_thread_of_a_process() -> None:
    made = channel()
    with alert_channels._turn:
        said = alert_channels.send_test(channel_id=made.pk, actor="ada")
    assert said == "Another test is under way; try again in a few seconds."
    assert not AuditEntry.objects.exists()


# -- tasks ---------------------------------------------------------------------------------------------


def test_a_look_has_what_is_due_sent_by_a_task_of_its_own() -> None:
    rule()
    with listening() as endpoint:
        channel(url=hook(endpoint))
        tasks.watch()
        assert OrmQ.objects.count() == 0
        make.slices(make.subscription(), ago=timedelta(0), attempts=20, retried=20)
        tasks.watch()
        assert [each.func() for each in OrmQ.objects.all()] == ["deliveries.tasks.tell"]
        assert endpoint.requests == []
        tasks.tell()
        assert json.loads(endpoint.wait_for(1)[0].body)["title"] == "Success (Weir)"


def test_the_rules_are_looked_at_twice_a_minute() -> None:
    """The shortest period of a schedule is a minute, and the scheduler looks every 30 s: so there are two, apart."""
    for _ in range(2):
        ensure_schedules()
    looks = Schedule.objects.filter(func="deliveries.tasks.watch").order_by("next_run")
    first, second = looks.values_list("next_run", flat=True)
    assert abs((second - first).total_seconds() - 30) < 1
    assert set(looks.values_list("minutes", flat=True)) == {1}
    others = Schedule.objects.exclude(func="deliveries.tasks.watch").values_list("next_run", flat=True)
    assert all(at <= make.now() for at in others)


def test_every_severity_and_the_end_have_a_tone() -> None:
    assert {str(tone) for tone in messenger.TYPES} == {"critical", "warning", "info", "over"}
