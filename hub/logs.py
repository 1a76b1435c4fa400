"""Decides how a line on the terminal looks and which lines are no news. It writes none itself."""

import logging
from types import TracebackType

from django.db import InterfaceError, OperationalError

_SERVICE_UNAVAILABLE = 503
_ErrorInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Line(logging.Formatter):
    """One line per record; a traceback only where it may show a bug, and a database that is away is none."""

    def formatException(self, ei: _ErrorInfo) -> str:
        error = ei[1]
        if isinstance(error, OperationalError | InterfaceError):
            return f"  {str(error).strip().partition(chr(10))[0]}"
        return super().formatException(ei)


def is_news(record: logging.LogRecord) -> bool:
    """A 503 is an answer we chose, and the reason for it is told by whoever found it out."""
    return getattr(record, "status_code", None) != _SERVICE_UNAVAILABLE
