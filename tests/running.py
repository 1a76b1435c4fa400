"""Runs real dispatchers beside a test, each in a thread with connections and a loop of its own."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.db import connections

from deliveries.dispatcher import seats
from deliveries.dispatcher.loop import Dispatcher

PATIENCE_S = 15.0


@dataclass
class Running:
    slice_s: float = 600.0
    stop: threading.Event = field(default_factory=threading.Event)
    errors: list[BaseException] = field(default_factory=list)

    def run(self) -> None:
        try:
            taken_at = time.monotonic()
            holding = seats.sit()
            assert holding is not None, "no free seat"
            asyncio.run(
                Dispatcher(
                    holding=holding, taken_at=taken_at, should_stop=self.stop.is_set, slice_s=self.slice_s
                ).run()
            )
        except BaseException as error:  # noqa: BLE001 (shown by the test that started it)
            self.errors.append(error)
        finally:
            connections.close_all()


@contextmanager
def dispatchers(count: int = 1, *, slice_s: float = 600.0) -> Iterator[Running]:
    """`count` dispatchers at work until the block ends; the seats there are must suffice."""
    running = Running(slice_s=slice_s)
    threads = [threading.Thread(target=running.run) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield running
    finally:
        running.stop.set()
        for thread in threads:
            thread.join(PATIENCE_S)
    assert not running.errors, running.errors


def until(condition: Callable[[], object], *, within_s: float = PATIENCE_S) -> None:
    """Waits for something another thread or process does to show in the database."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
