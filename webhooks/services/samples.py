"""Prepares a signed sample for a source of this hub, by the secret that the source holds. It sends nothing."""

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

_PURPOSE = b"send_sample"  # tells the keys made here from all others


class CannotSend(Exception):  # noqa: N818  # it names what happened
    """Something is missing; the message is a sentence, and how to mend it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    url: str
    signed: Signed


def prepare(
    *, provider: str, now: datetime, slug: str = "", url: str = "", secret: str = "", event_id: str = ""
) -> Prepared:
    """Raises CannotSend. With `url` and `secret`, another hub's source; else one of this hub's tables."""
    row = _row(provider)
    if url and secret:
        source = None
    else:
        source = _source(provider, row, slug)
        row = with_options(row, source.options)
    address = url or f"{_here()}/in/{source.slug if source else ''}"
    held = secret or (_secret_of(source, row) if source and row.needs_secret else "")
    signed_url = row.public_url or _public_url(source) or address
    unsigned = fill_in(SAMPLES[provider], id=event_id or uuid4().hex, at=now)
    try:
        signed = sign(row, unsigned, secret=held, url=signed_url)
    except ValueError as error:
        raise CannotSend(str(error)) from None
    return Prepared(url=address, signed=signed)


def _row(provider: str) -> Scheme:
    try:
        row = scheme(provider)
    except UnknownScheme:
        known = ", ".join(SAMPLES)
        raise CannotSend(f"There is no provider {provider!r}. Choose one of: {known}.") from None
    if row.needs_certificate:
        whose = "AWS" if row.kind is Kind.SNS else "PayPal"
        raise CannotSend(
            f"Only {whose} can sign for {row.label}: by a certificate that the hub fetches from {whose} itself."
        )
    return row


def _source(provider: str, row: Scheme, slug: str) -> Source:
    sources = Source.objects.filter(is_enabled=True, scheme=provider)
    found = (sources.filter(slug=slug) if slug else sources).order_by("name", "pk").first()
    if found is None:
        named = f" with the slug {slug}" if slug else ""
        raise CannotSend(f"No enabled source takes {row.label}{named}. {_how_to_make_one(row, slug)}")
    return found


def _how_to_make_one(row: Scheme, slug: str) -> str:
    """With a key pair of this hub's own, for trying, which `send_sample` finds again."""
    wanted = {"name": row.label.partition(" (")[0], "slug": slug or row.slug, "scheme": row.slug}
    if row.needs_secret:
        wanted["secret"] = new_pair(row, _seed(row))[0]
    options = {"options": {"public_url": f"{_here()}/in/{wanted['slug']}"}} if _signs_url(row) else {}
    body = json.dumps(wanted | options)
    post = 'curl -H "Authorization: Bearer $KEY" -H "Content-Type: application/json"'
    how = "Make one in the console, or, to try it, with an operator's API key:"
    return f"{how}\n{post} {_here()}/api/v1/sources -d '{body}'"


def _secret_of(source: Source, row: Scheme) -> str:
    """The newest live one. A public key signs nothing, unless it is the one that we made for trying."""
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
