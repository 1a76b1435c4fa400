"""The demo's line to Weir: while Weir is away it asks again. What Weir refused it never asks twice."""

import json
import threading
from collections.abc import Callable, Mapping
from http.client import HTTPConnection, HTTPException
from typing import Any

from demo.voice import say

TIMEOUT_S = 5
PAUSE_S = 1  # between two tries

Headers = Callable[[], Mapping[str, str]]  # asked at every try, since a signature carries the time


class Refused(Exception):
    """Weir will not do this, however often it is asked; carries the status and what Weir said."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(f"{status} {said}")
        self.status = status


class Stopped(Exception):
    """The demo ends, so there is nothing left to wait for."""


class _Away(Exception):
    """No answer, or one that says "not now"."""


class Line:
    def __init__(self, *, host: str, port: int, stop: threading.Event) -> None:
        self.address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
        self._place = (host, port)
        self._stop = stop
        self._lock = threading.Lock()
        self._is_away = False

    def ask(self, method: str, path: str, *, headers: Headers = dict, body: bytes | None = None) -> Any:
        """The answer's JSON, however long Weir is away. Raises Refused, or Stopped when the demo ends."""
        while not self._stop.is_set():
            try:
                answer = self._ask_once(method, path, headers(), body)
            except _Away:
                self._note(is_away=True)
                self._stop.wait(PAUSE_S)
            else:
                self._note(is_away=False)
                return answer
        raise Stopped

    def _ask_once(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None) -> Any:
        connection = HTTPConnection(*self._place, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            said = response.read().decode(errors="replace")
        except (OSError, HTTPException):
            raise _Away from None
        finally:
            connection.close()
        if response.status >= 500:
            raise _Away
        if response.status >= 400:
            raise Refused(response.status, said[:200])
        return json.loads(said) if said.startswith(("{", "[")) else said

    def _note(self, *, is_away: bool) -> None:
        """Says once that Weir went, and once that it came back."""
        with self._lock:
            if is_away == self._is_away:
                return
            self._is_away = is_away
        say(
            f"Weir does not answer at {self.address}: A and B keep what they have to tell, and try again."
            if is_away
            else "Weir is back."
        )
