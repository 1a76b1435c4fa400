"""Makes up what happened: events, deliveries, attempts and dead letters. It writes through tables only."""

import json
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from math import pi, sin
from random import Random
from typing import Any
from uuid import UUID

from deliveries.deciders.outcome import Outcome, fingerprint
from deliveries.models import Attempt, DeadLetter, Delivery, Exchange, Issue
from webhooks.ids import public_id
from webhooks.models import Event, EventBody

from .causes import Causes
from .endpoints import DAY_S, MONTH_S, Answer
from .moments import id_at, text_of
from .receipts import Receipts
from .tables import Table
from .world import Consumer, Sender

FIRST_S, FACTOR, CAP_S, MOST = 1.0, 4.0, 43_200.0, 12  # the hub's default schedule
MOST_REJECTIONS = 3
NEWEST_WITH_BODIES = 3_000  # deliveries, with their events and the exchanges of their deliveries
BATCH = 8_000  # deliveries; between two writes no transaction may be idle for long
BUSIEST_S = 13 * 3_600  # of the day, in UTC
WAVE = 0.45  # at its busiest a day is 1 / (1 - WAVE) times as busy as it is on average
WIDTHS = (1, 1, 1, 1, 1, 2, 2, 3)  # deliveries of one event
FINAL = {"gone"}
REJECTED = {"client_error", "redirect"}


class History:
    """One made-up month that ends `now`."""

    def __init__(self, chance: Random, senders: Sequence[Sender], *, now: float) -> None:
        self.chance, self.senders, self.now = chance, senders, now
        self.shares = list(accumulate(sender.share for sender in senders))
        self.issues: dict[tuple[UUID, str], list[Any]] = {}
        self.letters: list[tuple[object, ...]] = []
        self.events = Table(Event, _EVENT)
        self.bodies = Table(EventBody, ("event", "body", "content_type", "headers"))
        self.deliveries = Table(Delivery, _DELIVERY)
        self.attempts = Table(Attempt, _ATTEMPT)
        self.exchanges = Table(Exchange, _EXCHANGE)
        self.receipts = Receipts(chance, [sender.source for sender in senders])
        self.causes = Causes(chance)

    def write(self, deliveries: int) -> None:
        before = Event.objects.count()
        written = flushed = events = 0
        while written < deliveries:
            at = self._moment((written + self.chance.random()) / deliveries)
            has_body = written >= deliveries - NEWEST_WITH_BODIES
            written += self._event(at, before + events, has_body=has_body)
            events += 1
            if written - flushed >= BATCH:
                self._flush()
                flushed = written
        self._flush()
        self._bury()
        self.receipts.write(self.now)
        self.causes.write(text_of(self.now))

    def _moment(self, share: float) -> float:
        """Rises steadily with the share of the month, as ids do: faster by night, when little happens."""
        begins, spent = self.now - MONTH_S, MONTH_S * share
        of_day = 2 * pi * (begins - BUSIEST_S + DAY_S / 2) / DAY_S
        wave = sin(of_day + 2 * pi * spent / DAY_S) - sin(of_day)
        return begins + spent + WAVE * DAY_S / (2 * pi) * wave

    def _event(self, at: float, number: int, *, has_body: bool) -> int:
        chance = self.chance
        sender = chance.choices(self.senders, cum_weights=self.shares)[0]
        kind, event_id = chance.choice(sender.types), id_at(self.chance, at)
        external, source = f"{kind.split('.')[0]}_{number:08d}", sender.source.pk.hex
        body = _body(external, kind, chance) if has_body else b""
        place = self.causes.place(event_id)
        self.receipts.take(event_id, source, external, number, at)
        self.events.add(
            (event_id, source, external, kind, "routed", text_of(at), text_of(at + 0.004),
             len(body) or chance.randint(180, 4_000), "", "", "", place.trace, place.cause, place.depth)
        )  # fmt: skip
        if has_body:
            self.bodies.add((event_id, body, "application/json", _HEADERS))
        width = min(chance.choice(WIDTHS), len(sender.consumers))
        chosen = {id(each): each for each in chance.choices(sender.consumers, sender.weights, k=width)}
        for consumer in chosen.values():
            told = self._delivery(consumer, event_id, source, kind, external, at + 0.004, has_body=has_body)
            if told:
                self.causes.note(told, event_id, place)
        return len(chosen)

    def _delivery(
        self, to: Consumer, event: str, source: str, kind: str, external: str, at: float, *, has_body: bool
    ) -> str:
        """Its id, when it arrived at the first try."""
        delivery = id_at(self.chance, at)
        state, due, tries = self._try(to, at)
        last_at, last, latency = tries[-1] if tries else (0.0, None, 0)
        failure = self._fingerprint(to, last) if last and last.outcome != "ok" else ""
        phase = 1 if len(tries) > 1 or (tries and state == "pending") else 0
        if state == "dead":
            state = self._die(to, delivery, last, failure, last_at)
        settled = None if state == "pending" else text_of(last_at)
        self.deliveries.add(
            (delivery, event, to.subscription.pk.hex, source, kind, external, state, phase, text_of(at),
             text_of(due) if due else None, len(tries), 0, text_of(at), settled, text_of(last_at) if last else None,
             last.outcome if last else "", last.status if last else None, latency if last else None,
             last.error if last else "", failure)
        )  # fmt: skip
        for number, (moment, answer, took) in enumerate(tries, 1):
            attempt = id_at(self.chance, moment)
            self.attempts.add(
                (attempt, delivery, number, min(number - 1, 1), text_of(moment), took, answer.outcome,
                 answer.status, answer.error)
            )  # fmt: skip
            if has_body:
                self.exchanges.add(_exchange(attempt, to, delivery, number, moment, answer))
        return delivery if state == "delivered" and len(tries) == 1 else ""

    def _try(self, to: Consumer, at: float) -> tuple[str, float | None, list[tuple[float, Answer, int]]]:
        """As the dispatcher would: until it is told, given up, held, or the present is reached."""
        chance, moment, wait = self.chance, at + 0.03, FIRST_S
        tries: list[tuple[float, Answer, int]] = []
        while True:
            if moment >= min(self.now, to.held_from):
                return "pending", moment, tries
            answer = to.endpoint.answer(moment, chance.random())
            took = int((answer.latency_ms or to.endpoint.latency_ms) * (0.6 + chance.expovariate(2.5)))
            tries.append((moment, answer, took))
            if answer.outcome == "ok":
                return "delivered", None, tries
            most = MOST_REJECTIONS if answer.outcome in REJECTED else MOST
            if len(tries) >= most or answer.outcome in FINAL:
                return "dead", None, tries
            moment += took / 1000 + wait * (1 + 0.1 * chance.random())
            wait = min(wait * FACTOR, CAP_S)

    def _fingerprint(self, to: Consumer, last: Answer) -> str:
        key = str(to.subscription.pk)
        return fingerprint(key, Outcome(last.outcome), last.status, last.error)

    def _die(self, to: Consumer, delivery: str, last: Answer | None, failure: str, at: float) -> str:
        """Most wait for a person; some were looked at and let go."""
        if last is None:
            return "dead"
        key, reason = (to.subscription.pk, failure), last.outcome if last.outcome in REJECTED else "exhausted"
        issue = self.issues.setdefault(
            key,
            [
                id_at(self.chance, at),
                key[0].hex,
                failure,
                "resolved",
                "",
                reason,
                last.outcome,
                last.status,
                last.error,
                at,
                at,
            ],
        )
        issue[9], issue[10] = min(issue[9], at), max(issue[10], at)
        is_let_go = at < self.now - 10 * 86_400 and self.chance.random() < 0.5
        resolved = (text_of(at + 5_000), "discarded") if is_let_go else (None, "")
        issue[3] = issue[3] if is_let_go else "open"
        self.letters.append(
            (id_at(self.chance, at), delivery, key[0].hex, issue[0], reason, text_of(at), *resolved)
        )
        return "discarded" if is_let_go else "dead"

    def _bury(self) -> None:
        issues, letters = Table(Issue, _ISSUE), Table(DeadLetter, _LETTER)
        for *values, first, last in self.issues.values():
            issues.add((*values, text_of(first), text_of(last)))
        for letter in self.letters:
            letters.add(letter)
        issues.flush()
        letters.flush()

    def _flush(self) -> None:
        for table in (self.events, self.bodies, self.deliveries, self.attempts, self.exchanges):
            table.flush()
        self.receipts.flush()


