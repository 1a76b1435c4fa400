"""`/metrics` says exactly what was sent and how the hub stands, in a number of questions that does not grow."""

import os
import subprocess
import sys
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from deliveries.models import (
    CircuitChange,
    DeadLetter,
    Delivery,
    DeliveryState,
    DepthSample,
    FailureTotal,
    Lane,
    Replay,
    Seat,
    Total,
)
from deliveries.services import depths, folding
from deliveries.services.replay import replay_delivery
from hub.metrics import page
from hub.metrics.bounds import bounded
from tests import make
from tests.endpoints import Endpoint, answers, takes_turns
from tests.prometheus import promtool
from tests.running import dispatchers, until
from tests.scraping import scrape
from webhooks.ids import public_id
from webhooks.models import Event, EventState, ReceiptTotal
from webhooks.services import rollups
from webhooks.services.sources import create_source

EVENTS = 5
QUESTIONS = 15


def name(subscription: object) -> str:
    return public_id("subscription", getattr(subscription, "pk"))  # noqa: B009


@pytest.mark.django_db
def test_an_idle_hub_shows_zeroes() -> None:
    scraped = scrape()
    assert scraped("weir_database_up") == 1
    assert scraped("weir_database_size_bytes") > 10_000
    assert scraped.all("weir_lanes") == {("closed",): 0, ("half_open",): 0, ("open",): 0, ("recovering",): 0}
    assert scraped.all("weir_replays") == {("paused",): 0, ("running",): 0, ("stopped",): 0}
    assert scraped("weir_attempt_duration_seconds_count") == scraped("weir_replay_attempts_total") == 0
    for each in ("weir_dispatchers", "weir_dead_letters_oldest_age_seconds", "weir_counters_lag_seconds"):
        assert scraped(each) == 0


class TestWhatWasSent:
    """A known mix, through the real dispatcher."""

    pytestmark = pytest.mark.django_db(transaction=True)

    @pytest.fixture(autouse=True)
    def loopback(self, settings) -> None:
        settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
        settings.HUB_RETRY_DELAYS_S = (0.02,)
        settings.HUB_CIRCUIT_MIN_VOLUME = 1_000

    def test_every_number_is_what_was_sent(self) -> None:
        with (
            Endpoint(answers(204)) as good,
            Endpoint(takes_turns(answers(503), answers(200))) as moody,
            Endpoint(answers(422)) as picky,
        ):
            well = make.subscription(good.url, event_types=["user.*"])
            late = make.subscription(moody.url, event_types=["user.*"])
            bad = make.subscription(picky.url, event_types=["user.*"], client_errors="once")
            gone = make.subscription("http://127.0.0.1:9/", event_types=["user.*"])
            blind = make.subscription(good.url, event_types=["user.*"], filter="length(`1`)")
            for _ in range(EVENTS):
                make.event(type="user.created")
            for _ in range(2):
                make.event(type="order.placed")
            with dispatchers():
                until(is_settled)
                dead = Delivery.objects.filter(subscription=bad, state=DeliveryState.DEAD).first()
                assert replay_delivery(delivery_id=dead.pk, actor="ada").is_done
                until(is_settled)
        folding.fold()
        depths.sample(make.now())
        for as_openmetrics in (False, True):
            scraped = scrape(as_openmetrics=as_openmetrics)
            assert scraped.all("weir_events_total") == {("shop", "routed"): EVENTS, ("shop", "unmatched"): 2}
            assert scraped.all("weir_attempts_total") == {
                ("2xx", "ok", name(well)): EVENTS,
                ("2xx", "ok", name(late)): EVENTS,
                ("2xx", "ok", name(bad)): 0,
                ("2xx", "ok", name(gone)): 0,
                ("2xx", "ok", name(blind)): 0,
                ("503", "server_error", name(late)): 1,
                ("422", "client_error", name(bad)): EVENTS + 1,
                ("none", "refused", name(gone)): 2 * EVENTS,
            }
            assert scraped.all("weir_untried_total") == {("filter_failed", name(blind)): EVENTS}
            ended = scraped.all("weir_deliveries_total")
            assert {key: count for key, count in ended.items() if count} == {
                ("delivered_first", name(well)): EVENTS,
                ("delivered_first", name(late)): EVENTS - 1,
                ("delivered_retry", name(late)): 1,
                ("dead", name(bad)): EVENTS + 1,
                ("dead", name(gone)): EVENTS,
                ("dead", name(blind)): EVENTS,
            }
            assert scraped.all("weir_retries_total") == {("1",): EVENTS + 1}
            assert scraped("weir_replay_attempts_total") == 1
            assert scraped("weir_attempt_duration_seconds_count") == 3 * EVENTS + 2
            assert scraped("weir_first_attempt_wait_seconds_count") == 4 * EVENTS
            assert scraped("weir_delivery_wait_seconds_count") == 2 * EVENTS
            assert scraped("weir_delivery_wait_seconds_bucket", le="+Inf") == 2 * EVENTS
            timed = scraped.all("weir_subscription_attempt_duration_seconds_count")
            assert timed[name(late),] == EVENTS + 1
            assert sum(scraped.all("weir_dead_letters_open").values()) == DeadLetter.objects.count() == 15
            assert scraped.all("weir_queue_pending")[name(well),] == 0

    def test_transitions_are_told_by_where_they_led(self) -> None:
        with Endpoint(takes_turns(answers(503), answers(200))) as endpoint:
            lane = make.subscription(
                endpoint.url,
                circuit_min_volume=1,
                circuit_cooldown_s=0.1,
                circuit_cooldown_cap_s=0.1,
                window=1,
            )
            with dispatchers():
                for _ in range(2):
                    make.event()
                    until(is_settled)
                until(lambda: CircuitChange.objects.filter(after="half_open").exists())
        changes = list(CircuitChange.objects.order_by("id").values_list("after", flat=True))
        scraped = scrape()
        assert changes[:2] == ["open", "half_open"]
        told = scraped.all("weir_circuit_transitions_total")
        assert told == {(name(lane), each): 1 for each in changes}
        assert scraped.all("weir_circuit_open") == {(name(lane),): 0}


