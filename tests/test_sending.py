"""What comes of one request, for every way in which the other side can behave."""

import asyncio
import datetime
import functools
import gzip
import ipaddress
import socket
import ssl
from pathlib import Path

import aiohttp
import aiohttp.abc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deliveries.deciders.address import EgressPolicy
from deliveries.deciders.outcome import Outcome
from deliveries.dispatcher.client import Client, Exchange
from tests.endpoints import (
    Behaviour,
    Endpoint,
    answers,
    drips,
    never_answers,
    never_ends,
    says,
    says_and_hangs_up,
    says_and_resets,
)

LOOPBACK = EgressPolicy((ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")))
OK_HEAD = b"HTTP/1.1 200 OK\r\n"


def send(
    *urls: str,
    policy: EgressPolicy = LOOPBACK,
    timeout_s: float = 5,
    tls: ssl.SSLContext | None = None,
    headers: dict[str, str] | None = None,
    body: bytes = b"{}",
) -> list[Exchange]:
    async def sending() -> list[Exchange]:
        async with Client(policy, tls=tls) as client:
            return [
                await client.send(url=url, headers=headers or {}, body=body, timeout_s=timeout_s)
                for url in urls
            ]

    return asyncio.run(sending())


def exchange_with(behaviour: Behaviour, *, timeout_s: float = 5) -> Exchange:
    with Endpoint(behaviour) as endpoint:
        return send(endpoint.url, timeout_s=timeout_s)[0]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_any_2xx_is_a_delivery(status: int) -> None:
    exchange = exchange_with(answers(status))
    assert exchange == Exchange(outcome=Outcome.OK, status=status, response_headers=[("Content-Length", "0")])


def test_the_body_and_the_headers_arrive_byte_for_byte() -> None:
    body = b'\xff\x00{"a": 1 }\r\n'
    with Endpoint(answers(200)) as endpoint:
        send(endpoint.url + "?a=%7Eb%2F", headers={"webhook-id": "dlv_1", "user-agent": "Weir/1"}, body=body)
    (request,) = endpoint.requests
    assert request.line == "POST /hook?a=%7Eb%2F HTTP/1.1"
    assert request.body == body
    assert request.headers == {
        "host": f"127.0.0.1:{endpoint.port}",
        "webhook-id": "dlv_1",
        "user-agent": "Weir/1",
        "content-length": str(len(body)),
    }


def test_a_second_request_reuses_the_connection() -> None:
    with Endpoint(answers(200, body=b"fine")) as endpoint:
        exchanges = send(endpoint.url, endpoint.url)
    assert [exchange.response_body for exchange in exchanges] == [b"fine", b"fine"]
    assert endpoint.accepted == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with Endpoint(answers(200)) as other, Endpoint(answers(status, {"Location": other.url})) as endpoint:
        (exchange,) = send(endpoint.url)
    assert (exchange.outcome, exchange.status) == (Outcome.REDIRECT, status)
    assert other.accepted == 0


def test_a_cookie_is_not_sent_back() -> None:
    with Endpoint(answers(200, {"Set-Cookie": "session=1"})) as endpoint:
        send(endpoint.url, endpoint.url)
    assert "cookie" not in endpoint.requests[1].headers


def test_retry_after_is_handed_on_as_it_came() -> None:
    exchange = exchange_with(answers(429, {"Retry-After": "soon"}))
    assert (exchange.outcome, exchange.retry_after) == (Outcome.THROTTLED, "soon")


def test_an_endless_body_is_cut_and_still_a_delivery() -> None:
    exchange = exchange_with(never_ends)
    assert (exchange.outcome, exchange.status, exchange.truncated) == (Outcome.OK, 200, True)
    assert exchange.response_body == b"x" * 16384


def test_a_body_beyond_what_is_kept_is_marked_truncated() -> None:
    exchange = exchange_with(answers(200, body=b"y" * 16385))
    assert (len(exchange.response_body), exchange.truncated) == (16384, True)


def test_a_dripping_body_ends_at_the_total_limit() -> None:
    exchange = exchange_with(drips, timeout_s=0.2)
    assert (exchange.outcome, exchange.status) == (Outcome.TIMEOUT, 200)
    assert exchange.error == "No complete answer came within 0.2 s."


def test_silence_ends_at_the_total_limit() -> None:
    exchange = exchange_with(never_answers, timeout_s=0.2)
    assert (exchange.outcome, exchange.status) == (Outcome.TIMEOUT, None)


def test_a_body_of_nul_bytes_and_bad_utf8_is_kept_as_it_came() -> None:
    exchange = exchange_with(answers(200, body=b"\x00\xff\xfe\x00"))
    assert exchange.response_body == b"\x00\xff\xfe\x00"


def test_headers_in_a_bad_encoding_can_still_be_stored() -> None:
    exchange = exchange_with(says(OK_HEAD + b"X-Note: caf\xe9\r\nContent-Length: 0\r\n\r\n"))
    assert exchange.response_headers == [("X-Note", "caf\ufffd"), ("Content-Length", "0")]


def test_of_many_headers_eight_kilobytes_are_kept() -> None:
    many = "".join(f"X-{number}: {'v' * 996}\r\n" for number in range(20))
    exchange = exchange_with(says(OK_HEAD + many.encode() + b"Content-Length: 0\r\n\r\n"))
    assert [name for name, _ in exchange.response_headers] == [f"X-{number}" for number in range(8)]


@pytest.mark.parametrize(
    "raw",
    [
        OK_HEAD + b"X-Big: " + b"a" * 1_000_000 + b"\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        OK_HEAD + b"X-Nul: a\x00b\r\n\r\n",
        OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["1 MB header", "not HTTP", "NUL in a header", "bad chunk"],
)
def test_what_is_not_http_is_a_bad_response(raw: bytes) -> None:
    exchange = exchange_with(says(raw))
    assert (exchange.outcome, exchange.error) == (
        Outcome.BAD_RESPONSE,
        "What the endpoint answered is not HTTP, or has a header larger than 65,536 bytes.",
    )


def test_a_long_but_bearable_header_is_a_delivery() -> None:
    assert exchange_with(answers(200, {"X-Policy": "p" * 20_000})).outcome == Outcome.OK


def test_a_gzip_bomb_is_not_inflated() -> None:
    bomb = gzip.compress(b"\0" * 10_000_000)
    exchange = exchange_with(answers(200, {"Content-Encoding": "gzip"}, bomb))
    assert (exchange.outcome, exchange.response_body) == (Outcome.OK, bomb[:16384])


@pytest.mark.parametrize(
    "behaviour",
    [
        says_and_hangs_up(b""),
        says_and_resets(),
        says_and_hangs_up(OK_HEAD),
        says_and_hangs_up(OK_HEAD + b"Content-Length: 100\r\n\r\nhalf"),
        says_and_resets(OK_HEAD + b"Content-Length: 100\r\n\r\nhalf"),
        says_and_hangs_up(OK_HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab"),
    ],
    ids=["closed", "reset", "in the head", "in the body", "reset in the body", "in a chunk"],
)
def test_a_connection_that_breaks_is_a_reset(behaviour: Behaviour) -> None:
    assert exchange_with(behaviour).outcome == Outcome.RESET


def test_a_closed_port_is_refused() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        (exchange,) = send(f"http://127.0.0.1:{closed.getsockname()[1]}/")
    assert (exchange.outcome, exchange.error) == (
        Outcome.REFUSED,
        "The connection was not made: connection refused.",
    )


def test_a_name_that_does_not_exist_is_a_dns_failure() -> None:
    (exchange,) = send("http://nowhere.invalid/")
    assert (exchange.outcome, exchange.status) == (Outcome.DNS, None)


def test_a_name_server_that_never_answers_costs_only_those_who_ask_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def crowd_and_one() -> tuple[list[Exchange], Exchange]:
        async with Client(LOOPBACK) as client:
            crowd = [
                asyncio.create_task(
                    client.send(url=f"http://h{number}.example/", headers={}, body=b"", timeout_s=0.5)
                )
                for number in range(100)
            ]
            one = await client.send(url=healthy.url, headers={}, body=b"", timeout_s=5)
            assert not any(task.done() for task in crowd)
            return await asyncio.gather(*crowd), one

    with socket.socket(type=socket.SOCK_DGRAM) as silent, Endpoint(answers(200)) as healthy:
        silent.bind(("127.0.0.1", 0))
        server = f"127.0.0.1:{silent.getsockname()[1]}"
        deaf = functools.partial(aiohttp.AsyncResolver, nameservers=[server])
        monkeypatch.setattr(aiohttp, "AsyncResolver", deaf)
        crowd, one = asyncio.run(crowd_and_one())
    assert {exchange.outcome for exchange in crowd} == {Outcome.TIMEOUT}
    assert one.outcome == Outcome.OK


def test_of_several_addresses_the_allowed_one_is_reached(monkeypatch: pytest.MonkeyPatch) -> None:
    class TwoAddresses(aiohttp.ThreadedResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[aiohttp.abc.ResolveResult]:
            found = await super().resolve("127.0.0.1", port, socket.AF_INET)
            return [{**found[0], "host": "10.255.255.1"}, found[0]]

    monkeypatch.setattr(aiohttp, "AsyncResolver", TwoAddresses)
    with Endpoint(answers(200)) as endpoint:
        (exchange,) = send(f"http://two.example:{endpoint.port}/")
    assert exchange.outcome == Outcome.OK


@pytest.fixture
def self_signed(tmp_path: Path) -> Path:
    return certificate(tmp_path / "both.pem", ends_in=datetime.timedelta(hours=1))


@pytest.fixture
def expired(tmp_path: Path) -> Path:
    return certificate(tmp_path / "expired.pem", ends_in=datetime.timedelta(days=-3))


def certificate(path: Path, *, ends_in: datetime.timedelta) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + ends_in)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def served_by(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_a_certificate_nobody_vouches_for_is_a_tls_failure(self_signed: Path) -> None:
    with Endpoint(answers(200), tls=served_by(self_signed)) as endpoint:
        (exchange,) = send(endpoint.url)
    assert (exchange.outcome, exchange.error) == (
        Outcome.TLS,
        "The endpoint's certificate is not trusted: self-signed certificate.",
    )
    assert endpoint.requests == []


def test_a_trusted_certificate_is_a_delivery(self_signed: Path) -> None:
    with Endpoint(answers(200), tls=served_by(self_signed)) as endpoint:
        (exchange,) = send(endpoint.url, tls=ssl.create_default_context(cafile=self_signed))
    assert exchange.outcome == Outcome.OK


def test_of_an_expired_certificate_its_end_is_told_after_one_look_that_sends_nothing(expired: Path) -> None:
    end = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=3)
    with Endpoint(answers(200), tls=served_by(expired)) as endpoint:
        exchanges = send(*[endpoint.url] * 3, tls=ssl.create_default_context(cafile=expired))
    assert {(each.outcome, each.error) for each in exchanges} == {
        (
            Outcome.TLS,
            "The endpoint's certificate is not trusted: certificate has expired."
            f" It was valid until {end:%Y-%m-%d}.",
        )
    }
    assert (endpoint.requests, endpoint.accepted) == ([], 1)  # refused handshakes count for none


def test_a_look_at_a_certificate_that_is_not_answered_costs_the_date_alone(
    expired: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(**_: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(asyncio, "open_connection", unreachable)
    with Endpoint(answers(200), tls=served_by(expired)) as endpoint:
        (exchange,) = send(endpoint.url, tls=ssl.create_default_context(cafile=expired))
    assert exchange.error == "The endpoint's certificate is not trusted: certificate has expired."


def test_tls_to_a_server_without_it_is_a_tls_failure() -> None:
    with Endpoint(never_answers, greeting=b"220 mail.example.com ESMTP\r\n") as endpoint:
        (exchange,) = send(endpoint.url.replace("http:", "https:"))
    assert (exchange.outcome, exchange.error) == (Outcome.TLS, "The TLS handshake failed.")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_a_refused_address_is_never_connected_to(host: str) -> None:
    with Endpoint(answers(200)) as endpoint:
        (exchange,) = send(f"http://{host}:{endpoint.port}/", policy=EgressPolicy())
    assert exchange.outcome == Outcome.BLOCKED
    assert exchange.error.endswith("is loopback; HUB_EGRESS_ALLOW does not list it.")
    assert endpoint.accepted == 0


@pytest.mark.parametrize("host", ["2130706433", "127.1", "0x7f.0.0.1", "0177.0.0.1"])
def test_an_address_in_an_odd_form_reaches_nothing(host: str) -> None:
    with Endpoint(answers(200)) as endpoint:
        (exchange,) = send(f"http://{host}:{endpoint.port}/", policy=EgressPolicy())
    assert exchange.outcome in (Outcome.BLOCKED, Outcome.UNSENDABLE, Outcome.DNS)
    assert endpoint.accepted == 0


def test_a_name_that_resolves_to_an_allowed_address_is_reached() -> None:
    with Endpoint(answers(200)) as endpoint:
        (exchange,) = send(f"http://localhost:{endpoint.port}/")
    assert exchange.outcome == Outcome.OK


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://example.com/", {}),
        ("not a url", {}),
        ("http://[::1/", {}),
        ("http://127.0.0.1:99999/", {}),
        ("http://127.0.0.1/", {"x-split": "a\r\nb: c"}),
    ],
)
def test_what_cannot_be_a_request_is_unsendable(url: str, headers: dict[str, str]) -> None:
    with Endpoint(answers(200)) as endpoint:
        (exchange,) = send(url.replace("127.0.0.1/", f"127.0.0.1:{endpoint.port}/"), headers=headers)
    assert exchange.outcome == Outcome.UNSENDABLE
    assert endpoint.requests == []


def test_a_slow_endpoint_does_not_delay_another() -> None:
    async def both() -> list[Exchange]:
        async with Client(LOOPBACK) as client:
            slow = asyncio.create_task(client.send(url=stuck.url, headers={}, body=b"", timeout_s=30))
            await asyncio.to_thread(stuck.wait_for, 1)
            quick = await client.send(url=healthy.url, headers={}, body=b"", timeout_s=5)
            slow.cancel()
            with pytest.raises(asyncio.CancelledError):
                await slow
            return [quick]

    with Endpoint(never_answers) as stuck, Endpoint(answers(200)) as healthy:
        (exchange,) = asyncio.run(both())
    assert exchange.outcome == Outcome.OK
