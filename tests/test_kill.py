"""`kill -9` of any process, under load: every acknowledged event is delivered, only what was in flight twice."""

import http.client
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Sum
from django.db.models.functions import Now

from deliveries.models import Attempt, Rollup, Seat, Tally, Total, TypeRollup
from deliveries.models.rollup import EVERY
from tests import make
from tests.endpoints import Endpoint, answers
from tests.hubs import PROC, Hub, environment_of, running_hub

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not PROC.exists(), reason="finds processes in /proc"),
]

EVENTS_PER_S = 200
WINDOW = 10  # what one lane may have in flight when its dispatcher is killed


@dataclass
class Sender:
    """A provider: sends an event until it is acknowledged, then the next."""

    address: str
    stop: threading.Event = field(default_factory=threading.Event)
    acknowledged: list[str] = field(default_factory=list)

    def run(self) -> None:
        number, line = 0, http.client.HTTPConnection(urlsplit(self.address).netloc, timeout=5)
        while not self.stop.wait(1 / EVENTS_PER_S):
            body = json.dumps({"event_id": f"event-{number}", "event_type": "order.placed"})
            try:
                line.request("POST", "/in/shop", body)
                answer = line.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException):
                line.close()  # the next request opens it again
                self.stop.wait(0.1)
                continue
            if answer.status in (200, 202):
                self.acknowledged.append(f"event-{number}")
                number += 1
        line.close()


@pytest.fixture
def hub(tmp_path: Path, free_port: int) -> Iterator[Hub]:
    database = connection.settings_dict
    url = f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    own = {
        "DATABASE_URL": f"{url}/{database['NAME']}",
        "HUB_ENCRYPTION_KEYS": ",".join(settings.HUB_ENCRYPTION_KEYS),
        "HUB_EGRESS_ALLOW": "127.0.0.0/8",
    }
    with running_hub(tmp_path, free_port, environment_of(tmp_path) | own) as hub:
        hub.until(lambda: hub.answers("/readyz"))
        yield hub


def dispatcher(hub: Hub) -> int:
    pid = Seat.objects.filter(leased_until__gt=Now(), is_draining=False).values_list("pid", flat=True).first()
    assert pid is not None
    return pid


def idle_worker(hub: Hub) -> int:
    workers = sorted(each.pid for each in hub.children_of(hub.sentinel().pid))[:4]  # they are forked first
    return next(pid for pid in workers if pid != dispatcher(hub))


VICTIMS: list[Callable[[Hub], int]] = [
    dispatcher,
    lambda hub: hub.first_of("granian").pid,
    lambda hub: hub.sentinel().pid,
    idle_worker,
    lambda hub: hub.first_of("manage.py cluster").pid,
]


def test_every_acknowledged_event_is_delivered_whoever_is_killed(hub: Hub) -> None:
    make.source("shop")
    with Endpoint(answers(200)) as endpoint:
        make.subscription(endpoint.url, window=WINDOW)
        sender = Sender(hub.address)
        thread = threading.Thread(target=sender.run)
        thread.start()
        for victim in (None, *VICTIMS):
            if victim:
                os.kill(victim(hub), signal.SIGKILL)
            hub.until(partial(flows, sender, endpoint, beyond=len(sender.acknowledged) + EVENTS_PER_S // 4))
        sender.stop.set()
        thread.join()
        hub.until(lambda: set(received(endpoint)) >= set(sender.acknowledged))
        hub.until(lambda: not Tally.objects.exists() and summed() == Attempt.objects.count())
        of_type = TypeRollup.objects.filter(width_s=3_600, event_type="order.placed")
        assert of_type.aggregate(Sum("attempts"))["attempts__sum"] == Attempt.objects.count()
        assert Total.objects.aggregate(Sum("attempts"))["attempts__sum"] == Attempt.objects.count()
    sent = received(endpoint)
    assert len(sent) - len(set(sent)) <= WINDOW * len(VICTIMS)


def summed() -> int:
    """Attempts, as the hours have them."""
    hours = Rollup.objects.filter(width_s=3_600, subscription=EVERY)
    return hours.aggregate(attempts=Sum("attempts"))["attempts"] or 0


def flows(sender: Sender, endpoint: Endpoint, *, beyond: int) -> bool:
    """Whether an event that was acknowledged later than so many others has arrived."""
    return len(sender.acknowledged) > beyond and sender.acknowledged[beyond] in received(endpoint)


def received(endpoint: Endpoint) -> list[str]:
    return [json.loads(each.body)["event_id"] for each in endpoint.requests]
