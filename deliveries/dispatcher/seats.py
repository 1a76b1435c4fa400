"""Who may dispatch: seats, taken under a lease by the database's clock, and fenced by an epoch.

It decides nothing about lanes or deliveries. A seat taken over has a new epoch, so whoever held it before
settles nothing more.
"""

import os
import socket
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, F, Q, QuerySet
from django.db.models.functions import Now
from django_q.models import OrmQ
from django_q.tasks import async_task

from deliveries.models import Seat

LEASE_S = 45  # a holder that says nothing for this long has lost its seat
RENEW_S = 5  # so that eight renewals may fail before that
SIT_LOCK = 0x53454154  # "SEAT"


class SeatLost(Exception):
    """Someone else holds the seat now: what this dispatcher did not settle yet, it never will."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    number: int
    epoch: int


def sit() -> Holding | None:
    """Takes a free seat, or None when enough dispatchers sit already.

    There are twice as many seats as working dispatchers, so that a successor sits while its predecessor drains.
    """
    _ensure_seats()
    with transaction.atomic():
        _one_at_a_time()
        seats = list(_seats().order_by("number"))
        if sum(_is_live(seat) and not seat.is_draining for seat in seats) >= settings.HUB_SEATS:
            return None
        free = _locked(seat.number for seat in seats if not _is_live(seat)).first()
        if free is None:
            return None
        Seat.objects.filter(number=free.number).update(
            epoch=F("epoch") + 1,
            leased_until=Now() + timedelta(seconds=LEASE_S),
            is_draining=False,
            host=_here(),
            pid=os.getpid(),
            taken_at=Now(),
            seen_at=Now(),
        )
        return Holding(number=free.number, epoch=free.epoch + 1)


def renew(holding: Holding, *, in_flight: int = 0) -> bool:
    """Prolongs the lease, and says how many requests are under way; False when the seat is no longer ours."""
    mine = Seat.objects.filter(number=holding.number, epoch=holding.epoch, leased_until__gt=Now())
    lease = Now() + timedelta(seconds=LEASE_S)
    return mine.update(leased_until=lease, seen_at=Now(), in_flight=in_flight) == 1


def drain(holding: Holding) -> None:
    """Says that this dispatcher takes nothing new, so that its successor may sit."""
    Seat.objects.filter(number=holding.number, epoch=holding.epoch).update(is_draining=True)


def leave(holding: Holding) -> None:
    """Gives the seat back; the epoch rises, so the lanes it named are free."""
    with transaction.atomic():
        _vacate(Seat.objects.filter(number=holding.number, epoch=holding.epoch))


def fence(holding: Holding) -> None:
    """Called first in every transaction of a dispatcher that changes deliveries or lanes. Raises SeatLost.

    KEY SHARE lets the lease be renewed meanwhile, and makes whoever takes the seat over wait for our commit.
    """
    lock = " FOR KEY SHARE" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM deliveries_seat WHERE number = %s AND epoch = %s{lock}",  # noqa: S608
            [holding.number, holding.epoch],
        )
        if cursor.fetchone() is None:
            raise SeatLost(f"Seat {holding.number} was taken over.")


def reap() -> int:
    """Frees the seats whose lease has run out or whose holder on this host is dead; says how many."""
    gone = [seat.number for seat in _seats() if seat.leased_until and not _is_live(seat)]
    if not gone:
        return 0
    with transaction.atomic():
        still = [seat.number for seat in _locked(gone) if seat.leased_until and not _is_live(seat)]
        return _vacate(Seat.objects.filter(number__in=still))


def alive() -> bool:
    """Whether any dispatcher has a lease now."""
    return Seat.objects.filter(leased_until__gt=Now()).exists()


def is_succeeded() -> bool:
    """Whether those who drain are no longer needed: every working seat is taken."""
    return live_seats() >= settings.HUB_SEATS and _working().exists()


def live_seats() -> int:
    """How many dispatchers share the lanes (draining ones don't count), at least one."""
    return max(1, _working().count())


def steward() -> None:
    """One look of a cluster's main process: frees dead seats and queues a dispatcher for each that is missing."""
    reap()
    missing = settings.HUB_SEATS - _working().count()
    if missing > 0 and not OrmQ.objects.filter(lock__lte=Now()).exists():
        for _ in range(missing):
            queue_dispatcher()


def queue_dispatcher() -> None:
    """Puts one dispatcher task in the queue; one too many finds no free seat and ends at once."""
    async_task("deliveries.tasks.dispatch", save=False)


def _working() -> QuerySet[Seat]:
    return Seat.objects.filter(leased_until__gt=Now(), is_draining=False)


def _vacate(seats: QuerySet[Seat]) -> int:
    return seats.update(epoch=F("epoch") + 1, leased_until=None, is_draining=False, pid=None, in_flight=0)


def _one_at_a_time() -> None:
    """Two who sit down together would both count one seat too few; only those who sit down wait for each other."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SIT_LOCK])


def _locked(numbers: Iterable[int]) -> QuerySet[Seat]:
    """FOR UPDATE, which waits for nobody: a seat whose holder froze inside a transaction is passed over."""
    can_skip = connection.features.has_select_for_update_skip_locked
    return (
        _seats().filter(number__in=list(numbers)).order_by("number").select_for_update(skip_locked=can_skip)
    )


def _ensure_seats() -> None:
    wanted = 2 * settings.HUB_SEATS
    if Seat.objects.count() < wanted:
        Seat.objects.bulk_create([Seat(number=n) for n in range(1, wanted + 1)], ignore_conflicts=True)


def _seats() -> QuerySet[Seat]:
    leased = ExpressionWrapper(Q(leased_until__gt=Now()), output_field=BooleanField())
    return Seat.objects.annotate(is_leased=leased)


@cache
def _here() -> str:
    """Where a pid means what it says: this machine, since it was started, and this container."""
    marks = [socket.gethostname()]
    with suppress(OSError):
        marks += [
            Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip(),
            os.readlink("/proc/self/ns/pid"),
        ]
    return " ".join(marks)


def _is_live(seat: Seat) -> bool:
    return bool(getattr(seat, "is_leased", False)) and not _died_here(seat)


def _died_here(seat: Seat) -> bool:
    """A lease outlives its holder after a kill; on the holder's own host we need not wait for it to end."""
    if seat.host != _here() or not seat.pid:
        return False
    try:
        os.kill(seat.pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
