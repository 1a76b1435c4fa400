"""Turns a claimed delivery into what is sent. It decides nothing about what comes of it."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from django.conf import settings

from deliveries.deciders.cloudevents import STRUCTURED, Told, wrap
from deliveries.deciders.outcome import Outcome
from deliveries.deciders.request import compose_headers
from webhooks.deciders.expressions import ExpressionFailed, parse_json, render_json
from webhooks.deciders.redaction import MASK
from webhooks.ids import public_id

from .claims import Body, Claimed
from .orders import Orders


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One attempt about to be made. `made` holds a body that a transform made just now, to be kept."""

    row: Claimed
    orders: Orders
    body: bytes
    content_type: str
    made: bytes | None = None
    tracestate: str = ""  # of other vendors, as the event brought it

    @property
    def number(self) -> int:
        return self.row.attempts + 1

    @property
    def budget_attempt(self) -> int:
        """Which attempt of the present budget this is, from 1."""
        return self.row.attempts - self.row.budget_from + 1

    def headers(self, now: datetime) -> dict[str, str]:
        """The headers of this attempt; the timestamp and the span are its own, the id is the delivery's."""
        return compose_headers(
            signer=self.orders.signer,
            message_id=public_id("delivery", self.row.delivery_id),
            timestamp=int(now.timestamp()),
            body=self.body,
            content_type=self.content_type,
            trace_id=self.row.trace_id.hex,
            span_id=f"{random.getrandbits(64) or 1:016x}",  # noqa: S311 (a name, not a secret)
            attempt=self.number,
            tracestate=self.tracestate,
            extra=self.orders.headers,
        )

    def shown_headers(self, headers: dict[str, str]) -> dict[str, str]:
        """The headers as they may be kept: the subscription's own ones often hold credentials."""
        own = {name.lower() for name in self.orders.headers}
        if not own:
            return headers
        return {name: MASK if name.lower() in own else value for name, value in headers.items()}

    def unsendable(self, error: str, outcome: Outcome = Outcome.UNSENDABLE) -> "Unsendable":
        return Unsendable(row=self.row, orders=self.orders, outcome=outcome, error=error)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unsendable:
    """A delivery that cannot be sent, just now or ever, and why; no request is made, so no attempt is counted."""

    row: Claimed
    orders: Orders
    outcome: Outcome
    error: str

    @property
    def budget_attempt(self) -> int:
        return self.row.attempts - self.row.budget_from + 1


def prepare(
    row: Claimed,
    orders: Orders,
    *,
    bodies: Mapping[UUID, Body],
    rendered: Mapping[UUID, bytes],
    told: Mapping[UUID, Told],
) -> Job | Unsendable:
    """What is to be sent, in the form that its subscription wants. `told` is asked of CloudEvents alone."""
    job = _plain(row, orders, bodies, rendered)
    if not orders.is_cloudevents or isinstance(job, Unsendable):
        return job
    message_id = public_id("delivery", row.delivery_id)
    wrapped = wrap(
        message_id=message_id, told=told[row.event_id], body=job.body, content_type=job.content_type
    )
    return replace(job, body=wrapped, content_type=STRUCTURED)


def _plain(
    row: Claimed, orders: Orders, bodies: Mapping[UUID, Body], rendered: Mapping[UUID, bytes]
) -> Job | Unsendable:
    """The bytes to send: those of an earlier attempt, else the event's own, else what the transform makes of them."""
    kept = rendered.get(row.delivery_id)
    body = bodies.get(row.event_id)
    others = body.tracestate if body else ""
    if kept is not None:
        return Job(row=row, orders=orders, body=kept, content_type="application/json", tracestate=others)
    if body is None:
        error = "The event's body is past its retention, so there is nothing left to send."
        return Unsendable(row=row, orders=orders, outcome=Outcome.UNSENDABLE, error=error)
    if orders.transform is None:
        return Job(
            row=row, orders=orders, body=body.content, content_type=body.content_type, tracestate=others
        )
    try:
        made = render_json(orders.transform.evaluate(parse_json(body.content)))
    except ExpressionFailed as failure:
        return Unsendable(row=row, orders=orders, outcome=Outcome.TRANSFORM_FAILED, error=str(failure))
    if len(made) > settings.HUB_MAX_BODY:
        error = (
            f"The transform makes {len(made):,} bytes of it; Weir sends at most {settings.HUB_MAX_BODY:,}."
        )
        return Unsendable(row=row, orders=orders, outcome=Outcome.OVERSIZED, error=error)
    return Job(
        row=row, orders=orders, body=made, content_type="application/json", made=made, tracestate=others
    )
