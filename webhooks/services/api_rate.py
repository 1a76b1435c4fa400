"""Counts what each API key asks in a minute, over all web processes, and says when it is enough.

A process takes requests from the shared row in blocks of a hundredth of the limit, and spends them from memory: so the
limit is never exceeded, a request costs no write but for one in a block, and what a process took and did not spend is
lost with the minute. A limit below two hundred is counted one by one.
"""

import math
import threading
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F

from webhooks.models import ApiUsage

WINDOW_S = 60
_BLOCKS = 100  # of a limit
_MOST_KEYS = 10_000  # in memory; past that, all begin anew, which costs a question each


@dataclass(frozen=True, kw_only=True, slots=True)
class Allowance:
    """Of one request: whether it may be, about how many may follow in this window, and when the next one begins."""

    is_allowed: bool
    limit: int
    remaining: int
    reset_s: int


@dataclass(kw_only=True, slots=True)
class _Block:
    minute: int
    left: int  # of what this process took
    taken: int  # by all processes, when last looked at
    is_over: bool = False  # nothing is left of this minute, for anybody


_blocks: dict[UUID, _Block] = {}
_lock = threading.Lock()


def spend(*, api_key_id: UUID, limit: int, now_s: float) -> Allowance:
    """One request of this key. `limit` is per minute."""
    minute, passed = divmod(now_s, WINDOW_S)
    reset_s = math.ceil(WINDOW_S - passed)  # never a moment too early for whoever obeys
    block = _spent(api_key_id, int(minute)) or _taken(api_key_id, int(minute), limit)
    if block.is_over:
        return Allowance(is_allowed=False, limit=limit, remaining=0, reset_s=reset_s)
    remaining = max(0, limit - block.taken + block.left)
    return Allowance(is_allowed=True, limit=limit, remaining=remaining, reset_s=reset_s)


def _spent(api_key_id: UUID, minute: int) -> _Block | None:
    """One of those that this process has in hand, or what it knows: that there are none."""
    with _lock:
        block = _blocks.get(api_key_id)
        if block is None or block.minute != minute or not (block.left or block.is_over):
            return None
        block.left -= not block.is_over
        return block


def _taken(api_key_id: UUID, minute: int, limit: int) -> _Block:
    size = _take(api_key_id, minute, limit, max(1, limit // _BLOCKS)) or _take(api_key_id, minute, limit, 1)
    taken = ApiUsage.objects.values_list("taken", flat=True).get(pk=api_key_id) if size else limit
    with _lock:
        if len(_blocks) >= _MOST_KEYS:
            _blocks.clear()
        known = _blocks.get(api_key_id)
        left = known.left if known and known.minute == minute else 0
        # What another thread took meanwhile is in hand, too, even where there is no more to take.
        in_hand = left + size
        block = _Block(minute=minute, left=max(0, in_hand - 1), taken=taken, is_over=not in_hand)
        _blocks[api_key_id] = block
    return block


def _take(api_key_id: UUID, minute: int, limit: int, size: int) -> int:
    """`size`, or nothing where less is left. The row of a minute that is over begins anew."""
    row = ApiUsage.objects.filter(pk=api_key_id)
    fits = row.filter(minute__gte=minute, taken__lte=limit - size)  # another process's clock may be ahead
    if fits.update(taken=F("taken") + size):
        return size
    if row.filter(minute__lt=minute).update(minute=minute, taken=size):
        return size
    made = ApiUsage(api_key_id=api_key_id, minute=minute, taken=0)
    ApiUsage.objects.bulk_create([made], ignore_conflicts=True)
    return size if fits.update(taken=F("taken") + size) else 0
