"""What the web server calls: senders go straight to the door, people pass the middleware."""

import socket
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from hub.wsgi import application
from tests import make
from tests.web_servers import web_server_beside
from webhooks import views
from webhooks.models import Event, Refusal

pytestmark = pytest.mark.django_db(transaction=True)


def call(
    path: str, body: bytes = b"", method: str = "POST", **headers: str
) -> tuple[str, dict[str, str], bytes]:
    told: list[Any] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "HTTP_HOST": "127.0.0.1:8000",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": BytesIO(body),
        "wsgi.url_scheme": "http",
        **headers,
    }

    def start(status: str, headers: list[tuple[str, str]], error: Any = None) -> Any:
        told.extend([status, dict(headers)])

    answer: Any = application(environ, start)
    content = b"".join(answer)
    if hasattr(answer, "close"):  # as PEP 3333 has it
        answer.close()
    return told[0], told[1], content


def test_a_sender_passes_no_middleware_and_its_event_is_stored() -> None:
    make.source("shop")
    status, headers, _ = call("/in/shop", b'{"event_id": "a", "event_type": "t"}')
    assert status == "202 Accepted"
    assert "Content-Security-Policy" not in headers
    assert Event.objects.get().external_id == "a"


def test_people_pass_all_of_it() -> None:
    status, headers, _ = call("/livez", method="GET")
    assert status == "200 OK"
    assert headers["Content-Security-Policy"].startswith("default-src 'self'")


@pytest.mark.parametrize("end", [b"", b"\r\nno size\r\n"], ids=["hung up", "a chunk of no size"])
def test_a_body_in_chunks_that_breaks_off_becomes_no_event(
    end: bytes, tmp_path: Path, free_port: int
) -> None:
    make.source("shop")
    head = b"POST /in/shop HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n"
    half = b'{"event_id":"a","amount":10'
    with (
        web_server_beside(tmp_path, free_port, "/livez"),
        socket.create_connection(("127.0.0.1", free_port), timeout=10) as sender,
    ):
        sender.sendall(head + b"%x\r\n" % len(half) + half + end)
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1_000).startswith(b"HTTP/1.1 400 ")
    assert not Event.objects.exists()
    assert Refusal.objects.get().reason == "body-incomplete"


def test_a_content_type_that_django_cannot_read_is_taken_as_it_is() -> None:
    make.source("shop")
    status, _, _ = call("/in/shop", b"{}", CONTENT_TYPE="text/plain; charset*=bogus''x")
    assert status == "202 Accepted"
    assert Event.objects.get().content.content_type == "text/plain; charset*=bogus''x"


def test_no_charset_makes_a_form_or_an_address_costly_to_read() -> None:
    form = (
        b'--x\r\nContent-Disposition: form-data; name="username"\r\n\r\n' + b"a" * 300_000 + b"\r\n--x--\r\n"
    )
    kind = "multipart/form-data; boundary=x; charset=punycode"
    began_at = time.process_time()
    status, _, _ = call("/admin/login/", form, CONTENT_TYPE=kind, HTTP_COOKIE="csrftoken=" + "c" * 32)
    assert status == "403 Forbidden"
    asked = "next=" + "a" * 60_000
    status, _, _ = call("/admin/login/", method="GET", CONTENT_TYPE=kind, QUERY_STRING=asked)
    assert status == "200 OK"
    assert time.process_time() - began_at < 2


@pytest.mark.parametrize("path", ["/in/", "/in/nobody", "/in/a/b/c", "/in/%00"])
def test_a_door_that_is_not_there_is_a_plain_404(path: str) -> None:
    status, _, _ = call(path, b"{}")
    assert status == "404 Not Found"
    assert Event.objects.count() == 0


def test_a_method_the_door_does_not_know_is_405() -> None:
    make.source("shop")
    status, headers, _ = call("/in/shop", method="PUT")
    assert status == "405 Method Not Allowed"
    assert "POST" in headers["Allow"]


def test_a_connection_past_its_age_is_replaced_before_the_next_receipt() -> None:
    make.source("shop")
    before = connection.connection
    connection.close_at = time.monotonic() - 1
    assert call("/in/shop", b'{"event_id": "a", "event_type": "t"}')[0] == "202 Accepted"
    assert connection.connection is not before


def test_what_breaks_at_the_door_is_a_500_without_a_word_of_why(monkeypatch: Any) -> None:
    def fall(**_: Any) -> Any:
        raise RuntimeError("the hinge is made of butter")

    monkeypatch.setattr(views, "receive", fall)
    status, _, content = call("/in/shop", b"{}")
    assert status == "500 Internal Server Error"
    assert b"butter" not in content
