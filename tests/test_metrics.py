"""`/metrics` shows sampled depths, with a number of queries that does not grow with what is queued."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from deliveries.models import DepthSample
from hub import metrics
from tests import make


def lines(client: Client) -> dict[str, float]:
    """The hub's gauges. Receipts are this process's own count, to which every test before may have added."""
    page = client.get("/metrics").content.decode()
    shown = [line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("weir_")]
    return {name: float(value) for name, value in shown if not name.startswith("weir_receipts_")}


@pytest.mark.django_db
def test_an_idle_hub_shows_zeroes(client: Client) -> None:
    assert lines(client) == {
        "weir_database_up": 1,
        "weir_queue_due": 0,
        "weir_oldest_due_seconds": 0,
        "weir_dead_letters_open": 0,
        "weir_dispatchers": 0,
    }


@pytest.mark.django_db
def test_depths_are_added_up_from_their_samples(client: Client) -> None:
    for number, due in enumerate((40, 2)):
        lane = make.subscription(name=f"hook {number}")
        DepthSample.objects.update_or_create(
            subscription=lane, defaults={"due": due, "dead": 3, "sampled_at": timezone.now()}
        )
    shown = lines(client)
    assert shown["weir_queue_due"] == 42
    assert shown["weir_dead_letters_open"] == 6
    assert shown['weir_lanes{circuit="closed"}'] == 2


@pytest.mark.django_db
def test_a_scrape_asks_a_constant_number_of_questions(
    client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(20):
        make.subscription(name=f"hook {number}")
    with django_assert_max_num_queries(3):
        lines(client)


def test_with_the_database_away_the_scrape_still_says_so(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "snapshot", _refuse)
    assert lines(client) == {"weir_database_up": 0}


@pytest.mark.django_db
def test_requests_are_counted(client: Client) -> None:
    client.get("/livez")
    assert b"django_http_requests_total_by_view_transport_method_total{" in client.get("/metrics").content


def test_several_processes_are_one_page(tmp_path: Path) -> None:
    count = "import prometheus_client as p; p.Counter('seen', 'x').inc()"
    read = (
        "from prometheus_client import *; from prometheus_client.multiprocess import *;"
        "from hub.metrics import _registry; import hub.metrics as m; m.HubCollector.collect = lambda _: [];"
        "print(generate_latest(_registry()).decode())"
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
