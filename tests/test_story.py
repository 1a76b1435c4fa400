"""Every step of an event's life is a line under its id, as JSON; and no line holds a secret."""

import json
import select
from collections.abc import Iterator
from ipaddress import ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import Client

from deliveries.deciders.undoing import UNDO_FOR
from deliveries.dispatcher import router
from deliveries.dispatcher.routes import Routes
from deliveries.models import Delivery, DeliveryState, Lane
from deliveries.models.replay import Verb
from deliveries.services import bulk_discards, quarantine
from deliveries.services.replay import discard_delivery, replay_delivery
from deliveries.services.replay_undo import undo_replay
from deliveries.services.subscriptions import create_subscription
from hub import logs
from tests import make
from tests.desks import Table
from tests.endpoints import Endpoint, answers, takes_turns
from tests.replaying import dead, started
from tests.running import dispatchers, until
from webhooks import story
from webhooks.ids import public_id
from webhooks.models import Event, EventState
from webhooks.services.keys import create_api_key
from webhooks.services.sources import create_source

Capture = pytest.CaptureFixture[str]
BODY = b'{"id": "a1", "type": "user.created", "card": {"password": "hunter2", "pan": "4111", "city": "Faro"}}'


@pytest.fixture(autouse=True)
def told(settings: Any) -> Iterator[None]:
    """As a hub whose lines nobody sits in front of."""
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    settings.HUB_LOG_FORMAT = "json"
    settings.HUB_LOG_LEVEL = "debug"
    before = story._place
    logs.take_stories()
    yield
    story.use(before)


def lines(capture: Capture) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capture.readouterr().err.splitlines()]


def is_settled() -> bool:
    waiting = Event.objects.filter(state=EventState.RECEIVED)
    return not waiting.exists() and not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


