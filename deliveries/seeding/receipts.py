"""Makes up what happened at the door besides: ids known again, conflicts, refusals, business keys. Tables only."""

import json
from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Final

from webhooks.models import BusinessKey, EventKey, ReceiptRollup, Refusal, Source
from webhooks.models.rollup import NO_SOURCE

from .moments import id_at, text_of
from .tables import Table

REPEATED, CONFLICTED, REFUSED = 0.02, 0.0004, 0.001  # shares of the events
NAMED: Final = {"shop": "order", "shipping": "shipment"}  # sources that have a business key
REASONS: Final = ("signature-mismatch", "signature-mismatch", "timestamp-stale", "signature-missing")
MOST_REFUSALS = 500
HOUR_S = 3_600


class Receipts:
    """What is written beside each event."""

    def __init__(self, chance: Random, sources: Sequence[Source]) -> None:
        self.chance = chance
        self.slugs = {source.pk.hex: source.slug for source in sources}
        self.keys = Table(EventKey, _KEY)
        self.names = Table(BusinessKey, ("event", "name", "value"))
        self.refusals = Table(Refusal, _REFUSAL)
        self.rollups: dict[tuple[str, int, str, str], list[float]] = {}
        self.refused = 0
        Source.objects.filter(slug__in=NAMED).update(business_keys={"order": "data.order"})

    def take(self, event: str, source: str, external: str, number: int, at: float) -> None:
        chance = self.chance
        repeats = 1 + int(chance.expovariate(0.8)) if chance.random() < REPEATED else 0
        conflicts = int(chance.random() < CONFLICTED)
        first, last = text_of(at), text_of(at + (chance.uniform(2, 4_000) if repeats or conflicts else 0))
        digest = sha256(external.encode()).digest()
        self.keys.add(
            (id_at(chance, at), source, "id", digest, event, digest, first, last, repeats, conflicts)
        )
        self._count(source, at, "accepted")
        if repeats:
            self._count(source, at, "duplicate", repeats)
        if conflicts:
            self._refuse(source, "id-conflict", external, event, at)
        elif chance.random() < REFUSED:
            self._refuse(source, chance.choice(REASONS), f"{external}x", None, at)
        if name := NAMED.get(self.slugs[source]):
            self.names.add((event, name, f"{name[:3].upper()}-{number:07d}"))

    def flush(self) -> None:
        for table in (self.keys, self.names, self.refusals):
            table.flush()

    def write(self, now: float) -> None:
        """The hours' sums, with requests that went to no source."""
        if ReceiptRollup.objects.exists():
            return  # a month that is added to another shares its hours
        for hours in range(0, 720, 5):
            self._count(NO_SOURCE.hex, now - hours * HOUR_S, "refused", 1 + hours % 7, "unknown-source")
        table = Table(
            ReceiptRollup, ("id", "source_id", "starts_at", "verdict", "reason", "count", "last_at")
        )
        for (source, hour, verdict, reason), (count, last) in self.rollups.items():
            at = text_of(hour * HOUR_S)
            table.add(
                (id_at(self.chance, hour * HOUR_S), source, at, verdict, reason, int(count), text_of(last))
            )
        table.flush()

    def _refuse(self, source: str, reason: str, external: str, event: str | None, at: float) -> None:
        verdict = "conflict" if reason == "id-conflict" else "refused"
        self._count(source, at, verdict, 1, "" if verdict == "conflict" else reason)
        if self.refused >= MOST_REFUSALS:
            return
        self.refused += 1
        body = json.dumps({"id": external, "data": {"note": "as it was sent"}}).encode()
        self.refusals.add(
            (
                id_at(self.chance, at),
                source,
                reason,
                "",
                external,
                text_of(at),
                "203.0.113.9",
                "POST",
                "",
                "[]",
                "",
                body,
                len(body),
                event,
            )
        )

    def _count(self, source: str, at: float, verdict: str, number: int = 1, reason: str = "") -> None:
        sums = self.rollups.setdefault((source, int(at // HOUR_S), verdict, reason), [0, 0])
        sums[0], sums[1] = sums[0] + number, max(sums[1], at)


_KEY = (
    "id", "source", "kind", "digest", "event_id", "body_digest", "first_seen_at", "last_seen_at", "duplicates",
    "conflicts",
)  # fmt: skip
_REFUSAL = (
    "id", "source", "reason", "detail", "claimed_id", "received_at", "remote_address", "method", "query", "headers",
    "credentials", "body", "size", "event",
)  # fmt: skip
