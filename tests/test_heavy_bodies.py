"""Bodies that a transform blows up neither leave Weir nor stop a batch from being settled."""

import pytest

from deliveries.deciders.outcome import Decision
from deliveries.dispatcher import settlement
from deliveries.dispatcher.jobs import Unsendable
from deliveries.models import DeadLetter, Delivery, DeliveryBody
from tests import make
from tests.desks import Table
from webhooks import rows

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_body_made_larger_than_an_event_may_be_is_a_dead_letter_without_an_attempt(settings) -> None:
    settings.HUB_MAX_BODY = 2_000
    make.delivery(
        make.subscription(transform="[@, @, @, @]"), make.event(b'"' + b"x" * 600 + b'"', state="routed")
    )
    make.delivery(make.subscription(transform="[@, @]"), make.event(b'"' + b"x" * 600 + b'"', state="routed"))
    table = Table()
    out = table.turn()
    assert len(table.jobs) == 1
    (unsent,) = (job for job in out.jobs if isinstance(job, Unsendable))
    decision = Decision(state="dead", reason=unsent.outcome)
    table.turn([settlement.Failed(job=unsent, decision=decision)])
    assert DeadLetter.objects.get().reason == "oversized"
    dead = Delivery.objects.get(state="dead")
    assert dead.attempts == 0
    assert dead.last_error == "The transform makes 2,413 bytes of it; Weir sends at most 2,000."


@pytest.mark.parametrize("sizes", [[], [1], [9] * 5, [40, 1, 1], [4, 4, 4, 4]])
def test_many_bytes_are_written_in_several_statements_and_all_of_them(sizes, monkeypatch) -> None:
    monkeypatch.setattr(rows, "PAGE_BYTES", 10)
    monkeypatch.setattr(rows, "PAGE", 3)
    lane = make.subscription()
    bodies = {
        delivery: bytes(size) for delivery, size in zip(make.deliveries(lane, len(sizes)), sizes, strict=True)
    }
    rows.insert(DeliveryBody, ("delivery", "body"), list(bodies.items()))
    kept = {each.delivery_id: bytes(each.body) for each in DeliveryBody.objects.all()}
    assert kept == bodies
