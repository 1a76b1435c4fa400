"""Decides what came of one attempt and what follows for its delivery. It never sends and never writes."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Literal

from .retry import MAX_RETRY_AFTER_S, Schedule, next_due

ClientErrors = Literal["once", "thrice", "schedule"]


class Outcome(StrEnum):
    """What came of one attempt. At most 20 characters, since attempts store it."""

    OK = "ok"  # 2xx
    GONE = "gone"  # 410: the endpoint wants no more
    CLIENT_ERROR = "client_error"  # any other 4xx: it dislikes this payload, or us
    REDIRECT = "redirect"  # 3xx: never followed
    THROTTLED = "throttled"  # 429
    SERVER_ERROR = "server_error"  # 5xx, and the transient 408 and 425
    TIMEOUT = "timeout"  # the total limit passed: DNS, connect, headers and body included
    REFUSED = "refused"  # no connection: refused, unreachable, no route
    RESET = "reset"  # the connection broke before the answer was whole
    DNS = "dns"  # the host has no address just now
    TLS = "tls"  # handshake or certificate
    BAD_RESPONSE = "bad_response"  # what came back is not HTTP, or too much of it
    BLOCKED = "blocked"  # the address is one we never talk to
    OVERSIZED = "oversized"  # the payload is larger than we send
    UNSENDABLE = "unsendable"  # the request cannot be built: a URL or header that is not one
    TRANSFORM_FAILED = "transform_failed"  # the subscription's transform failed on this event
    FILTER_FAILED = "filter_failed"  # the subscription's filter failed on this event
    OWN_TROUBLE = "own_trouble"  # Weir itself could open no connection, so nothing left it


class Verdict(StrEnum):
    DELIVER = "deliver"  # done
    RETRY = "retry"  # the schedule says when
    REJECT = "reject"  # dead, once, after three, or on the schedule: the subscription's policy says
    DEAD = "dead"  # no repetition could help
    GONE = "gone"  # dead, and the subscription with it
    PUT_BACK = "put_back"  # as if it had never been picked up; the lane takes a breath


VERDICTS = {
    Outcome.OK: Verdict.DELIVER,
    Outcome.GONE: Verdict.GONE,
    Outcome.CLIENT_ERROR: Verdict.REJECT,
    Outcome.REDIRECT: Verdict.REJECT,
    Outcome.THROTTLED: Verdict.RETRY,
    Outcome.SERVER_ERROR: Verdict.RETRY,
    Outcome.TIMEOUT: Verdict.RETRY,
    Outcome.REFUSED: Verdict.RETRY,
    Outcome.RESET: Verdict.RETRY,
    Outcome.DNS: Verdict.RETRY,
    Outcome.TLS: Verdict.RETRY,
    Outcome.BAD_RESPONSE: Verdict.RETRY,
    Outcome.BLOCKED: Verdict.DEAD,
    Outcome.OVERSIZED: Verdict.DEAD,
    Outcome.UNSENDABLE: Verdict.DEAD,
    Outcome.TRANSFORM_FAILED: Verdict.DEAD,
    Outcome.FILTER_FAILED: Verdict.DEAD,
    Outcome.OWN_TROUBLE: Verdict.PUT_BACK,
}

# An answer about one payload says nothing of the endpoint's health, and neither do our own faults.
ENDPOINT_FAULTS = frozenset(outcome for outcome, verdict in VERDICTS.items() if verdict is Verdict.RETRY)

TRANSIENT_4XX = frozenset({408, 425})
OWN_TROUBLE_PAUSE_S = 1.0  # how long a lane waits for Weir to recover; shorter only adds to the trouble
REJECTIONS_ALLOWED: dict[ClientErrors, float] = {"once": 1, "thrice": 3, "schedule": float("inf")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What settlement writes. `reason` is empty unless dead: an Outcome, or `exhausted`, or `too_old`.

    Nothing is superseded here: that takes a look at what else is known of the entity.
    """

    state: Literal["delivered", "pending", "dead", "superseded"]
    due_at: datetime | None = None
    reason: str = ""
    disables: bool = False
    lane_not_before: datetime | None = None
    endpoint_fault: bool = False


def classify_status(code: int) -> Outcome:
    if 200 <= code < 300:
        return Outcome.OK
    if 300 <= code < 400:
        return Outcome.REDIRECT
    if code == 410:
        return Outcome.GONE
    if code == 429:
        return Outcome.THROTTLED
    if code in TRANSIENT_4XX or 500 <= code < 600:
        return Outcome.SERVER_ERROR
    return Outcome.CLIENT_ERROR if 400 <= code < 500 else Outcome.BAD_RESPONSE


def decide(
    *,
    outcome: Outcome,
    attempt: int,
    schedule: Schedule,
    client_errors: ClientErrors,
    now: datetime,
    first_due: datetime,
    retry_after_s: float | None,
    draw: float,
) -> Decision:
    """`attempt` counts from 1 within the present budget; `first_due` is when that budget began."""
    verdict = VERDICTS[outcome]
    fault = outcome in ENDPOINT_FAULTS
    if verdict is Verdict.DELIVER:
        return Decision(state="delivered")
    if verdict is Verdict.PUT_BACK:
        later = now + timedelta(seconds=OWN_TROUBLE_PAUSE_S)
        return Decision(state="pending", due_at=later, lane_not_before=later)
    if verdict in (Verdict.DEAD, Verdict.GONE):
        return Decision(state="dead", reason=outcome, disables=verdict is Verdict.GONE)
    if verdict is Verdict.REJECT and attempt >= REJECTIONS_ALLOWED[client_errors]:
        return Decision(state="dead", reason=outcome)
    # The endpoint asked for quiet, so the whole lane keeps it, even when this delivery has no try left.
    quiet = None if retry_after_s is None else now + timedelta(seconds=min(retry_after_s, MAX_RETRY_AFTER_S))
    due = next_due(
        schedule=schedule,
        attempt=attempt,
        now=now,
        first_due=first_due,
        retry_after_s=retry_after_s,
        draw=draw,
    )
    if due is None:
        reason = "exhausted" if attempt >= schedule.attempts else "too_old"
        return Decision(state="dead", reason=reason, lane_not_before=quiet, endpoint_fault=fault)
    return Decision(state="pending", due_at=due, lane_not_before=quiet, endpoint_fault=fault)


# What differs between two messages about one failure: ids, times, addresses, counts.
VARIABLE = re.compile(
    r"""
      [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}    # a UUID
    | \d{4}-\d\d-\d\d[t ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:z|[+-]\d\d:?\d\d)?    # a time
    | \b[a-z]{2,6}_[0-9a-z]{8,}\b    # an id with its prefix, such as dlv_0192…
    | \b(?=[0-9a-f]*\d)[0-9a-f]{8,}\b    # hexadecimal
    | \d+(?:[.,:]\d+)*    # a number, a clock, an IPv4 address
    """,
    re.VERBOSE | re.ASCII,
)


VALID_UNTIL = (
    " It was valid until "  # follows what is said of an expired certificate, where that can be learned
)


def fingerprint(subscription_id: str, outcome: Outcome, status: int | None, message: str) -> str:
    """One name for one kind of failure at one subscription, so that dead letters gather into issues."""
    kind = " ".join(VARIABLE.sub("#", message.partition(VALID_UNTIL)[0].lower()).split())
    text = f"{subscription_id}\n{outcome}\n{status or ''}\n{kind}"
    return "v1:" + hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