def is_settled() -> bool:
    waiting = Event.objects.filter(state=EventState.RECEIVED)
    return not waiting.exists() and not Delivery.objects.filter(state=DeliveryState.PENDING).exists()


@pytest.mark.django_db(transaction=True)
class TestTheDoor:
    @pytest.fixture(autouse=True)
    def nothing_waits(self):
        rollups.stop()
        yield
        rollups.stop()

    def test_receipts_are_told_by_verdict_and_refusals_by_reason(self, client: Client) -> None:
        create_source(name="S", slug="shop", scheme="api-key", secret="k1", actor="test")
        for key, body in (("k1", "a"), ("k1", "a"), ("k1", "b"), ("no", "c"), ("", "c"), ("", "d")):
            headers = {"x-api-key": key} if key else {}
            client.post("/in/shop", f'{{"id":"{body}"}}', content_type="application/json", headers=headers)
        client.post("/in/nobody", b"{}", content_type="application/json")
        rollups.flush()
        scraped = scrape()
        assert scraped.all("weir_receipts_total") == {
            ("shop", "accepted"): 2,
            ("shop", "duplicate"): 1,
            ("shop", "refused"): 3,
            ("unknown", "refused"): 1,
        }
        assert scraped.all("weir_refusals_total") == {
            ("token-mismatch", "shop"): 1,
            ("token-missing", "shop"): 2,
            ("unknown-source", "unknown"): 1,
        }

    def test_what_is_added_later_adds_to_it(self, client: Client) -> None:
        make.source()
        for _ in range(2):
            client.post("/in/shop", make.BODY, content_type="application/json")
            rollups.flush()
        assert scrape().all("weir_receipts_total") == {("shop", "accepted"): 1, ("shop", "duplicate"): 1}

    def test_a_source_that_is_gone_takes_its_series_along(self) -> None:
        ReceiptTotal.objects.create(
            source_id=make.subscription().pk, verdict="accepted", count=3, last_at=make.now()
        )
        assert scrape().all("weir_receipts_total") == {}


