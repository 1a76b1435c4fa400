"""Signs sample requests as the providers do, by the columns of the table. It never verifies, and shares no step with
what does: what one of the two gets wrong, the other one shows."""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256

from . import standard
from .key_forms import KeyForm
from .samples import Sample
from .scheme_columns import Kind, Scheme, Unit
from .times import zulu

_SNS_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsigned:
    """A sample with its blanks filled in. `document` is the body, as an object still."""

    document: Any
    headers: Mapping[str, str]
    is_form: bool
    at: datetime
    id: str

    @property
    def body(self) -> bytes:
        if self.is_form:
            return urlencode(self.document).encode()
        return json.dumps(self.document, ensure_ascii=False, separators=(",", ":")).encode()


@dataclass(frozen=True, kw_only=True, slots=True)
class Signed:
    headers: Mapping[str, str]
    body: bytes


def fill_in(sample: Sample, *, id: str, at: datetime) -> Unsigned:
    """`id` names this event and no other, unless the caller wants the same one again."""
    seconds = int(at.timestamp())
    number = int(hashlib.sha256(id.encode()).hexdigest()[:12], 16)
    known = {
        "<id>": id,
        "<n>": number,
        "<s>": seconds,
        "<ms>": seconds * 1_000,
        "<iso>": zulu(at, to="seconds"),
    }
    headers = {name: str(_filled(value, known)) for name, value in sample.headers.items()}
    content_type = "application/x-www-form-urlencoded" if sample.form else sample.content_type
    return Unsigned(
        document=_filled(sample.body, known),
        headers=headers | {"content-type": content_type},
        is_form=sample.form,
        at=at,
        id=id,
    )


def sign(row: Scheme, unsigned: Unsigned, *, secret: str, url: str) -> Signed:
    """`secret` is what the sender holds: of a public key in the source, the private one.

    Raises ValueError, in one sentence that does not repeat it, when it cannot sign.
    """
    match row.kind:
        case Kind.NONE:
            return _with(unsigned)
        case Kind.STANDARD_WEBHOOKS:
            return _standard(row, unsigned, secret)
        case Kind.TOKEN:
            token = secret if row.encoding == "text" else base64.b64encode(secret.encode()).decode()
            return _with(unsigned, {_header(row.signature): row.prefix + token})
        case Kind.ITEM_TOKENS:
            return _with(_items(unsigned, row, secret))
        case Kind.TWILIO:
            fields = "".join(name + unsigned.document[name] for name in sorted(unsigned.document))
            signature = hmac.digest(secret.encode(), (url + fields).encode(), "sha1")
            return _with(unsigned, {_header(row.signature): base64.b64encode(signature).decode()})
        case Kind.ADYEN:
            return _with(_adyen(unsigned, bytes.fromhex(secret)))
        case Kind.SNS:
            return _with(_sns(unsigned, row, _rsa(secret)))
        case Kind.PAYPAL:
            return _paypal(unsigned, row, _rsa(secret))
    return _by_columns(row, unsigned, secret, url)


def new_pair(row: Scheme, seed: bytes) -> tuple[str, str]:
    """What a source would hold and what its sender would, for trying: always the same for one seed."""
    if row.kind is Kind.STANDARD_WEBHOOKS:
        secret = standard.new_secret(lambda count: hashlib.sha512(seed).digest()[:count])
        return secret, secret
    if row.key_form is KeyForm.ED25519_HEX:
        private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(seed).digest())
        return private.public_key().public_bytes_raw().hex(), private.private_bytes_raw().hex()
    if row.key_form is KeyForm.P256_BASE64:
        return _p256_pair(seed)
    text = hashlib.sha256(seed).hexdigest()
    held = {KeyForm.BASE64: base64.b64encode(text.encode()).decode()}.get(row.key_form, text)
    held = f"weir:{held}" if row.slug == "basic" else held
    return held, held


def _by_columns(row: Scheme, unsigned: Unsigned, secret: str, url: str) -> Signed:
    """What the table describes: a stamp, the signed template, a digest or a key's signature, and where it goes."""
    stamp = _stamp(row, unsigned)
    headers = dict(unsigned.headers)
    if row.timestamp.startswith("header:"):
        headers[_header(row.timestamp)] = stamp
    if row.timestamp_must_equal:
        headers[_header(row.timestamp_must_equal)] = stamp
    made = _signature(row, secret, _content(row, unsigned, headers, stamp, url))
    text = row.prefix + (made.hex() if row.encoding == "hex" else base64.b64encode(made).decode())
    if row.signature.startswith("json:"):
        return _with(replace(unsigned, document=_put(unsigned.document, _path(row.signature), text)))
    if row.separator:
        field = row.timestamp.removeprefix("field:") if row.timestamp.startswith("field:") else ""
        parts = [f"{field}={stamp}"] if field else []
        text = row.separator.join([*parts, f"{row.pick}={text}"])
    return _with(unsigned, headers | {_header(row.signature): text})


def _content(row: Scheme, unsigned: Unsigned, headers: Mapping[str, str], stamp: str, url: str) -> bytes:
    body = unsigned.body
    if row.body_form == "didit-canonical":
        body = json.dumps(
            unsigned.document, sort_keys=True, ensure_ascii=False, separators=(",", ":")
        ).encode()
    content, rest = b"", row.signed
    while rest:
        text, _, rest = rest.partition("{")
        name, _, rest = rest.partition("}")
        known = {"": "", "ts": stamp, "url": url, "method": "POST"}
        value = known[name] if name in known else _looked_up(name, unsigned, headers)
        content += text.encode() + (body if name == "body" else value.encode())
    return content


