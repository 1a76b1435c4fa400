"""A client that streams sends its body in chunks and tells no length; over the API it is read like any other."""

import json
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from tests import make
from tests.callers import Caller, with_key
from tests.web_servers import web_server_beside
from webhooks.models import Event, Source
from webhooks.services.keys import create_api_key

pytestmark = pytest.mark.django_db(transaction=True)


class Chunks:
    """What a web server hands over; it may break off."""

    def __init__(self, *parts: bytes, broken: bool = False) -> None:
        self.parts = list(parts)
        self.broken = broken

    def read(self, size: int) -> bytes:
        if self.parts:
            return self.parts.pop(0)
        if self.broken:
            raise OSError("hung up")
        return b""

    def readline(self) -> bytes:
        raise NotImplementedError  # nobody reads a body so


def send(caller: Caller, method: str, path: str, chunks: Chunks, **headers: Any) -> Any:
    meta: dict[str, Any] = {
        "HTTP_TRANSFER_ENCODING": "chunked",
        "wsgi.input_terminated": True,
        "wsgi.input": chunks,
    }
    return caller.generic(method, f"/api/v1/{path}", content_type="application/json", **meta, **headers)


EVENT = b'{"source": "shop", "event_type": "t", "data": {"n": 1}}'


def test_an_event_is_published_in_chunks() -> None:
    make.source()
    assert send(with_key(), "POST", "events", Chunks(EVENT[:20], EVENT[20:])).status_code == 201
    assert json.loads(bytes(Event.objects.get().content.body))["data"] == {"n": 1}


def test_a_change_in_chunks_is_made_and_not_taken_for_an_empty_one() -> None:
    make.source()
    assert send(with_key(), "PATCH", "sources/shop", Chunks(b'{"name": "Corner shop"}')).status_code == 200
    assert Source.objects.get().name == "Corner shop"


def test_a_repeat_in_chunks_gets_the_first_answer_and_another_body_none() -> None:
    make.source()
    caller, key = with_key(), {"HTTP_IDEMPOTENCY_KEY": "k"}
    first = send(caller, "POST", "events", Chunks(EVENT), **key)
    again = send(caller, "POST", "events", Chunks(EVENT[:5], EVENT[5:]), **key)
    other = send(caller, "POST", "events", Chunks(EVENT.replace(b"1", b"2")), **key)
    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 422)
    assert again.content == first.content
    assert Event.objects.count() == 1


def test_too_much_in_chunks_is_413(settings: Settings) -> None:
    settings.HUB_MAX_BODY = 1_024
    answer = send(with_key(), "POST", "subscribers", Chunks(b"[" * 1_000, b"[" * 1_000, broken=True))
    assert (answer.status_code, json.loads(answer.content)["code"]) == (413, "too-large")


def test_chunks_that_break_off_do_nothing() -> None:
    make.source()
    answer = send(with_key(), "POST", "events", Chunks(EVENT, broken=True))
    assert answer.status_code == 400
    assert json.loads(answer.content)["detail"] == "The body ended before its last chunk."
    assert not Event.objects.exists()


def test_a_stranger_s_chunks_are_not_read() -> None:
    chunks = Chunks(EVENT)
    assert send(Caller(), "POST", "events", chunks).status_code == 401
    assert chunks.parts == [EVENT]


def test_the_hub_s_web_server_hands_them_over(tmp_path: Path, free_port: int) -> None:
    make.source()
    _, key = create_api_key(role="publisher")
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    parts: Iterable[bytes] = iter([EVENT[:9], EVENT[9:]])
    with web_server_beside(tmp_path, free_port, "/livez"):
        connection = HTTPConnection("127.0.0.1", free_port, timeout=10)
        connection.request("POST", "/api/v1/events", parts, headers, encode_chunked=True)
        assert connection.getresponse().status == 201
        connection.close()
    assert Event.objects.count() == 1
