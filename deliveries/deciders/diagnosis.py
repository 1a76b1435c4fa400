"""Decides what to tell people of a failure: in words, and its likely cause. It is pure."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from .outcome import VALID_UNTIL, Outcome

# What each answer usually means, for whoever has to mend it.
BY_STATUS: Final[dict[int, str]] = {
    401: "The receiver does not accept our signature or credentials: its secret may differ from this subscription's.",
    403: "The receiver knows us and refuses: look at its permissions, or at a firewall before it.",
    404: "Nothing answers at this path: the URL may have changed.",
    405: "The path exists but takes no POST: the URL may be another one's.",
    406: "The receiver cannot answer in a form we accept.",
    408: "The receiver gave up waiting for the request.",
    409: "The receiver says that it conflicts with what it has; it may have taken this event before.",
    410: "The endpoint is gone for good, so the subscription was disabled.",
    413: "The payload is larger than the receiver takes.",
    415: "The receiver does not take this content type.",
    422: "The receiver understood the request and refuses what it says: look at the payload.",
    425: "The receiver is not ready for early requests.",
    429: "The receiver is told more than it can bear: a lower rate for this subscription helps.",
    500: "The receiver failed on this request: its own log knows why.",
    502: "A gateway before the receiver got no good answer from it.",
    503: "The receiver answered that it is unavailable.",
    504: "A gateway before the receiver waited for it in vain.",
}
BY_OUTCOME: Final[dict[str, tuple[str, str]]] = {
    Outcome.CLIENT_ERROR: (
        "Refused by the receiver",
        "The receiver dislikes this request: look at its answer.",
    ),
    Outcome.SERVER_ERROR: (
        "Failed at the receiver",
        "The receiver failed on this request: its own log knows why.",
    ),
    Outcome.REDIRECT: (
        "Redirected",
        "Redirects are never followed: set the subscription's URL to where the receiver really is.",
    ),
    Outcome.TIMEOUT: (
        "No answer in time",
        "The receiver is slow or hangs: it should answer first and work later.",
    ),
    Outcome.REFUSED: ("No connection", "Nothing listens at this address: the receiver may be down."),
    Outcome.RESET: (
        "The connection broke",
        "The receiver, or something before it, hung up before it had answered.",
    ),
    Outcome.DNS: ("Host not found", "The host's name leads to no address: look at the URL and at its DNS."),
    Outcome.TLS: ("TLS failed", "The receiver's certificate is expired, not trusted, or another host's."),
    Outcome.BAD_RESPONSE: (
        "The answer is not HTTP",
        "Something else than a web server answers at this address.",
    ),
    Outcome.BLOCKED: (
        "Address blocked",
        "The host leads to an address inside a private network, which HUB_EGRESS_ALLOW does not allow.",
    ),
    Outcome.OVERSIZED: ("Payload too large", "The payload is larger than Weir sends."),
    Outcome.UNSENDABLE: ("Request cannot be built", "Look at the subscription's URL, headers and secrets."),
    Outcome.TRANSFORM_FAILED: ("Transform failed", "The subscription's transform does not fit this event."),
    Outcome.FILTER_FAILED: ("Filter failed", "The subscription's filter does not fit this event."),
    Outcome.OWN_TROUBLE: (
        "Weir was short of something",
        "No attempt was made: it tries again in a second. Look at this machine's limits on open files and memory.",
    ),
}
OUR_SIDE: Final = frozenset(
    {
        Outcome.BLOCKED,
        Outcome.OVERSIZED,
        Outcome.UNSENDABLE,
        Outcome.TRANSFORM_FAILED,
        Outcome.FILTER_FAILED,
        Outcome.OWN_TROUBLE,
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnosis:
    """`detail` is the error as it was met, where it says more than the headline."""

    headline: str
    cause: str
    detail: str = ""
    concerns_endpoint: bool = True


def diagnose(*, outcome: str, status: int | None, error: str) -> Diagnosis | None:
    """Of the last attempt; nothing when there was none or it went well."""
    if outcome in ("", Outcome.OK):
        return None
    headline, cause = BY_OUTCOME.get(outcome, ("", ""))
    if status is not None and outcome not in (Outcome.TIMEOUT, Outcome.RESET, Outcome.BAD_RESPONSE):
        headline, cause = f"HTTP {status} {_phrase(status)}".strip(), BY_STATUS.get(status, cause)
    if outcome == Outcome.TLS and VALID_UNTIL in error:
        end = error.partition(VALID_UNTIL)[2].rstrip(".")
        headline = "Certificate expired"
        cause = (
            f"The receiver's certificate was valid until {end}: whoever runs the receiver has to renew it."
        )
    return Diagnosis(
        headline=headline or f"It failed: {outcome}",
        cause=cause,
        detail=error,
        concerns_endpoint=outcome not in OUR_SIDE,
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
