"""Creates and changes sources and secrets. Each change raises the revision, or old copies would live on.

A secret goes in and never comes out: neither answers, nor errors, nor the audit repeat one.
"""

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from webhooks.deciders.pinning import checked_certificate, pinned
from webhooks.deciders.schemes import scheme
from webhooks.models import SecretPurpose, Source, SourceSecret, Subscriber

from . import audit
from .own_events import check_not_own
from .source_checks import check_source
from .uniqueness import unless_taken
from .versions import Seen, check_seen


class SourceChanges(TypedDict, total=False):
    """What may be changed. A `secret` replaces all live ones at once; `add_secret` lets them overlap.

    A `handshake_token` is one that the provider sends in the open to ask whether we are the right door. While a
    `pinned_certificate` (PEM) is there, it is believed instead of the provider's own; an empty one unpins it.
    """

    name: str
    slug: str
    scheme: str
    secret: str
    is_enabled: bool
    subscriber: Subscriber | None
    id_from: str
    type_from: str
    options: dict[str, Any]
    expected_every_s: int | None
    business_keys: dict[str, str]
    handshake_token: str
    pinned_certificate: str


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
    options: dict[str, Any] | None = None,
    expected_every_s: int | None = None,
    business_keys: dict[str, str] | None = None,
    handshake_token: str = "",
    pinned_certificate: str = "",
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
        options={} if options is None else options,
        expected_every_s=expected_every_s,
        business_keys={} if business_keys is None else business_keys,
    )
    with transaction.atomic():
        check_source(source, [secret] if secret else [], certificate=pinned_certificate)
        source.pinned_certificate = _to_pin(source, pinned_certificate)
        with _slug_is_free(source):
            source.save(force_insert=True)
        if secret:
            _keep_secret(source, secret)
        if handshake_token:
            _keep_secret(source, handshake_token, SecretPurpose.HANDSHAKE)
        _record(source, "create", actor, user, after=_shown(source))
    return source


def update_source(
    *,
    source_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    seen: Seen = None,
    **changes: Unpack[SourceChanges],
) -> Source:
    """Raises ValidationError, by field, Changed where it is none of the versions seen, or Source.DoesNotExist."""
    secret, token = changes.pop("secret", ""), changes.pop("handshake_token", "")
    certificate = changes.pop("pinned_certificate", None)
    with transaction.atomic():
        source = _locked(source_id)
        check_seen(seen, version_of(source))
        before = _shown(source)
        for name, value in changes.items():
            setattr(source, name, value)
        check_source(source, [secret] if secret else _live_secrets(source), certificate=certificate)
        if certificate is not None:
            source.pinned_certificate = _to_pin(source, certificate)
        if secret:
            _replace(source, secret, SecretPurpose.SIGNING)
        if token:
            _replace(source, token, SecretPurpose.HANDSHAKE)
        _save(source)
        replaced = [what for what, text in (("the secret", secret), ("the handshake token", token)) if text]
        after = _shown(source) | ({"replaced": " and ".join(replaced)} if replaced else {})
        _record(source, "update", actor, user, before=before, after=after, reason=reason)
    return source


def add_secret(
    *,
    source_id: UUID,
    secret: str,
    actor: str,
    user: User | None = None,
    purpose: SecretPurpose = SecretPurpose.SIGNING,
    others_until: datetime | None = None,
    reason: str = "",
) -> SourceSecret:
    """One more live secret, beside those there are; `others_until` ends those of its purpose that would live longer.

    Raises ValidationError or Source.DoesNotExist.
    """
    with transaction.atomic():
        source = _locked(source_id)
        check_source(source, [secret] if purpose is SecretPurpose.SIGNING else _live_secrets(source))
        if secret in _live_secrets(source, purpose):
            raise ValidationError({"secret": ["The source holds this secret already, and it is live."]})
        after = {"purpose": purpose.value}
        if others_until:
            _expire(source.secrets.filter(purpose=purpose), others_until)
            after["others_until"] = others_until.isoformat()
        added = _keep_secret(source, secret, purpose)
        _save(source)
        _record(source, "add-secret", actor, user, after=after | {"hint": added.hint}, reason=reason)
    return added


