"""The table of what the REST API may refuse, in words (RFC 9457): a page and a `type` for each. It knows no request.

A slug is a promise to clients, who decide by it: it may be added, never renamed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

HOME: Final = "/api/problems"


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """`meaning` and `remedy` are what its page says; the title is the same for every occurrence."""

    slug: str
    status: int
    title: str
    meaning: str
    remedy: str

    @property
    def path(self) -> str:
        return f"{HOME}/{self.slug}"


PROBLEMS: Final = MappingProxyType(
    {
        problem.slug: problem
        for problem in (
            Problem(
                slug="malformed",
                status=400,
                title="The request cannot be read",
                meaning="The body is not proper JSON, or the request is not proper HTTP.",
                remedy="Mend what `detail` names, and send it again. The same request will be refused again.",
            ),
            Problem(
                slug="invalid",
                status=400,
                title="Some of what was sent cannot be accepted",
                meaning="Fields of the body, or parameters of the address, are missing, unknown or out of range.",
                remedy="`errors` names each field with a sentence for everything that is wrong with it.",
            ),
            Problem(
                slug="unauthenticated",
                status=401,
                title="An API key is needed",
                meaning="The request has no header `Authorization: Bearer …`.",
                remedy="Make a key on the console under API keys, or by `manage.py api_key create`, and send it.",
            ),
            Problem(
                slug="key-refused",
                status=401,
                title="The API key does not open",
                meaning="The key is unknown, expired or revoked; which of these is not told to strangers.",
                remedy="Look the key up on the console by its first characters, and make a new one.",
            ),
            Problem(
                slug="forbidden",
                status=403,
                title="The API key's role does not allow this",
                meaning="The key is good, and keys of its role may not do this.",
                remedy="Use a key of another role: operator, publisher, subscriber or viewer.",
            ),
            Problem(
                slug="not-found",
                status=404,
                title="There is no such thing",
                meaning="Nothing is at this address, or it belongs to somebody else than the key does.",
                remedy="Check the id and the address. The description at /api/schema lists every address.",
            ),
            Problem(
                slug="method-not-allowed",
                status=405,
                title="This cannot be done here",
                meaning="The address exists, and not with this method.",
                remedy="The header `Allow` lists the methods that this address has.",
            ),
            Problem(
                slug="not-acceptable",
                status=406,
                title="There is no such form of it",
                meaning="The address cannot answer in any form that the header `Accept` names.",
                remedy="Ask for application/json.",
            ),
            Problem(
                slug="conflict",
                status=409,
                title="Its present state does not allow this",
                meaning="The request is clear, and the thing is in a state in which it cannot be done.",
                remedy="Read the thing again and decide anew; `detail` says what stands in the way.",
            ),
            Problem(
                slug="id-conflict",
                status=409,
                title="The id stands for another event",
                meaning="An event with this id was published before, with another type, other data, about another "
                "entity or version, for another subscriber or for another time. It was not published again.",
                remedy="Give a new event an id of its own. To repeat an event, send the very same again: its "
                "`event_type`, `data`, `entity`, `entity_version`, `subscriber` and `deliver_at`.",
            ),
            Problem(
                slug="not-scheduled",
                status=409,
                title="The event does not wait for its time",
                meaning="An event is cancelled once, and only while it waits for the `deliver_at` that it came with.",
                remedy="`detail` says what came first. What is routed by now has deliveries, and each of them can be "
                "cancelled while it is pending.",
            ),
            Problem(
                slug="not-in-quarantine",
                status=409,
                title="It does not wait in quarantine",
                meaning="Only an event that waits in quarantine is released from it, or discarded there.",
                remedy="Read the event or the cascade again; its state says what became of it.",
            ),
            Problem(
                slug="pending",
                status=409,
                title="It is on its way already",
                meaning="The delivery is pending, or a replay that is still running has chosen it.",
                remedy="Wait for what it comes to. `detail` says when its next attempt is due.",
            ),
            Problem(
                slug="final",
                status=409,
                title="Nothing of it is left to be given up",
                meaning="A delivery is discarded while it is pending or dead, and cancelled while it is pending.",
                remedy="Read the delivery again; its state says what became of it.",
            ),
            Problem(
                slug="superseded",
                status=409,
                title="A newer version is known",
                meaning="The subscription wants the latest only, and a newer version of the same is known.",
                remedy="Look at the delivery of the newer version instead.",
            ),
            Problem(
                slug="empty",
                status=409,
                title="Its body is past retention",
                meaning="The event is kept and its body is not, so there is nothing to send.",
                remedy="Let its sender send it anew. Operators set how long bodies stay with HUB_KEEP_BODIES_DAYS.",
            ),
            Problem(
                slug="nothing",
                status=409,
                title="Nothing is chosen",
                meaning="No delivery fits the filter of the replay, or others took all that did. Nothing was begun.",
                remedy="Preview the filter with `dry_run`, if something should have been.",
            ),
            Problem(
                slug="count-changed",
                status=409,
                title="Another number is chosen now",
                meaning="The filter of the replay chooses another number than `expected_count`. Nothing was begun.",
                remedy="Preview it again with `dry_run`, and send the number that it says.",
            ),
            Problem(
                slug="in-flight",
                status=409,
                title="The same request is under way",
                meaning="A request with this Idempotency-Key has begun and has not been answered.",
                remedy="Wait for as long as `Retry-After` says, and send it again with the same key.",
            ),
            Problem(
                slug="changed",
                status=412,
                title="It has been changed since it was read",
                meaning="The header `If-Match` names a version which is no longer the present one. Nothing was done.",
                remedy="Read it again, decide whether the change is still wanted, and send its new ETag.",
            ),
            Problem(
                slug="too-large",
                status=413,
                title="The body is too large",
                meaning="The request's body is larger than the hub takes.",
                remedy="Send less at once. Operators set the limit with HUB_MAX_BODY.",
            ),
            Problem(
                slug="unsupported-media-type",
                status=415,
                title="The body is not JSON",
                meaning="The header `Content-Type` names a form or a charset that this address does not read, or "
                "`Content-Encoding` says that the body is compressed, which nothing here unpacks.",
                remedy="Send JSON as it is, and say so: `Content-Type: application/json`.",
            ),
            Problem(
                slug="key-reused",
                status=422,
                title="The Idempotency-Key stands for another request",
                meaning="This Idempotency-Key came before, with another method, address or body. Nothing was done.",
                remedy="Make a new key for a new request; send a repeat exactly as the first.",
            ),
            Problem(
                slug="slow",
                status=422,
                title="It would take too long",
                meaning="The filter of the replay chooses so much that to look at it takes longer than a request may. "
                "Nothing was changed.",
                remedy="Narrow it: by a shorter span of time, or by naming a subscription. Send it with another "
                "Idempotency-Key, since it is another request.",
            ),
            Problem(
                slug="too-many-requests",
                status=429,
                title="Too many requests",
                meaning="This key has made more requests than it may in a span of time.",
                remedy="Wait for as long as `Retry-After` says. `RateLimit` says beforehand how many are left.",
            ),
            Problem(
                slug="too-many-failures",
                status=429,
                title="Too many keys that do not open",
                meaning="Too many requests with bad keys came from this address. A good key still opens.",
                remedy="Stop whatever sends the bad key, and wait for as long as `Retry-After` says.",
            ),
            Problem(
                slug="busy",
                status=429,
                title="Others are at it",
                meaning="It is possible, and as many as may do it at once are doing it.",
                remedy="Try again in a few seconds.",
            ),
            Problem(
                slug="server-error",
                status=500,
                title="The hub made a mistake",
                meaning="Something failed that should not. Whether it was done cannot be told.",
                remedy="Send it again with the same Idempotency-Key; if it fails again, tell whoever runs the hub the "
                "`instance`, under which their log says more.",
            ),
            Problem(
                slug="unavailable",
                status=503,
                title="The database does not answer",
                meaning="The hub is up, and its database is away or too busy. What was asked was not done, or not all "
                "of it.",
                remedy="Wait for as long as `Retry-After` says, and send it again with the same Idempotency-Key.",
            ),
        )
    }
)

# For refusals that bring no slug of their own, by their status.
_BY_STATUS: Final = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    409: "conflict",
    412: "changed",
    413: "too-large",
    415: "unsupported-media-type",
    422: "key-reused",
    429: "too-many-requests",
    503: "unavailable",
}


def problem_for(*, status: int, codes: Iterable[str] = ()) -> Problem:
    """The one that a code names and whose status fits; else the usual one of the status."""
    for code in codes:
        named = PROBLEMS.get(code)
        if named is not None and named.status == status:
            return named
    return PROBLEMS[_BY_STATUS.get(status, "malformed" if status < 500 else "server-error")]
