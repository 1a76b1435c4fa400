"""What a log shows: one line for what operators expect to happen, a traceback for what nobody did, JSON where asked."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import IntegrityError, OperationalError

from hub.logs import JsonLine, Line, News, formatter


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        (OperationalError("server is gone\nIs it running?"), "  server is gone"),
        (KeyError("lane"), "Traceback "),
    ],
)
def test_only_a_bug_shows_its_traceback(error: Exception, shown: str) -> None:
    try:
        raise error
    except Exception:  # noqa: BLE001
        assert Line().formatException(sys.exc_info()).startswith(shown)


def test_a_row_that_the_database_quotes_is_not_shown() -> None:
    try:
        raise IntegrityError("null value violates x\nDETAIL:  Failing row contains (hunter2).")
    except IntegrityError:
        shown = Line().formatException(sys.exc_info())
    assert shown.endswith("IntegrityError: null value violates x")


@pytest.mark.parametrize(("status", "expected"), [(503, False), (500, True), (None, True)])
def test_an_answer_we_chose_is_no_news(status: int | None, expected: bool) -> None:
    assert News().filter(logging.makeLogRecord({"status_code": status})) is expected


def record(**fields: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {
            "name": "hub",
            "levelname": "WARNING",
            "created": 1.5,
            "msg": "It is %s.",
            "args": ("late",),
            **fields,
        }
    )


def test_a_sentence_becomes_an_object_with_what_was_given_beside_it() -> None:
    assert json.loads(JsonLine().format(record(event_id="evt_1", request=object()))) == {
        "timestamp": "1970-01-01T00:00:01.500000Z",
        "level": "warning",
        "logger": "hub",
        "message": "It is late.",
        "event_id": "evt_1",
    }


def test_a_traceback_is_one_field_of_one_line() -> None:
    try:
        raise KeyError("lane")
    except KeyError:
        shown = JsonLine().format(record(exc_info=sys.exc_info()))
    assert "\n" not in shown
    assert json.loads(shown)["exception"].endswith("KeyError: 'lane'")


def test_fields_of_chosen_names_are_masked(settings) -> None:
    settings.HUB_LOG_REDACT = frozenset({"address"})
    assert json.loads(JsonLine().format(record(address="10.0.0.1")))["address"] == "••••••"


@pytest.mark.parametrize(("form", "expected"), [("json", JsonLine), ("text", Line), ("auto", JsonLine)])
def test_the_form_is_chosen_and_where_nobody_sits_in_front_of_it_it_is_json(settings, form, expected) -> None:
    settings.HUB_LOG_FORMAT = form
    assert type(formatter()) is expected


SPEAK = """
import django, logging; django.setup()
from webhooks import story
logging.getLogger("hub.x").info("One sentence.")
logging.getLogger("somebody.else").info("Not ours.")
logging.getLogger("somebody.else").warning("Not ours.")
story.tell("delivered", code=204)
"""


def said(folder: Path, **environment: str) -> list[str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    given = kept | {"DJANGO_SETTINGS_MODULE": "hub.settings", "HUB_VAR": str(folder)} | environment
    return subprocess.run(
        [sys.executable, "-c", SPEAK], env=given, capture_output=True, text=True
    ).stderr.splitlines()


def test_a_process_that_logs_to_a_file_speaks_json_throughout(tmp_path: Path) -> None:
    told = [json.loads(line) for line in said(tmp_path)]
    assert [(each["logger"], each["level"], each["message"]) for each in told] == [
        ("hub.x", "info", "One sentence."),
        ("somebody.else", "warning", "Not ours."),
        ("weir", "info", "delivered"),
    ]


def test_the_level_holds_for_sentences_and_steps(tmp_path: Path) -> None:
    assert [json.loads(line)["logger"] for line in said(tmp_path, HUB_LOG_LEVEL="warning")] == [
        "somebody.else"
    ]


def test_text_is_as_it_always_was(tmp_path: Path) -> None:
    told = [line[9:] for line in said(tmp_path, HUB_LOG_FORMAT="text")]
    assert told == ["INFO    hub.x: One sentence.", "WARNING somebody.else: Not ours."]
