"""Proves an endpoint: one signed ping that must get a 2xx, outside every transaction. Then its lane is let go.

The ping's body is a test's, of the type `weir.ping`, and it is marked `weir-test: 1`, as every test is. A person or
the API asks for it as often as they like. In the first hour a schedule asks by itself too, each minute.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from deliveries.deciders.outcome import Outcome
from deliveries.models import Hold, Lane, Subscription
from webhooks.services import audit

from . import ping, proof
from .circuits import OrderVerdict
from .holds import WEIR, Refused

PING_TYPE = "weir.ping"
BY_ITSELF_FOR = timedelta(hours=1)
AT_ONCE = 5  # pings of one look, each of which may take ten seconds
NOT_ASKED = "It does not ask to be proved."
PROVED = "Its present address is proved already."
MOVED = "Its address was changed meanwhile; prove the new one."


def prove(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> OrderVerdict:
    """Pings it now and says what came of it; ordered is what let its lane go. Raises Refused."""
    prove_asked, proved_at, url = Subscription.objects.values_list("prove", "proved_at", "url").get(
        pk=subscription_id
    )
    if not prove_asked or proved_at is not None:
        return OrderVerdict(is_ordered=False, sentence=PROVED if prove_asked else NOT_ASKED)
    answer = _ping(subscription_id)
    verdict = _accept(subscription_id, url, answer)
    if verdict.is_ordered or actor != WEIR:
        audit.record(
            actor=actor,
            user=user,
            verb="prove",
            object_kind="subscription",
            object_id=subscription_id,
            reason=reason,
            after={
                "is_proved": verdict.is_ordered, "outcome": answer.outcome.value, "status": answer.status,
            },
        )  # fmt: skip
    return verdict


def prove_waiting(*, now: datetime) -> int:
    """Tries those that wait since less than an hour, the oldest first; says how many are proved now."""
    waiting = Lane.objects.filter(hold=Hold.UNPROVED, held_at__gt=now - BY_ITSELF_FOR).order_by("held_at")
    proved = 0
    for lane in waiting.values_list("pk", flat=True)[:AT_ONCE]:
        try:
            proved += prove(subscription_id=lane, actor=WEIR).is_ordered
        except Refused:  # nothing can be signed, or somebody tests just now; the next look asks again
            continue
    return proved


def _ping(subscription_id: UUID) -> ping.PingAnswer:
    try:
        return ping.send_one(subscription_id=subscription_id, event_type=PING_TYPE)
    except ping.Busy as busy:
        raise Refused(str(busy)) from None


def _accept(subscription_id: UUID, url: str, answer: ping.PingAnswer) -> OrderVerdict:
    if answer.outcome is not Outcome.OK:
        return OrderVerdict(is_ordered=False, sentence=f"Not proved. {answer.sentence}")
    with transaction.atomic():
        same = Subscription.objects.filter(pk=subscription_id, url=url, prove=True, proved_at=None)
        if not same.update(proved_at=timezone.now()):
            return OrderVerdict(is_ordered=False, sentence=MOVED)
        is_free = proof.let_go(subscription_id)
    more = "what waited goes out now." if is_free else "it is held for another reason."
    return OrderVerdict(is_ordered=True, sentence=f"Proved: {more}")
