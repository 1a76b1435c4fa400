"""Makes and renames subscribers. What they subscribe to is the outbound side's business."""

import hashlib
from uuid import UUID

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from webhooks.models import Subscriber

from . import audit
from .versions import Seen, check_seen


def create_subscriber(*, name: str, actor: str, user: User | None = None) -> Subscriber:
    """Raises ValidationError."""
    with transaction.atomic():
        subscriber = Subscriber.objects.create(name=_checked(name))
        audit.record(
            actor=actor,
            user=user,
            verb="create",
            object_kind="subscriber",
            object_id=subscriber.pk,
            after={"name": subscriber.name},
        )
    return subscriber


def rename_subscriber(
    *, subscriber_id: UUID, name: str, actor: str, user: User | None = None, seen: Seen = None
) -> Subscriber:
    """Raises ValidationError, and Changed where it is none of the versions seen."""
    with transaction.atomic():
        subscriber = Subscriber.objects.select_for_update(no_key=True).get(pk=subscriber_id)
        check_seen(seen, version_of(subscriber))
        before, subscriber.name = subscriber.name, _checked(name)
        subscriber.save(update_fields=["name"])
        audit.record(
            actor=actor,
            user=user,
            verb="rename",
            object_kind="subscriber",
            object_id=subscriber_id,
            before={"name": before},
            after={"name": subscriber.name},
        )
    return subscriber


def version_of(subscriber: Subscriber) -> str:
    """Its name is all that people set."""
    return hashlib.sha256(subscriber.name.encode()).hexdigest()[:12]


def _checked(name: str) -> str:
    if not 1 <= len(name.strip()) <= 200:
        raise ValidationError({"name": ["Give the subscriber a name of at most 200 characters."]})
    return name.strip()
