"""Checks Twilio's signature, over the address and the sorted fields of a form. It never raises on input."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from urllib.parse import SplitResult, urlsplit

from .arrival import Arrival
from .key_forms import key_of
from .mac import mac
from .places import look_up
from .scheme_columns import Scheme
from .signatures import decoded, signed_url
from .verdicts import LiveSecret, Refused, Verified, refused

_SETTINGS = "header:x-twilio-webhooks-signature-settings"  # key=<id>,algorithm=<name>
_ALGORITHMS = {"": "sha1", "HMAC_SHA1": "sha1", "HMAC_SHA256": "sha256"}
_BODY_DIGEST = "bodySHA256"  # in the query string, where a body that is no form is covered by it
_PORTS = {"https": 443, "http": 80}


def verify_twilio(row: Scheme, secrets: Sequence[LiveSecret], arrival: Arrival) -> Verified | Refused:
    text = look_up(arrival, row.signature)
    if not text:
        return refused("signature-missing")
    signature = decoded(text, row.encoding)
    if signature is None:
        return refused("signature-malformed")
    algorithm = _algorithm(look_up(arrival, _SETTINGS))
    if algorithm is None:
        return refused("signature-version")
    urls = _urls(signed_url(row, arrival))
    if not urls:
        return refused("url-unknown")
    digest = arrival.parameters.get(_BODY_DIGEST)
    fields = "" if digest else _joined(arrival.form)
    if not digest and arrival.body and not fields:
        return refused("body-unreadable")  # neither a form nor covered by a digest: nobody signed it
    position = _matching(row, secrets, signature, [url + fields for url in urls], algorithm)
    if position is None:
        return refused("signature-mismatch")
    if digest and not _is_digest(digest, arrival.body):
        return refused("body-mismatch")
    return Verified(secret_hint=secrets[position].hint, position=position)


def _matching(
    row: Scheme, secrets: Sequence[LiveSecret], signature: bytes, contents: Sequence[str], algorithm: str
) -> int | None:
    for position, secret in enumerate(secrets):
        key = key_of(row.key_form, secret.text)
        for content in contents:
            expected = mac(key, content.encode("utf-8", "surrogatepass"), algorithm)  # type: ignore[arg-type]
            if hmac.compare_digest(signature, expected):
                return position
    return None


def _algorithm(settings: str) -> str | None:
    """None for a name we do not know: to fall back then would be a downgrade."""
    named = [
        part.partition("=")[2].strip()
        for part in settings.split(",")
        if part.strip().startswith("algorithm=")
    ]
    return _ALGORITHMS.get(named[0].upper() if named else "") if len(named) < 2 else None


def _joined(form: Mapping[str, list[str]]) -> str:
    return "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))


def _is_digest(given: Sequence[str], body: bytes) -> bool:
    return len(given) == 1 and hmac.compare_digest(
        given[0].encode("utf-8", "surrogatepass"), hashlib.sha256(body).hexdigest().encode()
    )


def _urls(url: str) -> list[str]:
    """Without its port and with it, for Twilio itself does not say which it signs."""
    if not url:
        return []
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return [url]
    host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    return [_at(parts, host), _at(parts, f"{host}:{port}")]


def _at(parts: SplitResult, netloc: str) -> str:
    return parts._replace(netloc=netloc).geturl()
