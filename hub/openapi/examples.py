"""Examples for the API's description: of fields whose type alone does not tell one, and of whole requests.

A request's example can be sent as it is, once its ids are replaced by those of things that there are.
"""

from typing import Any, Final

_HEX: Final = "0192a3b4c5d67e8f9a0b1c2d3e4f5061"
_TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
_EVENT: Final = f"evt_{_HEX}"
_DELIVERY: Final = f"dlv_{_HEX}"
_SUBSCRIBER: Final = f"sbr_{_HEX}"
_SUBSCRIPTION: Final = f"sub_{_HEX}"
_SECRET: Final = "whsec_YW4gZXhhbXBsZSBhbmQgbm8gc2VjcmV0"  # noqa: S105 (it says so itself, in base64)
_BODY: Final = "eyJvcmRlciI6IDQ3MTF9"
_PAIRS: Final = [["x-team", "billing"]]
_SCHEMA: Final = {
    "type": "object",
    "required": ["order"],
    "properties": {"order": {"type": "integer", "minimum": 1}},
}
_DATA: Final = {"order": 4711}
_WHY: Final = "The receiver was mended."
_CRITERIA: Final = {"status": ["dead"], "subscription": [_SUBSCRIPTION], "since": "24h"}

# By the names of `words`; these go before the examples there.
FIELDS: Final[dict[str, Any]] = {
    "begins_with": "weir_publisher_4f",
    "body_base64": _BODY,
    "deprecated": ["The event type order.paid is deprecated since 2026-01-31."],
    "fingerprint": "v1:6f1e0c2b9d3a4f58",
    "more_deliveries": "/api/v1/deliveries?q=ord-4711-paid",
    "public_key": "whpk_2KvXkQ0t8hYrm1vUo5T3bq9oXcQmJ0yqkq6lW3r7z9E=",
    "retry_max_age_s": 259_200,
    "secret": _SECRET,
    "source_name": "Shop",
    "trace_id": _TRACE,
    "Alert.acknowledged_by": "ada",
    "Alert.detail": "It is acknowledged.",
    "Alert.ending": "It is back within its bounds.",
    "Alert.rule": "success-rate",
    "Alert.scope": _SUBSCRIPTION,
    "Alert.summary": "62 % of 130 attempts succeeded in the last 5 minutes.",
    "Answered.headers": _PAIRS,
    "CascadeBody.critical_path": [_EVENT, _DELIVERY],
    "CascadeBody.first": _EVENT,
    "CascadeBrief.id": _TRACE,
    "CircuitChange.after": "open",
    "CircuitChange.why": "6 of 10 attempts failed within 60 seconds.",
    "Criteria.below": _EVENT,
    "Criteria.event_type": ["order.*"],
    "Criteria.fingerprint": ["v1:6f1e0c2b9d3a4f58"],
    "Criteria.outcome": ["timeout"],
    "Criteria.q": "ord-4711-paid",
    "Criteria.source": ["shop"],
    "Criteria.status": ["dead"],
    "Criteria.status_code": ["5xx", "429"],
    "Criteria.subscription": [_SUBSCRIPTION],
    "DeadLetter.reason": "exhausted",
    "DeadLetter.resolution": "replayed",
    "Delivery.state": "pending",
    "Edge.after": _DELIVERY,
    "Edge.before": _EVENT,
    "Endpoint.lately": "62 of 63",
    "Endpoint.sentence": "62 of 63 attempts in the last 30 minutes succeeded: a replay is likely to work.",
    "Event.state": "routed",
    "EventType.description": "An order was paid in full.",
    "EventType.example": _DATA,
    "EventType.name": "order.paid",
    "EventType.schema": _SCHEMA,
    "EventVerdict.id": _EVENT,
    "EventVerdict.status": "accepted",
    "Issue.outcome": "timeout",
    "Issue.reason": "exhausted",
    "Issue.state": "open",
    "Issue.state_by": "ada",
    "Key.key": "weir_publisher_4fJ2m8Qx7vTz0sYbK5nWc3RdA9hLp1Ge6uXoViDtMqB",
    "LeftOut.sentence": "Subscription disabled",
    "LeftOut.why": "disabled",
    "MuteBody.for_s": 3_600,
    "Node.id": _EVENT,
    "Node.last_answer": "503",
    "Node.state": "routed",
    "Pause.for_s": 3_600,
    "Pinned.fingerprint": ":".join(["5A", "0F"] * 16),
    "Pinned.subject": "CN=messages.example.com",
    "PingBody.request": {
        "url": "https://billing.example.com/hooks",
        "headers": {"webhook-id": f"test_{_HEX}"},
        "body": f'{{"event_id":"test_{_HEX}","event_type":"weir.test"}}',
    },
    "PingBody.response": {
        "headers": [["content-type", "text/plain"]],
        "body": "done",
        "is_truncated": False,
    },
    "Problem.code": "invalid",
    "Problem.detail": "name: This field is required.",
    "Problem.errors": {"name": ["This field is required."]},
    "Problem.instance": "urn:uuid:2f1c8a52-6f0e-4d6b-9d3e-5f7a1b2c3d4e",
    "Problem.status": 400,
    "Problem.title": "Some of what was sent cannot be accepted",
    "Problem.type": "https://hub.example.com/api/problems/invalid",
    "ProgressBody.settled_per_second": [0, 12, 20, 20],
    "Published.id": _EVENT,
    "Published.status": "accepted",
    "ReceiptsBody.refused_for": {"signature-mismatch": 3},
    "Refusal.cause": "The secrets of both sides differ: give the source the one that the sender signs with.",
    "Refusal.claimed_id": "ord-4711-paid",
    "Refusal.detail": "No live secret of the source makes this signature.",
    "Refusal.headers": _PAIRS,
    "Refusal.method": "POST",
    "Refusal.query": "page=1",
    "Refusal.reason": "signature-mismatch",
    "Refusal.remote_address": "203.0.113.7",
    "Replay.detail": "It runs.",
    "Replay.filter": _CRITERIA,
    "Replay.ordered_by": "ada",
    "Replay.preset": "failed-since",
    "Replay.state": "running",
    "Replay.stop_reason": "More than a fifth of the last 50 failed.",
    "Sent.headers": _PAIRS,
    "Skipped.why": "discarded",
    "To.trouble": "circuit open",
    "Trial.sentence": "It becomes an event.",
}

