"""Decides the headers of an attempt, and which headers a subscription may add. It never sends them."""

import re
from collections.abc import Mapping
from typing import Final

from webhooks.deciders.standard import Signer

USER_AGENT: Final = "Weir/1"
MAX_HEADERS_SIZE = 4_096  # bytes of names and values; many servers stop reading at 8 KiB

NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
CONNECTION = """
    connection keep-alive proxy-connection te trailer transfer-encoding upgrade expect http2-settings
    host content-length content-encoding
"""
OURS = "content-type user-agent accept-encoding traceparent tracestate idempotency-key date"
FORBIDDEN = dict.fromkeys(CONNECTION.split(), "by the connection") | dict.fromkeys(OURS.split(), "by Weir")
RESERVED_PREFIXES = ("webhook-", "weir-", "proxy-", "sec-")


def compose_headers(
    *,
    signer: Signer,
    message_id: str,
    timestamp: int,
    body: bytes,
    content_type: str,
    trace_id: str,
    span_id: str,
    attempt: int,
    tracestate: str = "",
    extra: Mapping[str, str],
) -> dict[str, str]:
    """All headers of one attempt. `extra` are the subscription's own, checked when they were saved.

    `timestamp` is the attempt's in Unix seconds; `trace_id` and `span_id` are 32 and 16 hex digits.
    `tracestate` are other vendors' entries, which are passed on after ours.
    """
    headers = {
        **extra,
        "content-type": content_type or "application/octet-stream",
        "user-agent": USER_AGENT,
        "accept-encoding": "identity",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "idempotency-key": message_id,
        "traceparent": f"00-{trace_id}-{span_id}-01",
        "tracestate": f"weir={message_id},{tracestate}" if tracestate else f"weir={message_id}",
        "weir-attempt": str(attempt),
    }
    if signature := signer.sign(message_id, timestamp, body):
        headers["webhook-signature"] = signature
    return headers


def check_headers(headers: Mapping[str, str]) -> None:
    """Raises ValueError with one sentence, naming a header but never its value: that may be a secret."""
    seen: set[str] = set()
    for name, value in headers.items():
        _check_name(name)
        if name.lower() in seen:
            raise ValueError(f"The header {name} is given twice.")
        seen.add(name.lower())
        _check_value(name, value)
    if sum(len(name) + len(value) for name, value in headers.items()) > MAX_HEADERS_SIZE:
        raise ValueError(f"The headers are larger than {MAX_HEADERS_SIZE:,} bytes together.")


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise ValueError("A header's name may have only letters, digits and !#$%&'*+-.^_`|~.")
    owner = FORBIDDEN.get(name.lower())
    if owner is None and name.lower().startswith(RESERVED_PREFIXES):
        owner = "by Weir"
    if owner:
        raise ValueError(f"The header {name} is set {owner}, so a subscription cannot set it.")


def _check_value(name: str, value: str) -> None:
    # Receivers disagree on what bytes above ASCII mean, so there is no way to send them that all can read.
    if not value.isascii() or not value.isprintable():
        raise ValueError(f"The value of the header {name} must be printable ASCII.")
