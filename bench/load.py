"""The sender of every bench: posts signed events over kept-alive connections and notes when each was accepted.

Run as `python -m bench.load` with a JSON order on standard input. With `count` it sends as fast as answers come;
with `rate` and `seconds` it sends by the clock, and like any good sender repeats what was not accepted.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from bench.message import CONTENT_TYPE, EVENT_TYPE, body, lane_type, publication
from webhooks.deciders.standard import Signer

REPEAT_S = 0.25  # between two tries of one event
GIVE_UP_S = 60.0
ANSWER_S = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """`prefix` begins the id of every event, so that no two orders send the same one.

    With `lanes`, the events are in turn for each of so many lanes and for no other. With `key` they are published
    over the API and not signed; with `batch`, so many in one request, which `count` then counts.
    """

    port: int
    path: str
    prefix: str
    secret: str = ""
    connections: int = 16
    count: int = 0
    rate: float = 0.0
    seconds: float = 0.0
    lanes: int = 0
    key: str = ""
    batch: int = 0

    def event_type(self, number: int) -> str:
        return lane_type(number % self.lanes) if self.lanes else EVENT_TYPE


@dataclass(kw_only=True, slots=True)
class Log:
    """`accepted` maps an event's id to the monotonic time of its first 2xx."""

    accepted: dict[str, float] = field(default_factory=dict)
    answers: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def note(self, event_id: str, status: int, at: float) -> bool:
        self.answers[str(status)] += 1
        if 200 <= status < 300:
            self.accepted.setdefault(event_id, at)
        return event_id in self.accepted


class Line(asyncio.Protocol):
    """One connection, which carries one request at a time."""

    def __init__(self) -> None:
        self._buffer = b""
        self._answer: asyncio.Future[tuple[int, float]] | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, request: bytes) -> "asyncio.Future[tuple[int, float]]":
        """The answer's status, and when its first byte came. Raises ConnectionError."""
        self._buffer, self._began_at = b"", 0.0
        self._answer = asyncio.get_running_loop().create_future()
        if self.is_open:
            self._transport.write(request)
        else:
            self._answer.set_exception(ConnectionResetError("The server hung up."))
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._began_at = self._began_at or time.monotonic()
        self._buffer += data
        if self._answer and not self._answer.done() and _is_whole(self._buffer):
            self._answer.set_result((int(self._buffer[9:12]), self._began_at))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("The server hung up."))

    def close(self) -> None:
        self._transport.close()


def _is_whole(answer: bytes) -> bool:
    head, gap, content = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    _, found, length = head.lower().partition(b"content-length:")
    if found:
        return len(content) >= int(length.partition(b"\r\n")[0])
    return content.endswith(b"0\r\n\r\n")


class Sender:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._signer = Signer.of([order.secret] if order.secret else [])
        self._idle: list[Line] = []
        self.log = Log()

    def request(self, event_id: str, number: int) -> bytes:
        if self._order.key:
            return publication(
                self._order.port, self._order.path, self._order.key, event_id, self._order.batch
            )
        content, now = body(event_id, self._order.event_type(number)), int(time.time())
        head = (
            f"POST {self._order.path} HTTP/1.1\r\n"
            f"Host: 127.0.0.1:{self._order.port}\r\n"
            f"Content-Type: {CONTENT_TYPE}\r\n"
            f"Content-Length: {len(content)}\r\n"
            f"User-Agent: Shop-Webhooks/1.0\r\n"
            f"webhook-id: {event_id}\r\n"
            f"webhook-timestamp: {now}\r\n"
            f"webhook-signature: {self._signer.sign(event_id, now, content)}\r\n\r\n"
        )
        return head.encode() + content

    async def flood(self) -> None:
        ids = [f"{self._order.prefix}-{number:07d}" for number in range(self._order.count)]
        # Signing is not on the clock.
        pending = iter([(event_id, self.request(event_id, number)) for number, event_id in enumerate(ids)])
        self._idle = [await self._line() for _ in range(self._order.connections)]
        began_at = time.monotonic()
        await asyncio.gather(*(self._in_turn(pending) for _ in range(self._order.connections)))
        self.log.seconds = time.monotonic() - began_at

    async def pace(self) -> None:
        began_at = time.monotonic()
        async with asyncio.TaskGroup() as sending:
            for number in range(round(self._order.rate * self._order.seconds)):
                await asyncio.sleep(max(0.0, began_at + number / self._order.rate - time.monotonic()))
                event_id = f"{self._order.prefix}-{number:07d}"
                sending.create_task(self._until_accepted(event_id, self.request(event_id, number)))
        self.log.seconds = time.monotonic() - began_at

    async def _in_turn(self, pending: Iterator[tuple[str, bytes]]) -> None:
        for event_id, request in pending:
            await self._until_accepted(event_id, request)

    async def _until_accepted(self, event_id: str, request: bytes) -> None:
        until = time.monotonic() + GIVE_UP_S
        while not await self._send(event_id, request) and time.monotonic() < until:
            await asyncio.sleep(REPEAT_S)

    async def _send(self, event_id: str, request: bytes) -> bool:
        line = None
        try:
            line = await self._line()
            async with asyncio.timeout(ANSWER_S):
                status, at = await line.ask(request)
        except OSError as error:  # TimeoutError is one
            self.log.answers[type(error).__name__] += 1
            if line:
                line.close()
            return False
        self._idle.append(line)
        return self.log.note(event_id, status, at)

    async def _line(self) -> Line:
        while self._idle:
            if (line := self._idle.pop()).is_open:
                return line
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(Line, "127.0.0.1", self._order.port)
        return line


async def main() -> None:
    order = Order(**json.load(sys.stdin))
    sender = Sender(order)
    await (sender.flood() if order.count else sender.pace())
    log = sender.log
    json.dump({"accepted": log.accepted, "answers": log.answers, "seconds": log.seconds}, sys.stdout)


if __name__ == "__main__":
    asyncio.run(main())