# By the name of the schema that a request has.
REQUESTS: Final[dict[str, Any]] = {
    "Acceptance": {"reason": "The provider's clock was wrong.", "any_age": True},
    "Batch": {
        "events": [
            {"source": "shop", "event_id": "ord-4712-paid", "event_type": "order.paid", "data": {"order": 4712}},
            {"source": "shop", "event_id": "ord-4713-paid", "event_type": "order.paid", "data": {"order": 4713}},
        ]
    },
    "EventTypeBody": {
        "name": "order.paid",
        "description": "An order was paid in full.",
        "schema": _SCHEMA,
        "example": _DATA,
    },
    "EventTypeChange": {"description": "An order was paid in full."},
    "IssueMove": {"reason": _WHY},
    "KeyBody": {"name": "The shop", "role": "publisher", "sources": ["shop"]},
    "Pause": {"reason": "Their maintenance.", "for_s": 3_600},
    "Publication": {
        "source": "shop",
        "event_id": "ord-4711-paid",
        "event_type": "order.paid",
        "entity": "order-4711",
        "data": _DATA,
    },
    "RateChange": {"reason": "It can take more.", "rate_per_s": 50},
    "ReplayOrder": {"reason": _WHY, "filter": _CRITERIA, "dry_run": True},
    "Rotation": {"reason": "It was in a log.", "overlap_s": 86_400},
    "SourceBody": {
        "name": "Shop",
        "slug": "shop",
        "scheme": "standard-webhooks",
        "secret": _SECRET,
    },
    "SubscriberBody": {"name": "Billing"},
    "SubscriptionBody": {
        "subscriber": _SUBSCRIBER,
        "name": "Billing",
        "url": "https://billing.example.com/hooks",
        "source": "shop",
        "event_types": ["order.*"],
        "rate_per_s": 50,
    },
    "SubscriptionChange": {"rate_per_s": 50},
}  # fmt: skip
