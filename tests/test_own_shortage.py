"""When Weir itself has no socket left, deliveries wait: no attempt is spent and no endpoint is blamed."""

import asyncio
import errno
import logging
import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_network

import pytest

from deliveries.deciders.address import EgressPolicy
from deliveries.deciders.circuit import SIGNS, Sign
from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher.client import Client, Exchange
from deliveries.models import Attempt, Circuit, Delivery, DeliveryState, Lane, Phase
from tests import make
from tests.endpoints import Endpoint, answers
from tests.running import dispatchers, until

LOOPBACK = EgressPolicy((ip_network("127.0.0.0/8"),))
TOO_MANY = "Weir itself could open no connection: too many open files."


@contextmanager
def no_file_left() -> Iterator[None]:
    """The system really refuses: what is open stays open, and only 0, 1 and 2 would be allowed anew."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def post(client: Client, url: str) -> Exchange:
    return await client.send(url=url, headers={}, body=b"{}", timeout_s=5)


def test_our_own_trouble_says_nothing_of_an_endpoints_health() -> None:
    assert SIGNS[Outcome.OWN_TROUBLE] is Sign.NEUTRAL


def test_a_shortage_of_files_is_our_own_trouble_and_ends_with_the_shortage() -> None:
    async def sending(url: str) -> tuple[Exchange, Exchange]:
        async with Client(LOOPBACK) as client:
            with no_file_left():
                short = await post(client, url)
            return short, await post(client, url)

    with Endpoint(answers(200)) as endpoint:
        short, after = asyncio.run(sending(endpoint.url))
    assert short == Exchange(outcome=Outcome.OWN_TROUBLE, error=TOO_MANY)
    assert after.outcome is Outcome.OK
    assert len(endpoint.requests) == 1


def test_a_connection_that_is_open_already_works_on_through_a_shortage() -> None:
    async def sending(url: str) -> Exchange:
        async with Client(LOOPBACK) as client:
            await post(client, url)
            with no_file_left():
                return await post(client, url)

    with Endpoint(answers(200)) as endpoint:
        assert asyncio.run(sending(endpoint.url)).outcome is Outcome.OK


def test_a_name_that_cannot_be_resolved_for_want_of_a_socket_is_our_own_trouble() -> None:
    async def sending() -> Exchange:
        async with Client(LOOPBACK) as client:
            with no_file_left():
                return await post(client, "http://hooks.example.invalid/")

    assert asyncio.run(sending()) == Exchange(outcome=Outcome.OWN_TROUBLE, error=TOO_MANY)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS])
def test_every_shortage_is_our_own_and_is_logged_once(number: int, monkeypatch, caplog) -> None:
    def refuse(self: Client, address: object) -> socket.socket:
        raise OSError(number, os.strerror(number))

    async def sending() -> list[Exchange]:
        async with Client(LOOPBACK) as client:
            return [await post(client, f"http://127.0.0.1:{port}/") for port in (9, 10)]

    monkeypatch.setattr(Client, "_open_socket", refuse)
    with caplog.at_level(logging.WARNING, "deliveries"):
        exchanges = asyncio.run(sending())
    assert [exchange.outcome for exchange in exchanges] == [Outcome.OWN_TROUBLE] * 2
    assert [record.getMessage() for record in caplog.records] == [
        f"Weir itself could open no connection: {os.strerror(number).lower()}. "
        "Deliveries wait, and no attempt is spent."
    ]


@pytest.mark.django_db(transaction=True)
def test_a_delivery_met_by_a_shortage_waits_a_second_unspent_and_then_arrives(monkeypatch, settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    open_socket = Client._open_socket
    refused: list[datetime] = []

    def refuse_at_first(self: Client, address: tuple) -> socket.socket:
        if not refused:
            refused.append(make.now())
            raise OSError(errno.EMFILE, "Too many open files")
        return open_socket(self, address)

    monkeypatch.setattr(Client, "_open_socket", refuse_at_first)
    with Endpoint(answers(200)) as endpoint:
        lane = make.subscription(endpoint.url, retry_max_attempts=1)
        delivery = make.delivery(lane)
        with dispatchers():
            until(Delivery.objects.exclude(last_outcome="").exists)
            waiting = Delivery.objects.get()
            endpoint.wait_for(1)
            until(Delivery.objects.filter(state=DeliveryState.DELIVERED).exists)
    assert (waiting.state, waiting.phase, waiting.attempts) == (DeliveryState.PENDING, Phase.FIRST, 0)
    assert (waiting.last_outcome, waiting.last_error) == (Outcome.OWN_TROUBLE, TOO_MANY)
    assert waiting.due_at is not None and (waiting.due_at - refused[0]).total_seconds() >= 1
    made = Attempt.objects.get(delivery=delivery)
    assert (made.number, made.phase, made.outcome) == (1, Phase.FIRST, Outcome.OK)
    assert (made.started_at - refused[0]).total_seconds() >= 1
    kept = Lane.objects.get(pk=lane.pk)
    assert (kept.failing_since, kept.circuit) == (None, Circuit.CLOSED)
