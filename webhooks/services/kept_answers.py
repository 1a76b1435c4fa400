"""Lets a request with an `Idempotency-Key` have one effect however often it is sent. It answers nothing itself.

Of many at once one inserts the row and goes on; the others find it. Who goes on has a lease, so that a request which
dies does not stand in the way for ever; whoever takes over has the same row, and so the same `id`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from django.db.models import QuerySet
from django.utils import timezone

from webhooks.deciders.idempotency import digest_of
from webhooks.ids import first_id_at
from webhooks.models import KeptAnswer
from webhooks.sealing import Unreadable

KEPT_FOR = timedelta(hours=24)
# Longer than any request of ours should last: what lasts longer, and is sent again, may be done twice at a time.
LEASE = timedelta(seconds=60)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """The right to answer. `id` is the same for every request with this key, whoever carries it out."""

    id: UUID
    token: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """What was answered to the first one."""

    status: int
    headers: Mapping[str, str]
    body: str
    opened: tuple[str, UUID] | None = None  # kind and id of what a stored payload is of that it gives out


class UnderWay(Exception):
    """The same request is being carried out; `retry_after_s` is as long as it took so far, so that who heeds it comes
    soon where it is quick, and seldom where it hangs."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("The same request is under way.")
        self.retry_after_s = retry_after_s


class Lost(Exception):
    """It was answered, and the answer cannot be read: it was sealed with a key that is gone."""


class Reused(Exception):
    """The key came with another request."""


def begin(*, api_key_id: UUID, key: str, fingerprint: bytes) -> Claim | Answered:
    """Raises UnderWay, Reused or Lost."""
    now = timezone.now()
    made = KeptAnswer(
        api_key_id=api_key_id,
        digest=digest_of(key),
        fingerprint=fingerprint,
        token=uuid4(),
        leased_until=now + LEASE,
    )
    row = _inserted_or_found(made)
    if row.id < first_id_at(now - KEPT_FOR):
        KeptAnswer.objects.filter(pk=row.pk).delete()
        row = _inserted_or_found(made)
    if bytes(row.fingerprint) != fingerprint:
        raise Reused
    if row.status is not None:
        return _answered(row)
    return Claim(id=row.id, token=row.token) if row.token == made.token else _taken_over(row, now)


def keep(
    claim: Claim,
    *,
    status: int,
    headers: Mapping[str, str],
    body: str,
    opened: tuple[str, UUID] | None = None,
) -> None:
    """Nothing where the lease was over and somebody took it on."""
    of = (opened[0], opened[1].hex) if opened else None
    content = json.dumps({"headers": dict(headers), "body": body, "opened": of})
    _held(claim).update(status=status, content=content)


def let_go(claim: Claim) -> None:
    """Nothing was done, or nobody knows: a repeat is carried out anew, as the same request, under the same id."""
    _held(claim).update(leased_until=timezone.now())


def expired(*, now: datetime) -> QuerySet[KeptAnswer]:
    """What retention drops; ids tell the time."""
    return KeptAnswer.objects.filter(id__lt=first_id_at(now - KEPT_FOR))


def _held(claim: Claim) -> QuerySet[KeptAnswer]:
    return KeptAnswer.objects.filter(pk=claim.id, token=claim.token, status=None)


def _inserted_or_found(made: KeptAnswer) -> KeptAnswer:
    """Of many who insert at once one succeeds; all of them find its row. Retention may take it before they look."""
    rows = KeptAnswer.objects.defer("content").filter(api_key_id=made.api_key_id, digest=made.digest)
    while True:
        KeptAnswer.objects.bulk_create([made], ignore_conflicts=True)
        if row := rows.first():
            return row


def _taken_over(row: KeptAnswer, now: datetime) -> Claim:
    left = (row.leased_until - now).total_seconds()
    if left > 0:
        raise UnderWay(min(left, LEASE.total_seconds() - left))
    token = uuid4()
    dead = KeptAnswer.objects.filter(pk=row.pk, token=row.token, status=None, leased_until=row.leased_until)
    if not dead.update(token=token, leased_until=now + LEASE):
        raise UnderWay(1)
    return Claim(id=row.id, token=token)


def _answered(row: KeptAnswer) -> Answered:
    try:
        content = json.loads(row.content)
    except Unreadable:
        raise Lost from None
    kind, key = content.get("opened") or ("", "")
    opened = (kind, UUID(key)) if kind else None
    return Answered(status=row.status or 200, headers=content["headers"], body=content["body"], opened=opened)
