"""The subscriber of every bench: answers 200 at once and notes when the first byte of each request came.

Run as `python -m bench.sink [delay in ms]`. It prints its port, then obeys lines on standard input: `reset`,
`peak`, `report`, `fail`, `heal` and `wait <count> <seconds>` get one line back each. It ends when its input does.
It checks no signature: all contenders are served by the same cheap hand.

Two kinds of path are less friendly, and nothing that comes there is noted: one that begins with /hang never gets an
answer, and one that begins with /moody gets 503 from `fail` until `heal`.
"""

import asyncio
import json
import sys
import time

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
FAILURE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
LOOK_S = 0.002


class Arrivals:
    """What came since the last reset: the time of each first byte, and which delivery it was."""

    def __init__(self) -> None:
        self.open = 0
        self.is_failing = False
        self.reset()

    def reset(self) -> None:
        self.noted: list[tuple[float, bytes]] = []
        self.peak = self.open

    def report(self) -> str:
        return json.dumps([(at, name.decode("latin-1")) for at, name in self.noted])


class Subscriber(asyncio.Protocol):
    """One kept-alive connection, whose requests follow one another."""

    def __init__(self, arrivals: Arrivals, delay_s: float) -> None:
        self._arrivals = arrivals
        self._delay_s = delay_s
        self._buffer = b""
        self._began_at = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._arrivals.open += 1
        self._arrivals.peak = max(self._arrivals.peak, self._arrivals.open)

    def connection_lost(self, error: Exception | None) -> None:
        self._arrivals.open -= 1

    def data_received(self, data: bytes) -> None:
        if not self._buffer:
            self._began_at = time.monotonic()
        self._buffer += data
        while self._take_request():
            pass

    def _take_request(self) -> bool:
        head_end = self._buffer.find(b"\r\n\r\n")
        if head_end < 0:
            return False
        head = self._buffer[: head_end + 2].lower()
        end = head_end + 4 + int(_header(head, b"content-length") or 0)
        if len(self._buffer) < end:
            return False
        self._buffer = self._buffer[end:]
        if head.startswith((b"post /hang", b"post /moody")):
            self._be_unfriendly(head)
            return True
        self._arrivals.noted.append((self._began_at, _header(head, b"webhook-id")))
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self._transport.write, ANSWER)
        else:
            self._transport.write(ANSWER)
        return True

    def _be_unfriendly(self, head: bytes) -> None:
        if not head.startswith(b"post /hang"):
            self._transport.write(FAILURE if self._arrivals.is_failing else ANSWER)


def _header(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name + b":")
    if start < 0:
        return b""
    start += len(name) + 3
    return head[start : head.index(b"\r\n", start)].strip()


async def _wait(arrivals: Arrivals, count: int, seconds: float) -> str:
    until = time.monotonic() + seconds
    while len(arrivals.noted) < count and time.monotonic() < until:
        await asyncio.sleep(LOOK_S)
    return str(len(arrivals.noted))


async def _obey(arrivals: Arrivals, line: str) -> str:
    match line.split():
        case ["wait", count, seconds]:
            return await _wait(arrivals, int(count), float(seconds))
        case ["report"]:
            return arrivals.report()
        case ["peak"]:
            return str(arrivals.peak)
        case ["fail" | "heal" as mood]:
            arrivals.is_failing = mood == "fail"
            return mood
        case _:
            arrivals.reset()
            return "empty"


async def main(delay_s: float) -> None:
    loop = asyncio.get_running_loop()
    arrivals = Arrivals()
    server = await loop.create_server(lambda: Subscriber(arrivals, delay_s), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    orders = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(orders), sys.stdin)
    while line := await orders.readline():
        print(await _obey(arrivals, line.decode()), flush=True)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000 if len(sys.argv) > 1 else 0.0))
