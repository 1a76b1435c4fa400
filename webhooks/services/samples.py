"""Prepares a signed sample for a source of this hub, by the secret that the source holds. It sends nothing.

Where a provider signs by a certificate, this hub's own signs instead, which a source believes once it is pinned there.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django.conf import settings

from webhooks.deciders.options import with_options
from webhooks.deciders.samples import SAMPLES
from webhooks.deciders.scheme_columns import Kind, Scheme
from webhooks.deciders.schemes import UnknownScheme, scheme
from webhooks.deciders.signing import Signed, fill_in, new_pair, sign
from webhooks.models import SecretPurpose, Source

from .sample_signer import CannotSign, Signer, sample_signer
from .sources import update_source

_PURPOSE = b"send_sample"  # tells the keys made here from all others
_ACCOUNTS = {Kind.SNS: "arn:aws:sns:us-east-1:123456789012:Sample", Kind.PAYPAL: "WH-sample"}  # for trying


class CannotSend(Exception):  # noqa: N818  # it names what happened
    """Something is missing; the message is a sentence, and how to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    url: str
    signed: Signed
    source: str = ""  # the slug, where it is one of this hub's tables
    certificate: str = ""  # of this hub's own, that signed it
    is_pinned: bool = False


def prepare(
    *,
    provider: str,
    now: datetime,
    slug: str = "",
    url: str = "",
    secret: str = "",
    account: str = "",
    event_id: str = "",
) -> Prepared:
    """Raises CannotSend. With `url` and `secret`, or an `account`, another hub's source; else one of this hub's."""
    row = _row(provider)
    if account and not row.needs_certificate:
        raise CannotSend(f"{row.label} names no account; leave --account out.")
    signer = _signer(now) if row.needs_certificate and not secret else None
    source = None
    if url and (account if row.needs_certificate else secret):
        row = with_options(row, {"account": account} if account else {})
    else:
        source = _source(provider, row, slug, signer)
        row = with_options(row, source.options)
    address = url or f"{_here()}/in/{source.slug if source else ''}"
    held = signer.private_key if signer else secret or _secret_of(source, row)
    unsigned = fill_in(SAMPLES[provider], id=event_id or uuid4().hex, at=now)
    try:
        signed = sign(row, unsigned, secret=held, url=row.public_url or _public_url(source) or address)
    except ValueError as error:
        raise CannotSend(str(error)) from None
    certificate = signer.certificate if signer else ""
    return Prepared(
        url=address,
        signed=signed,
        source=source.slug if source else "",
        certificate=certificate,
        is_pinned=source is not None and source.pinned_certificate == certificate != "",
    )


def pin(prepared: Prepared, *, actor: str) -> None:
    """Lets the source believe what was prepared, and nothing else. Raises CannotSend, or ValidationError."""
    if not prepared.certificate:
        raise CannotSend("No certificate of this hub's own signs this sample, so there is none to pin.")
    if not prepared.source:
        raise CannotSend("Only a source of this hub can be pinned from here; pin the certificate over there.")
    if not prepared.is_pinned:
        source = Source.objects.get(slug=prepared.source)
        reason, certificate = "send_sample --pin", prepared.certificate
        update_source(source_id=source.pk, pinned_certificate=certificate, actor=actor, reason=reason)


def _row(provider: str) -> Scheme:
    try:
        row = scheme(provider)
    except UnknownScheme:
        known = ", ".join(SAMPLES)
        raise CannotSend(f"There is no provider {provider!r}. Choose one of: {known}.") from None
    return row


def _signer(now: datetime) -> Signer:
    try:
        return sample_signer(now)
    except CannotSign as why:
        raise CannotSend(str(why)) from None


def _source(provider: str, row: Scheme, slug: str, signer: Signer | None) -> Source:
    sources = Source.objects.filter(is_enabled=True, scheme=provider)
    found = (sources.filter(slug=slug) if slug else sources).order_by("name", "pk").first()
    if found is None:
        named = f" with the slug {slug}" if slug else ""
        raise CannotSend(f"No enabled source takes {row.label}{named}. {_how_to_make_one(row, slug, signer)}")
    return found


def _how_to_make_one(row: Scheme, slug: str, signer: Signer | None) -> str:
    """With a key pair of this hub's own, for trying, which `send_sample` finds again."""
    wanted: dict[str, object] = {
        "name": row.label.partition(" (")[0],
        "slug": slug or row.slug,
        "scheme": row.slug,
    }
    if row.needs_secret:
        wanted["secret"] = new_pair(row, _seed(row))[0]
    if signer:
        wanted["pinned_certificate"] = signer.certificate
    if _signs_url(row):
        wanted["options"] = {"public_url": f"{_here()}/in/{wanted['slug']}"}
    if row.kind in _ACCOUNTS:
        wanted["options"] = {"account": _ACCOUNTS[row.kind]}
    body = json.dumps(wanted)
    post = 'curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json"'
    how = "Make one in the console, or, to try it, with an operator's API key:"
    return f"{how}\n{post} {_here()}/api/v1/sources -d '{body}'"


def _secret_of(source: Source | None, row: Scheme) -> str:
    """The newest live one. A public key signs nothing, unless it is the one that we made for trying."""
    if source is None or not row.needs_secret:
        return ""
    live = source.secrets.filter(purpose=SecretPurpose.SIGNING, expires_at=None)
    texts = [secret.sealed for secret in live.order_by("-pk")]
    held, private = new_pair(row, _seed(row))
    if not texts:
        raise CannotSend(f"The source {source.slug} has no secret that lives on; add one, or give --secret.")
    if held == private:
        return next((text for text in texts if not text.startswith("whpk_")), "") or _no_private(source)
    return private if held in texts else _no_private(source)


def _no_private(source: Source) -> str:
    raise CannotSend(
        f"The source {source.slug} holds a public key only; give the private one with --secret, or use another source."
    )


def _signs_url(row: Scheme) -> bool:
    return "{url}" in row.signed or row.kind is Kind.TWILIO


def _public_url(source: Source | None) -> str:
    return f"{settings.HUB_PUBLIC_URL}/in/{source.slug}" if source and settings.HUB_PUBLIC_URL else ""


def _here() -> str:
    return f"http://127.0.0.1:{settings.HUB_PORT}"


def _seed(row: Scheme) -> bytes:
    """Of this hub and no other: a key that anybody could make would let anybody send."""
    return hashlib.sha256(b"/".join([_PURPOSE, row.slug.encode(), settings.SECRET_KEY.encode()])).digest()
