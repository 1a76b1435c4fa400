"""With two web processes and two dispatchers every number is exact, whichever process is asked, and after a kill."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from django.conf import settings
from django.db import connection

from deliveries.models import Attempt, Seat
from tests import make
from tests.endpoints import Endpoint, answers
from tests.hubs import PROC, Hub, environment_of, running_hub
from tests.scraping import Scraped, read
from webhooks.ids import public_id

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not PROC.exists(), reason="finds processes in /proc"),
]

EVENTS = 40  # in each of two rounds


@pytest.fixture
def hub(tmp_path: Path, free_port: int) -> Iterator[Hub]:
    database = connection.settings_dict
    url = f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    own = {
        "DATABASE_URL": f"{url}/{database['NAME']}",
        "HUB_ENCRYPTION_KEYS": ",".join(settings.HUB_ENCRYPTION_KEYS),
        "HUB_EGRESS_ALLOW": "127.0.0.0/8",
        "HUB_WEB_WORKERS": "2",
        "HUB_SEATS": "2",
        "HUB_ADD_UP_S": "0.2",
    }
    with running_hub(tmp_path, free_port, environment_of(tmp_path) | own) as hub:
        hub.until(lambda: scraped(hub)("weir_dispatchers") == 2)
        yield hub


def scraped(hub: Hub) -> Scraped:
    with urlopen(f"{hub.address}/metrics", timeout=10) as answer:
        return read(answer.read().decode())


def send(hub: Hub, beginning: str) -> None:
    """Each over a connection of its own, so that either process may get it."""
    for number in range(EVENTS):
        body = json.dumps({"event_id": f"{beginning}-{number}", "event_type": "order.placed"}).encode()
        with urlopen(Request(f"{hub.address}/in/shop", data=body), timeout=10) as answer:
            assert answer.status == 202


def told(hub: Hub) -> dict[str, float]:
    found = scraped(hub)
    return {
        name: sum(found.all(f"weir_{name}_total").values())
        for name in ("receipts", "events", "attempts", "deliveries")
    }


def test_counters_are_exact_across_processes_and_a_kill(hub: Hub) -> None:
    make.source("shop")
    with Endpoint(answers(200)) as endpoint:
        lane = make.subscription(endpoint.url)
        send(hub, "before")
        all_of = dict.fromkeys(("receipts", "events", "attempts", "deliveries"), EVENTS)
        hub.until(lambda: told(hub) == all_of)
        assert {tuple(told(hub).values()) for _ in range(8)} == {tuple(all_of.values())}
        victim = Seat.objects.exclude(pid=None).values_list("pid", flat=True).first()
        assert victim is not None
        os.kill(victim, signal.SIGKILL)
        send(hub, "after")
        hub.until(lambda: told(hub)["deliveries"] == 2 * EVENTS)
        found = scraped(hub)
    assert found.all("weir_receipts_total") == {("shop", "accepted"): 2 * EVENTS}
    assert found.all("weir_events_total") == {("shop", "routed"): 2 * EVENTS}
    # What was in the dead one's hand may have been sent twice; it was recorded once.
    name = public_id("subscription", lane.pk)
    attempts = Attempt.objects.count()
    assert (
        found.all("weir_attempts_total")
        == {("2xx", "ok", name): attempts}
        == {("2xx", "ok", name): 2 * EVENTS}
    )
