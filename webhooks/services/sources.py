"""Creates and changes sources and secrets. Each change raises the revision, or old copies would live on.

A secret goes in and never comes out: neither answers, nor errors, nor the audit repeat one.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from webhooks.deciders.identify import check_place
from webhooks.deciders.schemes import UnknownScheme, scheme
from webhooks.deciders.verify import check_secret
from webhooks.models import Source, SourceSecret, Subscriber

from . import audit


class SourceChanges(TypedDict, total=False):
    """What may be changed. A `secret` replaces all live ones at once; `add_secret` lets them overlap."""

    name: str
    slug: str
    scheme: str
    secret: str
    is_enabled: bool
    subscriber: Subscriber | None
    id_from: str
    type_from: str


def create_source(
    *,
    name: str,
    slug: str,
    scheme: str = "none",
    secret: str = "",
    is_enabled: bool = True,
    subscriber: Subscriber | None = None,
    id_from: str = "",
    type_from: str = "",
    actor: str,
    user: User | None = None,
) -> Source:
    """Raises ValidationError, by field."""
    source = Source(
        name=name,
        slug=slug,
        scheme=scheme,
        is_enabled=is_enabled,
        subscriber=subscriber,
        id_from=id_from,
        type_from=type_from,
    )
    with transaction.atomic():
        _check(source, [secret] if secret else [])
        source.save(force_insert=True)
        if secret:
            _keep_secret(source, secret)
        _record(source, "create", actor, user, after=_shown(source))
    return source


def update_source(
    *, source_id: UUID, actor: str, user: User | None = None, **changes: Unpack[SourceChanges]
) -> Source:
    """Raises ValidationError, by field, or Source.DoesNotExist."""
    secret = changes.pop("secret", "")
    with transaction.atomic():
        source = _locked(source_id)
        before = _shown(source)
        for name, value in changes.items():
            setattr(source, name, value)
        _check(source, [secret] if secret else _live_secrets(source))
        if secret:
            _expire(source.secrets.all())
            _keep_secret(source, secret)
        _save(source)
        after = _shown(source) | ({"replaced": "the secret"} if secret else {})
        _record(source, "update", actor, user, before=before, after=after)
    return source


def add_secret(*, source_id: UUID, secret: str, actor: str, user: User | None = None) -> SourceSecret:
    """One more live secret, beside those there are. Raises ValidationError or Source.DoesNotExist."""
    with transaction.atomic():
        source = _locked(source_id)
        _check(source, [secret])
        added = _keep_secret(source, secret)
        _save(source)
        _record(source, "add-secret", actor, user, after={"hint": added.hint})
    return added


def expire_secret(
    *, secret_id: UUID, actor: str, at: datetime | None = None, user: User | None = None
) -> SourceSecret:
    """Ends a secret now or at a time to come. Raises ValidationError or SourceSecret.DoesNotExist."""
    with transaction.atomic():
        secret = SourceSecret.objects.get(pk=secret_id)
        source = _locked(secret.source_id)
        secret.expires_at = at or timezone.now()
        secret.save(update_fields=["expires_at"])
        _save(source)
        after = {"hint": secret.hint, "expires_at": secret.expires_at.isoformat()}
        _record(source, "expire-secret", actor, user, after=after)
    return secret


def _locked(source_id: UUID) -> Source:
    return Source.objects.select_for_update().get(pk=source_id)


def _save(source: Source) -> None:
    source.revision = F("revision") + 1
    source.save(force_update=True)
    source.refresh_from_db(fields=["revision"])


def _check(source: Source, secrets: Iterable[str]) -> None:
    """Collects what is wrong with each field, so that a person mends all of it in one go."""
    errors: dict[str, list[str]] = {}
    try:
        source.full_clean()
    except ValidationError as error:
        errors |= error.message_dict
    for field in ("id_from", "type_from"):
        errors |= _flaw_of_place(field, getattr(source, field))
    errors |= _flaw_of_secrets(source.scheme, list(secrets))
    if errors:
        raise ValidationError(errors)


def _flaw_of_place(field: str, place: str) -> dict[str, list[str]]:
    try:
        if place:
            check_place(place)
    except ValueError as error:
        return {field: [str(error)]}
    return {}


def _flaw_of_secrets(slug: str, secrets: list[str]) -> dict[str, list[str]]:
    try:
        row = scheme(slug)
    except UnknownScheme as error:
        return {"scheme": [str(error)]}
    if row.needs_secret and not secrets:
        return {"secret": [f"The scheme {slug} needs a secret."]}
    try:
        for secret in secrets:
            check_secret(scheme=row, secret=secret)
    except ValueError as error:
        return {"secret": [str(error)]}
    return {}


def _live_secrets(source: Source) -> list[str]:
    live = source.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    return [secret.sealed for secret in live]


def _expire(secrets: Any) -> None:
    now = timezone.now()
    secrets.filter(Q(expires_at=None) | Q(expires_at__gt=now)).update(expires_at=now)


def _keep_secret(source: Source, secret: str) -> SourceSecret:
    return SourceSecret.objects.create(source=source, sealed=secret, hint=secret[-4:])


def _shown(source: Source) -> dict[str, Any]:
    names = ("name", "slug", "scheme", "is_enabled", "id_from", "type_from")
    owner = str(source.subscriber_id) if source.subscriber_id else None
    return {name: getattr(source, name) for name in names} | {"subscriber": owner}


def _record(
    source: Source,
    verb: str,
    actor: str,
    user: User | None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
) -> None:
    audit.record(
        actor=actor,
        user=user,
        verb=verb,
        object_kind="source",
        object_id=source.id,
        before=before,
        after=after,
    )
