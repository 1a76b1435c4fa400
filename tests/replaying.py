"""Makes what replay tests need: dead deliveries, a choice of them, and an order over it."""

from datetime import datetime, timedelta
from typing import Any

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.replay_choice import Choice
from deliveries.models import Delivery, DeliveryState, Replay, ReplayItem, Subscription
from deliveries.services import replays
from deliveries.services.dead_letters import Death, bury
from tests import make

DEAD = DeliveryQuery(statuses=(Status.DEAD,), since="all")


def soon() -> datetime:
    """After all that was made up to now: ids tell the time to the millisecond."""
    return make.now() + timedelta(seconds=1)


def dead(to: Subscription, count: int = 1, **options: Any) -> list[Delivery]:
    """Dead letters of one issue, oldest first, given up a while ago."""
    values: dict[str, Any] = {
        "state": DeliveryState.DEAD,
        "attempts": 12,
        "last_outcome": "server_error",
        "last_status": 503,
        "fingerprint": "v1:a",
        "budget_at": make.now() - timedelta(hours=1),
    }
    made = [make.delivery(to, **values | options) for _ in range(count)]
    bury(
        deaths=[
            Death(
                delivery_id=each.pk, subscription_id=to.pk, reason="exhausted",
                fingerprint=each.fingerprint, status=503, error="",
            )
            for each in made
        ],
        now=make.now(),
    )  # fmt: skip
    return made


def start(query: DeliveryQuery = DEAD, *, actor: str = "ada", **options: Any) -> replays.Verdict:
    """What a person does: looks, and orders what was seen."""
    now = soon()
    named = {name: options.pop(name) for name in ("preset", "newest_only", "verb") if name in options}
    asked = Choice(query=query, **named)
    choice = asked.frozen(now)
    seen = options.pop("seen", None)
    seen = replays.estimate(choice, now).count if seen is None else seen
    order = replays.Order(choice=choice, seen=seen, reason=options.pop("reason", "mended"), **options)
    return replays.start(order=order, asked=asked, actor=actor, now=make.now())


def started(query: DeliveryQuery = DEAD, **options: Any) -> Replay:
    verdict = start(query, **options)
    assert verdict.is_done, verdict
    assert verdict.replay_id is not None
    return Replay.objects.get(pk=verdict.replay_id)


def items(replay: Replay) -> list[str]:
    """The states of its items, oldest first."""
    return list(ReplayItem.objects.filter(replay=replay).order_by("pk").values_list("state", flat=True))
