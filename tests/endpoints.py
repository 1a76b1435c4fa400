"""Real loopback endpoints, well-behaved and hostile, each in a thread of its own. They never judge a test."""

import asyncio
import contextlib
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Request:
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.line.split(" ")[1]


Behaviour = Callable[[Request, asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Endpoint:
    """`with Endpoint(answers(200)) as endpoint:` serves on `endpoint.url` and remembers what came."""

    behaviour: Behaviour
    tls: ssl.SSLContext | None = None
    greeting: bytes = b""  # said before anything is asked
    accepted: int = 0
    requests: list[Request] = field(default_factory=list)
    port: int = 0

    def __post_init__(self) -> None:
        self._came = threading.Condition()
        self._ready = threading.Event()
        # Held here: of one that waits for nothing, and whose other side has hung up, nobody else knows any more.
        self._conversations: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}/hook"

    def wait_for(self, count: int, timeout_s: float = 10) -> list[Request]:
        """Blocks until that many requests have come."""
        with self._came:
            came = self._came.wait_for(lambda: len(self.requests) >= count, timeout_s)
        assert came, f"{len(self.requests)} of {count} requests came within {timeout_s} s"
        return self.requests

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self.tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # what was just accepted begins yet
            for conversation, writer in self._conversations.items():
                writer.transport.abort()  # whatever has not gone out: a close would wait for the other side
                conversation.cancel()
            await asyncio.wait(others)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations[conversation] = writer
        conversation.add_done_callback(lambda done: self._conversations.pop(done).close())

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.greeting)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while not writer.is_closing():
                request = await _read(reader)
                with self._came:
                    self.requests.append(request)
                    self._came.notify_all()
                await self.behaviour(request, writer)
                await writer.drain()


def answers(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Behaviour:
    lines = [f"HTTP/1.1 {status} Any", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return says("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


def says(raw: bytes) -> Behaviour:
    """These bytes, whatever they are, and the connection stays open."""

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)

    return behave


def says_and_hangs_up(raw: bytes) -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.close()

    return behave


def says_and_resets(raw: bytes = b"") -> Behaviour:
    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        writer.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        writer.close()

    return behave


async def never_answers(request: Request, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def never_ends(request: Request, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()


async def drips(request: Request, writer: asyncio.StreamWriter) -> None:
    """A byte now and then: each arrives well within any limit between two reads."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


def takes_turns(*behaviours: Behaviour) -> Behaviour:
    """The first for the first request, the next for the next; the last for all that follow."""
    waiting = list(behaviours)

    async def behave(request: Request, writer: asyncio.StreamWriter) -> None:
        await (waiting.pop(0) if len(waiting) > 1 else waiting[0])(request, writer)

    return behave


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *rest = head.rstrip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (text.partition(":") for text in rest)}
    return Request(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))