_EVENT = (
    "id", "source", "external_id", "event_type", "state", "received_at", "routed_at", "size", "verified_by",
    "operation_id", "entity", "trace_id", "cause_id", "depth",
)  # fmt: skip
_DELIVERY = (
    "id", "event", "subscription", "source", "event_type", "external_id", "state", "phase", "created_at",
    "due_at", "attempts", "budget_from", "budget_at", "settled_at", "last_attempt_at", "last_outcome",
    "last_status", "last_latency_ms", "last_error", "fingerprint",
)  # fmt: skip
_ATTEMPT = (
    "id", "delivery", "number", "phase", "started_at", "duration_ms", "outcome", "status", "error",
)  # fmt: skip
_EXCHANGE = ("attempt", "url", "request_headers", "response_headers", "response_body", "is_truncated")
_ISSUE = (
    "id", "subscription", "fingerprint", "state", "state_by", "reason", "outcome", "status", "error",
    "first_seen_at", "last_seen_at",
)  # fmt: skip
_LETTER = (
    "id", "delivery", "subscription", "issue", "reason", "died_at", "resolved_at", "resolution",
)  # fmt: skip
_HEADERS = json.dumps([["content-type", "application/json"], ["user-agent", "Shop-Webhooks/1.0"]])


def _body(external: str, kind: str, chance: Random) -> bytes:
    lines = [
        {
            "sku": f"SKU-{chance.randint(10_000, 99_999)}",
            "qty": chance.randint(1, 6),
            "price": chance.randint(99, 9_999),
        }
        for _ in range(chance.randint(1, 4))
    ]
    return json.dumps(
        {"id": external, "type": kind, "data": {"lines": lines, "note": "leave at the door"}}
    ).encode()


def _exchange(
    attempt: str, to: Consumer, delivery: str, number: int, at: float, answer: Answer
) -> tuple[object, ...]:
    message = public_id("delivery", UUID(delivery))
    sent = {
        "authorization": "••••••",
        "content-type": "application/json",
        "user-agent": "Weir/1",
        "webhook-id": message,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": "v1," + sha256(attempt.encode()).hexdigest()[:43] + "=",
        "weir-attempt": str(number),
    }
    if answer.status is None:
        return attempt, to.subscription.url, json.dumps(sent), "[]", b"", False
    got = json.dumps([["server", "nginx"], ["content-type", "application/json"]])
    said = (
        b'{"received": true}'
        if answer.outcome == "ok"
        else b'{"error": {"code": "unavailable", "retry": true}}'
    )
    return attempt, to.subscription.url, json.dumps(sent), got, said, False
