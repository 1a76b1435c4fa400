"""The README says what is true of the code beside it."""

import re
from pathlib import Path

import pytest

from hub import settings
from hub.metrics.page import HubCollector
from webhooks.deciders.schemes import SCHEMES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def test_the_receiver_it_prints_is_the_one_that_runs() -> None:
    assert (ROOT / "demo/receiver.py").read_text().rstrip() in README


def test_its_table_names_every_setting_and_no_other() -> None:
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(HUB_[A-Z_]+|DATABASE_URL)`", table))
    read = set(re.findall(r'"(HUB_[A-Z_]+|DATABASE_URL)"', (ROOT / "hub/settings.py").read_text()))
    read.add("HUB_DEBUG")
    assert named == read | {"DATABASE_URL"}
    assert settings.HUB_PORT == 8000


def test_its_list_of_senders_is_the_table_of_schemes() -> None:
    listed = README.partition("## Who may send")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z0-9-]+)` \| ([^|]+) \|", listed, re.MULTILINE) == [
        (row.slug, row.label) for row in SCHEMES.values()
    ]


def test_it_gives_every_dependency_its_reason() -> None:
    wanted = re.findall(r"^([A-Za-z0-9-]+)==", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    reasons = README.partition("## What it stands on")[2].lower()
    names = {"djangorestframework": "django rest framework"}
    assert [name for name in wanted if names.get(name.lower(), name.lower()) not in reasons] == []


@pytest.mark.django_db
def test_its_table_names_every_metric_and_no_other() -> None:
    table = README.partition("### Metrics")[2].partition("### Logs")[0]
    named = set(
        re.findall(r"`(weir_[a-z_]+)`", "".join(re.findall(r"^\| `weir_[^|]+\|", table, re.MULTILINE)))
    )
    ending = {"counter": "_total", "info": "_info"}
    assert named == {family.name + ending.get(family.type, "") for family in HubCollector().collect()}
