"""Queue and workers: what the page tells of seats, lanes, tasks and schedules, from small tables alone."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task

from deliveries.models import Circuit, DepthSample, Hold, Issue, Lane, Seat
from deliveries.services.depths import sample
from hub import workers
from tests import make, roles
from tests.callers import browser
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

PAGE = "/admin/queue/"
NOW = timezone.now()


def schedule(**options: Any) -> Schedule:
    return Schedule.objects.create(
        **{"name": "weir: retain", "func": "deliveries.tasks.retain", "schedule_type": "I", "minutes": 60}
        | options
    )


def failed(number: int, func: str, *, ago: timedelta) -> None:
    at = NOW - ago
    Task.objects.create(id=f"t{number}", name=f"t{number}", func=func, started=at, stopped=at, success=False)


def test_an_empty_hub_says_so_in_words() -> None:
    page = browser(is_superuser=True).get(PAGE).content.decode()
    for sentence in (
        "nothing waits",
        "not sampled yet",
        "No lane has work.",
        "Nobody has dispatched yet.",
        "None.",
    ):
        assert sentence in page


def test_seats_say_who_works() -> None:
    live = {
        "leased_until": NOW + timedelta(hours=1),
        "host": "hub-1 boot namespace",
        "pid": 42,
        "seen_at": NOW,
    }
    Seat.objects.create(number=1, **live)
    Seat.objects.create(number=2, **live, is_draining=True)
    Seat.objects.create(number=3, leased_until=NOW - timedelta(hours=1))
    Seat.objects.create(number=4)
    rows = workers.seats()
    assert [row.state for row in rows] == ["working", "draining", "lost", "free"]
    assert rows[0].host == "hub-1"
    assert workers.working(rows) == "1 of 1"
    page = browser(is_superuser=True).get(PAGE).content.decode()
    assert "hub-1, pid 42" in page and "namespace" not in page


def test_lanes_come_by_how_long_they_wait() -> None:
    first, second, idle = (make.subscription(name=name) for name in ("first", "second", "idle"))
    make.delivery(second, due_at=NOW - timedelta(seconds=5))
    make.delivery(first, due_at=NOW - timedelta(seconds=50))
    Lane.objects.filter(pk=first.pk).update(circuit=Circuit.OPEN)
    Lane.objects.filter(pk=second.pk).update(hold=Hold.PAUSED)
    sample(NOW)
    assert [row.subscription.name for row in workers.deepest_lanes()] == ["first", "second"]
    totals = workers.totals(NOW)
    assert (totals.due, totals.pending, totals.oldest_due_at) == (2, 2, NOW - timedelta(seconds=50))
    counts = {value: count for value, _, count in workers.lanes_by_circuit()}
    assert counts == {"closed": 2, "open": 1, "half_open": 0, "recovering": 0}
    page = browser(is_superuser=True).get(PAGE).content.decode()
    assert "Paused" in page and "Open" in page and str(idle.pk) not in page


def test_old_samples_are_called_old() -> None:
    make.subscription()
    make.delivery(make.subscription(name="late"))
    sample(NOW - timedelta(minutes=5))
    assert workers.totals(NOW).is_stale
    assert "no dispatcher has looked since" in browser(is_superuser=True).get(PAGE).content.decode()


def test_a_schedule_that_missed_two_looks_is_late() -> None:
    schedule(name="late", next_run=NOW - timedelta(seconds=91), task="x")
    schedule(name="soon", next_run=NOW - timedelta(seconds=89))
    schedule(name="spent", next_run=NOW - timedelta(days=1), repeats=0)
    rows = {row.name: row for row in workers.schedules(NOW)}
    assert {name: row.is_late for name, row in rows.items()} == {"late": True, "soon": False, "spent": False}
    assert rows["late"].last_run == NOW - timedelta(seconds=91, hours=1)
    assert rows["soon"].last_run is None  # it never ran
    assert rows["late"].every == "1 h"


def test_failures_of_a_day_are_grouped_by_function() -> None:
    failed(1, "deliveries.tasks.retain", ago=timedelta(hours=1))
    failed(2, "deliveries.tasks.retain", ago=timedelta(hours=2))
    failed(3, "deliveries.tasks.dispatch", ago=timedelta(hours=3))
    failed(4, "deliveries.tasks.dispatch", ago=timedelta(hours=25))
    assert workers.failures(NOW) == [
        {"func": "deliveries.tasks.retain", "count": 2, "last": NOW - timedelta(hours=1)},
        {"func": "deliveries.tasks.dispatch", "count": 1, "last": NOW - timedelta(hours=3)},
    ]


def test_the_task_queue_tells_waiting_from_running() -> None:
    for lock in (NOW - timedelta(seconds=1), NOW - timedelta(seconds=1), NOW + timedelta(minutes=5)):
        OrmQ.objects.create(key="weir", payload="", lock=lock)
    queue = workers.task_queue(NOW)
    assert (queue.waiting, queue.running, queue.is_cut) == (2, 1, False)


def test_it_asks_no_big_table_and_no_oftener_for_more() -> None:
    client, asked = browser(is_superuser=True), []
    for more in (3, 27):
        for _ in range(more):
            make.delivery(make.subscription(name="x"))
        sample(make.now())
        with CaptureQueriesContext(connection) as captured:
            assert client.get(PAGE).status_code == 200
        asked.append([each["sql"] for each in captured])
    assert len(asked[0]) == len(asked[1])
    assert not [sql for sql in asked[1] if '"deliveries_delivery"' in sql or '"webhooks_event"' in sql]
    assert DepthSample.objects.count() == 30


def test_without_the_permission_it_is_403() -> None:
    answer = browser("deliveries.view_lane").get(PAGE)
    assert answer.status_code == 403
    assert "Your role does not let you see or do this." in answer.content.decode()


def test_it_cannot_be_posted() -> None:
    assert browser(is_superuser=True).post(PAGE).status_code == 405


@override_settings(
    CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": "bar"}}
)
def test_the_side_bar_counts_once_for_all_who_look() -> None:
    client = browser(is_superuser=True)
    client.get(PAGE)
    with CaptureQueriesContext(connection) as captured:
        Lane.objects.update(circuit=Circuit.OPEN)
        client.get(PAGE)
    assert not [each for each in captured if '"circuit" = ' in each["sql"] and "SELECT" in each["sql"]]


@pytest.mark.parametrize(("lanes", "told"), [(0, ""), (1, "1"), (99, "99"), (100, "99+")])
def test_the_side_bar_tells_how_many_circuits_are_not_closed(lanes: int, told: str) -> None:
    for _ in range(lanes):
        make.subscription()
    Lane.objects.update(circuit=Circuit.OPEN)
    sections = browser(is_superuser=True).get(PAGE).context["sections"]
    entry = next(each for section in sections for each in section.entries if each.name == "Subscriptions")
    assert entry.count == told


@pytest.mark.parametrize(("issues", "told"), [(0, ""), (1, "1"), (99, "99"), (100, "99+")])
def test_the_side_bar_tells_how_many_issues_are_open(issues: int, told: str) -> None:
    to = make.subscription()
    Issue.objects.create(subscription=to, fingerprint="v1:f", reason="exhausted", state="acknowledged")
    Issue.objects.bulk_create(
        Issue(subscription=to, fingerprint=f"v1:{number}", reason="exhausted") for number in range(issues)
    )
    sections = browser(is_superuser=True).get(PAGE).context["sections"]
    entry = next(each for section in sections for each in section.entries if each.name == "Issues")
    assert (entry.address, entry.count) == ("/admin/deliveries/issue/", told)
    assert not [each for section in sections for each in section.entries if each.name == "Dead letters"]


@pytest.mark.parametrize(("name", "is_red"), [("production", True), ("Live", True), ("staging", False)])
def test_the_environment_is_named_and_production_is_red(name: str, is_red: bool) -> None:
    with override_settings(HUB_ENVIRONMENT=name):
        page = browser(is_superuser=True).get(PAGE).content.decode()
    assert (f">{name}</span>" in page, "is-production" in page) == (True, is_red)


def ask_again(client: Any, function: str = "deliveries.tasks.retain") -> list[str]:
    answer = client.post(f"{PAGE}run-again/", {"function": function}, follow=True)
    return [str(message) for message in answer.context["messages"]]


def test_what_failed_is_run_again_once_and_the_second_is_told() -> None:
    for number in range(3):
        failed(number, "deliveries.tasks.retain", ago=timedelta(hours=1))
    failed(3, "deliveries.tasks.retain", ago=timedelta(days=2))
    failed(4, "deliveries.tasks.contain", ago=timedelta(hours=1))
    admin = browser("deliveries.view_seat", "deliveries.run_tasks_again")
    assert 'aria-label="Run deliveries.tasks.retain again"' in admin.get(PAGE).content.decode()
    assert ask_again(admin) == ["deliveries.tasks.retain is queued once more; 3 failed before."]
    assert ask_again(admin) == ["deliveries.tasks.retain has no failure any more: it was run again already."]
    assert [queued.task["func"] for queued in OrmQ.objects.all()] == ["deliveries.tasks.retain"]
    assert set(Task.objects.values_list("id", flat=True)) == {"t3", "t4"}
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.object_id, entry.count) == (
        "ada", "run-again", "deliveries.tasks.retain", 3,
    )  # fmt: skip


def test_only_tasks_of_ours_are_run_again() -> None:
    failed(1, "os.system", ago=timedelta(hours=1))
    admin = browser("deliveries.view_seat", "deliveries.run_tasks_again")
    assert "Run os.system again" not in admin.get(PAGE).content.decode()
    assert ask_again(admin, "os.system") == ["Only the hub's own tasks are run again from here."]
    assert (OrmQ.objects.count(), Task.objects.count(), AuditEntry.objects.count()) == (0, 1, 0)


def test_who_may_only_look_runs_nothing_again() -> None:
    failed(1, "deliveries.tasks.retain", ago=timedelta(hours=1))
    looker = browser("deliveries.view_seat")
    assert "Run deliveries.tasks.retain again" not in looker.get(PAGE).content.decode()
    assert looker.post(f"{PAGE}run-again/", {"function": "deliveries.tasks.retain"}).status_code == 403
    assert (OrmQ.objects.count(), Task.objects.count()) == (0, 1)


def test_the_role_admin_may_and_no_other() -> None:
    roles.give(roles.FIVE, "0004_let_admins_run_tasks_again")
    may = Group.objects.filter(permissions__codename="run_tasks_again").values_list("name", flat=True)
    assert list(may) == ["Admin"]
