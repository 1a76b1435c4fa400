"""Makes, checks and revokes API keys. The plain key is returned once, when made, and never kept."""

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from webhooks.ids import public_id
from webhooks.models import ApiKey, Role, Source, Subscriber

from . import audit

_RANDOM_BYTES = 32  # 43 URL-safe characters: beyond guessing, so a fast digest is enough
_SHOWN_CHARACTERS = 6  # of the random part: enough to recognise a key, far too few to guess it
USE_NOTED_EVERY = timedelta(minutes=1)  # so that a busy key does not write a row per request


def create_api_key(
    *,
    role: str,
    name: str = "",
    subscriber: Subscriber | None = None,
    sources: Iterable[Source] = (),
    expires_at: datetime | None = None,
    actor: str = "system",
    user: User | None = None,
) -> tuple[ApiKey, str]:
    """Returns the row and the plain key, which cannot be had again. Raises ValidationError, by field.

    A key of the role subscriber belongs to one; a publisher's may be bound to some sources.
    """
    bound_to = list(sources)
    check(role=role, subscriber=subscriber, sources=bound_to, expires_at=expires_at)
    plain = f"weir_{role}_{secrets.token_urlsafe(_RANDOM_BYTES)}"
    shown = plain[: len(f"weir_{role}_") + _SHOWN_CHARACTERS]
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=name[:200],
            role=role,
            subscriber=subscriber,
            shown_prefix=shown,
            digest=digest_of(plain),
            expires_at=expires_at,
        )
        key.sources.set(bound_to)
        after = {"role": role, "name": key.name, **_owner(subscriber, bound_to)}
        audit.record(
            actor=actor, user=user, verb="create", object_kind="apikey", object_id=key.id, after=after
        )
    return key, plain


def check(
    *, role: str, subscriber: Subscriber | None, sources: list[Source], expires_at: datetime | None
) -> None:
    """Raises ValidationError, by field, when no key can be like this."""
    errors: dict[str, str] = {}
    if role not in Role.values:
        errors["role"] = f"A key's role is one of {', '.join(Role.values)}."
    if expires_at is not None and expires_at <= timezone.now():
        errors["expires_at"] = "A key cannot expire in the past."
    if role == Role.SUBSCRIBER and subscriber is None:
        errors["subscriber"] = "A subscriber's key must say whose it is."
    if role != Role.SUBSCRIBER and subscriber is not None:
        errors["subscriber"] = "Only a key of the role subscriber belongs to one."
    if role != Role.PUBLISHER and sources:
        errors["sources"] = "Only a key of the role publisher is bound to sources."
    if errors:
        raise ValidationError(errors)


def _owner(subscriber: Subscriber | None, sources: list[Source]) -> dict[str, object]:
    owner: dict[str, object] = {"subscriber": public_id("subscriber", subscriber.pk)} if subscriber else {}
    return owner | ({"sources": [source.slug for source in sources]} if sources else {})


def revoke_api_key(*, key_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Ends a key at once. False when there is no such key or it was revoked before."""
    with transaction.atomic():
        live = ApiKey.objects.filter(id=key_id, revoked_at__isnull=True)
        revoked = live.update(revoked_at=timezone.now()) == 1
        if revoked:
            audit.record(
                actor=actor, user=user, verb="revoke", object_kind="apikey", object_id=key_id, reason=reason
            )
    return revoked


def authenticate(plain: str) -> ApiKey | None:
    """The live key that `plain` is, if any. A digest is looked up, so timing tells nothing of a key."""
    key = ApiKey.objects.filter(digest=digest_of(plain)).first()
    now = timezone.now()
    if key is None or key.revoked_at or (key.expires_at and key.expires_at <= now):
        return None
    _note_use(key, now)
    return key


def source_ids_of(key: ApiKey) -> frozenset[UUID]:
    """The sources that a publisher's key is bound to; none: it may publish to all."""
    if key.role != Role.PUBLISHER:
        return frozenset()
    bound = ApiKey.sources.through.objects.filter(apikey_id=key.pk)
    return frozenset(bound.values_list("source_id", flat=True))


def _note_use(key: ApiKey, now: datetime) -> None:
    if key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        ApiKey.objects.filter(id=key.id).update(last_used_at=now)
        key.last_used_at = now


def digest_of(plain: str) -> str:
    return hashlib.sha256(plain.encode(errors="backslashreplace")).hexdigest()
