"""The README says what is true of the code beside it."""

import re
from pathlib import Path

from hub import environment, settings

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def section(heading: str) -> str:
    return README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_receiver_it_prints_is_the_one_that_runs() -> None:
    assert (ROOT / "demo/receiver.py").read_text().rstrip() in README


def test_its_tour_has_a_hub_of_its_own_which_its_end_takes_away() -> None:
    tour = section("A tour in five minutes")
    commands = re.findall(r"^```sh\n(.*?)^```$", tour, re.MULTILINE | re.DOTALL)
    in_var = [each for each in commands if "make run" in each or "manage.py" in each]
    assert [each.splitlines()[0] for each in in_var] == ["export HUB_VAR=var/tour"] * 2
    assert re.findall(r"rm -r [^`]+", tour) == ["rm -r var/tour"]


def test_its_table_names_every_setting_and_no_other() -> None:
    named = set(re.findall(r"`(HUB_[A-Z_]+|DATABASE_URL)`", section("Settings")))
    assert named == environment.asked()
    assert settings.HUB_PORT == 8000


def test_it_gives_every_dependency_its_reason() -> None:
    wanted = re.findall(r"^([A-Za-z0-9-]+)==", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    reasons = section("What it stands on, and why").lower()
    names = {"djangorestframework": "django rest framework"}
    assert [name for name in wanted if names.get(name.lower(), name.lower()) not in reasons] == []
