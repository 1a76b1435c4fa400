"""A dispatcher whose slice is over hands its lanes to its successor, and nobody who waits for events feels it."""

from collections import Counter
from ipaddress import ip_network

import pytest
from django_q.models import OrmQ

from deliveries.models import Attempt, Seat
from tests import make
from tests.endpoints import Endpoint, answers, never_answers
from tests.running import dispatchers, until

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_successor_takes_over_while_its_predecessor_finishes_and_nothing_is_sent_twice(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    with Endpoint(answers(200)) as endpoint, Endpoint(never_answers) as hanging:
        subscriptions = [make.subscription(endpoint.url) for _ in range(3)]
        for subscription in subscriptions:
            make.deliveries(subscription, 100)
        make.delivery(make.subscription(hanging.url, timeout_s=8, retry_first_s=60))
        with dispatchers(slice_s=0.3):
            until(OrmQ.objects.exists)
            for subscription in subscriptions:
                make.deliveries(subscription, 50)
            with dispatchers():
                endpoint.wait_for(450)
                assert dict(Seat.objects.values_list("number", "is_draining")) == {1: True, 2: False}
                until(lambda: Seat.objects.get(number=1).leased_until is None)
                until(lambda: Attempt.objects.count() == 451)
    sent = Counter(request.headers["webhook-id"] for request in endpoint.requests)
    assert (len(sent), set(sent.values())) == (450, {1})
    assert len(hanging.requests) == 1
