"""The small chart over the deliveries: how its selection came about, by slices, each bar a way into it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from deliveries.deciders.delivery_address import parse
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.models import Rollup
from deliveries.models.rollup import EVERY
from deliveries.selectors.selection_course import course_of
from tests import make
from tests.callers import browser

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 25, 12, 7, 30, tzinfo=UTC)


def happened(at: datetime, width_s: int, subscription: UUID = EVERY, **counts: int) -> None:
    Rollup.objects.create(starts_at=at, width_s=width_s, subscription_id=subscription, **counts)


def test_each_step_counts_and_leads_into_its_own_time() -> None:
    at = datetime(2026, 11, 25, 11, 45, tzinfo=UTC)
    happened(at, 900, delivered_first=5, delivered_retry=2, retried=3, dead=1)
    course = course_of(DeliveryQuery(since="24h"), NOW)
    assert course.names == ["delivered", "retried", "dead"]
    assert (course.steps[0].start, course.steps[-1].end) == (
        NOW.replace(day=24, minute=0, second=0),
        NOW.replace(minute=15, second=0),
    )
    assert [(step.start, step.counts) for step in course.steps if any(step.counts)] == [(at, [7, 3, 1])]
    step = next(step for step in course.steps if any(step.counts))
    assert step.query == DeliveryQuery(since="all", start=at, end=at + timedelta(minutes=15))
    assert [step.is_unfinished for step in course.steps] == [False] * 96 + [True]


@pytest.mark.parametrize(
    ("statuses", "names"),
    [
        ((Status.DEAD,), ["dead"]),
        ((Status.DEAD, Status.HELD, Status.RETRYING), ["retried", "dead"]),
        ((Status.DELIVERED,), ["delivered"]),
        ((Status.DISCARDED,), []),
    ],
)
def test_it_counts_what_the_selection_holds(statuses: tuple[Status, ...], names: list[str]) -> None:
    happened(NOW.replace(minute=0, second=0), 900, delivered_first=5, retried=3, dead=1)
    assert list(course_of(DeliveryQuery(since="24h", statuses=statuses), NOW).names) == names


def test_one_subscription_has_its_own() -> None:
    to, at = make.subscription(), NOW.replace(second=0)
    happened(at, 60, delivered_first=9)
    happened(at, 60, to.pk, delivered_first=4)
    course = course_of(DeliveryQuery(since="1h", subscriptions=(to.pk,)), NOW)
    assert sum(sum(step.counts) for step in course.steps) == 4


@pytest.mark.parametrize(
    "address",
    ["type=order.*", "code=5xx", "error=tls", "source=shop", "attempts=>=2", "fp=v1:a", "q=x", "since=all"],
)
def test_where_slices_cannot_tell_there_is_none(address: str) -> None:
    for width in (60, 900, 3_600):
        happened(NOW.replace(minute=0, second=0), width, delivered_first=5, dead=1)
    name, value = address.split("=", 1)
    assert not course_of(parse({name: [value]}).query, NOW).steps


def test_steps_are_as_fine_as_the_time_is_short_and_as_its_slices_are_kept() -> None:
    for width in (60, 900, 3_600):
        for ago in (timedelta(minutes=20), timedelta(days=20)):
            second = int((NOW - ago).timestamp()) // width * width
            happened(datetime.fromtimestamp(second, UTC), width, delivered_first=1)

    def width_of(query: DeliveryQuery) -> int:
        step = course_of(query, NOW).steps[0]
        return int((step.end - step.start).total_seconds())

    assert [width_of(DeliveryQuery(since=since)) for since in ("1h", "24h", "7d", "30d")] == [
        60,
        900,
        43_200,
        43_200,
    ]
    old = NOW - timedelta(days=20)
    assert (
        width_of(DeliveryQuery(since="all", start=old - timedelta(hours=1), end=old + timedelta(hours=1)))
        == 3_600
    )


def test_the_page_draws_it_with_a_way_into_each_bar() -> None:
    make.deliveries(make.subscription(), 1)
    at = make.now().replace(minute=0, second=0, microsecond=0)
    happened(at, 900, delivered_first=3)
    page = browser("deliveries.view_delivery").get("/admin/deliveries/delivery/?since=24h").content.decode()
    assert (
        f'href="?from={at:%Y-%m-%dT%H:%M:%S}Z&amp;to={at + timedelta(minutes=15):%Y-%m-%dT%H:%M:%S}Z"' in page
    )
    assert "What came of attempts, by time" in page
