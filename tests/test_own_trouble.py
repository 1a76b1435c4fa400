"""Trouble of our own (a poisoned event, a lost key, a cut connection, a frozen dispatcher) harms nothing beside it."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_network

import psycopg2
import pytest
from django.db import connection, connections, transaction

from deliveries.dispatcher import lanes, router, seats, settlement, wakeups
from deliveries.dispatcher.routes import Routes
from deliveries.dispatcher.turn import Desk, Wish, Yield
from deliveries.models import (
    Attempt,
    DeadLetter,
    Delivery,
    DeliveryState,
    Hold,
    Lane,
    Notice,
    Subscription,
    SubscriptionSecret,
)
from deliveries.services.subscriptions import pause
from tests import make
from tests.endpoints import Behaviour, Endpoint, Request, answers, never_answers
from tests.running import dispatchers, until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


def delivered(to: Subscription) -> int:
    return Delivery.objects.filter(subscription=to, state=DeliveryState.DELIVERED).count()


def answers_after(seconds: float) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        await answers(200)(request, writer)

    return behave


def turn(desk: Desk) -> Yield:
    out = Yield()
    desk.turn(
        Wish(results=[], look_for_events=False, look_for_lanes=True, is_draining=False, now=make.now()), out
    )
    return out


@pytest.mark.parametrize("piece", [b"\\u0000", b"\\ud800"])
@pytest.mark.parametrize("expression", ["filter", "transform"])
def test_an_event_whose_error_no_database_can_hold_stops_nobody_else(piece: bytes, expression: str) -> None:
    with Endpoint(answers(200)) as endpoint:
        healthy = make.subscription(endpoint.url)
        broken = make.subscription(endpoint.url, **{expression: "abs(data)"})
        make.event(b'{"data":"a' + piece + b'"}')
        with dispatchers():
            until(DeadLetter.objects.exists)
            until(lambda: delivered(healthy) == 1)
    dead = DeadLetter.objects.get()
    assert (dead.subscription_id, dead.reason) == (broken.pk, f"{expression}_failed")
    assert endpoint.accepted == 1


def test_a_result_that_cannot_be_written_becomes_a_dead_letter_and_the_rest_is_settled(monkeypatch) -> None:
    write = settlement._record

    def refuse(tried):
        if any(each.exchange.status == 201 for each in tried):
            raise ValueError("as if the answer held what no table takes")
        return write(tried)

    monkeypatch.setattr(settlement, "_record", refuse)
    with Endpoint(answers(200)) as good, Endpoint(answers(201)) as odd:
        first, second = make.subscription(good.url), make.subscription(odd.url)
        make.event()
        with dispatchers():
            until(lambda: delivered(first) == 1 and DeadLetter.objects.exists())
    assert DeadLetter.objects.get().subscription_id == second.pk


def test_a_secret_whose_key_is_lost_disables_its_own_subscription_and_says_so() -> None:
    with Endpoint(answers(200)) as endpoint:
        lost, healthy = make.subscription(endpoint.url), make.subscription(endpoint.url)
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE deliveries_subscriptionsecret SET sealed = 'gAAAAA' WHERE id IN (SELECT id FROM "
                "deliveries_subscriptionsecret ORDER BY id LIMIT 1)"
            )
        assert SubscriptionSecret.objects.filter(subscription=healthy).get().hint
        make.event()
        with dispatchers():
            until(lambda: delivered(healthy) == 1)
            until(Notice.objects.exists)
    assert Lane.objects.get(pk=lost.pk).hold == Hold.DISABLED
    assert Delivery.objects.get(subscription=lost).state == DeliveryState.PENDING


@pytest.mark.postgresql
def test_a_connection_cut_in_the_middle_of_a_settlement_costs_no_attempt() -> None:
    with Endpoint(answers(200)) as endpoint, beside() as side:
        delivery = make.delivery(make.subscription(endpoint.url))
        with dispatchers():
            with transaction.atomic():
                Delivery.objects.select_for_update().get(pk=delivery.pk)
                endpoint.wait_for(1)
                blocked = "SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = %s"
                until(lambda: ask(side, blocked, connection.settings_dict["NAME"]))
                ask(side, f"SELECT pg_terminate_backend(({blocked}))", connection.settings_dict["NAME"])
            until(lambda: delivered(delivery.subscription) == 1)
    assert len(endpoint.requests) == Attempt.objects.count() == 1


@pytest.mark.postgresql
def test_a_listener_that_cannot_connect_tries_on(monkeypatch) -> None:
    nowhere = connection.get_connection_params() | {"port": 1}
    monkeypatch.setattr(type(connections["default"]), "get_connection_params", lambda self: nowhere)

    async def listen() -> bool:
        listener = asyncio.create_task(wakeups.listen(lambda channel, lanes: None))
        await asyncio.wait([listener], timeout=0.3)
        is_trying = not listener.done()
        listener.cancel()
        return is_trying

    assert asyncio.run(listen())


@pytest.mark.postgresql
def test_a_dispatcher_frozen_inside_a_transaction_keeps_nobody_from_a_free_seat(settings) -> None:
    settings.HUB_SEATS = 2
    sat: list[seats.Holding | None] = []

    def sit() -> None:
        sat.append(seats.sit())
        connections.close_all()

    frozen = make.seat()
    with transaction.atomic():
        seats.fence(frozen)
        other = threading.Thread(target=sit)
        other.start()
        other.join(5)
        assert sat == [seats.Holding(number=2, epoch=1)]


def test_a_lane_released_twice_is_not_taken_from_who_has_it_now(settings) -> None:
    """As after a commit whose answer was lost."""
    settings.HUB_SEATS = 3
    first, second, third = make.seat(), Desk(make.seat()), Desk(make.seat())
    lane = make.subscription()
    make.delivery(lane)
    lanes.take(holding=first, now=make.now(), most=1)
    lanes.release(holding=first, lanes=[lane.pk])
    assert len(turn(second).jobs) == 1
    lanes.release(holding=first, lanes=[lane.pk])
    assert turn(third).jobs == []


def test_a_lane_taken_by_a_commit_nobody_heard_of_is_served_all_the_same() -> None:
    holding = make.seat()
    lane = make.subscription()
    make.delivery(lane)
    lanes.take(holding=holding, now=make.now(), most=1)
    assert [job.row.lane_id for job in turn(Desk(holding)).jobs] == [lane.pk]


def test_a_paused_lane_that_still_waits_for_an_answer_takes_up_no_other_lanes_place() -> None:
    with Endpoint(never_answers) as hanging, Endpoint(answers(200)) as endpoint:
        slow, healthy = make.subscription(hanging.url, timeout_s=20), make.subscription(endpoint.url)
        make.delivery(slow)
        with dispatchers():
            hanging.wait_for(1)
            pause(subscription_id=slow.pk, actor="test")
            make.event()
            until(lambda: delivered(healthy) == 1, within_s=5)


@pytest.mark.postgresql
def test_lanes_that_are_never_empty_are_shared_with_a_dispatcher_that_comes_later(settings) -> None:
    settings.HUB_SEATS = 2
    with Endpoint(answers_after(0.05)) as endpoint:
        for _ in range(4):
            make.deliveries(make.subscription(endpoint.url, window=2), 400)
        with dispatchers():
            endpoint.wait_for(8)
            with dispatchers():
                served = (
                    Lane.objects.filter(seat__isnull=False).order_by("seat").values_list("seat", flat=True)
                )
                until(lambda: list(served.all()) == [1, 1, 2, 2], within_s=8)


def test_a_window_wider_than_any_single_read_is_kept_full() -> None:
    holding = make.seat()
    lane = make.subscription(window=600)
    make.deliveries(lane, 700)
    desk = Desk(holding)
    assert [len(turn(desk).jobs) for _ in range(4)] == [250, 250, 100, 0]


def test_a_retry_that_falls_due_in_a_lane_just_taken_over_is_not_late() -> None:
    with Endpoint(never_answers) as endpoint:
        lane = make.subscription(endpoint.url, timeout_s=20)
        make.delivery(lane, phase=1, attempts=1)
        make.delivery(lane, phase=1, attempts=1, due_at=make.now() + timedelta(seconds=1))
        with dispatchers():
            endpoint.wait_for(2, timeout_s=4)


def test_costly_filters_end_a_batch_early_and_large_bodies_cut_it(monkeypatch) -> None:
    monkeypatch.setattr(router, "BYTES", 3 * len(make.BODY))
    make.subscription(filter="data.name == 'Ada'")
    for _ in range(7):
        make.event()
    holding = make.seat()
    routed = [router.route(holding=holding, routes=Routes(), now=make.now()) for _ in range(3)]
    assert [(batch.events, batch.more) for batch in routed] == [(3, True), (3, True), (1, False)]
    monkeypatch.setattr(router, "FILTERS_S", 0.0)
    for _ in range(2):
        make.event()
    assert router.route(holding=holding, routes=Routes(), now=make.now()).events == 1


def test_jobs_that_wait_for_their_turn_are_called_back_when_a_person_pauses_the_lane(settings) -> None:
    settings.HUB_IN_FLIGHT = 2
    with Endpoint(answers_after(0.3)) as endpoint:
        lane, other = make.subscription(endpoint.url), make.subscription(endpoint.url)
        make.deliveries(lane, 10)
        make.deliveries(other, 10)
        with dispatchers():
            endpoint.wait_for(2)
            for each in (lane, other):
                pause(subscription_id=each.pk, actor="test")
            paused_at, sent = time.monotonic(), len(endpoint.requests)
            until(lambda: Lane.objects.filter(seat=None).count() == 2)
    assert len(endpoint.requests) <= sent + 8
    assert time.monotonic() - paused_at < 12
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == 20 - len(endpoint.requests)


@contextmanager
def beside() -> Iterator[psycopg2.extensions.connection]:
    """A connection of its own, to look at and to cut the dispatcher's."""
    with connection.wrap_database_errors:
        line = psycopg2.connect(**connection.get_connection_params())
    line.autocommit = True
    yield line
    line.close()


def ask(line: psycopg2.extensions.connection, sql: str, *values: object) -> object:
    with line.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchone()
