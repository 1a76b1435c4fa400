"""The page on the REST API names what is there, and the README's five common jobs work, in a shell and in Python."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deliveries.models import Attempt, Delivery, Exchange, Replay, Subscription
from hub.api import urlpatterns
from hub.openapi.document import document
from tests import make
from tests.replaying import dead
from webhooks.models import ApiKey, Event, Source, Subscriber
from webhooks.services.keys import create_api_key

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/api.md").read_text()
JOBS = (ROOT / "README.md").read_text().partition("\n## Five common jobs\n")[2].partition("\n## ")[0]


def test_its_table_names_every_address_and_no_other() -> None:
    table = PAGE.partition("\n## What is there\n")[2].partition("\n## ")[0]
    named = {
        (method, path)
        for methods, path in re.findall(r"`((?:GET|POST|PATCH|DELETE|PUT)(?: [A-Z]+)*) ([a-z<>/-]+)`", table)
        for method in methods.split()
    }
    there = set()
    for pattern in urlpatterns:
        path = re.sub(r"\(\?P<\w+>[^)]*\)", "<id>", str(pattern.pattern)).strip("^$").removesuffix("/?")
        there |= {(method.upper(), path) for method in pattern.callback.actions if method != "head"}
    assert named == there


def blocks(language: str) -> list[str]:
    """The preamble, and the five jobs."""
    found = re.findall(rf"```{language}\n(.*?)```", JOBS, re.DOTALL)
    assert len(found) == 6
    return list(found)


@pytest.mark.django_db
def test_the_interactive_pages_show_them_too() -> None:
    shown = document()["info"]["description"]
    assert shown.startswith("A webhook hub: ")
    assert shown.endswith(f"\n## Five common jobs\n{JOBS}")
    assert "](" not in JOBS  # no link that leads elsewhere from there


class Reader:
    """Runs what stands on the page, as its reader would; what was said before holds on."""

    def __init__(self, language: str, api: str) -> None:
        self.preamble, *self.jobs = blocks(language)
        self.language = language
        _, key = create_api_key(role="operator", name="reader")
        self.environment = os.environ | {"KEY": key, "API": api}

    def does(self, number: int) -> list[str]:
        """The lines that this job prints."""
        code = f"{self.preamble}\n{self.jobs[number]}"
        command = (
            ["bash", "-euo", "pipefail", "-c", code]
            if self.language == "sh"
            else [sys.executable, "-c", code]
        )
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False)  # noqa: S603
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines()


def _died() -> None:
    """What was published could not be delivered."""
    (delivery,) = dead(
        Subscription.objects.get(), of=Event.objects.get(), last_outcome="server_error", last_status=503,
        last_error="",
    )  # fmt: skip
    tried = Attempt.objects.create(
        delivery=delivery, number=1, phase=0, started_at=make.now(), duration_ms=9,
        outcome="server_error", status=503,
    )  # fmt: skip
    Exchange.objects.create(attempt=tried, url="x", request_headers={}, response_body=b"out of stock")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("language", ["sh", "python"])
def test_its_five_common_jobs_work_one_after_the_other(language: str, live_server: Any) -> None:
    if language == "sh" and not (shutil.which("curl") and shutil.which("bash")):
        pytest.skip("Its shell takes curl.")
    reader = Reader(language, f"{live_server.url}/api/v1")
    (secret,) = reader.does(0)
    assert Subscription.objects.get().secrets.get().sealed == secret
    assert Subscriber.objects.get().name == "Billing"
    _, status = reader.does(1)
    assert (status, Event.objects.get().event_type, Source.objects.get().slug) == (
        "accepted",
        "order.paid",
        "shop",
    )
    _died()
    assert reader.does(2) == ["server_error", "503", "out of stock"]
    (replay,) = reader.does(3)
    assert replay.endswith(Replay.objects.get().pk.hex)
    assert (Replay.objects.get().total, Delivery.objects.count()) == (1, 1)
    rotated, ended = reader.does(4)
    assert (rotated != secret, ended) == (True, "Only the newest secret signs from now on.")
    assert Subscription.objects.get().secrets.get(expires_at=None).sealed == rotated
    assert ApiKey.objects.count() == 1
