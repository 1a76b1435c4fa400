"""Opens outbound sockets, as no other module does: one POST, one Exchange. It never decides about retries."""

import asyncio
import errno
import logging
import os
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.http_exceptions import ContentLengthError, TransferEncodingError
from cryptography import x509
from yarl import URL

from deliveries.deciders.address import EgressPolicy
from deliveries.deciders.outcome import VALID_UNTIL, Outcome, classify_status

READ_LIMIT = 64 * 1024  # bytes of a response body; then we hang up
BODY_KEPT = 16 * 1024
HEADERS_KEPT = 8 * 1024
HEADER_LIMIT = 64 * 1024  # bytes of one response header; a longer one is no answer to a webhook
# Shorter than the 5 s after which common servers hang up: a connection must not die under a POST.
KEEPALIVE_S = 4.0
DNS_CACHE_S = 10
ERROR_LENGTH = 300
# What the system answers when it has no file, socket or memory to give us: no endpoint can cause that.
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})
EXPIRED = 10  # OpenSSL's X509_V_ERR_CERT_HAS_EXPIRED
LOOK_S = 1.0  # for a look at a certificate that is told to be expired
LOOK_EVERY_S = 600.0  # at one host: every attempt fails alike, and one look serves them
COMPLAIN_EVERY_S = 60.0  # a shortage fails thousands of deliveries, and one line says it
NOT_HTTP = f"What the endpoint answered is not HTTP, or has a header larger than {HEADER_LIMIT:,} bytes."

log = logging.getLogger(__name__)

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What came of one request. `error` is one sentence, empty when a status says it all."""

    outcome: Outcome
    status: int | None = None
    error: str = ""
    response_headers: list[tuple[str, str]] = field(default_factory=list)
    response_body: bytes = b""
    truncated: bool = False
    retry_after: str | None = None


class AddressBlocked(OSError):
    """The policy refuses the address; the message is its sentence."""


class Client:
    """Sends to whom the policy allows. One per event loop, used as an async context manager."""

    def __init__(self, policy: EgressPolicy, *, tls: ssl.SSLContext | None = None) -> None:
        self._policy = policy
        self._tls = tls
        self._complained_at = float("-inf")
        self._ends: dict[
            tuple[str, int], tuple[float, str]
        ] = {}  # of expired certificates, and until when known

    async def __aenter__(self) -> Self:
        # c-ares, since a thread pool would let a handful of dead name servers stop every lane.
        self._resolver = _GuardedResolver(self._policy, aiohttp.AsyncResolver())
        connector = aiohttp.TCPConnector(
            limit=0,
            keepalive_timeout=KEEPALIVE_S,
            resolver=self._resolver,
            ttl_dns_cache=DNS_CACHE_S,
            socket_factory=self._open_socket,
            ssl=self._tls or True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),  # ours covers everything
            auto_decompress=False,
            trust_env=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            max_line_size=HEADER_LIMIT,
            max_field_size=HEADER_LIMIT,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()
        await self._resolver.close()

    async def send(self, *, url: str, headers: dict[str, str], body: bytes, timeout_s: float) -> Exchange:
        """POSTs once, whatever the other side does, within `timeout_s`. Raises nothing but CancelledError."""
        answer, until = _Answer(), time.monotonic() + timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._converse(answer, url, headers, body)
        except TimeoutError:
            return answer.broken(Outcome.TIMEOUT, f"No complete answer came within {timeout_s:g} s.")
        except Exception as error:  # noqa: BLE001  # no endpoint's oddity may end the loop that serves all
            outcome, sentence = self._explained(error)
            return answer.broken(outcome, sentence + await self._end_of_certificate(error, url, until))
        finally:
            answer.close()
        return answer.whole()

    async def _converse(self, answer: "_Answer", url: str, headers: dict[str, str], body: bytes) -> None:
        response = await self._session.post(_target(url), data=body, headers=headers, allow_redirects=False)
        answer.response = response
        while answer.size < READ_LIMIT:
            chunk = await response.content.readany()
            if not chunk:
                answer.is_complete = True
                return
            answer.add(chunk)

    def _explained(self, error: Exception) -> tuple[Outcome, str]:
        outcome, sentence = _explain(error)
        if outcome is Outcome.OWN_TROUBLE and time.monotonic() - self._complained_at >= COMPLAIN_EVERY_S:
            self._complained_at = time.monotonic()
            log.error("%s Deliveries wait, and no attempt is spent.", sentence)
        return outcome, sentence

    async def _end_of_certificate(self, error: Exception, url: str, until: float) -> str:
        """When an expired one ended, as a sentence; nothing where that is not the trouble, or cannot be learned."""
        refused = getattr(error, "certificate_error", None)
        if getattr(refused, "verify_code", 0) != EXPIRED:
            return ""
        now, target = time.monotonic(), _target(url)
        place = (target.host or "", target.port or 443)
        known_until, sentence = self._ends.get(place, (0.0, ""))
        if known_until <= now:
            sentence = await self._look_at_certificate(*place, min(LOOK_S, until - now))
            self._ends = {key: known for key, known in self._ends.items() if known[0] > now}
            self._ends[place] = (now + LOOK_EVERY_S, sentence)
        return sentence

    async def _look_at_certificate(self, host: str, port: int, timeout_s: float) -> str:
        """A handshake and not a byte more, with what is told to be expired and therefore believed in nothing else."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(timeout_s):
                (found, *_) = await self._resolver.resolve(host, port, socket.AF_UNSPEC)
                place = (found["host"], port)
                gate = self._open_socket((found["family"], socket.SOCK_STREAM, 0, "", place))
                with gate:
                    gate.setblocking(False)
                    await asyncio.get_running_loop().sock_connect(gate, place)
                    _, writer = await asyncio.open_connection(sock=gate, ssl=context, server_hostname=host)
                    shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
                    writer.transport.abort()
                return _ended(shown)
        return ""

    def _open_socket(self, address: AddrInfo) -> socket.socket:
        """The last gate, and the only one that sees literals: nothing connects but through here."""
        family, kind, protocol, _, target = address
        if sentence := self._policy.refusal(str(target[0])):
            raise AddressBlocked(sentence)
        return socket.socket(family, kind, protocol)


