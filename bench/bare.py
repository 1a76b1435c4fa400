"""The yardstick without a database: a bare aiohttp loop that sends bodies signed beforehand, as fast as it can.

Run as `python -m bench.bare` with a JSON order on standard input; answers with the seconds it took.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from uuid import uuid4

import aiohttp

from bench.message import CONTENT_TYPE, body
from deliveries.deciders.request import compose_headers
from webhooks.deciders.standard import Signer, new_secret

Request = tuple[str, dict[str, str], bytes]


def requests(*, url: str, lanes: int, count: int) -> list[Request]:
    """The same addresses, bodies and headers that the hub sends; signing them is not on the clock."""
    signers = [Signer.of([new_secret()]) for _ in range(lanes)]
    return [_request(f"{url}{n % lanes}", signers[n % lanes], body(f"evt-{n:07d}")) for n in range(count)]


def _request(url: str, signer: Signer, content: bytes) -> Request:
    headers = compose_headers(
        signer=signer,
        message_id=f"dlv_{uuid4().hex}",
        timestamp=int(time.time()),
        body=content,
        content_type=CONTENT_TYPE,
        trace_id=uuid4().hex,
        span_id=uuid4().hex[:16],
        attempt=1,
        extra={},
    )
    return url, headers, content


async def send_all(requests: list[Request], *, concurrency: int) -> float:
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        pending = iter(requests)
        began_at = time.monotonic()
        await asyncio.gather(*(_send_in_turn(session, pending) for _ in range(concurrency)))
        return time.monotonic() - began_at


async def _send_in_turn(session: aiohttp.ClientSession, pending: Iterator[Request]) -> None:
    for url, headers, content in pending:
        async with session.post(url, data=content, headers=headers) as answer:
            await answer.read()
            answer.raise_for_status()


def main() -> None:
    order = json.load(sys.stdin)
    prepared = requests(url=order["url"], lanes=order["lanes"], count=order["count"])
    seconds = asyncio.run(send_all(prepared, concurrency=order["concurrency"]))
    json.dump({"seconds": seconds}, sys.stdout)


if __name__ == "__main__":
    main()
