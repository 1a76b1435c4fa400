"""The list of subscriptions and the page of one: from small tables and rollups, however many there are."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.html import escape

from deliveries.admin import subscriptions
from deliveries.deciders.delivery_address import parse
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import CircuitChange, DepthSample, Lane, Notice, Rollup, Subscription
from deliveries.models.rollup import WIDTHS
from deliveries.selectors.patience import TooSlow
from deliveries.services import holds
from tests import make
from tests.callers import browser
from webhooks.ids import public_id, uuid7

pytestmark = pytest.mark.django_db

LIST = "/admin/deliveries/subscription/"
HEAVY = 120_000  # bytes of HTML


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def fared(to: Subscription, *, good: int, dead: int = 0, bucket: int = 9, hours: int = 1) -> None:
    """This hour and those before it, each alike, in slices of every width: which are read is a matter of the hour."""
    now = int(make.now().timestamp())
    starts = Counter(
        (width, second - second % width)
        for width in WIDTHS
        for second in range(now, now - hours * 3_600, -3_600)
    )
    Rollup.objects.bulk_create(
        Rollup(
            starts_at=datetime.fromtimestamp(start, UTC), width_s=width, subscription_id=to.pk,
            attempts=times * (good + dead), delivered_first=times * good, dead=times * dead,
            **{f"took_{bucket:02}": times * (good + dead)},
        )
        for (width, start), times in starts.items()
    )  # fmt: skip


def names(answer: Any) -> list[str]:
    return [each["row"].name for each in answer.context["rows"]]


def sampled(to: Subscription, **depth: Any) -> None:
    DepthSample.objects.create(subscription=to, sampled_at=make.now(), **depth)


@pytest.fixture
def three() -> list[Subscription]:
    """Fine, failing with an open circuit, and paused."""
    fine, broken, quiet = (
        make.subscription(
            f"https://{host}/hook", name=name, rate_per_s=rate, subscriber=make.subscriber(owner)
        )
        for host, name, rate, owner in (
            ("b.example", "Accounts", 5, "finance"),
            ("c.example:8443", "Billing", None, "finance"),
            ("a.example", "Carts", 20, "shop"),
        )
    )
    fared(fine, good=99, dead=1, bucket=5)
    fared(broken, good=1, dead=3, bucket=15)
    sampled(broken, dead=264, pending=12)
    Lane.objects.filter(pk=broken.pk).update(circuit="open")
    Lane.objects.filter(pk=quiet.pk).update(hold="paused")
    return [fine, broken, quiet]


def test_trouble_comes_first(chief: Client, three: list[Subscription]) -> None:
    answer = chief.get(LIST)
    assert names(answer) == ["Billing", "Carts", "Accounts"]
    told = [(each["state_words"], each["success"], each["rate"]) for each in answer.context["rows"]]
    assert told == [
        ("Circuit open", "25.0 %", "no limit"),
        ("Paused", "–", "20/s"),
        ("Active", "99.0 %", "5/s"),
    ]
    shown = answer.content.decode()
    assert "3 failed attempts in 24 hours" in shown and "no failed attempt in 24 hours" in shown
    assert f"sub={public_id('subscription', three[1].pk)}" in shown and "264" in shown


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        ("name", "ABC"),
        ("-name", "CBA"),
        ("host", "CAB"),
        ("state", "BCA"),
        ("success", "BAC"),
        ("-success", "ABC"),
        ("p95", "ABC"),
        ("-p95", "BAC"),
        ("-dead", "BAC"),
        ("rate", "ACB"),
        ("-rate", "CAB"),
    ],
)
def test_it_is_sorted_by_each_column_and_what_is_unknown_comes_last(
    chief: Client, three: list[Subscription], sort: str, order: str
) -> None:
    assert "".join(name[0] for name in names(chief.get(LIST, {"sort": sort}))) == order


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"state": "active"}, ["Accounts"]),
        ({"state": "circuit"}, ["Billing"]),
        ({"state": "paused"}, ["Carts"]),
        ({"state": "disabled"}, []),
        ({"q": "CART"}, ["Carts"]),
        ({"q": "8443"}, ["Billing"]),
        ({"q": "nothing"}, []),
    ],
)
def test_it_is_narrowed(
    chief: Client, three: list[Subscription], asked: dict[str, str], found: list[str]
) -> None:
    assert names(chief.get(LIST, asked)) == found


def test_it_is_narrowed_to_an_id_and_to_a_subscriber(chief: Client, three: list[Subscription]) -> None:
    assert names(chief.get(LIST, {"q": public_id("subscription", three[0].pk)})) == ["Accounts"]
    of = public_id("subscriber", three[0].subscriber_id)
    answer = chief.get(LIST, {"subscriber": of})
    assert names(answer) == ["Billing", "Accounts"]
    assert "Remove the filter Subscriber finance" in answer.content.decode()


def test_what_cannot_be_meant_is_told_and_the_rest_is_kept(chief: Client, three: list[Subscription]) -> None:
    answer = chief.get(LIST, {"lane__circuit__exact": "open", "state": "paused", "page": "7"})
    assert names(answer) == ["Carts"]
    assert answer.context["notices"] == [
        "There is no filter “lane__circuit__exact”; it was ignored.",
        "There is no page 7; the last one is shown.",
    ]


def test_an_empty_hub_says_what_a_subscription_is(chief: Client) -> None:
    assert "There is no subscription yet." in chief.get(LIST).content.decode()


@pytest.mark.parametrize("sort", ["", "-p95"])
def test_as_many_questions_for_ten_as_for_hundreds_and_a_page_is_light(chief: Client, sort: str) -> None:
    def asked() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as questions:
            answer = chief.get(LIST, {"sort": sort})
        assert not [each for each in questions if "deliveries_delivery" in each["sql"]]
        return len(questions), len(answer.content)

    for number in range(10):
        fared(make.subscription(name=f"few {number}"), good=9, dead=1)
    asked()  # what is remembered for a while
    few, _ = asked()
    for number in range(190):
        made = make.subscription(name=f"many {number}")
        if number < 50:
            fared(made, good=9, dead=number % 7, hours=24)
            sampled(made, dead=number + 1)
    many, size = asked()
    assert many == few and size < HEAVY


def page(to: Subscription) -> str:
    return reverse("admin:deliveries_subscription_change", args=[to.pk])


def test_the_page_of_one_that_was_never_used_says_so(chief: Client) -> None:
    shown = chief.get(page(make.subscription())).content.decode()
    for sentence in (
        "Nothing was ever owed here.",
        "It has always been closed.",
        "Nobody has done anything to it.",
    ):
        assert sentence in shown


def test_an_open_circuit_is_told_with_what_waits_and_when_it_is_probed(chief: Client) -> None:
    to, at = make.subscription(), make.now()
    sampled(to, dead=264, pending=12, due=12, oldest_due_at=at - timedelta(minutes=9))
    Lane.objects.filter(pk=to.pk).update(
        circuit="open",
        circuit_since=at - timedelta(minutes=39),
        cooldown_until=at + timedelta(minutes=5, seconds=30),
    )
    attempt = uuid7()
    CircuitChange.objects.create(
        subscription=to,
        before="closed",
        after="open",
        why="6 of 10 attempts <b>failed</b>.",
        attempt_id=attempt,
    )
    answer = chief.get(page(to))
    shown = answer.content.decode()
    assert "Circuit open since" in shown and "39 min ago" in shown
    assert "6 of 10 attempts &lt;b&gt;failed&lt;/b&gt;. 12 deliveries wait behind it" in shown
    assert ">in 5 min<" in shown and ">9 min ago<" in shown
    assert reverse("admin:deliveries_attempt_change", args=[attempt]) in shown
    assert escape(f"/admin/deliveries/delivery/{answer.context['addresses']['dead']}") in shown


@pytest.mark.parametrize(
    ("state", "sentences"),
    [
        (
            {"hold": "paused", "hold_reason": "<b>night</b>"},
            ["&lt;b&gt;night&lt;/b&gt;", "nothing is dropped"],
        ),
        (
            {"hold": "disabled", "hold_reason": "Gone."},
            ["Disabled since", "Gone.", "until somebody enables it"],
        ),
        ({"circuit": "recovering", "window": 3}, ["It is fed gently: 3 of 10 requests at once"]),
        ({"circuit": "half_open"}, ["One delivery is out to see whether the endpoint answers"]),
    ],
)
def test_every_other_state_is_told_in_words(
    chief: Client, state: dict[str, Any], sentences: list[str]
) -> None:
    to = make.subscription()
    Lane.objects.filter(pk=to.pk).update(held_at=make.now(), **state)
    shown = chief.get(page(to)).content.decode()
    assert [each for each in sentences if each not in shown] == []


def test_its_coming_end_and_its_wish_for_quiet_are_told(chief: Client) -> None:
    to, at = make.subscription(disable_after_s=7_200), make.now()
    Lane.objects.filter(pk=to.pk).update(
        failing_since=at - timedelta(hours=1), warned_at=at, not_before=at + timedelta(hours=3)
    )
    Notice.objects.create(
        kind="subscription-failing", object_kind="subscription", object_id=public_id("subscription", to.pk),
        text="It has failed for an hour.",
    )  # fmt: skip
    shown = chief.get(page(to)).content.decode()
    assert "and is disabled" in shown and "Its endpoint asked for quiet" in shown
    assert "It has failed for an hour." in shown


def test_figures_and_bars_are_of_the_window_asked_for(chief: Client) -> None:
    to = make.subscription()
    fared(to, good=199, dead=1, bucket=5)
    shown = chief.get(page(to), {"w": "24h"})
    assert (shown.context["ended"], shown.context["success"]) == (200, "99.5")
    assert len(shown.context["steps"]) == 48
    bars = [step for step in shown.context["steps"] if step.figures.attempts]
    assert [(step.figures.delivered_first, step.figures.dead) for step in bars] == [(199, 1)]
    step = bars[0]
    query = parse(parse_qs(step.address[1:])).query
    assert query == DeliveryQuery(
        subscriptions=(to.pk,), since="all", start=step.start, end=step.start + timedelta(minutes=30)
    )
    assert escape(f"/admin/deliveries/delivery/{step.address}") in shown.content.decode()


def test_a_rate_is_never_told_better_than_it_is(chief: Client) -> None:
    to = make.subscription()
    fared(to, good=999_999, dead=1)
    assert chief.get(page(to)).context["success"] == "99.9"


def test_a_window_that_there_is_not_is_told(chief: Client) -> None:
    answer = chief.get(page(make.subscription()), {"w": "9y", "colour": "red"})
    assert answer.context["notices"] == [
        "There is no filter “colour”; it was ignored.",
        "There is no window “9y”; 24 hours are shown.",
    ]


def test_a_page_asks_as_much_of_much_as_of_little_and_is_light(chief: Client) -> None:
    to = make.subscription()

    def asked() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as questions:
            answer = chief.get(page(to))
        return len(questions), len(answer.content)

    def fill(many: int) -> None:
        for number in range(many):
            make.delivery(to, state="dead", attempts=3, last_outcome="client_error", last_status=401)
            CircuitChange.objects.create(
                subscription=to, before="closed", after="open", why=f"{number} failed."
            )
            holds.pause(subscription_id=to.pk, actor="ada")
            holds.resume(subscription_id=to.pk, actor="ada")

    fill(1)
    fared(to, good=1, dead=1)
    asked()
    few, _ = asked()
    fill(20)
    Rollup.objects.all().delete()
    fared(to, good=900, dead=7, hours=24)
    many, size = asked()
    assert many == few and size < HEAVY


def test_what_is_not_there_is_not_found_and_a_post_is_refused(chief: Client) -> None:
    assert chief.get(f"{LIST}{uuid7()}/change/").status_code == 404
    assert chief.get(f"{LIST}nonsense/change/").status_code == 404
    assert chief.post(page(make.subscription())).status_code == 403
    assert browser("webhooks.view_source", name="bob").get(LIST).status_code == 403


def test_a_database_that_is_slow_is_not_waited_for(chief: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*asked: Any) -> None:
        raise TooSlow

    for name in ("list_context", "page_context"):
        monkeypatch.setattr(subscriptions, name, stopped)
    for address in (f"{LIST}?q=erp", page(make.subscription())):
        answer = chief.get(address)
        assert answer.status_code == 503 and "The database took too long" in answer.content.decode()


def test_its_public_id_leads_to_it(chief: Client) -> None:
    to = make.subscription(name="by id")
    shown = chief.get(f"{LIST}{public_id('subscription', to.pk)}/change/")
    assert shown.status_code == 200 and "by id" in shown.content.decode()