@pytest.mark.django_db
class TestStanding:
    def test_depths_are_those_last_sampled_and_what_does_not_move_is_parked(self) -> None:
        moving, parked = make.subscription(), make.subscription()
        Lane.objects.filter(pk=parked.pk).update(circuit="open")
        now = make.now()
        for lane, due in ((moving, 40), (parked, 2)):
            DepthSample.objects.create(
                subscription=lane, pending=due + 1, due=due, dead=3, sampled_at=now,
                oldest_due_at=now - timedelta(seconds=90), oldest_dead_at=now - timedelta(hours=1),
            )  # fmt: skip
        scraped = scrape()
        assert scraped.all("weir_queue_due") == {(name(moving),): 40, (name(parked),): 0}
        assert scraped.all("weir_queue_parked") == {(name(moving),): 0, (name(parked),): 3}
        assert scraped.all("weir_queue_pending") == {(name(moving),): 41, (name(parked),): 3}
        assert scraped.all("weir_circuit_open") == {(name(moving),): 0, (name(parked),): 1}
        assert 90 <= scraped("weir_queue_oldest_due_age_seconds", subscription=name(moving)) < 100
        assert scraped("weir_queue_oldest_due_age_seconds", subscription=name(parked)) == 0
        assert sum(scraped.all("weir_dead_letters_open").values()) == 6
        assert 3600 <= scraped("weir_dead_letters_oldest_age_seconds") < 3610
        assert scraped("weir_queue_sampled_timestamp_seconds") == pytest.approx(now.timestamp())

    def test_seats_say_who_works_what_is_under_way_and_which_lanes_are_held(self) -> None:
        holding = make.seat()
        make.subscription(), make.subscription()
        Lane.objects.update(seat=holding.number, seat_epoch=holding.epoch)
        Seat.objects.filter(number=holding.number).update(in_flight=7)
        scraped = scrape()
        seat = str(holding.number)
        assert scraped("weir_dispatchers") == 1
        assert (scraped("weir_in_flight", seat=seat), scraped("weir_lanes_held", seat=seat)) == (7, 2)
        assert 0 <= scraped("weir_dispatcher_heartbeat_age_seconds", seat=seat) < 10

    def test_a_seat_whose_lease_is_over_is_no_dispatcher_and_has_nothing_under_way(self) -> None:
        holding = make.seat()
        past = make.now() - timedelta(minutes=2)
        Seat.objects.filter(number=holding.number).update(leased_until=past, seen_at=past, in_flight=7)
        scraped = scrape()
        assert (scraped("weir_dispatchers"), scraped("weir_in_flight", seat=str(holding.number))) == (0, 0)
        assert scraped("weir_dispatcher_heartbeat_age_seconds", seat=str(holding.number)) >= 119

    def test_a_subscription_is_joined_to_its_name_by_its_id(self) -> None:
        lane = make.subscription(name="Invoices")
        assert scrape().all("weir_subscription_info") == {("Invoices", "billing", name(lane)): 1}

    def test_replays_under_way_tell_where_their_items_are(self) -> None:
        for state in ("running", "finished"):
            Replay.objects.create(ordered_by="ada", state=state, total=10, delivered=3, failed=1, admitted=2)
        scraped = scrape()
        assert scraped.all("weir_replays") == {("paused",): 0, ("running",): 1, ("stopped",): 0}
        shown = {key: count for (key,), count in scraped.all("weir_replay_items").items() if count}
        assert shown == {"waiting": 4, "admitted": 2, "delivered": 3, "failed": 1}

    def test_a_source_that_is_expected_to_speak_tells_when_it_last_did(self) -> None:
        source = make.source()
        source.expected_every_s = 600
        source.save()
        made = make.event(source=source)
        scraped = scrape()
        assert scraped("weir_source_expected_interval_seconds", source="shop") == 600
        assert scraped("weir_source_last_event_timestamp_seconds", source="shop") == pytest.approx(
            made.received_at.timestamp()
        )


