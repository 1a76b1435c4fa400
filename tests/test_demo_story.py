"""The demo tells of an outage what Weir says of C's lane, once each, and in the order in which it happens."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.outage import OutageOfC
from demo.wiring import Wiring

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
BACK = BEGAN + timedelta(seconds=60)
C, B = "sub_01a20a56d8cc75c0b490c1a9902cecbc", "sub_01a20a5801b87f43bf4aabb5ef485aa1"
DOWN = (
    "demo: C is down for 60 s and refuses every connection. Its lane: "
    "http://hub/admin/deliveries/subscription/01a20a56-d8cc-75c0-b490-c1a9902cecbc/change/"
)
OPENED = "demo: C's circuit opened: what is due for C is parked, costs nothing and spends no attempt."
PROBED = "demo: One delivery went out to probe C and was refused. The next probe goes out later still."
IS_BACK = "demo: C is back, and takes 1 s for each answer until it is warm."
B_HEARD = "demo: Meanwhile B heard of 2 orders, each within 30 ms of Weir's storing it."
WAITING = "demo: Deliveries that wait for C: 1."
ARRIVED = "demo: A probe arrived: C gets one request at a time, and one more with each success."
CLOSED = (
    "demo: C's circuit closed again. Seen each second, C had at most so many requests at once: 1, 2, 4, 8."
)
CAUGHT_UP = "demo: C has caught up. Of what waited nothing is left."


def a_lane(circuit: str, *, window: int = 10, cooldown_until: str | None = None) -> dict[str, Any]:
    return {"circuit": circuit, "window": window, "cooldown_until": cooldown_until}


def a_delivery(*, after_s: float, took_ms: int | None) -> dict[str, Any]:
    made = BEGAN + timedelta(seconds=after_s)
    settled = None if took_ms is None else made + timedelta(milliseconds=took_ms)
    return {"created_at": made.isoformat(), "settled_at": settled.isoformat() if settled else None}


class ApiOf:
    """Weir's REST API, as far as the scene asks it."""

    lane: dict[str, Any]
    waiting: list[dict[str, Any]]
    heard: list[dict[str, Any]]

    def get(self, path: str, *, subscription: str = "", state: str = "", limit: int = 0) -> Any:
        if path == f"subscriptions/{C}":
            return {"lane": self.lane}
        assert path == "deliveries"
        return {"results": {(C, "pending"): self.waiting, (B, "delivered"): self.heard}[subscription, state]}


@pytest.fixture
def api() -> ApiOf:
    api = ApiOf()
    api.lane = a_lane("closed")
    api.waiting = [a_delivery(after_s=1, took_ms=None), a_delivery(after_s=-1, took_ms=None)]
    api.heard = [
        a_delivery(after_s=2, took_ms=12),
        a_delivery(after_s=1, took_ms=30),
        a_delivery(after_s=-1, took_ms=900),
    ]
    return api


@pytest.fixture
def outage(api: ApiOf) -> OutageOfC:
    wiring = Wiring(to_billing=B, to_shipping=C)
    return OutageOfC(api=api, console="http://hub/admin/", wiring=wiring, began_at=BEGAN)  # type: ignore[arg-type]


def said(capsys: pytest.CaptureFixture[str], scene: Iterator[None], steps: int = 2) -> list[str]:
    """What is told while the scene is moved on as often; it may end meanwhile."""
    for _ in range(steps):
        next(scene, None)
    return capsys.readouterr().out.splitlines()


def test_an_outage_is_told_from_fall_to_recovery_and_nothing_twice(
    api: ApiOf, outage: OutageOfC, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = outage.tell()
    assert said(capsys, scene) == [DOWN]
    api.lane = a_lane("open", cooldown_until="12:00:05")
    assert said(capsys, scene) == [OPENED]
    api.lane = a_lane("half_open")
    assert said(capsys, scene) == []
    for later in ("12:00:15", "12:00:35"):
        api.lane = a_lane("open", cooldown_until=later)
        assert said(capsys, scene) == ([PROBED] if later == "12:00:15" else [])
    outage.end(BACK)
    assert said(capsys, scene) == [IS_BACK, B_HEARD, WAITING]
    for window in (1, 2, 4, 8):
        api.lane = a_lane("recovering", window=window)
        assert said(capsys, scene) == ([ARRIVED] if window == 1 else [])
    api.lane = a_lane("closed")
    assert said(capsys, scene) == [CLOSED]
    api.waiting = [a_delivery(after_s=61, took_ms=None)]  # made since C is back
    assert said(capsys, scene) == [CAUGHT_UP]


def test_an_outage_that_never_opened_the_circuit_is_told_without_it(
    api: ApiOf, outage: OutageOfC, capsys: pytest.CaptureFixture[str]
) -> None:
    scene = outage.tell()
    assert said(capsys, scene) == [DOWN]
    outage.end(BACK)
    api.waiting = []
    assert said(capsys, scene) == [IS_BACK, B_HEARD, WAITING.replace("1", "0"), CAUGHT_UP]