def expire_secret(
    *,
    secret_id: UUID,
    actor: str,
    at: datetime | None = None,
    user: User | None = None,
    reason: str = "",
) -> SourceSecret:
    """Ends a secret now or at a time to come. Raises ValidationError or SourceSecret.DoesNotExist."""
    with transaction.atomic():
        secret = SourceSecret.objects.get(pk=secret_id)
        source = _locked(secret.source_id)
        before = {"expires_at": secret.expires_at.isoformat() if secret.expires_at else None}
        secret.expires_at = at or timezone.now()
        secret.save(update_fields=["expires_at"])
        _save(source)
        after = {"hint": secret.hint, "expires_at": secret.expires_at.isoformat()}
        _record(source, "expire-secret", actor, user, before=before, after=after, reason=reason)
    return secret


def version_of(source: Source) -> str:
    return f"r{source.revision}"


def _locked(source_id: UUID) -> Source:
    check_not_own(source_id)
    return Source.objects.select_for_update().get(pk=source_id)


def _save(source: Source) -> None:
    source.revision = F("revision") + 1
    with _slug_is_free(source):
        source.save(force_update=True)
    source.refresh_from_db(fields=["revision"])


def _slug_is_free(source: Source) -> AbstractContextManager[None]:
    others = Source.objects.filter(slug=source.slug).exclude(pk=source.pk)
    return unless_taken(others, "slug", source.unique_error_message(Source, ("slug",)).messages[0])


def _to_pin(source: Source, certificate: str) -> str:
    """Of what was checked, the certificate alone."""
    row = scheme(source.scheme)
    return checked_certificate(row, certificate, timezone.now()) if certificate else ""


def _live_secrets(source: Source, purpose: SecretPurpose = SecretPurpose.SIGNING) -> list[str]:
    held = source.secrets.filter(purpose=purpose)
    live = held.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()))
    return [secret.sealed for secret in live]


def _replace(source: Source, secret: str, purpose: SecretPurpose) -> None:
    _expire(source.secrets.filter(purpose=purpose), timezone.now())
    _keep_secret(source, secret, purpose)


def _expire(secrets: Any, at: datetime) -> None:
    """Those that would live longer; none lives longer for it."""
    secrets.filter(Q(expires_at=None) | Q(expires_at__gt=at)).update(expires_at=at)


def _keep_secret(source: Source, secret: str, purpose: SecretPurpose = SecretPurpose.SIGNING) -> SourceSecret:
    return SourceSecret.objects.create(source=source, sealed=secret, hint=secret[-4:], purpose=purpose)


def _shown(source: Source) -> dict[str, Any]:
    names = (
        "name",
        "slug",
        "scheme",
        "is_enabled",
        "id_from",
        "type_from",
        "options",
        "expected_every_s",
        "business_keys",
    )
    owner = str(source.subscriber_id) if source.subscriber_id else None
    values = {name: getattr(source, name) for name in names}
    return values | {"subscriber": owner, "pinned_certificate": _pin_of(source)}


def _pin_of(source: Source) -> str:
    """By what people know it again; its PEM says nothing to them."""
    known = pinned(source.pinned_certificate)
    if known is None:
        return source.pinned_certificate and "one that cannot be read"
    return f"{known.subject}, SHA-256 {known.fingerprint}, valid until {known.expires_at:%Y-%m-%d %H:%M} UTC"


def _record(
    source: Source,
    verb: str,
    actor: str,
    user: User | None,
    *,
    before: dict[str, Any] | None = None,
    after: dict[str, Any],
    reason: str = "",
) -> None:
    audit.record(
        actor=actor,
        user=user,
        verb=verb,
        object_kind="source",
        object_id=source.id,
        before=before,
        after=after,
        reason=reason,
    )
