"""A receiver's place on loopback, to be opened and shut. What arrives there is the receiver's affair."""

import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from demo.receiver import Door, Effect, Receiver


class Unwilling(Exception):
    """Raised by an effect that does not happen: nothing is kept, and this is answered."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def _at_once() -> float:
    return 0.0


class NoPort(Exception):
    """None of the ports it may have is free."""


class Station:
    """`pause_s` says how long a caller waits before anything is done about what it brings."""

    def __init__(
        self,
        *,
        ports: Iterable[int],
        secret: str,
        path: Path,
        effect: Effect,
        pause_s: Callable[[], float] = _at_once,
    ) -> None:
        self._ports = list(ports)
        self._told = (secret, str(path), effect)
        self._pause_s = pause_s
        self._server: _QuietReceiver | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._ports[0]}/"

    @property
    def is_open(self) -> bool:
        return self._server is not None

    def open(self) -> None:
        """Takes the first free port, and keeps to it from then on."""
        for port in self._ports:
            try:
                self._server = _QuietReceiver(port, *self._told, self._pause_s)
            except OSError:
                continue
            self._ports = [self._server.server_port]
            threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
            return
        raise NoPort(f"The port {self._ports[0]} is taken by another program.")

    def shut(self) -> None:
        """Closes the socket, so that whoever knocks is refused the connection."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None


class _QuietDoor(Door):
    """Answers for an unwilling effect, and leaves the terminal to the story."""

    server: "_QuietReceiver"

    def do_POST(self) -> None:
        # Here, since an effect that took its time would do so inside the transaction that all of them share.
        time.sleep(self.server.pause_s())
        try:
            super().do_POST()
        except Unwilling as unwilling:
            self.send_response(unwilling.status)
            self.end_headers()
            self.wfile.write(str(unwilling).encode())

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _QuietReceiver(Receiver):
    def __init__(
        self, port: int, secret: str, path: str, effect: Effect, pause_s: Callable[[], float]
    ) -> None:
        self.pause_s = pause_s
        super().__init__(port, secret, path, effect)
        self.RequestHandlerClass = _QuietDoor

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hung up, or an effect that failed: no answer went out, so Weir tells it again."""
