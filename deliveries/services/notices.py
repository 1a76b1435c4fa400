"""Writes what a person should know, once, for the console to show. It tells nobody by itself."""

from uuid import UUID

from deliveries.models import Notice
from webhooks.ids import PREFIXES, public_id


def notify(*, kind: str, object_kind: str, object_id: UUID, text: str) -> Notice:
    """Runs in the caller's transaction, so that what happened and its notice stand or fall together."""
    shown = public_id(object_kind, object_id) if object_kind in PREFIXES else str(object_id)
    return Notice.objects.create(kind=kind, object_kind=object_kind, object_id=shown, text=text[:500])
