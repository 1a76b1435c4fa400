"""A retry that waits may come at once: one click, one conditional update, recorded; its budget stays what it was."""

from datetime import timedelta
from typing import Any

import pytest

from deliveries.models import Delivery, Lane
from deliveries.services.retrying import retry_now
from tests import make
from tests.callers import browser
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db


def waiting(**options: Any) -> Delivery:
    values: dict[str, Any] = {
        "phase": 1,
        "attempts": 3,
        "last_outcome": "timeout",
        "due_at": make.now() + timedelta(hours=2),
    }
    return make.delivery(make.subscription(), **(values | options))


def address(delivery: Delivery, door: str = "retry") -> str:
    return f"/admin/deliveries/delivery/{delivery.pk}/{door}/"


def test_it_is_due_now_its_lane_wakes_and_its_attempts_stay() -> None:
    delivery = waiting()
    Lane.objects.update(next_due_at=delivery.due_at)
    before = make.now()
    assert retry_now(delivery_id=delivery.pk, actor="ada").sentence == "It is due now."
    row = Delivery.objects.get()
    assert before <= row.due_at <= make.now()
    assert (row.state, row.phase, row.attempts, row.budget_from) == ("pending", 1, 3, 0)
    assert Lane.objects.get().next_due_at <= make.now()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.object_id) == (
        "ada",
        "retry_now",
        public_id("delivery", delivery.pk),
    )


@pytest.mark.parametrize(
    "row",
    [{"phase": 0}, {"due_at": make.now() - timedelta(seconds=1)}, {"state": "dead", "due_at": None}],
    ids=["not tried yet", "due already", "dead"],
)
def test_what_does_not_wait_for_a_later_try_is_left_alone(row: dict[str, object]) -> None:
    delivery = waiting(**row)
    verdict = retry_now(delivery_id=delivery.pk, actor="ada")
    assert (verdict.is_done, verdict.sentence) == (False, "It does not wait for a later try any more.")
    assert Delivery.objects.get().due_at == delivery.due_at
    assert not AuditEntry.objects.exists()
    assert not retry_now(delivery_id=uuid7(), actor="ada").is_done


def test_a_second_click_is_told_that_it_came_too_late() -> None:
    delivery, client = waiting(), browser("deliveries.view_delivery", "deliveries.replay_delivery")
    page = client.get(address(delivery, "change")).content.decode()
    assert "Retry at once" in page
    first = client.post(address(delivery), follow=True).content.decode()
    assert "It is due now." in first and "Retry at once" not in first
    assert (
        "It does not wait for a later try any more."
        in client.post(address(delivery), follow=True).content.decode()
    )
    assert AuditEntry.objects.filter(verb="retry_now").count() == 1


def test_who_may_not_replay_may_not_retry_and_a_get_changes_nothing() -> None:
    delivery, viewer = waiting(), browser("deliveries.view_delivery", name="bob")
    assert "Retry at once" not in viewer.get(address(delivery, "change")).content.decode()
    assert viewer.post(address(delivery)).status_code == 403
    assert browser(is_superuser=True).get(address(delivery)).status_code == 403
    assert Delivery.objects.get().due_at == delivery.due_at
