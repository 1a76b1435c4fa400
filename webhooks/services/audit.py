"""Records what people did: who, when, why, on what. It never changes an entry, and never keeps a secret."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib.auth.models import User
from django.utils import timezone

from webhooks.deciders.redaction import MASK, is_sensitive
from webhooks.ids import PREFIXES, first_id_at, public_id
from webhooks.models import AuditEntry

OPENING: Final = "open_payload"
AGAIN_AFTER: Final = timedelta(hours=1)


def record(
    *,
    actor: str,
    verb: str,
    object_kind: str,
    object_id: UUID | str,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    criteria: Mapping[str, Any] | None = None,
    count: int = 1,
    user: User | None = None,
) -> AuditEntry:
    """Appends one entry, in the caller's transaction: an act and its record stand or fall together."""
    return AuditEntry.objects.create(
        actor=_named(actor),
        user=user,
        verb=verb,
        object_kind=object_kind,
        object_id=_shown(object_kind, object_id),
        reason=reason,
        criteria=_without_secrets(criteria),
        before=_without_secrets(before),
        after=_without_secrets(after),
        count=count,
    )


def record_opening(object_kind: str, object_id: UUID, *, actor: str, user: User | None = None) -> AuditEntry:
    """Somebody was given a stored body, or header values: once for each answer that holds any."""
    return record(actor=actor, user=user, verb=OPENING, object_kind=object_kind, object_id=object_id)


def record_opening_by_key(object_kind: str, object_id: UUID, *, actor: str) -> None:
    """The same of a program, once an hour for each thing: one that looks every second would fill the table."""
    since = first_id_at(timezone.now() - AGAIN_AFTER)
    known = AuditEntry.objects.filter(
        object_kind=object_kind,
        object_id=_shown(object_kind, object_id),
        id__gte=since,
        actor=_named(actor),
        verb=OPENING,
    )
    if not known.exists():
        record_opening(object_kind, object_id, actor=actor)


def record_change(
    object_kind: str,
    verb: str,
    object_id: UUID | str,
    actor: str,
    user: User | None,
    reason: str = "",
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """For services that change things of one kind: they name that kind once, by `partial`."""
    record(
        actor=actor,
        user=user,
        verb=verb,
        object_kind=object_kind,
        object_id=object_id,
        reason=reason,
        before=before,
        after=after,
    )


def _named(actor: str) -> str:
    """As the record has room for."""
    return actor[:200]


def _shown(kind: str, object_id: UUID | str) -> str:
    if isinstance(object_id, UUID) and kind in PREFIXES:
        return public_id(kind, object_id)
    return str(object_id)


def _without_secrets(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: MASK if is_sensitive(name) else value for name, value in (values or {}).items()}
