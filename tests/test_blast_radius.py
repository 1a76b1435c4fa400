"""What waits behind a lane in trouble is told: how much, since when, from where and in which cascades."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Cascade, Lane
from deliveries.selectors import blast_radius as module
from deliveries.selectors.blast_radius import blast_radius
from tests import make
from tests.callers import browser

pytestmark = pytest.mark.django_db


def test_it_is_told_by_source_and_by_cascade() -> None:
    to, other = make.subscription(), make.subscription(name="other")
    shop, billing = make.source("shop"), make.source("billing")
    hour = make.now() - timedelta(hours=1)
    first = make.event(source=billing, type="order.placed", state="routed")
    make.delivery(to, first, created_at=hour)
    for _ in range(2):
        make.delivery(to, make.event(source=shop, state="routed"))
    make.delivery(to, state="dead")
    make.delivery(other)
    cascade = Cascade.objects.create(trace_id=first.trace_id, root=first, events=2)
    found = blast_radius(to.pk)
    assert (found.parked, found.is_more, found.oldest_at) == (3, False, hour)
    assert [(each.name, each.count) for each in found.sources] == [("shop", 2), ("billing", 1)]
    assert [(each.id, each.name, each.count) for each in found.cascades] == [(cascade.pk, "order.placed", 1)]


def test_it_asks_as_much_of_3_as_of_30_and_looks_at_no_more_than_it_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    to = make.subscription()

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            blast_radius(to.pk)
        return len(queries)

    make.deliveries(to, 3)
    few = asked()
    make.deliveries(to, 27)
    assert few == asked() == 4
    monkeypatch.setattr(module, "LOOKED_AT", 10)
    found = blast_radius(to.pk)
    assert (found.parked, found.is_more, found.sources[0].count) == (10, True, 10)


def test_the_subscriptions_page_shows_it_only_while_it_is_in_trouble() -> None:
    to = make.subscription()
    make.deliveries(to, 2)
    chief, page = browser(is_superuser=True), f"/admin/deliveries/subscription/{to.pk}/change/"
    assert "What waits behind it" not in chief.get(page).content.decode()
    Lane.objects.filter(pk=to.pk).update(circuit="open", circuit_since=make.now())
    assert "What waits behind it" in chief.get(page).content.decode()
