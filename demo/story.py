"""Tells on the terminal what happens and where to look. Each scene is a generator, moved on every second."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from queue import Empty
from typing import Any
from uuid import UUID

from demo import moods
from demo.api import Api
from demo.billing import Billing
from demo.line import Refused
from demo.outage import OutageOfC
from demo.shipping import Declined, Outage, Shipping
from demo.voice import say
from demo.wiring import Wiring

STEP_S = 1
TWICE_AFTER_S = 12  # read before C's first outage, at 40 s

Scene = Iterator[None]


class Story:
    def __init__(
        self,
        *,
        api: Api,
        console: str,
        billing: Billing,
        shipping: Shipping,
        wiring: Wiring,
        stop: threading.Event,
    ) -> None:
        self._api = api
        self._console = console
        self._billing = billing
        self._shipping = shipping
        self._wiring = wiring
        self._stop = stop
        self._scenes: list[Scene] = [self._one_delivery_twice()]
        self._refused: set[str] = set()  # deliveries that C would not have; each is told of once
        self._outage: OutageOfC | None = None
        self._has_said_busy = self._has_said_map = False

    def run(self) -> None:
        say("A takes orders, B writes invoices, C ships goods. What they tell each other goes through Weir.")
        say(f"Events that came in: {self._console}webhooks/event/")
        say(f"Deliveries that go out: {self._console}deliveries/delivery/")
        while not self._stop.wait(STEP_S):
            self._hear()
            self._scenes = [scene for scene in self._scenes if self._goes_on(scene)]

    def _goes_on(self, scene: Scene) -> bool:
        try:
            next(scene)
        except StopIteration:
            return False
        except Refused as refusal:
            say(f"Weir refused what the demo asked: {refusal}")
            return False
        return True

    def _hear(self) -> None:
        while True:
            try:
                news = self._shipping.news.get_nowait()
            except Empty:
                return
            match news:
                case Outage(is_over=False):
                    self._begin_outage()
                case Outage() if self._outage:
                    self._outage.end(datetime.now(UTC))
                case Declined(status=422) if news.delivery not in self._refused:
                    self._refused.add(news.delivery)
                    self._scenes.append(self._dead_letter(news))
                case Declined(status=503) if not self._has_said_busy:
                    self._has_said_busy = True
                    say(f"C said 503 to {news.order}, as it does now and then. Weir tries again.")

    def _begin_outage(self) -> None:
        self._outage = OutageOfC(
            api=self._api, console=self._console, wiring=self._wiring, began_at=datetime.now(UTC)
        )
        self._scenes.append(self._outage.tell())

    def _one_delivery_twice(self) -> Scene:
        yield from _pause(TWICE_AFTER_S)
        while not (delivery := self._last_heard_by_b()):
            yield
        path = f"deliveries/{delivery['id']}"
        self._api.post(f"{path}/replay", {"reason": "The demo shows that what is told twice is done once."})
        while (told := self._api.get(path))["state"] == "pending":
            yield
        answers = " and ".join(f'"{attempt["response"]}"' for attempt in told["attempts"])
        say(f"One delivery was sent to B a second time, as if an answer had been lost: {self._page(told)}")
        say(f"B answered {answers}, and wrote {self._billing.count_invoices(told['id'])} invoice for it.")

    def _dead_letter(self, declined: Declined) -> Scene:
        mapped_at = time.monotonic() + moods.NEW_MAP_AFTER_S
        while (delivery := self._api.get(f"deliveries/{declined.delivery}"))["state"] == "pending":
            yield
        if delivery["state"] != "dead":
            return
        page = self._page(delivery)
        say(f"C refused {declined.order} with 422: its map lacks the street. A dead letter: {page}")
        if not self._has_said_map:
            self._has_said_map = True
            say(f"C gets a better map {moods.NEW_MAP_AFTER_S} s after such an order. Then a replay arrives.")
            yield from _pause(mapped_at - time.monotonic())
            say(f"C has its better map. Replay {declined.order} and it ships: {page}")

    def _last_heard_by_b(self) -> Any:
        return next(iter(self._deliveries(self._wiring.to_billing, state="delivered", limit=1)), None)

    def _deliveries(self, subscription: str, **query: object) -> list[Any]:
        return list(self._api.get("deliveries", subscription=subscription, **query)["results"])

    def _page(self, delivery: dict[str, Any]) -> str:
        return f"{self._console}deliveries/delivery/{UUID(delivery['id'].removeprefix('dlv_'))}/change/"


def _pause(seconds: float) -> Scene:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
