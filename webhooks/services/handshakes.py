"""Counts the handshakes of a source. It answers nobody and makes no event."""

from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F

from webhooks.models import Handshake

_MAX_ID = 500  # characters; what the database keeps


def record(
    *, source_id: UUID, name: str, at: datetime, status: int, external_id: str = "", follow_up: str = ""
) -> None:
    latest = {
        "last_seen_at": at,
        "last_status": status,
        "last_id": external_id[:_MAX_ID],
        "follow_up": follow_up,
    }
    if _count_one_more(source_id, name, latest):
        return
    try:
        with transaction.atomic():
            Handshake.objects.create(source_id=source_id, name=name, first_seen_at=at, **latest)
    except IntegrityError:  # two came at once, and the other one was first
        _count_one_more(source_id, name, latest)


def _count_one_more(source_id: UUID, name: str, latest: dict[str, object]) -> bool:
    known = Handshake.objects.filter(source_id=source_id, name=name)
    return known.update(count=F("count") + 1, **latest) == 1
