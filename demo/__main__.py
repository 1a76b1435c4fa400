"""Starts the three services beside a running Weir, wires them, and ends them on a signal."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from demo.api import Api
from demo.billing import Billing
from demo.doors import api_door, signed_door
from demo.keyring import Keyring
from demo.line import Line, Refused, Stopped
from demo.loop import Loop
from demo.orders import Orders
from demo.shipping import Shipping
from demo.station import NoPort
from demo.story import Story
from demo.voice import say
from demo.wiring import NotOurs, wire, wire_loop

ROOT = Path(__file__).resolve().parent.parent
END_WITHIN_S = 1.5
PORTS = 20  # tried for each service, one after the other
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - may be bound, not asked


class Unready(Exception):
    """Something the demo needs is missing."""


class Demo:
    def __init__(self, *, goes_round: bool = False) -> None:
        self._goes_round = goes_round
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._has_failed = False

    def run(self) -> int:
        """The exit code: 0 when a signal ended it."""
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, lambda *_: self._stop.set())
        self._start(self._set_up)
        self._stop.wait()
        until = time.monotonic() + END_WITHIN_S
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        return int(self._has_failed)

    def _set_up(self) -> None:
        line = Line(host=_host(), port=_port(), stop=self._stop)
        folder = ROOT / os.environ.get("HUB_VAR", "var") / "demo"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        keyring = Keyring(folder / "keyring.json")
        api = _open_api(line, keyring)

        orders = Orders(folder=folder, stop=self._stop)
        to_billing, to_shipping = keyring.secret("to billing"), keyring.secret("to shipping")
        billing = Billing(folder=folder, ports=_ports(_port() + 1), secret=to_billing, stop=self._stop)
        shipping = Shipping(folder=folder, ports=_ports(_port() + 2), secret=to_shipping, stop=self._stop)
        billing.station.open()
        shipping.station.open()
        wiring = wire(api, keyring, billing_url=billing.station.url, shipping_url=shipping.station.url)

        orders_door = signed_door(line, "orders", keyring.secret("source orders"))
        billing_door = signed_door(line, "billing", keyring.secret("source billing"))
        console = f"{line.address}/admin/"
        story = Story(
            api=api, console=console, billing=billing, shipping=shipping, wiring=wiring, stop=self._stop
        )
        self._start(partial(orders.run, at_the_door=orders_door, by_the_api=api_door(api, "orders")))
        self._start(partial(billing.outbox.run, billing_door))
        self._start(shipping.run)
        self._start(story.run)
        if self._goes_round:
            self._start_loop(line, api, keyring, folder, console)

    def _start_loop(self, line: Line, api: Api, keyring: Keyring, folder: Path, console: str) -> None:
        loop = Loop(
            folder=folder,
            ports=(_ports(_port() + 3), _ports(_port() + 4)),
            secrets=(keyring.secret("to ping"), keyring.secret("to pong")),
        )
        for each in (loop.ping, loop.pong):
            each.station.open()
            each.tell = signed_door(line, each.name, keyring.secret(f"source {each.name}"))
        wire_loop(api, keyring, ping_url=loop.ping.station.url, pong_url=loop.pong.station.url)
        self._start(partial(loop.run, console=console, stop=self._stop))

    def _start(self, act: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._play, args=(act,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _play(self, act: Callable[[], None]) -> None:
        """None goes on without the others: when one fails all end, and who started them may do so again."""
        try:
            act()
        except Stopped:
            return
        except (Refused, NotOurs, NoPort, Unready) as reason:
            say(f"The demo ends: {reason}")
            self._fail()
        except BaseException:
            self._fail()
            raise

    def _fail(self) -> None:
        self._has_failed = True
        self._stop.set()


def _host() -> str:
    host = os.environ.get("HUB_HOST", "127.0.0.1")
    return LOOPBACK.get(host, host)


def _port() -> int:
    return int(os.environ.get("HUB_PORT", "8000"))


def _ports(first: int) -> list[int]:
    """The first is preferred, so that addresses stay; 0, any free one, is the last resort."""
    return [port for port in range(first, first + PORTS) if port < 65_536] + [0]


def _open_api(line: Line, keyring: Keyring) -> Api:
    """With the key of the last start, or a new one where Weir does not know that."""
    api = Api(line, keyring.get("api key"))
    if not api.takes_our_key():
        keyring.keep("api key", _new_api_key())
        api = Api(line, keyring.get("api key"))
    return api


def _new_api_key() -> str:
    manage = str(ROOT / "manage.py")
    command = [sys.executable, manage, "api_key", "create", "--role", "operator", "--name", "demo"]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603 - nobody's input
    if made.returncode:
        raise Unready("manage.py api_key create gave no API key.")
    return made.stdout.decode().strip()


if __name__ == "__main__":
    sys.exit(Demo(goes_round="--loop" in sys.argv[1:]).run())