class _GuardedResolver(AbstractResolver):
    """Leaves refused addresses out of an answer, so that a host with one good address is still reached."""

    def __init__(self, policy: EgressPolicy, resolver: AbstractResolver) -> None:
        self._policy = policy
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        refusals = [self._policy.refusal(result["host"]) for result in found]
        if found and all(refusals):
            raise AddressBlocked(refusals[0])
        return [result for result, refusal in zip(found, refusals, strict=True) if not refusal]

    async def close(self) -> None:
        await self._resolver.close()


@dataclass(slots=True)
class _Answer:
    """As much of a response as has come."""

    response: aiohttp.ClientResponse | None = None
    size: int = 0
    kept: bytearray = field(default_factory=bytearray)
    is_complete: bool = False

    def add(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self.kept += chunk[: BODY_KEPT - len(self.kept)]

    def whole(self) -> Exchange:
        assert self.response is not None  # noqa: S101  # _converse returned
        return self._exchange(classify_status(self.response.status), "")

    def broken(self, outcome: Outcome, error: str) -> Exchange:
        return self._exchange(outcome, error[:ERROR_LENGTH])

    def close(self) -> None:
        """Hangs up on an endpoint that has more to say; a finished connection is back in the pool already."""
        if self.response is not None and not self.is_complete:
            self.response.close()

    def _exchange(self, outcome: Outcome, error: str) -> Exchange:
        response = self.response
        if response is None:
            return Exchange(outcome=outcome, error=error)
        return Exchange(
            outcome=outcome,
            status=response.status,
            error=error,
            response_headers=_kept_headers(response.raw_headers),
            response_body=bytes(self.kept),
            truncated=not self.is_complete or self.size > len(self.kept),
            retry_after=response.headers.get("Retry-After"),
        )


def _ended(certificate: bytes) -> str:
    """Nothing where it is another of its chain that has expired. Raises ValueError where it is none."""
    end = x509.load_der_x509_certificate(certificate).not_valid_after_utc
    return f"{VALID_UNTIL}{end:%Y-%m-%d}." if end < datetime.now(UTC) else ""


@lru_cache(maxsize=16_384)
def _target(url: str) -> URL:
    # As it was written, escapes included: normalising them would change what a receiver signs or routes by.
    return URL(url, encoded=url.isascii())


def _kept_headers(raw: tuple[tuple[bytes, bytes], ...]) -> list[tuple[str, str]]:
    kept: list[tuple[str, str]] = []
    room = HEADERS_KEPT
    for name, value in raw:
        room -= len(name) + len(value)
        if room < 0:
            break
        kept.append((_text(name), _text(value)))
    return kept


def _text(raw: bytes) -> str:
    # NUL is a character that PostgreSQL stores in no text.
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")


def _explain(error: Exception) -> tuple[Outcome, str]:
    """The outcome an exception of aiohttp stands for, and a sentence that quotes neither URL nor content."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            reason = getattr(error.certificate_error, "verify_message", "")
            return Outcome.TLS, f"The endpoint's certificate is not trusted: {reason or 'unknown reason'}."
        case aiohttp.ClientSSLError():
            return Outcome.TLS, "The TLS handshake failed."
        case aiohttp.ClientConnectorError(os_error=AddressBlocked() as blocked):
            return Outcome.BLOCKED, str(blocked)
        case aiohttp.ClientConnectorDNSError():
            if shortage := _shortage():  # the resolver says of that only that nobody answered
                return _own_trouble(shortage)
            return Outcome.DNS, f"The host's name was not resolved: {error.os_error.strerror or 'no answer'}."
        case aiohttp.ClientConnectorError():
            return _explain_connect(error.os_error)
        case aiohttp.ClientPayloadError():
            return _explain_payload(error.__cause__)
        case aiohttp.ClientResponseError():
            return Outcome.BAD_RESPONSE, NOT_HTTP
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError() | ValueError() | TypeError():
            return Outcome.UNSENDABLE, "The request cannot be built: its URL or a header is not valid."
        case aiohttp.ServerDisconnectedError() | OSError():
            return Outcome.RESET, "The endpoint closed the connection before it had answered."
        case _:
            return Outcome.BAD_RESPONSE, f"The exchange failed in an unexpected way: {type(error).__name__}."


def _shortage() -> OSError | None:
    try:
        socket.socket().close()
    except OSError as error:
        return error if error.errno in SHORTAGES else None
    return None


def _own_trouble(shortage: OSError) -> tuple[Outcome, str]:
    reason = os.strerror(shortage.errno or 0).lower()
    return Outcome.OWN_TROUBLE, f"Weir itself could open no connection: {reason}."


def _explain_connect(error: OSError) -> tuple[Outcome, str]:
    if error.errno in SHORTAGES:
        return _own_trouble(error)
    if error.errno == errno.ETIMEDOUT:
        return Outcome.TIMEOUT, "The endpoint did not take the connection in time."
    if error.errno in (errno.ECONNRESET, errno.EPIPE):
        return Outcome.RESET, "The endpoint reset the connection."
    reason = os.strerror(error.errno).lower() if error.errno else "no address took it"
    return Outcome.REFUSED, f"The connection was not made: {reason}."


def _explain_payload(cause: BaseException | None) -> tuple[Outcome, str]:
    is_cut = isinstance(cause, ContentLengthError | OSError) or (
        isinstance(cause, TransferEncodingError) and "Not enough data" in str(cause)
    )
    if is_cut:
        return Outcome.RESET, "The endpoint closed the connection in the middle of its answer."
    return Outcome.BAD_RESPONSE, NOT_HTTP