@pytest.mark.django_db(transaction=True)
class TestTheLife:
    @pytest.fixture(autouse=True)
    def soon(self, settings) -> None:
        settings.HUB_RETRY_DELAYS_S = (0.02,)

    def test_one_search_for_an_event_finds_all_that_became_of_it(self, capfd: Capture) -> None:
        create_source(name="S", slug="shop", scheme="none", actor="test")
        with Endpoint(takes_turns(answers(503), answers(204))) as endpoint:
            lane = make.subscription(endpoint.url, event_types=["user.*"])
            Client().post("/in/shop", BODY, content_type="application/json")
            Client().post("/in/shop", BODY, content_type="application/json")
            with dispatchers():
                until(is_settled)
                delivery = Delivery.objects.get()
                assert replay_delivery(delivery_id=delivery.pk, actor="ada").is_done
                until(is_settled)
        event = Event.objects.get()
        name, trace = public_id("event", event.pk), event.trace_id.hex
        found = [line for line in lines(capfd) if name in json.dumps(line)]
        assert [line["message"] for line in found] == [
            "received", "duplicate", "routed", "sending", "failed", "sending", "delivered", "replayed", "sending",
            "delivered",
        ]  # fmt: skip
        assert {line["event_id"] for line in found} == {name}
        assert {line.get("trace_id") for line in found if line["message"] != "duplicate"} == {trace}
        ids = {
            "delivery_id": public_id("delivery", delivery.pk),
            "subscription_id": public_id("subscription", lane.pk),
        }
        assert all(line.items() >= ids.items() for line in found[3:])
        failed, good = found[4], found[6]
        assert (failed["number"], failed["outcome"], failed["code"]) == (1, "server_error", 503)
        assert failed["retry_at"] > failed["timestamp"][:19]
        assert (good["number"], good["outcome"], good["code"]) == (2, "ok", 204)
        attempts = [
            public_id("attempt", each)
            for each in delivery.tries.order_by("number").values_list("pk", flat=True)
        ]
        assert [
            line["attempt_id"] for line in found if line["message"] in {"failed", "delivered"}
        ] == attempts

    def test_a_death_a_moved_circuit_and_an_event_nobody_wants_are_told(self, capfd: Capture) -> None:
        with Endpoint(answers(503)) as endpoint:
            lane = make.subscription(
                endpoint.url, event_types=["user.*"], circuit_min_volume=2, circuit_failure_rate=1
            )
            make.event(type="user.created")
            make.event(type="order.placed")
            with dispatchers():
                until(lambda: Lane.objects.get().circuit == "open" and is_settled())
        found = {line["message"]: line for line in lines(capfd)}
        assert found["dead"]["reason"] == "exhausted"
        assert found["unmatched"]["deliveries"] == 0
        moved = found["circuit moved"]
        assert (moved["before"], moved["after"]) == ("closed", "open")
        assert moved["subscription_id"] == public_id("subscription", lane.pk)
        assert moved["attempt_id"] == found["dead"]["attempt_id"]

    def test_a_replay_that_is_undone_is_told_with_who_it_was(self, capfd: Capture) -> None:
        delivery = make.delivery(make.subscription(), state="dead")
        replay_delivery(delivery_id=delivery.pk, actor="ada", wait=UNDO_FOR)
        at = Delivery.objects.get().budget_at
        assert undo_replay(delivery_id=delivery.pk, replayed_at=at, actor="bob").is_done
        told = [(line["message"], line["actor"], line["delivery_id"]) for line in lines(capfd)]
        name = public_id("delivery", delivery.pk)
        assert told == [("replayed", "ada", name), ("undone", "bob", name)]

    def test_what_a_person_discards_is_told_with_who_it_was(self, capfd: Capture) -> None:
        delivery = make.delivery(make.subscription())
        assert discard_delivery(delivery_id=delivery.pk, actor="ada").is_done
        [line] = [line for line in lines(capfd) if line["message"] == "discarded"]
        assert (line["actor"], line["delivery_id"]) == ("ada", public_id("delivery", delivery.pk))

    @pytest.mark.parametrize(("level", "expected"), [("debug", 2), ("info", 1)])
    def test_what_goes_well_at_the_first_try_is_told_at_debug_alone(
        self, capfd: Capture, settings, level: str, expected: int
    ) -> None:
        settings.HUB_LOG_LEVEL = level
        logs.take_stories()
        with Endpoint(answers(204)) as endpoint:
            lane = make.subscription(endpoint.url)
            make.delivery(lane)
            late = make.delivery(lane, attempts=1, phase=1)
            with dispatchers():
                until(is_settled)
        found = [line for line in lines(capfd) if line["message"] == "delivered"]
        assert len(found) == expected
        assert public_id("delivery", late.pk) in {line["delivery_id"] for line in found}

    def test_a_version_that_comes_too_late_is_told_as_superseded(self, capfd: Capture) -> None:
        make.subscription(latest_only=True)
        for version in (2, 1):
            make.event(entity="order-1", entity_version=version)
        router.route(holding=make.seat(), routes=Routes(), now=make.now())
        late = Delivery.objects.get(state=DeliveryState.SUPERSEDED)
        [line] = [line for line in lines(capfd) if line["message"] == "superseded"]
        assert (line["event_id"], line["delivery_id"]) == (
            public_id("event", late.event_id),
            public_id("delivery", late.pk),
        )

    def test_what_a_guard_holds_back_and_a_person_lets_go_is_told(self, capfd: Capture, settings) -> None:
        settings.HUB_CASCADE_DEPTH = 3
        cause = make.delivery(make.subscription(), make.event(state="routed", depth=3), state="delivered")
        kept, dropped = (make.event(cause_id=cause.pk) for _ in range(2))
        holding = make.seat()
        router.route(holding=holding, routes=Routes(), now=make.now())
        assert quarantine.release_event(event_id=kept.pk, actor="ada", reason="meant").is_done
        assert quarantine.discard_event(event_id=dropped.pk, actor="bob", reason="a loop").is_done
        assert not quarantine.release_event(event_id=kept.pk, actor="ada", reason="again").is_done
        router.route(holding=holding, routes=Routes(), now=make.now())
        found = lines(capfd)
        told = {
            event: [line for line in found if line.get("event_id") == public_id("event", event.pk)]
            for event in (kept, dropped)
        }
        assert [line["message"] for line in told[kept]] == ["quarantined", "released", "routed"]
        assert [line["message"] for line in told[dropped]] == ["quarantined", "discarded"]
        held, let_go = told[dropped]
        assert (held["level"], held["why"], held["depth"]) == ("warning", "depth", 4)
        assert (told[kept][1]["actor"], let_go["actor"]) == ("ada", "bob")
        traces = {line["trace_id"] for each in told.values() for line in each}
        assert traces == {cause.event.trace_id.hex}

    def test_an_event_that_could_not_be_routed_is_told_with_that(
        self, capfd: Capture, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        event = make.event()
        monkeypatch.setattr(router, "insert", lambda *_: 1 / 0)
        router.route(holding=make.seat(), routes=Routes(), now=make.now())
        [line] = [line for line in lines(capfd) if line.get("message") == "quarantined"]
        assert (line["event_id"], line["why"]) == (public_id("event", event.pk), "unroutable")
        assert line["trace_id"] == event.trace_id.hex

    def test_a_bulk_replay_and_a_bulk_discard_tell_of_each_delivery(self, capfd: Capture) -> None:
        table = Table()
        for verb, step in ((Verb.REPLAY, "replayed"), (Verb.DISCARD, "discarded")):
            [delivery] = dead(make.subscription())
            replay = started(verb=verb)
            if verb == Verb.DISCARD:
                bulk_discards.carry_out(replay.pk)
            for _ in range(2):  # one takes the lane, the next lets the replay in
                table.catch_up()
                table.turn()
            [line] = [line for line in lines(capfd) if line["message"] == step]
            assert line["replay_id"] == public_id("replay", replay.pk)
            assert line["event_id"] == public_id("event", delivery.event_id)
            assert line["trace_id"] == delivery.event.trace_id.hex

    def test_no_secret_is_in_any_line(self, capfd: Capture, settings) -> None:
        settings.HUB_LOG_PAYLOADS = "redacted"
        secrets = ["source-s3cret", "header-s3cret", "query-s3cret", "hunter2", "wrong-s3cret"]
        create_source(name="S", slug="shop", scheme="api-key", secret="source-s3cret", actor="test")
        _, key = create_api_key(role="operator")
        with Endpoint(answers(200, body=b'{"token": "hunter2"}')) as endpoint:
            made = create_subscription(
                subscriber=make.subscriber(), name="hook", url=endpoint.url, event_types=["*"],
                headers={"authorization": "Bearer header-s3cret"}, actor="test",
            )  # fmt: skip
            post = Client().post
            for secret in ("source-s3cret", "wrong-s3cret"):
                given = {"x-api-key": secret, "authorization": "Bearer header-s3cret"}
                post("/in/shop?token=query-s3cret", BODY, content_type="application/json", headers=given)
            asked = {"authorization": f"Bearer {key}"}
            post(
                "/api/v1/events", {"source": "shop", "event_type": "t", "data": {"secret": "hunter2"}},
                content_type="application/json", headers=asked,
            )  # fmt: skip
            with dispatchers():
                until(lambda: is_settled() and Delivery.objects.count() == 2)
        text = capfd.readouterr()
        shown = text.out + text.err
        assert '"message":"refused"' in shown and '"body":"' in shown and "Faro" in shown
        secrets += [key, made.secret]
        assert [each for each in secrets if each in shown] == []

    def test_json_too_deep_to_be_masked_is_told_by_its_size_and_harms_nothing(
        self, capfd: Capture, settings
    ) -> None:
        settings.HUB_LOG_PAYLOADS, settings.HUB_RETRY_DELAYS_S = "redacted", (3_600,)
        deep = b"[" * 900 + b"]" * 900
        create_source(name="S", slug="shop", scheme="none", actor="test")
        with Endpoint(answers(503, body=deep)) as endpoint:
            make.subscription(endpoint.url, event_types=["*"])
            assert Client().post("/in/shop", deep, content_type="application/json").status_code == 202
            with dispatchers():
                until(lambda: Delivery.objects.filter(attempts=1).exists())
        assert Delivery.objects.get().state == DeliveryState.PENDING
        told = [line for line in lines(capfd) if line["message"] in {"received", "failed"}]
        words = "(1,800 bytes of JSON, nested too deeply to be masked)"
        assert [words in line.values() for line in told] == [True, True]

    def test_what_was_settled_stays_so_where_it_cannot_be_told(
        self, settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        settings.HUB_RETRY_DELAYS_S = (3_600,)
        create_source(name="S", slug="shop", scheme="none", actor="test")

        def broken(results: object) -> None:
            raise RuntimeError

        with Endpoint(answers(503)) as endpoint:
            make.subscription(endpoint.url, event_types=["*"])
            make.event()
            with dispatchers():
                monkeypatch.setattr("deliveries.dispatcher.settlement._tell", broken)
                until(lambda: Delivery.objects.filter(attempts=1).exists())
        assert (Delivery.objects.get().state, Delivery.objects.get().last_status) == ("pending", 503)


class TestLines:
    def test_a_body_is_told_only_where_bodies_are_asked_for(self, settings) -> None:
        shown = {}
        for how in ("off", "redacted", "full"):
            settings.HUB_LOG_PAYLOADS = how
            shown[how] = story.payload("body", BODY)
        assert shown["off"] == {}
        assert shown["full"] == {"body": BODY.decode()}
        assert json.loads(shown["redacted"]["body"])["card"] == {
            "password": "••••••", "pan": "4111", "city": "Faro",
        }  # fmt: skip

    def test_names_can_be_added_to_what_is_masked_in_bodies_and_in_lines(
        self, settings, capfd: Capture
    ) -> None:
        settings.HUB_LOG_PAYLOADS, settings.HUB_LOG_REDACT = "redacted", frozenset({"pan", "external_id"})
        story.tell("received", external_id="order-1", **story.payload("body", BODY))
        [line] = lines(capfd)
        assert line["external_id"] == "••••••"
        assert json.loads(line["body"])["card"]["pan"] == "••••••"

    def test_a_line_for_a_person_is_one_line_whatever_a_sender_put_into_it(
        self, settings, capfd: Capture
    ) -> None:
        settings.HUB_LOG_FORMAT, settings.HUB_LOG_PAYLOADS = "text", "full"
        logs.take_stories()
        story.tell("received", **story.payload("body", "a\n12:00:00 INFO\x1b[2J é\x85".encode()))
        [line] = capfd.readouterr().err.splitlines()
        assert line.endswith(r"weir: received body=a\n12:00:00 INFO\x1b[2J é\x85")

    def test_of_what_is_not_json_only_its_size_is_told(self, settings) -> None:
        settings.HUB_LOG_PAYLOADS = "redacted"
        assert story.payload("body", b"token=hunter2") == {"body": "(13 bytes that are not JSON)"}

    def test_a_long_body_is_cut(self, settings) -> None:
        settings.HUB_LOG_PAYLOADS = "full"
        told = story.payload("body", b"x" * 20_000)["body"]
        assert told == "x" * story.LONGEST + "… (20,000 bytes)"

    def test_below_the_level_nothing_is_told(self, settings, capfd: Capture) -> None:
        settings.HUB_LOG_LEVEL = "warning"
        logs.take_stories()
        story.tell("received")
        assert not story.is_told()
        assert capfd.readouterr().err == ""

    def test_at_a_terminal_steps_are_told_only_to_who_asks_for_a_level(
        self, settings, capfd: Capture
    ) -> None:
        settings.HUB_LOG_FORMAT = "text"
        for level, expected in (("", 0), ("info", 1)):
            settings.HUB_LOG_LEVEL = level
            logs.take_stories()
            story.tell("delivered", code=204, error=None)
            shown = capfd.readouterr().err.splitlines()
            assert len(shown) == expected
        assert shown[0][8:] == " INFO    weir: delivered code=204"


class Written:
    """A stream that keeps each write as it was."""

    def __init__(self) -> None:
        self.writes: list[str] = []

    def write(self, text: str) -> None:
        self.writes.append(text)

    def flush(self) -> None: ...


class TestTogether:
    @pytest.fixture
    def stream(self, monkeypatch: pytest.MonkeyPatch) -> Written:
        stream = Written()
        monkeypatch.setattr(logs, "sys", SimpleNamespace(stderr=stream))
        return stream

    def test_many_lines_are_written_as_a_pipe_takes_them_whole_and_in_their_order(
        self, stream: Written
    ) -> None:
        with story.together():
            for number in range(100):
                story.tell("received", number=number)
        assert 1 < len(stream.writes) < 10
        assert all(len(each) <= select.PIPE_BUF and each.endswith("\n") for each in stream.writes)
        told = [json.loads(line)["number"] for line in "".join(stream.writes).splitlines()]
        assert told == list(range(100))

    def test_a_line_longer_than_a_pipe_takes_is_written_alone(self, stream: Written) -> None:
        with story.together():
            for text in ("a", "b" * select.PIPE_BUF, "c"):
                story.tell("received", text=text)
        assert [json.loads(each)["text"][0] for each in stream.writes] == ["a", "b", "c"]

    def test_what_was_told_before_something_broke_is_written(self, stream: Written) -> None:
        with pytest.raises(RuntimeError), story.together():
            story.tell("received")
            raise RuntimeError
        assert len(stream.writes) == 1

    def test_afterwards_each_line_is_written_at_once(self, stream: Written) -> None:
        with story.together():
            pass
        story.tell("received")
        story.tell("routed")
        assert len(stream.writes) == 2
