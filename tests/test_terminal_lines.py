"""What the terminal shows: one line for what operators expect to happen, a traceback for what nobody did."""

import logging
import sys

import pytest
from django.db import OperationalError

from hub.logs import Line, is_news


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


@pytest.mark.parametrize(("status", "expected"), [(503, False), (500, True), (None, True)])
def test_an_answer_we_chose_is_no_news(status: int | None, expected: bool) -> None:
    assert is_news(logging.makeLogRecord({"status_code": status})) is expected
