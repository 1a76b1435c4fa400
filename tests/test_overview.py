"""The overview: what it tells of a window, what it says only when it is so, where it leads, and for whom it is."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from deliveries.models import (
    Alert,
    Circuit,
    CircuitChange,
    DepthSample,
    Lane,
    Replay,
    Seat,
    Subscription,
    Tally,
)
from deliveries.selectors.patience import TooSlow
from deliveries.services.dead_letters import Death, bury
from deliveries.services.depths import sample
from deliveries.services.holds import pause
from deliveries.services.notices import notify
from hub.overview import page as overview
from tests import make
from tests.callers import browser

pytestmark = pytest.mark.django_db

PAGE, PARTS = "/admin/", "/admin/overview/"
DELIVERIES = "/admin/deliveries/delivery/"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


@pytest.fixture(autouse=True)
def worked() -> None:
    """Somebody dispatches, so that the page has nothing to warn of."""
    Seat.objects.create(number=1, leased_until=timezone.now() + timedelta(hours=1), host="hub-1", pid=1)


def dead(to: Subscription, count: int, *, fingerprint: str, status: int | None = 503) -> None:
    deaths = [
        Death(delivery_id=make.delivery(to, state="dead").pk, subscription_id=to.pk, reason="exhausted",
              fingerprint=fingerprint, status=status, error="")
        for _ in range(count)
    ]  # fmt: skip
    bury(deaths=deaths, now=make.now())


def words(answer: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())).replace("\u202f", " ")


def tiles(answer: Any) -> dict[str, str]:
    found = re.findall(r'<li class="card"><a href="[^"]*">(.*?)<svg', answer.content.decode(), re.S)
    texts = [
        re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", each)).strip().replace("\u202f", " ") for each in found
    ]
    names = ("Deliveries", "Success rate", "Dead letters", "Retrying or held", "Latency p95", "Queue")
    return {name: text.removeprefix(name).strip() for name, text in zip(names, texts, strict=True)}


def section(answer: Any, name: str) -> str:
    found = re.search(
        rf'<section[^>]*aria-labelledby="{name}">(.*?)</section>', answer.content.decode(), re.S
    )
    assert found is not None
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[1])).replace("\u202f", " ")


def banners(answer: Any) -> list[str]:
    return re.findall(r'<div class="banner[^>]*>.*?<strong>(.*?)</strong>', answer.content.decode(), re.S)


def addresses(answer: Any) -> list[str]:
    return [each.replace("&amp;", "&") for each in re.findall(r'href="([^"]*)"', answer.content.decode())]


# -- figures -------------------------------------------------------------------------------------------


def test_tiles_tell_the_window_and_how_it_differs_from_the_one_before(chief: Client) -> None:
    to = make.subscription()
    make.slices(to, attempts=12, delivered_first=6, delivered_retry=2, retried=2, dead=2)
    make.slices(to, ago=timedelta(hours=26), attempts=5, delivered_first=4, dead=1, took=9)
    assert tiles(chief.get(PAGE)) == {
        "Deliveries": "10 vs previous +5",
        "Success rate": "80.00 % of finished ±0 pt",
        "Dead letters": "2 vs previous +1",
        "Retrying or held": "0 now 0 retrying 0 held",
        "Latency p95": "25 ms p50 20 ms p99 25 ms",
        "Queue": "0 due now nothing waits",
    }


def test_one_delivery_lost_among_many_is_never_rounded_away(chief: Client) -> None:
    make.slices(make.subscription(), attempts=1_000_000, delivered_first=999_999, dead=1)
    assert tiles(chief.get(PAGE))["Success rate"].startswith("99.99 %")


def test_what_waits_is_told_from_the_samples(chief: Client) -> None:
    moving, held, now = make.subscription(), make.subscription(), make.now()
    Lane.objects.filter(pk=held.pk).update(circuit=Circuit.OPEN)
    make.delivery(moving, due_at=now - timedelta(seconds=65))
    make.delivery(moving, phase=1, due_at=now + timedelta(minutes=4))
    make.delivery(moving, phase=1, due_at=now + timedelta(minutes=40))
    make.delivery(held, phase=1)
    sample(now)
    answer = chief.get(PAGE)
    assert tiles(answer)["Retrying or held"] == "3 now 2 retrying 1 held"
    assert tiles(answer)["Queue"] == "1 due now oldest 1 min"
    waiting = section(answer, "waiting")
    for line in ("Due now 1", "Retry within 5 min 1", "Retry within 1 h 2", "Held by circuit or pause 1"):
        assert line in waiting
    assert "Task queue (django-q2) 0" in waiting and "1 of 1 dispatchers alive" in waiting


def test_the_chart_has_96_quarters_of_a_day_each_leading_to_its_deliveries(chief: Client) -> None:
    make.slices(make.subscription(), attempts=3, delivered_first=1, retried=1, dead=1)
    answer = chief.get(PAGE)
    bars = [each for each in addresses(answer) if "?from=" in each]
    assert len(bars) == 96
    assert re.fullmatch(
        r"/admin/deliveries/delivery/\?from=\S+:(00|15|30|45):00Z&to=\S+:(00|15|30|45):00Z", bars[0]
    )
    assert chief.get(bars[40]).context["notices"] == ()
    page = answer.content.decode()
    assert "First try 1, Failed, tried again 1, Dead letter 1</title>" in page
    assert ", not over yet: none</title>" in page


@pytest.mark.parametrize(("span", "bars"), [("1h", 60), ("6h", 72), ("24h", 96), ("7d", 84), ("30d", 120)])
def test_every_window_has_its_steps_and_stays_under_120_kb(chief: Client, span: str, bars: int) -> None:
    busy = [make.subscription(name=f"a subscription with a rather long name, number {n}") for n in range(12)]
    for number, to in enumerate(busy):
        make.slices(
            to, ago=timedelta(minutes=20), attempts=40_000, delivered_first=20_000, retried=900, dead=number
        )
        make.failures(to, "server_error", 500 + number, 100)
    answer = chief.get(f"{PAGE}?w={span}")
    assert sum("?from=" in each and "&to=" in each for each in addresses(answer)) == bars
    assert len(answer.content) < 120_000


def test_the_same_can_be_read_as_tables(chief: Client) -> None:
    make.slices(make.subscription(), attempts=3, delivered_first=1, retried=1, dead=1)
    assert "?w=7d&as=table" in addresses(chief.get(f"{PAGE}?w=7d"))
    answer = chief.get(f"{PAGE}?w=7d&as=table")
    assert "Deliveries by outcome, as a table" in answer.content.decode()
    assert answer.content.decode().count('<th scope="row">') >= 2 * 84


def test_endpoints_that_do_worst_come_first(chief: Client) -> None:
    fine, poor, worst = (make.subscription(name=name) for name in ("fine", "poor", "worst"))
    make.slices(fine, attempts=9, delivered_first=9)
    make.slices(poor, attempts=10, delivered_first=8, retried=1, dead=1)
    make.slices(worst, attempts=10, delivered_first=1, retried=6, dead=3)
    make.failures(poor, "timeout", 0, 2)
    make.failures(worst, "server_error", 503, 9)
    Lane.objects.filter(pk=worst.pk).update(circuit=Circuit.HALF_OPEN)
    told = section(chief.get(PAGE), "worst")
    assert told.index("worst 4 25.0 %") < told.index("poor 9 88.9 %")
    assert "fine" not in told and "Half-open" in told


def test_causes_come_most_frequent_first_and_lead_to_what_failed_so(chief: Client) -> None:
    to = make.subscription()
    make.failures(to, "timeout", 0, 2)
    make.failures(to, "server_error", 503, 9)
    answer = chief.get(PAGE)
    assert section(answer, "causes").split() == (
        ["Failures", "by", "cause", "503", "failed", "at", "the", "receiver", "9", "9", "Timeout", "2", "2"]
    )
    assert f"{DELIVERIES}?code=503&since=24h" in addresses(answer)
    assert f"{DELIVERIES}?error=timeout&since=24h" in addresses(answer)


def test_the_issues_with_the_most_dead_letters_are_shown(chief: Client) -> None:
    for number in range(6):
        dead(
            make.subscription(name=f"team {number}"),
            number + 1,
            fingerprint=f"v1:{number}",
            status=500 + number,
        )
    told = section(chief.get(PAGE), "issues")
    assert [name for name in ("team 5", "team 4", "team 3", "team 2") if name in told] == sorted(
        re.findall(r"team \d", told), reverse=True
    )
    assert "505 team 5" in told and "team 1" not in told


# -- what stands above all ------------------------------------------------------------------------------


def test_nothing_stands_above_while_all_is_well(chief: Client) -> None:
    make.slices(make.subscription(), attempts=1, delivered_first=1)
    assert banners(chief.get(PAGE)) == []


def test_it_says_when_nobody_dispatches(chief: Client) -> None:
    Seat.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert banners(chief.get(PAGE)) == ["No dispatcher is at work."]


@pytest.mark.parametrize(
    ("age_s", "told"), [(299, []), (301, ["Work waits: the oldest delivery was due 5 min ago."])]
)
def test_it_says_when_work_waits_too_long(chief: Client, age_s: int, told: list[str]) -> None:
    lane = make.subscription()
    DepthSample.objects.create(
        subscription=lane, due=1, oldest_due_at=timezone.now() - timedelta(seconds=age_s)
    )
    assert banners(chief.get(PAGE)) == told


def test_what_waits_in_a_held_lane_is_no_alarm(chief: Client) -> None:
    lane = make.subscription()
    DepthSample.objects.create(subscription=lane, due=1, oldest_due_at=timezone.now() - timedelta(hours=9))
    Lane.objects.update(hold="paused")
    assert banners(chief.get(PAGE)) == []


@pytest.mark.parametrize(("age_s", "told"), [(55, []), (70, ["The figures are late."])])
def test_it_says_when_the_figures_are_late(chief: Client, age_s: int, told: list[str]) -> None:
    at = timezone.now() - timedelta(seconds=age_s)
    Tally.objects.create(settled_at=at, attempts="[]", failed="[]", deaths="[]", length=0)
    assert banners(chief.get(PAGE)) == told


def test_it_says_which_circuits_opened_lately(chief: Client) -> None:
    for name in ("one", "other"):
        lane = make.subscription(name=name)
        CircuitChange.objects.create(subscription=lane, before="closed", after="open", why="It failed.")
        CircuitChange.objects.create(
            subscription=lane, before="half_open", after="open", why="Its probe failed."
        )
    answer = chief.get(PAGE)
    assert banners(answer) == ["2 circuits opened in the last 15 minutes."]
    assert reverse("admin:deliveries_subscription_change", args=[Lane.objects.first().pk]) in addresses(
        answer
    )


def test_it_says_how_far_a_replay_is(chief: Client) -> None:
    Replay.objects.create(
        ordered_by="ops",
        rate_per_s=20,
        reason="Mended.",
        total=6,
        admitted=1,
        delivered=1,
        failed=1,
        skipped=1,
    )
    Replay.objects.create(ordered_by="ops", state="finished")
    answer = chief.get(PAGE)
    assert banners(answer) == ["Replay in progress."]
    assert "3 of 6 at 20/s, started by ops. Mended." in words(answer)


def test_circuits_that_are_not_closed_and_pauses_say_since_when_and_why(chief: Client) -> None:
    opened, recovering, paused = (make.subscription(name=name) for name in ("erp", "crm", "lake"))
    CircuitChange.objects.create(
        subscription=opened,
        before="closed",
        after="open",
        at=timezone.now() - timedelta(minutes=39),
        why="12 of 20 failed.",
    )
    soon = timezone.now() + timedelta(seconds=90)
    Lane.objects.filter(pk=opened.pk).update(circuit=Circuit.OPEN, cooldown_until=soon)
    Lane.objects.filter(pk=recovering.pk).update(circuit=Circuit.RECOVERING, window=3)
    pause(subscription_id=paused.pk, actor="maria", reason="They move.")
    answer = chief.get(PAGE)
    told = section(answer, "circuits")
    assert "erp opened 39 min ago, probed in 1 min Open" in told
    assert "crm opened just now, recovering: 3 of 10 passed Recovering" in told
    assert "lake paused by maria, just now Paused" in told
    assert (
        'title="12 of 20 failed."' in answer.content.decode()
        and 'title="They move."' in answer.content.decode()
    )
    assert "0 closed" in told


def test_open_alerts_and_the_news_of_a_day_are_told_once(chief: Client) -> None:
    lane = make.subscription()
    Alert.objects.create(rule="backlog", summary="Much is due.")
    Alert.objects.create(rule="old", summary="It is over.", closed_at=timezone.now())
    notify(
        kind="subscription-failing",
        object_kind="subscription",
        object_id=lane.pk,
        text="erp will be disabled.",
    )
    notify(kind="circuit-opened", object_kind="subscription", object_id=lane.pk, text="A circuit opened.")
    told = words(chief.get(PAGE))
    assert told.count("Much is due.") == 1 and told.count("erp will be disabled.") == 1
    assert "It is over." not in told and "A circuit opened." not in told


# -- an empty hub, a slow one, an odd address ---------------------------------------------------------------


def test_an_empty_hub_says_how_to_send_a_first_event(chief: Client) -> None:
    answer = chief.get(PAGE)
    told = words(answer)
    assert "Nothing has come in yet." in told and "http://testserver/in/&lt;source&gt;" in told
    assert reverse("admin:webhooks_source_add") in addresses(answer)
    make.source("shop")
    assert "curl http://testserver/in/shop" in words(chief.get(PAGE))
    make.event()
    assert "Nothing has come in yet." not in words(chief.get(PAGE))


def test_a_slow_database_is_said_and_the_window_stays(chief: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(*_: object) -> None:
        raise TooSlow

    monkeypatch.setattr(overview, "overview", slow)
    answer = chief.get(f"{PAGE}?w=30d")
    assert answer.status_code == 200 and "The database took too long" in words(answer)
    assert '<a href="?w=30d" title="The last 30 days" aria-current="page">' in answer.content.decode()
    assert chief.get(f"{PARTS}?w=30d").status_code == 503


@pytest.mark.parametrize("address", ["?w=2d", "?w=", "?colour=red", "?w=%00&as=chart", "?w=1h&w=6h", "?e=1"])
def test_no_address_breaks_it(chief: Client, address: str) -> None:
    assert chief.get(PAGE + address).status_code == chief.get(PARTS + address).status_code == 200


def test_what_is_not_understood_is_said(chief: Client) -> None:
    told = words(chief.get(f"{PAGE}?w=2d&colour=red"))
    assert "There is no window “2d”; the last 24 hours are shown instead." in told
    assert "There is no filter “colour”; it was ignored." in told


# -- who, how often, with how many questions -------------------------------------------------------------


def test_who_may_see_all_of_it_sees_it_and_whoever_may_see_less_begins_with_the_records() -> None:
    client = browser(*overview.NEEDS, name="bob")
    assert 'aria-labelledby="outcomes"' in client.get(PAGE).content.decode()
    less = browser("deliveries.view_delivery", name="cy")
    answer = less.get(PAGE)
    assert "All records" in words(answer) and 'aria-labelledby="outcomes"' not in answer.content.decode()
    assert less.get(PARTS).status_code == 403


def test_a_stranger_is_sent_to_the_door(client: Client) -> None:
    assert client.get(PAGE)["Location"] == "/admin/login/?next=/admin/"
    assert client.get(PARTS).status_code == 302


def test_all_records_have_a_page_of_their_own(chief: Client) -> None:
    assert "Inbound" in words(chief.get("/admin/records/"))
    assert "/admin/records/" in addresses(chief.get(PAGE))


def test_nothing_can_be_done_here_but_look(chief: Client) -> None:
    assert chief.post(PAGE).status_code == chief.post(PARTS).status_code == 405
    forms = re.findall(r"<form[^>]*>", chief.get(PAGE).content.decode())
    assert [
        each for each in forms if "jump" not in each and "logout" not in each and "dialog" not in each
    ] == []


def test_it_is_not_kept_by_browsers_and_drawn_once_for_all(chief: Client, settings: Any) -> None:
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "overview"}
    }
    assert "no-store" in chief.get(PAGE)["Cache-Control"] and "no-store" in chief.get(PARTS)["Cache-Control"]
    make.slices(make.subscription(), attempts=1, delivered_first=1)
    assert tiles(browser(is_superuser=True, name="bob").get(PAGE))["Deliveries"].startswith("0 ")
    assert tiles(chief.get(f"{PAGE}?w=7d"))["Deliveries"].startswith("1 ")


def test_links_of_the_tiles_lead_where_they_say(chief: Client) -> None:
    lane = make.subscription()
    make.delivery(lane, state="dead", attempts=1)
    found = addresses(chief.get(f"{PAGE}?w=7d"))
    for address in (
        f"{DELIVERIES}?since=7d",
        f"{DELIVERIES}?status=dead,delivered&since=7d",
        f"{DELIVERIES}?status=dead&since=7d",
        f"{DELIVERIES}?status=held,retrying&since=all",
        f"{DELIVERIES}?status=delivered&since=7d",
        "/admin/queue/",
    ):
        assert address in found
        assert chief.get(address).status_code == 200
