"""The published cases of W3C trace context once more, through the web server and out again at the far end."""

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from tests.endpoints import Endpoint, answers
from tests.hubs import PROC, Hub, environment_of, running_hub
from tests.trace_contexts import PUBLISHED, SOUND, Headers
from webhooks.deciders.trace_context import MOST_ENTRIES

pytestmark = pytest.mark.skipif(not PROC.exists(), reason="finds processes in /proc")


def test_what_a_sender_says_is_passed_on_or_dropped_as_the_standard_wants_it(
    tmp_path: Path, free_port: int
) -> None:
    """Only behind a sound traceparent is anything passed on, so an entry beside it shows whether it was believed."""
    environment = environment_of(tmp_path) | {"HUB_EGRESS_ALLOW": "127.0.0.0/8"}
    with Endpoint(answers(204)) as endpoint, running_hub(tmp_path, free_port, environment) as hub:
        key = made_key(environment)
        ask(hub, key, "sources", {"name": "Suite", "slug": "suite", "scheme": "none"})
        subscriber = ask(hub, key, "subscribers", {"name": "Harness"})["id"]
        wanted = {"subscriber": subscriber, "name": "harness", "url": endpoint.url, "event_types": ["*"]}
        ask(hub, key, "subscriptions", wanted)
        expected = {}
        for number, case in enumerate(PUBLISHED):
            headers, entries = [*case.headers], case.entries
            if not any(
                name.lower().startswith(("tracestate", "trace-state", "trace.state")) for name, _ in headers
            ):
                headers.append(("tracestate", "foo=1"))
                entries = "foo=1" if case.is_sound else ""
            send(hub, number, headers)
            # Ours goes before them, so that the last of 32 finds no room.
            expected[number] = entries.split(",")[: MOST_ENTRIES - 1]
        requests = endpoint.wait_for(len(PUBLISHED), timeout_s=30)
    told = {json.loads(each.body)["number"]: each.headers for each in requests}
    got = {number: told[number]["tracestate"].split(",") for number in sorted(told)}
    assert all(ours == f"weir={told[number]['webhook-id']}" for number, (ours, *_) in got.items())
    assert {number: others or [""] for number, (_, *others) in got.items()} == expected
    traces = {headers["traceparent"].split("-")[1] for headers in told.values()}
    assert (
        len(traces) == len(PUBLISHED) and SOUND.split("-")[1] not in traces
    )  # each its own, and nobody else's


def made_key(environment: dict[str, str]) -> str:
    command = [sys.executable, "manage.py", "api_key", "create", "--role", "operator"]
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return made.stdout.split()[-1]


def ask(hub: Hub, key: str, path: str, said: dict[str, Any]) -> Any:
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    asked = Request(f"{hub.address}/api/v1/{path}", json.dumps(said).encode(), headers)
    with urlopen(asked, timeout=10) as answer:
        return json.load(answer)


def send(hub: Hub, number: int, headers: Headers) -> None:
    """Byte by byte as the case has it: a client of our own would tidy blanks, case and repetitions."""
    place, body = urlsplit(hub.address), json.dumps({"event_id": f"case-{number}", "number": number})
    head = [
        "POST /in/suite HTTP/1.1", f"Host: {place.netloc}", "Connection: close", f"Content-Length: {len(body)}",
        *(f"{name}:{value}" for name, value in headers),
    ]  # fmt: skip
    with socket.create_connection((place.hostname or "", place.port or 0), timeout=10) as line:
        line.sendall("\r\n".join([*head, "", body]).encode())
        assert b"".join(iter(lambda: line.recv(4_096), b"")).startswith(b"HTTP/1.1 202 "), headers
