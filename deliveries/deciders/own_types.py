"""What Weir tells subscribers of themselves: each type of its own events, when it is sent, and what its data holds.

The set is closed. It describes, and announces nothing; `services.announcements` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

SUBSCRIPTION_DISABLED: Final = "weir.subscription.disabled"
SUBSCRIPTION_FAILING: Final = "weir.subscription.failing"
SUBSCRIPTION_RECOVERED: Final = "weir.subscription.recovered"
DELIVERY_DEAD: Final = "weir.delivery.dead"
REPLAY_FINISHED: Final = "weir.replay.finished"
ALERT_OPENED: Final = "weir.alert.opened"
ALERT_CLOSED: Final = "weir.alert.closed"

_HEX: Final = "0192a3b4c5d67e8f9a0b1c2d3e4f5061"
_WHEN: Final = "2026-01-31T12:00:00.000Z"


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnType:
    """`fields` are the properties of its data; those that are `not_always` there may be missing."""

    name: str
    sent_when: str
    fields: Mapping[str, Any]
    not_always: frozenset[str] = frozenset()
    key: str = _HEX  # what follows the name in an event_id, such as one may be

    @property
    def schema(self) -> dict[str, Any]:
        return {
            "type": "object",
            "required": [name for name in self.fields if name not in self.not_always],
            "properties": dict(self.fields),
        }

    @property
    def example(self) -> dict[str, Any]:
        return {name: field["examples"][0] for name, field in self.fields.items()}


def _field(kind: str | list[str], description: str, example: Any, **more: Any) -> dict[str, Any]:
    return {"type": kind, "description": description, "examples": [example], **more}


def _id(prefix: str, description: str) -> dict[str, Any]:
    return _field("string", description, f"{prefix}_{_HEX}", pattern=f"^{prefix}_[0-9a-f]{{32}}$")


def _when(description: str, *, kind: str | list[str] = "string") -> dict[str, Any]:
    return _field(kind, description, _WHEN, format="date-time")


def _count(description: str, example: int) -> dict[str, Any]:
    return _field("integer", description, example, minimum=0)


_ABOUT: Final = {
    "subscription": _id("sub", "The subscription that it happened to."),
    "name": _field("string", "What people call that subscription.", "Billing"),
}
_OF_DELIVERY: Final = {
    "delivery": _id("dlv", "What was given up."),
    "event": _id("evt", "The event it was to bring."),
    "event_id": _field("string", "The sender's id of that event.", "ord-4711-paid"),
    "event_type": _field("string", "The type of that event.", "order.paid"),
    "attempts": _count("How often it was tried.", 12),
    "reason": _field("string", "Why it was given up, in a word.", "exhausted"),
    "status": _field(["integer", "null"], "The last HTTP status; null where there was no answer.", 503),
    "error": _field("string", "The last failure, in words; empty where there was an answer.", ""),
}
_OF_REPLAY: Final = {
    "replay": _id("rpl", "The replay."),
    "state": _field("string", "How it came to rest.", "finished", enum=["finished", "cancelled", "stopped"]),
    "subscriptions": _field(
        "array",
        "Which of the subscriber's subscriptions it sent to: a hundred at most.",
        [f"sub_{_HEX}"],
        items={"type": "string", "pattern": "^sub_[0-9a-f]{32}$"},
    ),
    "delivered": _count("How many were answered by a 2xx.", 118),
    "failed": _count("How many failed again; these go on by their own schedule.", 2),
    "skipped": _count("How many were passed over.", 0),
    "discarded": _count("How many were discarded by it.", 0),
}
_OF_ALERT: Final = {
    "alert": _id("alr", "The alert."),
    "rule": _field("string", "The slug of the rule that opened it.", "success-rate"),
    "severity": _field("string", "How loud it is.", "warning", enum=["critical", "warning", "info"]),
    "text": _field("string", "What was measured, or how it ended, in a sentence.", "62 % of 130 attempts succeeded."),
    "opened_at": _when("When it opened."),
    "closed_at": _when("When it closed; null while it is open.", kind=["string", "null"]),
}  # fmt: skip
_TOTALS: Final = frozenset({"delivered", "failed", "skipped", "discarded"})


def _reason(example: str) -> dict[str, Any]:
    return {"reason": _field("string", "Why, in a sentence.", example)}


_ALL: Final = (
    OwnType(
        name=SUBSCRIPTION_FAILING,
        sent_when="Its circuit opened, or it failed for so long that it is about to be disabled.",
        fields=_ABOUT
        | _reason("It has failed without one success for long.")
        | {
            "failing_since": _when("Since when, where it is about to be disabled."),
            "disabled_at": _when("When it will be disabled unless an attempt succeeds."),
        },
        not_always=frozenset({"failing_since", "disabled_at"}),
    ),
    OwnType(
        name=SUBSCRIPTION_RECOVERED,
        sent_when="Its circuit closed again.",
        fields=_ABOUT | _reason("Its endpoint answers again."),
    ),
    OwnType(
        name=SUBSCRIPTION_DISABLED,
        sent_when="It was disabled: by a person, by a 410, or after failing for too long.",
        fields=_ABOUT | _reason("Its endpoint answered 410 Gone."),
    ),
    OwnType(
        name=DELIVERY_DEAD,
        sent_when="A delivery became a dead letter.",
        fields=_ABOUT | _OF_DELIVERY,
        key=f"dlv_{_HEX}/{_WHEN}",
    ),
    OwnType(
        name=REPLAY_FINISHED,
        sent_when="A replay that sent something to the subscriber is over: finished, cancelled once nothing of it is "
        "under way, or stopped by itself, after which it may go on. Its counts are told where it sent nobody else "
        "anything.",
        fields=_OF_REPLAY,
        not_always=_TOTALS,
    ),
    OwnType(
        name=ALERT_OPENED,
        sent_when="An alert about the subscriber, or about one of its subscriptions, opened.",
        fields=_ABOUT | _OF_ALERT | {"closed_at": {**_OF_ALERT["closed_at"], "examples": [None]}},
        not_always=frozenset(_ABOUT),
    ),
    OwnType(
        name=ALERT_CLOSED,
        sent_when="Such an alert closed.",
        fields=_ABOUT | _OF_ALERT,
        not_always=frozenset(_ABOUT),
    ),
)
OWN_TYPES: Final[Mapping[str, OwnType]] = {each.name: each for each in _ALL}
