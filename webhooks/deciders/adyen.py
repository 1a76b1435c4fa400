"""Checks the signature that Adyen puts into every item, over eight of its fields. It never raises on input."""

import hmac
from collections.abc import Sequence
from typing import Any

from .arrival import Arrival
from .key_forms import key_of
from .mac import mac
from .places import as_text
from .scheme_columns import Scheme
from .signatures import decoded
from .verdicts import LiveSecret, Refused, Verified, refused


def verify_adyen(row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival) -> Verified | Refused:
    """Every item by the same secret, all or nothing."""
    items = _items(arrival.document)
    if not items:
        return refused("body-unreadable")
    signatures = [_signature(item) for item in items]
    if not all(signatures):
        return refused("signature-missing")
    given = [decoded(signature, row.encoding) for signature in signatures]
    if any(signature is None for signature in given):
        return refused("signature-malformed")
    contents = [_content(item) for item in items]
    for position, secret in enumerate(secrets):
        key = key_of(row.key_form, secret.text)
        expected = [mac(key, content, row.algorithm) for content in contents]  # type: ignore[arg-type]
        if all(hmac.compare_digest(a or b"", b) for a, b in zip(given, expected, strict=True)):
            return Verified(secret_hint=secret.hint, position=position)
    return refused("signature-mismatch")


def _items(document: Any) -> list[dict[str, Any]]:
    """None at all as soon as one is not what it should be."""
    listed = document.get("notificationItems") if isinstance(document, dict) else None
    items = [_inner(each) for each in listed] if isinstance(listed, list) else []
    return [item for item in items if item is not None] if all(item is not None for item in items) else []


def _inner(listed: object) -> dict[str, Any] | None:
    item = listed.get("NotificationRequestItem") if isinstance(listed, dict) else None
    return item if isinstance(item, dict) else None


def _signature(item: dict[str, Any]) -> str:
    data = item.get("additionalData")
    return as_text(data.get("hmacSignature")) if isinstance(data, dict) else ""


def _content(item: dict[str, Any]) -> bytes:
    """Joined by colons; what holds a colon itself is not escaped, as Adyen's own libraries do not either."""
    amount = item.get("amount")
    amount = amount if isinstance(amount, dict) else {}
    fields = (
        item.get("pspReference"),
        item.get("originalReference"),
        item.get("merchantAccountCode"),
        item.get("merchantReference"),
        amount.get("value"),
        amount.get("currency"),
        item.get("eventCode"),
        item.get("success"),
    )
    return ":".join(_text(field) for field in fields).encode("utf-8", "surrogatepass")


def _text(field: object) -> str:
    return str(field).lower() if isinstance(field, bool) else field if isinstance(field, str) else ""
