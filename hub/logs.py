"""Decides how lines look, which are no news and what is left out of them; as JSON, or for a person at a terminal.

Two kinds of lines go to stderr in one form: what modules say in a sentence (Python's logging), and the steps of an
event's life (webhooks.story, by structlog straight to the stream, since there are thousands of them in a second).
"""

import json
import logging
import logging.config
import select
import sys
import threading
import time
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson
import structlog
from django.conf import settings
from django.db import Error, InterfaceError, OperationalError

from webhooks import story
from webhooks.deciders.redaction import MASK
from webhooks.deciders.times import zulu

Fields = MutableMapping[str, Any]

_SERVICE_UNAVAILABLE = 503
_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
_encode_anything = json.JSONEncoder(ensure_ascii=False, default=str).encode


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


def redact(fields: dict[str, Any], names: frozenset[str]) -> dict[str, Any]:
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
    """By a bound logger of structlog. A person at a terminal sees an event's steps only who asks for a level."""
    in_json = is_json()
    asked = settings.HUB_LOG_LEVEL or ("info" if in_json else "warning")
    stderr = _Stderr()
    log = structlog.wrap_logger(
        stderr,
        processors=[structlog.processors.add_log_level, _as_json if in_json else _as_text],
        wrapper_class=structlog.make_filtering_bound_logger(asked),
    ).bind()
    story.use(log, group=stderr.together)


def _as_json(logger: Any, method: str, told: Fields) -> str:
    fields = {
        "timestamp": _iso(time.time()),
        "level": told.pop("level"),
        "logger": "weir",
        "message": told.pop("event"),
        **told,
    }
    return _encode(redact(fields, settings.HUB_LOG_REDACT))


def _as_text(logger: Any, method: str, told: Fields) -> str:
    level, step = told.pop("level").upper(), told.pop("event")
    fields = redact(dict(told), settings.HUB_LOG_REDACT)
    shown = " ".join(f"{name}={value}" for name, value in fields.items())
    return f"{time.strftime('%H:%M:%S')} {level:<7} weir: {step} {shown}"


class _Stderr:
    """Writes a line at once, so that lines of several processes never mix; who reads none any more stops nobody.

    Of lines that a thread tells together, it writes as many at once as a pipe takes without parting them.
    """

    def __init__(self) -> None:
        self._held = threading.local()

    def msg(self, line: str) -> None:
        held: list[str] | None = getattr(self._held, "lines", None)
        if held is None:
            return self._write([line])
        self._held.size += len(line.encode("utf-8", "replace")) + 1
        if self._held.size > select.PIPE_BUF:
            self._write(held)
            held.clear()
            self._held.size = len(line.encode("utf-8", "replace")) + 1
        held.append(line)

    debug = info = warning = error = critical = log = msg

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
        return orjson.dumps(fields, default=str).decode()
    except TypeError:  # half a character, or an integer of more than 64 bits
        return _encode_anything(fields)


def _iso(at: float) -> str:
    return zulu(datetime.fromtimestamp(at, UTC), to="microseconds")
