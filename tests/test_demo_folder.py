"""A demo keeps to a folder of its own, however it is started, unless somebody says where it shall be."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hub.demo_folder import placed

ROOT = Path(__file__).resolve().parent.parent
# Runs manage.py up to where Django takes over, settings and all, and says in which folder that would be.
UP_TO_DJANGO = """
import os, manage
manage.execute_from_command_line = lambda arguments: print(os.environ.get("HUB_VAR"), *arguments[1:])
manage.main()
"""


def manage(*words: str, **environment: str) -> str:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    command = [sys.executable, "-c", UP_TO_DJANGO, *words]
    return subprocess.run(
        command, cwd=ROOT, env=kept | environment, capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_is_chosen_before_there_are_settings() -> None:
    assert manage("up", "--demo") == "var/demo up --demo"
    assert manage("up", "--port", "8001", "--demo", "--loop") == "var/demo up --port 8001 --demo --loop"


def test_a_real_hub_and_its_commands_stay_where_they_are() -> None:
    assert manage("up") == "None up"
    assert manage("up", HUB_VAR="elsewhere") == "elsewhere up"
    assert placed(["manage.py", "cluster", "--demo"], {}) == {}
    assert placed(["manage.py"], {}) == {}


@pytest.mark.parametrize("name", ["HUB_VAR", "HUB_VAR_FILE", "DATABASE_URL", "DATABASE_URL_FILE"])
def test_who_names_a_folder_or_a_database_gets_the_demo_there_under_its_keys(name: str) -> None:
    assert placed(["manage.py", "up", "--demo"], {name: "x"}) == {}
    assert placed(["manage.py", "up", "--demo"], {name: ""}) == {"HUB_VAR": "var/demo"}


def test_no_shorter_word_starts_a_demo_in_the_folder_of_a_real_hub(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "up", "--dem"],
        cwd=ROOT, env=os.environ | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, "unrecognized arguments: --dem" in done.stderr) == (2, True)
