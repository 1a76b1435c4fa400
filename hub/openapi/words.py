"""The words of the API's description: what each field is, with an example, and its values where they are a closed set.

A field's own `help_text` goes before the table. The more particular name (`LaneBody.window`, or `Lane.window` of a
lane in any form) goes before the plain one.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hub.openapi.choices import CHOICES
from hub.openapi.examples import FIELDS, REQUESTS

_HEX: Final = "0192a3b4c5d67e8f9a0b1c2d3e4f5061"
_WHEN: Final = "2026-01-31T12:00:00Z"

# Name → what it is, and an example where its type alone does not tell one.
WORDS: Final[dict[str, tuple[str, Any]]] = {
    "attempt_count": ("How many attempts were made so far.", 3),
    "attempts": ("Every attempt, in order.", None),
    "body": (
        "The exact bytes as text; null where they are no UTF-8, or past their retention.",
        '{"order": 4711}',
    ),
    "body_base64": ("The exact bytes in base64, where they are no UTF-8.", None),
    "business_keys": (
        "What people call its events by: up to three names with a JMESPath each.",
        {"order": "data.id"},
    ),
    "circuit": (
        "Whether its circuit is closed (all flows), open (parked), half_open or recovering.",
        "closed",
    ),
    "circuit_cooldown_cap_s": ("The longest cool-down, in seconds. Null: the hub's default.", 300),
    "circuit_cooldown_s": ("The first cool-down of an open circuit, in seconds. Null: the hub's default.", 5),
    "circuit_failure_rate": ("The share of failures that opens the circuit. Null: the hub's default.", 0.5),
    "circuit_min_volume": ("The fewest attempts the circuit judges by. Null: the hub's default.", 10),
    "circuit_since": ("When the circuit took its present state.", _WHEN),
    "circuit_window_s": ("Over how many seconds the circuit judges. Null: the hub's default.", 60),
    "client_errors": (
        "What a 4xx or 3xx means: dead `once`, after `thrice`, or on the `schedule`.",
        "thrice",
    ),
    "content_type": ("The Content-Type that came with it.", "application/json"),
    "cooldown_until": ("When an open circuit lets its next probe out.", _WHEN),
    "created_at": ("When it was made.", _WHEN),
    "data": ("What happened: any JSON.", {"order": 4711}),
    "deliveries": ("The deliveries it became, newest first; a hundred at most.", None),
    "detail": ("What was done, in a sentence.", "It is due now."),
    "disable_after_s": (
        "Disabled after failing for so many seconds; 0: never. Null: the hub's default.",
        432_000,
    ),
    "due_at": ("When it is tried next; null once nothing is owed.", _WHEN),
    "duration_ms": ("How long it took, in milliseconds.", 42),
    "effective": (
        "What holds once the hub's defaults are filled in.",
        {
            "schedule": "12 attempts over 42 h 4 min, at most 46 h 16 min with jitter",
            "worst_case_s": 166_589.5,
            "timeout_s": 15.0,
            "window": 10,
            "client_errors": "thrice",
            "circuit": {
                "failure_rate": 0.5,
                "min_volume": 10,
                "window_s": 60.0,
                "cooldown_s": 5.0,
                "cooldown_cap_s": 300.0,
            },
            "disable_after_s": 432_000.0,
        },
    ),
    "entity": ("What the event is about, by the sender's name for it.", "order-4711"),
    "entity_version": ("Which version of its entity the event tells.", 7),
    "error": ("What went wrong, in words; empty where nothing did.", ""),
    "event": ("The id of the event.", f"evt_{_HEX}"),
    "event_id": ("The sender's id of the event; given twice, the event is taken once.", "ord-4711-paid"),
    "event_type": ("What happened, in the sender's words.", "order.paid"),
    "event_types": (
        "Which events are wanted: types, or patterns such as `order.*`; `*` is every event.",
        ["order.*"],
    ),
    "expected_every_s": (
        "Silence longer than this many seconds is shown. Null: it may be silent for ever.",
        3_600,
    ),
    "expires_at": ("When it stops being live; null: not by itself.", None),
    "failing_since": ("The first fault since the last success; null: it last succeeded.", None),
    "filter": (
        "JMESPath; the event is wanted when it yields a truth. Empty: every event of these types.",
        "data.paid",
    ),
    "handshake_token": (
        "A token the provider sends in the open to ask whether this is the right door.",
        "hello",
    ),
    "header_names": ("The names of its own headers; their values are never shown.", ["x-team"]),
    "headers": ("Extra headers for every request, stored encrypted and never shown.", {"x-team": "billing"}),
    "held_at": ("When it was last held or, while it moves, last let go.", None),
    "hint": ("The last four characters.", "x9fQ"),
    "hold": ("Empty while it moves; else `paused` or `disabled`.", "paused"),
    "hold_reason": ("Why it is held, in words.", "Their maintenance."),
    "hold_until": ("When its pause ends by itself.", None),
    "id": ("Its id.", None),
    "id_from": (
        "Where the sender's id is: `header:<name>` or JMESPath. Empty: the scheme's own way.",
        "data.id",
    ),
    "is_enabled": ("Whether it takes events.", True),
    "lane": ("How its lane moves just now.", None),
    "last_error": ("What went wrong at the last attempt, in words.", ""),
    "last_event_at": ("When its latest event came; null: none did.", _WHEN),
    "last_latency_ms": ("How long the last attempt took, in milliseconds.", 42),
    "last_matched_at": ("When it last proved a request; null: never.", _WHEN),
    "last_outcome": ("What came of the last attempt; empty before the first.", "ok"),
    "last_status": ("The status of the last answer; null where there was none.", 200),
    "latest_only": ("Whether an older version of an entity is never sent after a newer one was seen.", False),
    "matches": ("How many requests it proved.", 12),
    "more_deliveries": ("Where the rest of its deliveries are; absent where all are shown.", None),
    "name": ("What people call it.", "Billing"),
    "not_before": ("No attempt is made before this time.", None),
    "number": ("The attempt's number, from 1, without gaps.", 1),
    "occurred_at": ("When it happened, as the sender says.", _WHEN),
    "options": ("What the scheme leaves to be filled in, such as `tolerance_s`.", {"tolerance_s": 300}),
    "order": ("What a person asked of its circuit and is not done yet; empty: nothing.", ""),
    "ordering": (
        "`strict` sends one at a time, the oldest first; `unordered` as fast as may be.",
        "unordered",
    ),
    "outcome": ("What came of it.", "ok"),
    "overlap_s": ("For how many seconds the replaced secrets still sign.", 86_400),
    "pinned": ("What the pinned certificate is; null where none is pinned.", None),
    "pinned_certificate": (
        "An X.509 certificate in PEM, of a scheme that signs by one: while it is here, only what its key signed is "
        "believed, and none is fetched. Empty: the provider's own is fetched from the provider's host.",
        "",
    ),
    "probe_ordered": ("Whether the answer ended an open circuit's cool-down.", False),
    "purpose": ("`signing` proves requests; `handshake` answers a provider's question.", "signing"),
    "rate_per_s": ("The most requests per second. Null: no limit.", 50),
    "reason": ("Why; it stands in the audit.", "The receiver was mended."),
    "received_at": ("When it came.", _WHEN),
    "request": ("What was sent, its credentials masked.", None),
    "response": ("What came back, its credentials masked.", None),
    "AttemptBody.response": (
        "The beginning of what came back, as text; null past its retention.",
        "out of stock",
    ),
    "retry_cap_s": ("The longest delay between attempts, in seconds. Null: the hub's default.", 43_200),
    "retry_delays_s": ("Explicit delays in seconds, instead of the growing one.", [5, 60, 600]),
    "retry_factor": ("By how much each delay is longer than the one before. Null: the hub's default.", 4),
    "retry_first_s": ("The first delay, in seconds. Null: the hub's default.", 1),
    "retry_jitter": ("Added to each delay at random, as a share of it. Null: the hub's default.", 0.1),
    "retry_max_age_s": ("Given up when older than this many seconds. Null: the hub's default.", None),
    "retry_max_attempts": ("The most attempts. Null: the hub's default.", 12),
    "scheme": ("How a request proves who sent it.", "standard-webhooks"),
    "secret": ("The secret in the clear. It is shown where it is made, once, and never again.", "whsec_…"),
    "secrets": ("Its secrets, by their last characters.", None),
    "settled_at": ("When it last stopped being owed.", None),
    "size": ("Bytes of the body.", 1_024),
    "slug": ("Its short name in addresses: events come in at `/in/<slug>`.", "shop"),
    "source": ("The slug of the source.", "shop"),
    "started_at": ("When the request began.", _WHEN),
    "state": ("Its stored state.", None),
    "status": ("The status of the answer; null where there was none.", 200),
    "subscriber": ("The id of the subscriber it belongs to.", f"sbr_{_HEX}"),
    "subscription": ("The id of the subscription.", f"sub_{_HEX}"),
    "timeout_s": ("The wall-clock limit of an attempt, in seconds, 30 at most. Null: the hub's default.", 15),
    "transform": ("JMESPath; its result is sent instead of the body. Empty: the exact bytes.", ""),
    "type_from": (
        "Where the event's type is: `header:<name>` or JMESPath. Empty: the scheme's own way.",
        "type",
    ),
    "updated_at": ("When its settings last changed.", _WHEN),
    "url": ("Where to deliver.", "https://billing.example.com/hooks"),
    "verified_by": (
        "What proved it: the scheme, and the hint of the secret or of the pinned certificate that matched.",
        "stripe …x9fQ",
    ),
    "warned_at": ("When a notice said that it is about to be disabled.", None),
    "window": ("The most requests at once. Null: the hub's default.", 10),
    "LaneBody.window": ("How many requests it may have under way just now.", 10),
    "PingBody.request": ("What was sent, its credentials masked.", None),
    "PingBody.response": ("What came back, its credentials masked.", None),
}

_BY_FORMAT: Final = {"date-time": _WHEN, "uri": "https://hub.example.com/"}
_BY_TYPE: Final[dict[str, Any]] = {"boolean": True, "integer": 3, "number": 1.5}  # a text's own tells more
_FORMS: Final = re.compile(
    r"(Accepted|Body|Brief|Cancelled|Change|Delivered|Done|Made|Order|Ordered|Progress|Proved|Told|Whole)$"
)


def described(document: dict[str, Any]) -> dict[str, Any]:
    """The document with words and an example for each property that has none of its own, and for each request."""
    for name, schema in document["components"]["schemas"].items():
        for field, prop in schema.get("properties", {}).items():
            _describe(known_as(name, field), prop)
    for methods in document["paths"].values():
        for operation in methods.values():
            _show_request(operation.get("requestBody", {}))
    return document


def known_as(component: str, field: str) -> tuple[str, str, str]:
    """A field's names in the tables, the most particular first: of its schema, of its thing in any form, of any."""
    plain = _plain(component)
    return f"{plain}.{field}", f"{_FORMS.sub('', plain)}.{field}", field


