"""Remembers enabled sources with their secrets, so that a receipt need not read them. It judges nothing.

A copy may be out of date: `webhooks.store` stores nothing for a source whose revision has risen, and whoever
refuses by a copy loads the source first and decides again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.conf import settings

from webhooks.deciders.options import with_options
from webhooks.deciders.own import OWN_SOURCE
from webhooks.deciders.scheme_columns import Scheme
from webhooks.deciders.schemes import scheme
from webhooks.deciders.verify import LiveSecret
from webhooks.models import SecretPurpose, Source, SourceSecret

_Secrets = tuple[tuple[LiveSecret, datetime | None], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSource:
    id: UUID
    slug: str
    revision: int
    scheme: Scheme  # as the source's options make it
    id_from: str
    type_from: str
    business_keys: Mapping[str, str]
    secrets: _Secrets
    tokens: _Secrets = ()  # for handshakes only

    def live_secrets(self, now: datetime) -> Sequence[LiveSecret]:
        return _live(self.secrets, now)

    def live_tokens(self, now: datetime) -> Sequence[LiveSecret]:
        return _live(self.tokens, now)


_known: dict[str, KnownSource] = {}


def recall(slug: str) -> KnownSource | None:
    """The copy in memory, if there is one. Free, and perhaps out of date."""
    return _known.get(slug)


def load(slug: str) -> KnownSource | None:
    """Reads the source anew. None, and forgotten, when there is none, it is disabled, or it is Weir's own."""
    # PostgreSQL chokes on a NUL.
    found = None if "\0" in slug else Source.objects.filter(slug=slug, is_enabled=True).first()
    if found is None or found.pk == OWN_SOURCE:
        _known.pop(slug, None)
        return None
    # The secrets are read after the revision: should they change in between, the revision tells.
    known = _known[slug] = read(found)
    return known


def read(source: Source) -> KnownSource:
    """The source as it stands in the tables, enabled or not. It is not remembered."""
    return _known_from(source, list(source.secrets.order_by("id")))


def _known_from(source: Source, secrets: Sequence[SourceSecret]) -> KnownSource:
    return KnownSource(
        id=source.id,
        slug=source.slug,
        revision=source.revision,
        scheme=_row(source),
        id_from=source.id_from,
        type_from=source.type_from,
        business_keys=source.business_keys,
        secrets=_of(SecretPurpose.SIGNING, secrets),
        tokens=_of(SecretPurpose.HANDSHAKE, secrets),
    )


def _row(source: Source) -> Scheme:
    base = settings.HUB_PUBLIC_URL
    usual = {"public_url": f"{base}/in/{source.slug}"} if base else {}
    row = with_options(scheme(source.scheme), usual | source.options)
    return replace(row, pinned_certificate=source.pinned_certificate)


def _of(purpose: SecretPurpose, secrets: Sequence[SourceSecret]) -> _Secrets:
    return tuple(
        (LiveSecret(text=s.sealed, hint=s.hint, id=s.id), s.expires_at)
        for s in secrets
        if s.purpose == purpose
    )


def _live(secrets: _Secrets, now: datetime) -> Sequence[LiveSecret]:
    return [secret for secret, expires_at in secrets if expires_at is None or now < expires_at]
