"""One delivery's page: what happened and why, what was sent and answered, and who may see that."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deliveries.deciders.undoing import UNDO_FOR
from deliveries.models import (
    Attempt,
    Delivery,
    DeliveryBody,
    Exchange,
    Lane,
    Replay,
    ReplayItem,
    Rollup,
    Subscription,
)
from deliveries.services.replay import replay_delivery
from deliveries.services.replay_undo import undo_replay
from tests import make
from tests.callers import browser
from webhooks.deciders.redaction import MASK
from webhooks.ids import public_id
from webhooks.models import AuditEntry, EventBody

pytestmark = pytest.mark.django_db


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


@pytest.fixture
def viewer() -> Client:
    return browser("deliveries.view_delivery", name="bob")


def page(delivery: Delivery, query: str = "") -> str:
    return reverse("admin:deliveries_delivery_change", args=[delivery.pk]) + query


def text(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode()))


def attempt(
    of: Delivery, number: int, outcome: str = "server_error", status: int | None = 503, **more: Any
) -> Attempt:
    at = more.pop("at", make.now() - timedelta(minutes=60 - number))
    body = more.pop("answer", b'{"error": "busy"}')
    made = Attempt.objects.create(
        delivery=of, number=number, phase=min(number - 1, 1), started_at=at, duration_ms=120, outcome=outcome,
        status=status, error=more.pop("error", ""),
    )  # fmt: skip
    Exchange.objects.create(
        attempt=made, url=of.subscription.url, request_headers={"webhook-id": "evt_1", "x-api-key": MASK},
        response_headers=[["server", "nginx"]], response_body=body, **more,
    )  # fmt: skip
    return made


def dead(body: bytes = make.BODY, **options: Any) -> Delivery:
    to = make.subscription(name="ERP core", url="https://erp.example/hooks")
    event = make.event(body, type="order.paid", state="routed")
    values = {
        "state": "dead",
        "attempts": 2,
        "last_outcome": "server_error",
        "last_status": 503,
        "fingerprint": "v1:a",
    }
    made = make.delivery(to, event, **(values | options))
    attempt(made, 1)
    attempt(made, 2)
    return made


def test_it_says_what_happened_and_why(chief: Client) -> None:
    words = text(chief.get(page(dead())))
    assert "order.paid to ERP core" in words
    assert "Dead letter" in words
    assert "HTTP 503 Service Unavailable" in words
    assert "The receiver answered that it is unavailable." in words
    assert "2 of 12" in words
    assert "Attempt 1 503 120 ms" in words and "Attempt 2 503 120 ms" in words
    assert "waits for a person" in words


def test_it_says_whether_the_endpoint_answers_now(chief: Client) -> None:
    delivery = dead()
    at = make.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    Rollup.objects.create(
        starts_at=at, width_s=60, subscription=delivery.subscription, attempts=8, delivered_first=8
    )
    words = text(chief.get(page(delivery)))
    assert (
        "It answers now: 8 of 8 attempts in the last 30 minutes succeeded, so a replay is likely to work."
        in words
    )


def test_it_counts_those_that_share_the_failure_and_leads_to_them(chief: Client) -> None:
    delivery = dead()
    make.delivery(delivery.subscription, state="dead", fingerprint="v1:a")
    make.delivery(delivery.subscription, state="discarded", fingerprint="v1:a")
    answer = chief.get(page(delivery))
    assert "2 dead letters share this failure." in text(answer)
    there = answer.context["same_failure_address"]
    assert there == "?status=dead&fp=v1:a"
    assert len(chief.get(f"/admin/deliveries/delivery/{there}").context["rows"]) == 2


def test_who_had_it_sent_again_is_named(chief: Client) -> None:
    delivery = dead()
    replay_delivery(delivery_id=delivery.pk, actor="bob")
    made = attempt(delivery, 3, at=make.now())
    Attempt.objects.filter(pk=made.pk).update(phase=2)
    words = text(chief.get(page(delivery)))
    assert words.count("scheduled") == 2 and "replayed by bob" in words


def test_who_had_it_sent_again_is_not_who_undid_that(chief: Client) -> None:
    delivery = dead()
    replay_delivery(delivery_id=delivery.pk, actor="eve")
    Delivery.objects.update(state="dead", due_at=None, settled_at=make.now())
    replay_delivery(delivery_id=delivery.pk, actor="bob", wait=UNDO_FOR)
    undo_replay(delivery_id=delivery.pk, replayed_at=Delivery.objects.get().budget_at, actor="bob")
    made = attempt(delivery, 3, at=make.now())
    Attempt.objects.filter(pk=made.pk).update(phase=2)
    assert "replayed by eve" in text(chief.get(page(delivery)))


def sent_by_a_replay(delivery: Delivery, number: int, *, minutes_ago: int, state: str = "failed") -> Replay:
    """One of many that took this delivery in, and the attempt that came of it."""
    at = make.now() - timedelta(minutes=minutes_ago)
    made = attempt(delivery, number, at=at)
    Attempt.objects.filter(pk=made.pk).update(phase=2)
    to = delivery.subscription
    summary = {"subscriptions": [[to.pk.hex, to.name, 7]], "failures": [["server_error", 503, 7]]}
    replay = Replay.objects.create(ordered_by=f"ada {number}", total=7, failed=1, summary=summary)
    ReplayItem.objects.create(
        replay=replay, event_id=delivery.event_id, subscription=to, delivery=delivery, state=state,
        settled_at=at + timedelta(seconds=1),
    )  # fmt: skip
    return replay


def test_each_replay_of_many_that_sent_it_is_named_and_led_to(chief: Client) -> None:
    delivery = dead()
    first = sent_by_a_replay(delivery, 3, minutes_ago=30)
    second = sent_by_a_replay(delivery, 4, minutes_ago=20, state="delivered")
    sent_by_a_replay(dead(), 3, minutes_ago=25)  # another delivery
    made = attempt(delivery, 5, at=make.now())  # and then one person had it sent alone
    Attempt.objects.filter(pk=made.pk).update(phase=2)
    AuditEntry.objects.create(
        actor="bob", verb="replay", object_kind="delivery", object_id=public_id("delivery", delivery.pk),
        at=make.now() - timedelta(minutes=1),
    )  # fmt: skip
    answer = chief.get(page(delivery))
    words = text(answer)
    assert "Replayed by ada 3 in Replay to ERP core, 503" in words
    assert "Replayed by ada 4 in Replay to ERP core, 503" in words
    assert words.count("Replayed by") == 2 and words.count("replayed by bob") == 1
    assert [step.replay for step in answer.context["steps"]] == [None, None, first, second, None]
    for replay in (first, second):
        assert (
            f'href="{reverse("admin:deliveries_replay_change", args=[replay.pk])}"' in answer.content.decode()
        )


@pytest.mark.parametrize("state", ["skipped", "discarded"])
def test_a_replay_that_did_not_send_it_is_not_named(chief: Client, state: str) -> None:
    delivery = dead()
    sent_by_a_replay(delivery, 3, minutes_ago=30, state=state)
    assert "Replayed by" not in text(chief.get(page(delivery)))


def test_who_may_not_see_replays_is_led_to_none(viewer: Client) -> None:
    delivery = dead()
    replay = sent_by_a_replay(delivery, 3, minutes_ago=30)
    answer = viewer.get(page(delivery))
    assert "Replayed by ada 3 in Replay to ERP core, 503" in text(answer)
    assert str(replay.pk) not in answer.content.decode()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, r"Its newest secret is of \d{4}-\d\d-\d\d \d\d:\d\d UTC\."),
        (429, r"We send at most 5 a second\."),
        (503, r"The receiver answered that it is unavailable\. Nothing was sent there"),
    ],
)
def test_what_our_own_settings_have_to_do_with_it_is_said(chief: Client, status: int, said: str) -> None:
    delivery = dead(last_status=status)
    Subscription.objects.update(rate_per_s=5)
    assert re.search(said, text(chief.get(page(delivery))))


def test_all_that_share_the_failure_may_be_replayed_by_who_may_replay_many(
    chief: Client, viewer: Client
) -> None:
    delivery = dead()
    make.delivery(delivery.subscription, state="dead", fingerprint="v1:a")
    assert "prepare/?status=dead&amp;fp=v1:a" in chief.get(page(delivery)).content.decode()
    assert "Replay all" not in text(viewer.get(page(delivery)))


def test_for_ten_seconds_after_a_replay_the_page_looks_again_and_opens_no_payload(chief: Client) -> None:
    delivery = dead(b"a secret of theirs")
    replay_delivery(delivery_id=delivery.pk, actor="bob")
    shown = chief.get(page(delivery))
    watch = reverse("admin:deliveries_delivery_watch", args=[delivery.pk])
    assert f'data-watch="{watch}"' in shown.content.decode() and "a secret of theirs" in text(shown)
    before = AuditEntry.objects.count()
    looked = chief.get(watch)
    assert "Next attempt" in text(looked) and "a secret of theirs" not in text(looked)
    assert AuditEntry.objects.count() == before
    Delivery.objects.update(budget_at=make.now() - timedelta(seconds=11))
    assert "data-watch" not in chief.get(page(delivery)).content.decode()


def test_what_waits_says_when_it_is_tried_next(chief: Client) -> None:
    delivery = dead(state="pending", phase=1, due_at=make.now() + timedelta(hours=2, minutes=1))
    words = text(chief.get(page(delivery)))
    assert "Retrying" in words and re.search(r"Next attempt in 2 h", words)


def test_what_is_held_says_why(chief: Client) -> None:
    delivery = make.delivery(make.subscription())
    Lane.objects.update(hold="paused", hold_reason="They move house.")
    words = text(chief.get(page(delivery)))
    assert "Held: the subscription is paused" in words and "They move house." in words
    assert "No attempt yet" in words


def test_the_same_event_to_others_is_listed(chief: Client) -> None:
    delivery = dead()
    make.delivery(make.subscription(name="Data lake"), delivery.event, state="delivered")
    assert "The same event to others Data lake Delivered" in text(chief.get(page(delivery)))


def test_an_attempt_can_be_chosen_and_one_that_is_not_there_is_said(chief: Client) -> None:
    delivery = dead()
    assert chief.get(page(delivery)).context["chosen"].number == 2
    assert chief.get(page(delivery, "?attempt=1")).context["chosen"].number == 1
    for wrong, said in (
        ("9", "There is no attempt 9;"),
        ("x", "There is no attempt “x”;"),
        ("²", "There is no attempt “²”;"),
    ):
        answer = chief.get(page(delivery), {"attempt": wrong})
        assert answer.context["chosen"].number == 2 and said in text(answer)
    assert "There is no filter “colour”; it was ignored." in text(chief.get(page(delivery, "?colour=red")))


def test_request_and_answer_are_shown_and_the_look_is_recorded(chief: Client) -> None:
    delivery = dead()
    words = text(chief.get(page(delivery)))
    assert "https://erp.example/hooks" in words and "webhook-id evt_1" in words and "server nginx" in words
    assert "&quot;Ada&quot;" in words and "&quot;busy&quot;" in words
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.object_id) == (
        "ada",
        "open_payload",
        public_id("delivery", delivery.pk),
    )


def test_without_the_permission_neither_bodies_nor_headers_are_shown(viewer: Client) -> None:
    delivery = dead()
    with CaptureQueriesContext(connection) as captured:
        content = viewer.get(page(delivery)).content.decode()
    for secret in ("Ada", "busy", "nginx", "evt_1", "curl"):
        assert secret not in content
    assert "to those who may see payloads" in content
    assert not [query for query in captured if "response_body" in query["sql"] or "eventbody" in query["sql"]]
    assert not AuditEntry.objects.exists()


def test_the_permission_is_enough(viewer: Client) -> None:
    helper = browser("deliveries.view_delivery", "webhooks.view_payload", name="eve")
    assert "&quot;Ada&quot;" in helper.get(page(dead())).content.decode()
    assert AuditEntry.objects.get().actor == "eve"


def test_a_script_in_a_body_is_text(chief: Client) -> None:
    delivery = dead(b'{"name": "<script>alert(1)</script>"}')
    Exchange.objects.update(
        response_body=b"<script>alert(2)</script>", response_headers=[["x", "<script>alert(3)</script>"]]
    )
    content = chief.get(page(delivery)).content.decode()
    assert "<script>alert" not in content
    assert all(f"&lt;script&gt;alert({number})&lt;/script&gt;" in content for number in (1, 2, 3))


def test_a_body_can_be_seen_as_it_came(chief: Client) -> None:
    delivery = dead(b'{"b":1,"a":1.10}')
    laid_out = chief.get(page(delivery)).context["sent"]
    assert "".join(piece.text for piece in laid_out.pieces) == '{\n  "b": 1,\n  "a": 1.10\n}'
    raw = chief.get(page(delivery, "?attempt=2&raw=1")).context["sent"]
    assert "".join(piece.text for piece in raw.pieces) == '{"b":1,"a":1.10}'


def test_a_long_body_is_cut_until_all_is_asked_for(chief: Client) -> None:
    delivery = dead(b"x" * 70_000)
    cut = chief.get(page(delivery))
    assert "Load all" in text(cut) and cut.content.count(b"x" * 100) < 700
    assert "x" * 70_000 in chief.get(page(delivery, "?whole=1")).content.decode()


def test_bytes_are_shown_by_size_and_hash(chief: Client) -> None:
    words = text(chief.get(page(dead(bytes(range(256)) * 4))))
    assert "1024 bytes that are no text." in words
    assert "SHA-256 785b0751fc2c53dc14a4ce3d800e69ef9ce1009eb327ccf458afe09c242c26c9" in words


def test_what_a_transform_made_is_what_was_sent(chief: Client) -> None:
    delivery = dead()
    DeliveryBody.objects.create(delivery=delivery, body=b'{"made": true}')
    words = text(chief.get(page(delivery)))
    assert "&quot;made&quot;" in words and "Ada" not in words


def test_what_retention_dropped_is_said(chief: Client) -> None:
    delivery = dead()
    EventBody.objects.all().delete()
    Exchange.objects.all().delete()
    words = text(chief.get(page(delivery)))
    assert "Dropped by retention." in words and "past their retention" in words
    assert not AuditEntry.objects.exists()  # nothing was there to be seen


def test_the_curl_command_holds_no_secret(chief: Client) -> None:
    command = chief.get(page(dead())).context["curl"]
    assert command.startswith("curl -X POST https://erp.example/hooks \\\n")
    assert "-H 'x-api-key: '\"$SECRET\"" in command and MASK not in command
    assert f"--data-binary '{make.BODY.decode()}'" in command


@pytest.mark.parametrize(
    ("state", "offered"),
    [
        ("dead", ["replay", "discard"]),
        ("delivered", ["replay"]),
        ("pending", ["discard"]),
        ("discarded", ["replay"]),
    ],
)
def test_what_can_be_done_is_offered(chief: Client, viewer: Client, state: str, offered: list[str]) -> None:
    delivery = dead(state=state)
    assert [act.verb for act in chief.get(page(delivery)).context["acts"]] == offered
    assert viewer.get(page(delivery)).context["acts"] == []


def test_the_page_asks_the_same_questions_however_often_it_was_tried(chief: Client) -> None:
    delivery, asked = dead(), []
    chief.get(page(delivery))
    for more in (range(3, 5), range(5, 60)):
        for number in more:
            attempt(delivery, number)
        with CaptureQueriesContext(connection) as captured:
            chief.get(page(delivery))
        asked.append(len(captured))
    assert asked[0] == asked[1] <= 22


def test_of_very_many_attempts_the_newest_are_listed_and_any_can_be_seen(chief: Client) -> None:
    delivery = dead(attempts=130)
    Attempt.objects.bulk_create(
        Attempt(
            delivery=delivery, number=number, phase=1, started_at=make.now(), duration_ms=1, outcome="timeout"
        )
        for number in range(3, 131)
    )
    answer = chief.get(page(delivery))
    assert [step.attempt.number for step in answer.context["steps"]] == list(range(31, 131))
    assert "30 earlier ones are not listed." in text(answer)
    assert chief.get(page(delivery, "?attempt=1")).context["chosen"].number == 1


@pytest.mark.parametrize("key", ["x", "00000000-0000-7000-8000-000000000000", "dlv_1"])
def test_what_is_not_there_is_404(chief: Client, key: str) -> None:
    assert chief.get(f"/admin/deliveries/delivery/{key}/change/").status_code == 404


def test_without_permission_it_is_403_and_a_stranger_is_sent_to_the_door(client: Client) -> None:
    delivery = dead()
    assert browser(name="eve").get(page(delivery)).status_code == 403
    assert client.get(page(delivery)).status_code == 302
    assert not AuditEntry.objects.exists()


def test_it_is_found_by_its_public_id(chief: Client) -> None:
    delivery = dead()
    assert (
        chief.get(f"/admin/deliveries/delivery/{public_id('delivery', delivery.pk)}/change/").status_code
        == 200
    )
