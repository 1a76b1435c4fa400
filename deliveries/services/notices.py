"""Writes what a person should know, once, for the console to show. It tells nobody by itself."""

from collections.abc import Iterable
from uuid import UUID

from deliveries.models import Notice
from webhooks.ids import PREFIXES, public_id


def notify(*, kind: str, object_kind: str, object_id: UUID, text: str) -> None:
    """Runs in the caller's transaction, so that what happened and its notice stand or fall together."""
    _notice(kind, object_kind, object_id, text).save(force_insert=True)


def notify_each(*, object_kind: str, news: Iterable[tuple[str, UUID, str]]) -> None:
    """Many notices (kind, object, text) in one statement: when a network fails, a thousand circuits open at once."""
    Notice.objects.bulk_create(_notice(kind, object_kind, object_id, text) for kind, object_id, text in news)


def _notice(kind: str, object_kind: str, object_id: UUID, text: str) -> Notice:
    shown = public_id(object_kind, object_id) if object_kind in PREFIXES else str(object_id)
    return Notice(kind=kind, object_kind=object_kind, object_id=shown, text=text[:500])