@pytest.mark.django_db
class TestSeries:
    def of(self, lanes: int) -> list[str]:
        made = [make.subscription(name=f"hook {number}") for number in range(lanes)]
        for number, lane in enumerate(made, 1):
            Total.objects.create(subscription_id=lane.pk, attempts=number, delivered_first=number)
            FailureTotal.objects.create(
                subscription_id=lane.pk, outcome="server_error", status=500, failures=number
            )
            DepthSample.objects.create(subscription=lane, pending=number, due=number, sampled_at=make.now())
        return [name(lane) for lane in made]

    def test_a_family_has_no_more_than_was_set_and_the_rest_is_other(self, settings) -> None:
        names = self.of(6)
        settings.HUB_METRICS_MAX_SERIES = 4
        scraped = scrape()
        assert scraped.all("weir_attempts_total") == {
            ("2xx", "ok", names[0]): 1,
            ("2xx", "ok", names[1]): 2,
            ("2xx", "ok", "other"): 3 + 4 + 5 + 6,
            ("500", "server_error", names[0]): 1,
            ("500", "server_error", names[1]): 2,
            ("500", "server_error", "other"): 3 + 4 + 5 + 6,
        }
        assert scraped.all("weir_queue_due") == {
            (names[0],): 1, (names[1],): 2, (names[2],): 3, (names[3],): 4, ("other",): 11,
        }  # fmt: skip

    def test_subscriptions_can_be_left_out_and_sums_stay(self, settings) -> None:
        self.of(3)
        settings.HUB_METRICS_PER_SUBSCRIPTION = False
        scraped = scrape()
        assert scraped.all("weir_attempts_total") == {
            ("2xx", "ok", "other"): 6,
            ("500", "server_error", "other"): 6,
        }
        assert scraped.all("weir_queue_due") == {("other",): 6}
        assert scraped.all("weir_subscription_info") == {}

    def test_what_is_beyond_the_bound_is_added_or_its_greatest_is_told(self) -> None:
        samples = [(("a", "x"), 1.0), (("b", "x"), 5.0), (("c", "y"), 2.0), (("d", "x"), 3.0)]
        assert dict(bounded(samples, most=1)) == {("a", "x"): 1, ("other", "x"): 8, ("other", "y"): 2}
        assert dict(bounded(samples, most=1, together=max))["other", "x"] == 5
        assert dict(bounded(samples, most=4)) == dict(samples)

    def test_a_scrape_asks_a_constant_number_of_questions(
        self, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        for lanes in (1, 20):
            self.of(lanes)
            with django_assert_num_queries(QUESTIONS):
                scrape()


def test_with_the_database_away_the_scrape_still_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "_read", _refuse)
    assert scrape() == {("weir_database_up", ()): 0}


@pytest.mark.django_db
def test_requests_are_counted(client: Client) -> None:
    client.get("/livez")
    assert b"django_http_requests_total_by_view_transport_method_total{" in client.get("/metrics").content


@pytest.mark.django_db
def test_promtool_finds_nothing_to_say_about_our_series(client: Client) -> None:
    make.subscription()
    shown = client.get("/metrics").content.decode()
    ours = [
        line
        for line in shown.splitlines(keepends=True)
        if line.startswith(("weir_", "# HELP weir_", "# TYPE weir_"))
    ]
    told = promtool("check", "metrics", given="".join(ours))
    assert (told.returncode, told.stdout, told.stderr) == (0, "", "")


def test_several_processes_are_one_page(tmp_path: Path) -> None:
    count = "import prometheus_client as p; p.Counter('seen', 'x').inc()"
    read = (
        "from prometheus_client import *; from prometheus_client.multiprocess import *;"
        "import hub.metrics.page as m; m.HubCollector.collect = lambda _: [];"
        "print(generate_latest(m._registry()).decode())"
    )
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    for _ in range(3):
        subprocess.run([sys.executable, "-c", count], env=environment, check=True)
    setup = "import django; django.setup();"
    page = subprocess.run(
        [sys.executable, "-c", setup + read], env=environment, capture_output=True, text=True
    )
    assert "\nseen_total 3.0\n" in page.stdout


def _refuse() -> None:
    raise OperationalError("connection refused")
