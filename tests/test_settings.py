"""Settings are typed, and an absurd one is refused in one sentence that names it and keeps secrets."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

SHOW = "from django.conf import settings as s; print({})"


def settings_in(folder: Path, shown: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Reads the settings in a fresh process, as every process of the hub does."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-c", SHOW.format(shown)],
        env=kept | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(folder)} | environment,
        capture_output=True,
        text=True,
    )


def test_without_any_setting_it_is_sqlite_on_loopback(tmp_path: Path) -> None:
    shown = settings_in(tmp_path, "s.DATABASES['default']['NAME'], s.HUB_HOST, s.HUB_PORT, s.DEBUG")
    assert shown.stdout == f"{tmp_path}/weir.sqlite3 127.0.0.1 8000 False\n"


@pytest.mark.parametrize(
    ("name", "value", "shown", "expected"),
    [
        ("HUB_SEATS", "3", "s.HUB_SEATS", "1"),
        ("HUB_TIMEOUT_S", "2.5", "s.HUB_TIMEOUT_S", "2.5"),
        ("HUB_RETRY_DELAYS_S", "5, 300,1800", "s.HUB_RETRY_DELAYS_S", "(5.0, 300.0, 1800.0)"),
        ("HUB_RETRY_MAX_AGE_S", "", "s.HUB_RETRY_MAX_AGE_S", "None"),
        ("HUB_EGRESS_ALLOW", "127.0.0.0/8,::1/128", "*map(str, s.HUB_EGRESS_ALLOW)", "127.0.0.0/8 ::1/128"),
        ("HUB_PUBLIC_URL", "https://hub.example.com/", "s.SESSION_COOKIE_SECURE", "True"),
        ("HUB_PUBLIC_URL", "https://hub.example.com", "s.ALLOWED_HOSTS[-1]", "hub.example.com"),
        ("HUB_HOST", "10.1.2.3", "s.ALLOWED_HOSTS[-1]", "10.1.2.3"),
    ],
)
def test_values_are_read_as_their_type(
    tmp_path: Path, name: str, value: str, shown: str, expected: str
) -> None:
    assert settings_in(tmp_path, shown, **{name: value}).stdout == f"{expected}\n"


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("HUB_PORT", "http", "HUB_PORT must be a whole number, 1 to 65535, not 'http'."),
        ("HUB_PORT", "70000", "HUB_PORT must be a whole number, 1 to 65535, not '70000'."),
        ("HUB_WINDOW", "-1", "HUB_WINDOW must be a whole number, 1 to 1000, not '-1'."),
        ("HUB_TIMEOUT_S", "31", "HUB_TIMEOUT_S must be a number, 0.1 to 30, not '31'."),
        ("HUB_TIMEOUT_S", "nan", "HUB_TIMEOUT_S must be a number, 0.1 to 30, not 'nan'."),
        ("HUB_DEBUG", "maybe", "HUB_DEBUG must be true or false, not 'maybe'."),
        (
            "HUB_CLIENT_ERRORS",
            "twice",
            "HUB_CLIENT_ERRORS must be one of once, thrice, schedule, not 'twice'.",
        ),
        (
            "HUB_EGRESS_ALLOW",
            "10.0.0.1/8",
            "HUB_EGRESS_ALLOW lists networks such as 10.0.0.0/8, not '10.0.0.1/8'.",
        ),
        ("DATABASE_URL", "mysql://u:hunter2@h/x", "DATABASE_URL must look like "),
        (
            "DATABASE_URL",
            "postgres://u:hunter2@h:port/x",
            "DATABASE_URL is not a well-formed PostgreSQL address.",
        ),
    ],
)
def test_an_absurd_value_is_refused_in_one_sentence(
    tmp_path: Path, name: str, value: str, sentence: str
) -> None:
    last_line = settings_in(tmp_path, "s.DEBUG", **{name: value}).stderr.splitlines()[-1]
    assert last_line.startswith(f"django.core.exceptions.ImproperlyConfigured: {sentence}")
    assert "hunter2" not in last_line


def test_a_command_shows_only_the_sentence(tmp_path: Path) -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=environment | {"HUB_PORT": "0"},
        capture_output=True,
        text=True,
    )
    sentence = "Weir cannot start: HUB_PORT must be a whole number, 1 to 65535, not '0'.\n"
    assert (told.returncode, told.stdout, told.stderr) == (1, "", sentence)


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "mounted").write_text("from a file\n")
    shown = settings_in(tmp_path, "s.SECRET_KEY", HUB_SECRET_KEY_FILE=str(tmp_path / "mounted"))
    assert shown.stdout == "from a file\n"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HUB_ENCRYPTION_KEYS", ["hunter2"], "weir.E001"),
        ("HUB_RETRY_CAP_S", 0.5, "weir.E002"),
        ("HUB_PUBLIC_URL", "hub.example.com", "weir.E003"),
        ("HUB_CIRCUIT_COOLDOWN_CAP_S", 4, "weir.E004"),
        ("HUB_DISABLE_AFTER_S", 30, "weir.E005"),
        ("HUB_SEATS_ASKED", 99, "weir.W001"),
        ("HUB_DRAIN_S", 1, "weir.W002"),
    ],
)
def test_settings_that_do_not_fit_together_are_found_at_start(
    settings: Any, name: str, value: object, expected: str
) -> None:
    setattr(settings, name, value)
    found = [message for message in run_checks() if str(message.id).startswith("weir.")]
    assert [message.id for message in found] == [expected]
    assert "hunter2" not in str(found[0])
    assert found[0].hint


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("HUB_INFLIGHT", "Is HUB_IN_FLIGHT meant?"),
        ("HUB_SEATS_FIEL", "Is HUB_SEATS_FILE meant?"),
        ("HUB_XYLOPHONE", "The README lists them all, under Settings."),
    ],
)
def test_a_setting_that_nobody_reads_is_named_with_the_nearest_that_somebody_does(
    monkeypatch: pytest.MonkeyPatch, name: str, hint: str
) -> None:
    monkeypatch.setenv(name, "hunter2")
    (found,) = (message for message in run_checks() if str(message.id).startswith("weir."))
    assert (found.id, found.msg) == ("weir.W003", f"{name} is no setting of Weir and changes nothing.")
    assert found.hint == hint


def test_what_is_no_business_of_weir_is_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HUB", "HUBBLE_PORT", "MY_HUB_PORT", "HUB_SECRET_KEY_FILE", "HUB_DEBUG"):
        monkeypatch.setenv(name, "1")
    assert [message for message in run_checks() if str(message.id).startswith("weir.")] == []


def test_a_command_prints_the_setting_that_nobody_reads_and_goes_on(tmp_path: Path) -> None:
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(tmp_path)}
    told = subprocess.run(
        [sys.executable, "manage.py", "check"],
        env=environment | {"HUB_INFLIGHT": "5"},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0
    assert (
        "HUB_INFLIGHT is no setting of Weir and changes nothing.\n\tHINT: Is HUB_IN_FLIGHT meant?\n"
        in told.stderr
    )


def test_the_settings_as_they_come_pass_every_check() -> None:
    assert [message for message in run_checks() if str(message.id).startswith("weir.")] == []
