"""What it costs to verify and identify one request of 1 KiB, and the share of each step. It needs no database."""

import hmac
import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from time import process_time

from bench.extent import Extent
from bench.figures import Figure
from webhooks.deciders import standard
from webhooks.deciders.identify import identify
from webhooks.deciders.sameness import digest_of
from webhooks.deciders.schemes import scheme
from webhooks.deciders.verify import Arrival, LiveSecret, Verified, verify

AT_MOST_US = 60.0
AT = 1_767_225_600
NOW = datetime.fromtimestamp(AT, UTC)
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRETS = (LiveSecret(text=SECRET, hint=SECRET[-4:]),)
EVENT = {
    "id": "evt_1",
    "event_id": "evt_1",
    "type": "order.paid",
    "session_id": "s",
    "webhook_type": "status.updated",
}
BODY = json.dumps(EVENT | {"timestamp": AT, "data": {"text": "x" * 820}}, sort_keys=True).encode()

Step = Callable[[Arrival], object]


def run(extent: Extent) -> Iterator[Figure]:
    count = extent.size(20_000, quick=5_000)
    taken: dict[str, dict[str, list[float]]] = {slug: {} for slug in HEADERS}
    for _ in extent.each_round("verify"):
        for slug, times in taken.items():
            for name, seconds in _measure(slug, count):
                times.setdefault(name, []).append(seconds / count * 1e6)
    for slug, times in taken.items():
        whole = times.pop("all")
        yield Figure(
            bench="verify", what=f"{slug}, 1 KiB: all", values=tuple(whole), unit="µs", at_most=AT_MOST_US
        )
        for name, values in times.items():
            yield Figure(bench="verify", what=f"{slug}: {name}", values=tuple(values), unit="µs")


def _measure(slug: str, count: int) -> Iterator[tuple[str, float]]:
    row = scheme(slug)
    steps: dict[str, Step] = {
        "verify": lambda came: verify(scheme=row, secrets=SECRETS, arrival=came, now=NOW),
        "identify": lambda came: identify(scheme=row, id_from="", type_from="", arrival=came),
        "digest": lambda came: digest_of(row, came.body),
    }
    if not isinstance(steps["verify"](_arrival(slug)), Verified):
        raise AssertionError(f"The bench's own request for {slug} does not verify.")
    # Each arrival is new to the first step, for the next ones find its body parsed, as at the door.
    arrivals = [_arrival(slug) for _ in range(count)]
    seconds = {name: _seconds(step, arrivals) for name, step in steps.items()}
    yield "all", sum(seconds.values())
    yield from seconds.items()


def _seconds(step: Step, arrivals: Sequence[Arrival]) -> float:
    """Of this process alone, for these are too short to share a core with another."""
    started = process_time()
    for came in arrivals:
        step(came)
    return process_time() - started


def _arrival(slug: str) -> Arrival:
    return Arrival(
        method="POST", headers=HEADERS[slug], body=BODY, query="", remote_address="127.0.0.1", received_at=NOW
    )


def _hex(content: bytes) -> str:
    return hmac.new(SECRET.encode(), content, "sha256").hexdigest()


HEADERS = {
    "standard-webhooks": {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(AT),
        "webhook-signature": standard.sign(secrets=[SECRET], message_id="msg_1", timestamp=AT, body=BODY),
    },
    "stripe": {"stripe-signature": f"t={AT},v1={_hex(b'%d.' % AT + BODY)}"},
    "github": {
        "x-hub-signature-256": f"sha256={_hex(BODY)}",
        "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
        "x-github-event": "push",
    },
    "slack": {"x-slack-signature": f"v0={_hex(b'v0:%d:' % AT + BODY)}", "x-slack-request-timestamp": str(AT)},
    "didit": {"x-signature": _hex(BODY), "x-timestamp": str(AT)},
    "didit-v2": {
        "x-signature-v2": _hex(json.dumps(json.loads(BODY), sort_keys=True, separators=(",", ":")).encode()),
        "x-timestamp": str(AT),
    },
}