def _looked_up(name: str, unsigned: Unsigned, headers: Mapping[str, str]) -> str:
    if name.startswith("header:"):
        return headers.get(_header(name), "")
    return str(_get(unsigned.document, _path(name))) if name.startswith("json:") else ""


def _signature(row: Scheme, secret: str, content: bytes) -> bytes:
    if row.key_form is KeyForm.ED25519_HEX:
        return Ed25519PrivateKey.from_private_bytes(_bytes(secret)).sign(content)
    if row.key_form is KeyForm.P256_BASE64:
        key = serialization.load_der_private_key(base64.b64decode(secret), password=None)
        if not isinstance(key, EllipticCurvePrivateKey):
            raise ValueError("The secret must be a private key on the curve P-256.")
        return key.sign(content, ECDSA(SHA256()))
    raw = {KeyForm.HEX: bytes.fromhex, KeyForm.BASE64: base64.b64decode}.get(row.key_form, str.encode)(secret)
    return hmac.digest(raw, content, row.algorithm)


def _stamp(row: Scheme, unsigned: Unsigned) -> str:
    if row.timestamp.startswith("json:"):
        return str(_get(unsigned.document, _path(row.timestamp)))
    seconds = int(unsigned.at.timestamp())
    return {Unit.SECONDS: str(seconds), Unit.MILLISECONDS: str(seconds * 1_000)}.get(
        row.timestamp_unit, zulu(unsigned.at, to="seconds")
    )


def _standard(row: Scheme, unsigned: Unsigned, secret: str) -> Signed:
    seconds = int(unsigned.at.timestamp())
    made = standard.sign(secrets=[secret], message_id=unsigned.id, timestamp=seconds, body=unsigned.body)
    headers = {row.id_header: unsigned.id, _header(row.timestamp): str(seconds), _header(row.signature): made}
    return _with(unsigned, headers)


def _items(unsigned: Unsigned, row: Scheme, token: str) -> Unsigned:
    (path,) = row.batch
    items = [{**item, "clientState": token} for item in unsigned.document[path]]
    return replace(unsigned, document={**unsigned.document, path: items})


def _adyen(unsigned: Unsigned, key: bytes) -> Unsigned:
    item = unsigned.document["notificationItems"][0]["NotificationRequestItem"]
    names = ("pspReference", "originalReference", "merchantAccountCode", "merchantReference")
    fields = [item.get(name, "") for name in names]
    fields += [str(item["amount"]["value"]), item["amount"]["currency"], item["eventCode"], item["success"]]
    made = base64.b64encode(hmac.digest(key, ":".join(fields).encode(), "sha256")).decode()
    signed = {**item, "additionalData": {"hmacSignature": made}}
    items = [{"NotificationRequestItem": signed}]
    return replace(unsigned, document={**unsigned.document, "notificationItems": items})


def _sns(unsigned: Unsigned, row: Scheme, key: RSAPrivateKey) -> Unsigned:
    document = {**unsigned.document, "TopicArn": row.account}
    content = "".join(f"{name}\n{document[name]}\n" for name in _SNS_SIGNED)
    made = base64.b64encode(key.sign(content.encode(), PKCS1v15(), SHA256())).decode()
    return replace(unsigned, document={**document, "Signature": made})


def _paypal(unsigned: Unsigned, row: Scheme, key: RSAPrivateKey) -> Signed:
    at, transmission = zulu(unsigned.at, to="seconds"), unsigned.headers["paypal-transmission-id"]
    content = f"{transmission}|{at}|{row.account}|{binascii.crc32(unsigned.body)}"
    made = base64.b64encode(key.sign(content.encode(), PKCS1v15(), SHA256())).decode()
    return _with(unsigned, {"paypal-transmission-time": at, "paypal-transmission-sig": made})


def _rsa(pem: str) -> RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # the second of one that is encrypted
        key = None
    if not isinstance(key, RSAPrivateKey):
        raise ValueError("The secret must be an RSA private key in PEM, and not encrypted.")
    return key


def _p256_pair(seed: bytes) -> tuple[str, str]:
    from_seed = int.from_bytes(hashlib.sha256(seed).digest()) >> 1
    private = derive_private_key(from_seed, SECP256R1())
    der = serialization.Encoding.DER
    public = private.public_key().public_bytes(der, serialization.PublicFormat.SubjectPublicKeyInfo)
    held = private.private_bytes(der, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return base64.b64encode(public).decode(), base64.b64encode(held).decode()


def _with(unsigned: Unsigned, headers: Mapping[str, str] | None = None) -> Signed:
    return Signed(headers={**unsigned.headers, **(headers or {})}, body=unsigned.body)


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    if isinstance(value, Mapping):
        return {name: _filled(each, known) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, known) for each in value]
    if not isinstance(value, str) or value in known:
        return known.get(value, value) if isinstance(value, str) else value
    for blank, text in known.items():
        value = value.replace(blank, str(text))
    return value


def _bytes(secret: str) -> bytes:
    try:
        return bytes.fromhex(secret)
    except ValueError:
        raise ValueError("The secret must be hexadecimal text.") from None


def _header(place: str) -> str:
    return place.partition(":")[2].lower()


def _path(place: str) -> list[str]:
    return place.partition(":")[2].split(".")


def _get(document: Any, path: list[str]) -> Any:
    """Empty where there is nothing, as the providers write it."""
    for name in path:
        document = document.get(name, "") if isinstance(document, Mapping) else ""
    return document


def _put(document: Mapping[str, Any], path: list[str], value: str) -> dict[str, Any]:
    name, *rest = path
    return {**document, name: _put(document[name], rest, value) if rest else value}
