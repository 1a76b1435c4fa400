"""However many dispatchers share the work, nothing is sent twice and no two own one lane."""

from collections import Counter
from ipaddress import ip_network

import pytest

from deliveries.models import Attempt, Delivery, DeliveryState
from tests import make
from tests.endpoints import Endpoint, answers
from tests.running import dispatchers, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def test_eight_dispatchers_over_two_thousand_due_deliveries_send_none_twice(settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]
    settings.HUB_SEATS = 8
    with Endpoint(answers(200)) as endpoint:
        for _ in range(40):
            make.deliveries(make.subscription(endpoint.url), 50)
        with dispatchers(8):
            until(lambda: not Delivery.objects.filter(state=DeliveryState.PENDING).exists(), within_s=60)
        sent = Counter(request.headers["webhook-id"] for request in endpoint.requests)
    assert len(sent) == 2000
    assert set(sent.values()) == {1}
    assert Attempt.objects.count() == 2000