def undescribed(document: dict[str, Any]) -> Iterator[str]:
    """Properties that nobody has said a word about."""
    for name, schema in document["components"]["schemas"].items():
        for field, prop in schema.get("properties", {}).items():
            if not prop.get("description"):
                yield f"{name}.{field}"


def _plain(component: str) -> str:
    return component.removeprefix("Patched").removesuffix("Request")


def _describe(names: tuple[str, ...], prop: dict[str, Any]) -> None:
    said, example = _first(WORDS, names, ("", None))
    if not prop.get("description") and said:
        prop["description"] = said
    if (choices := _first(CHOICES, names, None)) and prop.get("type") == "string" and "enum" not in prop:
        prop["enum"] = choices
    single = prop.pop("example", None)
    example = _first(FIELDS, names, single if single is not None else example)
    if (
        "examples" not in prop
        and not _is_made_of_others(prop)
        and (found := _example(prop, example)) is not None
    ):
        prop["examples"] = [found]


def _first(table: Mapping[str, Any], names: Iterable[str], otherwise: Any) -> Any:
    return next((table[name] for name in names if name in table), otherwise)


def _is_made_of_others(prop: dict[str, Any]) -> bool:
    """A list of things, whose own fields have examples."""
    return "$ref" in prop.get("items", {})


def _show_request(body: dict[str, Any]) -> None:
    for media in body.get("content", {}).values():
        component = media.get("schema", {}).get("$ref", "").rpartition("/")[2]
        if _plain(component) in REQUESTS:
            media["example"] = REQUESTS[_plain(component)]


def _example(prop: dict[str, Any], told: Any) -> Any:
    if told is not None:
        return told
    if "enum" in prop:
        return prop["enum"][0]
    kinds = prop.get("type", "")
    kind = next((each for each in kinds if each != "null"), "") if isinstance(kinds, list) else kinds
    return _BY_FORMAT.get(prop.get("format", "")) or _BY_TYPE.get(kind)
