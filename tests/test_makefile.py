"""The Makefile's own decisions, told by a Python that only says what it was asked to do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGETS = ["run", "demo", "test", "lint", "bench", "requirements", "help"]
OF_MAKE = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}

pytestmark = pytest.mark.skipif(not shutil.which("make"), reason="there is no make")


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A copy of what make reads, with a Python that answers by its arguments."""
    for name in ("Makefile", "requirements.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "$*"\n')
    python.chmod(0o755)
    return tmp_path


def make(house: Path, *words: str) -> list[str]:
    kept = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    command = ["make", "--no-print-directory", *words]
    told = subprocess.run(command, cwd=house, env=kept, capture_output=True, text=True, check=True)
    return told.stdout.splitlines()


def test_every_target_is_listed_with_a_line(house: Path) -> None:
    lines = make(house, "help")
    assert [line.split()[:2] for line in lines] == [["make", target] for target in TARGETS]
    assert all(len(line.split()) > 3 for line in lines)


def test_plain_make_starts_the_hub(house: Path) -> None:
    assert make(house)[-1] == make(house, "run")[-1] == "manage.py up"


def test_a_demo_is_started_with_what_else_is_asked_of_it(house: Path) -> None:
    assert make(house, "demo")[-1] == "manage.py up --demo"
    assert make(house, "demo", "ARGS=--loop")[-1] == "manage.py up --demo --loop"
