"""Remembers enabled sources with their secrets, so that a receipt need not read them. It judges nothing.

A copy may be out of date: `webhooks.store` stores nothing for a source whose revision has risen, and whoever
refuses by a copy loads the source first and decides again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from webhooks.deciders.schemes import Scheme, scheme
from webhooks.deciders.verify import LiveSecret
from webhooks.models import Source, SourceSecret


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownSource:
    id: UUID
    slug: str
    revision: int
    scheme: Scheme
    id_from: str
    type_from: str
    secrets: tuple[tuple[LiveSecret, datetime | None], ...]

    def live_secrets(self, now: datetime) -> Sequence[LiveSecret]:
        return [secret for secret, expires_at in self.secrets if expires_at is None or now < expires_at]


_known: dict[str, KnownSource] = {}


def recall(slug: str) -> KnownSource | None:
    """The copy in memory, if there is one. Free, and perhaps out of date."""
    return _known.get(slug)


def load(slug: str) -> KnownSource | None:
    """Reads the source anew. None, and forgotten, when there is none or it is disabled."""
    # PostgreSQL chokes on a NUL.
    found = None if "\0" in slug else Source.objects.filter(slug=slug, is_enabled=True).first()
    if found is None:
        _known.pop(slug, None)
        return None
    # The secrets are read after the revision: should they change in between, the revision tells.
    known = _known[slug] = _known_from(found, list(found.secrets.order_by("id")))
    return known


def _known_from(source: Source, secrets: Sequence[SourceSecret]) -> KnownSource:
    return KnownSource(
        id=source.id,
        slug=source.slug,
        revision=source.revision,
        scheme=scheme(source.scheme),
        id_from=source.id_from,
        type_from=source.type_from,
        secrets=tuple((LiveSecret(text=s.sealed, hint=s.hint), s.expires_at) for s in secrets),
    )
