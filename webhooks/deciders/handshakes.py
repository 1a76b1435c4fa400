"""Decides whether a request only asks if we are the right door, and what to answer. It makes no event of it.

A table too: who asks by which method, how one is told, whether it must be signed, and the answer.
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from .arrival import Arrival
from .mac import mac
from .places import look_up
from .scheme_columns import Reply
from .verdicts import LiveSecret

_PER_MINUTE = 100  # how many CloudEvents we allow a sender that asks
_ORIGIN = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)  # what may be said back in a header
_SUBSCRIBE_URL = re.compile(
    r"https://sns\.[a-z]{2}(-[a-z]+)+-[0-9]\.amazonaws\.com(\.cn)?/\?[\x21-\x7e]{1,2000}", re.ASCII
)
_FORBIDDEN = Reply(status=403)


@dataclass(frozen=True, kw_only=True, slots=True)
class Keys:
    """What an answer may depend on."""

    matched: LiveSecret | None = None  # of a signed handshake
    tokens: Sequence[LiveSecret] = ()  # known to us and to the asker


@dataclass(frozen=True, kw_only=True, slots=True)
class Handshake:
    name: str
    asks: Callable[[Arrival], bool]
    reply: Callable[[Arrival, Keys], Reply]
    method: str = "POST"
    is_signed: bool = True
    follow_up: Callable[[Arrival], str] = lambda arrival: ""  # an address it wants opened afterwards


def find(names: Sequence[str], arrival: Arrival, *, is_signed: bool) -> Handshake | None:
    """The one of a scheme's handshakes that this request is."""
    for name in names:
        row = HANDSHAKES[name]
        if row.is_signed is is_signed and row.method == arrival.method and row.asks(arrival):
            return row
    return None


def methods(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(HANDSHAKES[name].method for name in names)


def _json_is(path: str, *expected: str) -> Callable[[Arrival], bool]:
    return lambda arrival: look_up(arrival, f"json:{path}") in expected


def _header_is(name: str, expected: str) -> Callable[[Arrival], bool]:
    return lambda arrival: look_up(arrival, f"header:{name}") == expected


def _always(reply: Reply) -> Callable[[Arrival, Keys], Reply]:
    return lambda arrival, keys: reply


def _parameter(arrival: Arrival, name: str) -> str:
    return next(iter(arrival.parameters.get(name, ())), "")


def _slack(arrival: Arrival, keys: Keys) -> Reply:
    return Reply(body=look_up(arrival, "json:challenge"))


def _zoom(arrival: Arrival, keys: Keys) -> Reply:
    token = look_up(arrival, "json:payload.plainToken")
    key = keys.matched.text.encode() if keys.matched else b""
    encrypted = mac(key, token.encode("utf-8", "surrogatepass"), "sha256").hex()
    body = json.dumps({"plainToken": token, "encryptedToken": encrypted}, separators=(",", ":"))
    return Reply(content_type="application/json", body=body)


def _meta(arrival: Arrival, keys: Keys) -> Reply:
    given = _parameter(arrival, "hub.verify_token").encode("utf-8", "surrogatepass")
    if any(hmac.compare_digest(given, token.text.encode()) for token in keys.tokens):
        return Reply(body=_parameter(arrival, "hub.challenge"))
    return _FORBIDDEN


def _graph(arrival: Arrival, keys: Keys) -> Reply:
    return Reply(body=_parameter(arrival, "validationToken"))


def _subscribe_url(arrival: Arrival) -> str:
    url = look_up(arrival, "json:SubscribeURL")
    return url if _SUBSCRIBE_URL.fullmatch(url) else ""


def _cloudevents(arrival: Arrival, keys: Keys) -> Reply:
    headers = {"WebHook-Allowed-Origin": look_up(arrival, "header:webhook-request-origin")}
    return Reply(headers=headers | {"WebHook-Allowed-Rate": str(_PER_MINUTE), "Allow": "POST, OPTIONS"})


HANDSHAKES: Mapping[str, Handshake] = MappingProxyType(
    {
        row.name: row
        for row in (
            Handshake(name="slack", asks=_json_is("type", "url_verification"), reply=_slack),
            Handshake(name="zoom", asks=_json_is("event", "endpoint.url_validation"), reply=_zoom),
            Handshake(
                name="meta",
                method="GET",
                is_signed=False,
                asks=lambda arrival: _parameter(arrival, "hub.mode") == "subscribe",
                reply=_meta,
            ),
            Handshake(
                name="msgraph",
                is_signed=False,
                asks=lambda arrival: "validationToken" in arrival.parameters,
                reply=_graph,
            ),
            Handshake(
                name="cloudevents",
                method="OPTIONS",
                is_signed=False,
                asks=lambda arrival: (
                    _ORIGIN.fullmatch(look_up(arrival, "header:webhook-request-origin")) is not None
                ),
                reply=_cloudevents,
            ),
            Handshake(
                name="discord-events",
                asks=_json_is("type", "0"),
                reply=_always(Reply(status=204, content_type="")),
            ),
            Handshake(
                name="discord-interactions",
                asks=_json_is("type", "1"),
                reply=_always(Reply(content_type="application/json", body='{"type":1}')),
            ),
            # By what the signed body says, not by the header beside it, which anyone can change.
            Handshake(
                name="sns",
                asks=_json_is("Type", "SubscriptionConfirmation"),
                reply=_always(Reply()),
                follow_up=_subscribe_url,
            ),
            # To open its address would subscribe again, so nothing is ever opened.
            Handshake(
                name="sns-unsubscribed",
                asks=_json_is("Type", "UnsubscribeConfirmation"),
                reply=_always(Reply()),
            ),
            Handshake(name="github", asks=_header_is("x-github-event", "ping"), reply=_always(Reply())),
            Handshake(name="intercom", asks=_json_is("topic", "ping"), reply=_always(Reply())),
        )
    }
)
