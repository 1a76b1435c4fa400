"""Keeps what a lane's circuit and rate have come to in the lane's row. It decides nothing about them."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast
from uuid import UUID

from django.db import transaction

from deliveries.deciders.circuit import Bucket, Change, Stage, State
from deliveries.deciders.own_types import SUBSCRIPTION_FAILING, SUBSCRIPTION_RECOVERED
from deliveries.deciders.pacing import Tokens, empty
from deliveries.models import CircuitChange, CircuitTotal, Lane, Subscription
from deliveries.services.announcements import News, announce_each
from deliveries.services.notices import notify_each
from webhooks import rows, story

from . import counting
from .seats import Holding

WHY_LENGTH = 300

COLUMNS = (
    "circuit", "circuit_since", "cooldown_until", "cooldowns", "probe_id", "window", "tokens", "tokens_at",
    "buckets", "failing_since", "order_done",
)  # fmt: skip
_KEYS = ("subscription", "seat", "seat_epoch")
_SET = ", ".join(f'"{name}" = v."{name}"' for name in COLUMNS)  # "window" is a word of SQL
_KEEP = f"""
UPDATE deliveries_lane AS l SET {_SET}
FROM %s WHERE l.subscription_id = v.subscription_id AND l.seat_id = v.seat_id AND l.seat_epoch = v.seat_epoch"""  # noqa: S608


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """What a lane's row keeps of its circuit and its rate."""

    circuit: State = State()
    tokens: Tokens | None = None  # None: as many as there can be
    failing_since: datetime | None = None  # the first fault since the last answer
    order_done: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Transition:
    """One change of a circuit. Its id follows from what caused it, so that writing it twice writes it once."""

    id: UUID
    change: Change
    attempt_id: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Shift:
    """What a lane's pace becomes once this is committed, and the transitions that led there."""

    lane_id: UUID
    pace: Pace
    transitions: Sequence[Transition] = ()

    @property
    def opens(self) -> bool:
        return any(each.change.after == "open" for each in self.transitions)


def read(row: Mapping[str, Any], *, now: datetime, is_orphan: bool) -> Pace:
    """A lane's pace as its new owner finds it. Of one whose last owner died nobody knows what was sent lately.

    A probe that was recorded is forgotten with whoever sent it: the new owner sends its own.
    """
    tokens_at = row["tokens_at"]
    tokens = Tokens(level=row["tokens"], at=tokens_at.timestamp()) if tokens_at else None
    return Pace(
        circuit=State(
            phase=cast(Stage, row["circuit"]),
            since=row["circuit_since"].timestamp(),
            openings=row["cooldowns"],
            cooldown_until=_seconds(row["cooldown_until"]),
            window=row["window"],
            buckets=tuple(Bucket(start, good, faults) for start, good, faults in row["buckets"]),
        ),
        tokens=empty(now=now.timestamp()) if is_orphan else tokens,
        failing_since=row["failing_since"],
        order_done=row["order_done"],
    )


def write(*, holding: Holding, shifts: Sequence[Shift], now: datetime) -> None:
    """Runs in the caller's transaction, which is fenced: rows, transitions and notices stand or fall together."""
    keep(holding=holding, paces={shift.lane_id: shift.pace for shift in shifts})
    transitions = [(shift.lane_id, each) for shift in shifts for each in shift.transitions]
    if transitions:
        _record(transitions, now)


def keep(*, holding: Holding, paces: Mapping[UUID, Pace]) -> None:
    """Writes the paces of lanes that are ours, in the caller's transaction."""
    values = [(lane, holding.number, holding.epoch, *_row(pace)) for lane, pace in paces.items()]
    rows.update(Lane, sql=_KEEP, columns=_KEYS + COLUMNS, rows=values)


def transition_id(lane_id: UUID, at: float, ordinal: int, cause: str) -> UUID:
    """A UUIDv7 that follows from its arguments, for what no attempt tipped. Within a millisecond the ordinal ranks."""
    chance = int.from_bytes(hashlib.sha256(lane_id.bytes + cause.encode()).digest()[:8]) >> 2
    stamp = int(at * 1000) & ((1 << 48) - 1)
    return UUID(int=stamp << 80 | 0x7 << 76 | (ordinal & 0xFFF) << 64 | 0b10 << 62 | chance)


def _record(transitions: Sequence[tuple[UUID, Transition]], now: datetime) -> None:
    ids = [each.id for _, each in transitions]
    known = set(CircuitChange.objects.filter(id__in=ids).values_list("id", flat=True))
    fresh = [(lane, each) for lane, each in transitions if each.id not in known]
    rows.insert(
        CircuitChange,
        ("id", "subscription", "at", "before", "after", "why", "attempt_id"),
        [
            (each.id, lane, now, each.change.before, each.change.after, each.change.why[:WHY_LENGTH], each.attempt_id)
            for lane, each in fresh
        ],
        ignore=True,
    )  # fmt: skip
    counting.add(CircuitTotal, Counter((lane, each.change.after) for lane, each in fresh))
    _tell({lane: each for lane, each in fresh if _is_news(each.change)}, now)
    transaction.on_commit(partial(_story, fresh))


def _story(transitions: Iterable[tuple[UUID, Transition]]) -> None:
    for lane, each in transitions:
        story.tell(
            "circuit moved",
            subscription_id=lane,
            attempt_id=each.attempt_id,
            before=each.change.before,
            after=each.change.after,
            why=each.change.why,
        )


def _is_news(change: Change) -> bool:
    """That a circuit opened, and that it closed; not each probe that failed in between."""
    return change.after == "closed" or (change.before, change.after) == ("closed", "open")


def _tell(news: Mapping[UUID, Transition], now: datetime) -> None:
    """A person hears of it, and so does the subscriber, if it listens."""
    if not news:
        return
    names = Subscription.objects.filter(id__in=list(news)).values_list("id", "name", "subscriber__name")
    notify_each(
        object_kind="subscription",
        news=[_news(lane, f"{name} of {subscriber}", news[lane].change) for lane, name, subscriber in names],
    )
    announce_each([_announced(lane, each) for lane, each in news.items()], now=now)


def _news(lane: UUID, name: str, change: Change) -> tuple[str, UUID, str]:
    became = "closed" if change.after == "closed" else "opened"
    return f"circuit-{became}", lane, f"The circuit of {name} {became}. {change.why}"


def _announced(lane: UUID, each: Transition) -> News:
    kind = SUBSCRIPTION_RECOVERED if each.change.after == "closed" else SUBSCRIPTION_FAILING
    return News(kind=kind, about=lane, key=each.id.hex, data={"reason": each.change.why})


def _row(pace: Pace) -> tuple[object, ...]:
    state, tokens = pace.circuit, pace.tokens
    return (
        state.phase, _moment(state.since), _moment(state.cooldown_until), state.openings, state.probe,
        state.window, tokens.level if tokens else 0.0, _moment(tokens.at) if tokens else None,
        [[round(start, 3), good, faults] for start, good, faults in state.buckets],
        pace.failing_since, pace.order_done,
    )  # fmt: skip


def _seconds(at: datetime | None) -> float | None:
    return None if at is None else at.timestamp()


def _moment(at: float | None) -> datetime | None:
    return None if at is None else datetime.fromtimestamp(at, UTC)
