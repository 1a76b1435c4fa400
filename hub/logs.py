"""Decides how lines look, which are no news and what is left out of them; as JSON, or for a person at a terminal.

Two kinds of lines go to stderr in one form: what modules say in a sentence (Python's logging), and the steps of an
event's life (webhooks.story, straight to the stream, since there are thousands of them in a second).
"""

import json
import logging
import logging.config
import select
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError

from webhooks import story
from webhooks.deciders.redaction import MASK
from webhooks.deciders.times import zulu

Fields = dict[str, Any]

_SERVICE_UNAVAILABLE = 503
_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class Line(logging.Formatter):
    """One line per record; a traceback only where it may show a bug, and a database that is away is none."""

    def formatException(self, ei: _ErrorInfo) -> str:
        error = ei[1]
        if isinstance(error, OperationalError | InterfaceError):
            return f"  {str(error).strip().partition(chr(10))[0]}"
        text = super().formatException(ei)
        # What PostgreSQL says in detail quotes the row, and with it what was sent to us.
        return text.partition("\nDETAIL:")[0] if isinstance(error, Error) else text


class JsonLine(Line):
    """One JSON object per record, with what was given as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "timestamp": _iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {
            name: value
            for name, value in record.__dict__.items()
            if name not in _OWN and isinstance(value, str | int | float)
        }
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info).strip()
        return _encode(redact(fields, settings.HUB_LOG_REDACT))


class News(logging.Filter):
    """A 503 is an answer we chose, and the reason for it is told by whoever found it out."""

    def filter(self, record: logging.LogRecord) -> bool:
        return getattr(record, "status_code", None) != _SERVICE_UNAVAILABLE


def redact(fields: Fields, names: frozenset[str]) -> Fields:
    """Masks the values of the fields that are called so (in lower case)."""
    for name in names.intersection(fields):
        fields[name] = MASK
    return fields


def formatter(**options: Any) -> logging.Formatter:
    """What LOGGING names: the form that HUB_LOG_FORMAT asks for."""
    return JsonLine() if is_json() else Line(**options)


def is_json() -> bool:
    """By default where nobody sits at a terminal."""
    if settings.HUB_LOG_FORMAT == "auto":
        return not sys.stderr.isatty()
    return bool(settings.HUB_LOG_FORMAT == "json")


def configure(config: Mapping[str, Any]) -> None:
    """Django's LOGGING_CONFIG: sets up Python's logging, and where stories go."""
    logging.config.dictConfig(dict(config))
    take_stories()


def take_stories() -> None:
    """A person at a terminal sees an event's steps only who asks for a level."""
    in_json, stderr = is_json(), _Stderr()
    asked = settings.HUB_LOG_LEVEL or ("info" if in_json else "warning")
    line = _as_json if in_json else _as_text

    def write(level: int, step: str, fields: dict[str, Any]) -> None:
        stderr.tell(line(logging.getLevelName(level), step, redact(fields, settings.HUB_LOG_REDACT)))

    story.use(story.Place(write, logging.getLevelNamesMapping()[asked.upper()], stderr.together))


def _as_json(level: str, step: str, fields: Fields) -> str:
    told = {"timestamp": datetime.now(UTC), "level": level.lower(), "logger": "weir", "message": step}
    return _encode(told | fields)


def _as_text(level: str, step: str, fields: Fields) -> str:
    shown = " ".join(f"{name}={_on_one_line(str(value))}" for name, value in fields.items())
    return f"{time.strftime('%H:%M:%S')} {level:<7} weir: {step} {shown}"


def _on_one_line(text: str) -> str:
    """What a sender chose ends no line, and moves no cursor."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


class _Stderr:
    """Writes a line at once, so that lines of several processes never mix; who reads none any more stops nobody.

    Of lines that a thread tells together, it writes as many at once as a pipe takes without parting them.
    """

    def __init__(self) -> None:
        self._held = threading.local()

    def tell(self, line: str) -> None:
        held: list[str] | None = getattr(self._held, "lines", None)
        if held is None:
            return self._write([line])
        self._held.size += len(line.encode("utf-8", "replace")) + 1
        if self._held.size > select.PIPE_BUF:
            self._write(held)
            held.clear()
            self._held.size = len(line.encode("utf-8", "replace")) + 1
        held.append(line)

    @contextmanager
    def together(self) -> Iterator[None]:
        held = self._held.lines = []
        self._held.size = 0
        try:
            yield
        finally:
            del self._held.lines
            self._write(held)

    def _write(self, lines: Sequence[str]) -> None:
        if lines:
            with suppress(OSError, ValueError):
                sys.stderr.write("\n".join(lines) + "\n")
                sys.stderr.flush()


def _encode(fields: Fields) -> str:
    try:
        return orjson.dumps(fields, default=str, option=orjson.OPT_UTC_Z).decode()
    except TypeError:  # half a character, or an integer of more than 64 bits
        return _encode_anything(fields)


def _word(value: object) -> str:
    return zulu(value, to="microseconds") if isinstance(value, datetime) else str(value)


_encode_anything = json.JSONEncoder(ensure_ascii=False, default=_word).encode


def _iso(at: float) -> str:
    return zulu(datetime.fromtimestamp(at, UTC), to="microseconds")
