"""The pages of bulk replay and discard: previewed, confirmed, started once, watched, and only by those who may."""

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from deliveries.models import Delivery, Lane, Replay, ReplayItem
from deliveries.services import replays
from tests import make, roles
from tests.callers import browser
from tests.replaying import dead, started
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

PREPARE = "/admin/deliveries/replay/prepare/?status=dead&since=all"
MAY = ("deliveries.view_replay", "deliveries.view_delivery", "deliveries.bulk_replay")


@pytest.fixture
def operator() -> Client:
    return browser(*MAY, "deliveries.discard_delivery")


def form(client: Client, address: str = PREPARE, **options: str) -> dict[str, str]:
    """The form as the page hands it out, filled in."""
    page = client.get(address).content.decode()
    hidden = dict(re.findall(r'name="(until|seen)" value="(\d+)"', page))
    return hidden | {"reason": "mended", "rate": "20"} | options


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def nothing_began() -> bool:
    return not (Replay.objects.exists() or ReplayItem.objects.exists() or AuditEntry.objects.exists())


def test_the_address_others_link_to_is_kept() -> None:
    assert reverse("admin:deliveries_replay_prepare") == "/admin/deliveries/replay/prepare/"


def test_the_preview_says_what_is_sent_and_changes_nothing(operator: Client) -> None:
    to = make.subscription(name="ERP core", rate_per_s=20)
    dead(to, 7)
    page = operator.get(PREPARE)
    text = page.content.decode()
    assert page.context["title"] == "Replay 7 dead letters to ERP core"
    assert "this subscription&#x27;s own limit" in text and "Start replay of 7" in text
    assert "Type 7 to confirm" not in text and "50 per second" not in text
    assert nothing_began()


def test_it_starts_and_leads_to_its_progress(operator: Client) -> None:
    dead(make.subscription(name="ERP core"), 3)
    answer = operator.post(PREPARE, form(operator, first="1", stops="1"), follow=True)
    replay = Replay.objects.get()
    assert answer.redirect_chain[-1][0] == f"/admin/deliveries/replay/{replay.pk}/"
    assert said(answer) == ["Replaying 3. The first goes out as soon as a dispatcher has read this."]
    assert (replay.total, replay.rate_per_s, replay.reason) == (3, 20, "mended")
    assert replay.sends_one_first and replay.stops_itself and not replay.exceeds_limits
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.count, entry.reason) == ("ada", "start-replay", 3, "mended")
    assert entry.criteria["status"] == ["dead"]


def test_a_double_click_starts_one(operator: Client) -> None:
    dead(make.subscription(), 3)
    filled = form(operator)
    operator.post(PREPARE, filled)
    answer = operator.post(PREPARE, filled, follow=True)
    assert said(answer)[-1] == "You have started this already, and it is not over; here it is."
    assert (Replay.objects.count(), ReplayItem.objects.count(), AuditEntry.objects.count()) == (1, 3, 1)


def test_of_two_operators_the_second_is_told(operator: Client) -> None:
    dead(make.subscription(), 3)
    other = browser(*MAY, name="bob")
    filled = form(other)
    operator.post(PREPARE, form(operator))
    text = other.post(PREPARE, filled).content.decode()
    assert "You saw 3; it is 0 now. Nothing was started: look again." in text
    assert "Chosen by another replay that is not over" in text
    assert Replay.objects.count() == 1


def test_the_count_is_typed_above_a_hundred(operator: Client) -> None:
    dead(make.subscription(), 101)
    assert "Type 101 to confirm" in operator.get(PREPARE).content.decode()
    for typed in ("", "100", "x"):
        answer = operator.post(PREPARE, form(operator, typed=typed))
        assert answer.context["problem"] == "Type 101 to confirm that many."
    assert nothing_began()
    operator.post(PREPARE, form(operator, typed="101"))
    assert Replay.objects.get().total == 101


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"reason": ""}, "Say why: a reason is needed."),
        ({"until": "1"}, "That form was too old; this is how it stands now."),
        ({"until": "soon"}, "That form was too old; this is how it stands now."),
        ({"seen": "9"}, "You saw 9; it is 3 now. Nothing was started: look again."),
        ({"rate": "other", "other": "quick"}, "“quick” is no rate; write a number, such as 20."),
        ({"rate": "nan"}, "Choose a rate of more than 0."),
        ({"rate": "999"}, "Above 20 a second, which a subscription allows, only a lead may go."),
    ],
)
def test_what_is_wrong_is_said_and_starts_nothing(
    operator: Client, change: dict[str, str], problem: str
) -> None:
    dead(make.subscription(rate_per_s=20), 3)
    answer = operator.post(PREPARE, form(operator, **change))
    assert (answer.status_code, answer.context["problem"]) == (200, problem)
    assert nothing_began()


def test_with_nothing_left_there_is_a_sentence_and_no_form(operator: Client) -> None:
    to = make.subscription()
    made = dead(to, 2)
    started(actor="bob")
    Delivery.objects.filter(pk__in=[each.pk for each in made]).update(state="delivered")
    page = operator.get(PREPARE)
    assert page.context["title"] == "Nothing to replay"
    assert 'name="reason"' not in page.content.decode()


def test_a_lead_is_offered_more_than_the_limit(operator: Client) -> None:
    dead(make.subscription(rate_per_s=20), 3)
    lead = browser(*MAY, "deliveries.exceed_rate", name="eve")
    assert "above its limit of 20" in lead.get(PREPARE).content.decode()
    lead.post(PREPARE, form(lead, rate="50"))
    replay = Replay.objects.get()
    assert (replay.rate_per_s, replay.exceeds_limits) == (50, True)


@pytest.mark.parametrize("role", ["Viewer", "Support", "Operator", "Lead"])
def test_each_role_may_what_it_may_and_the_refused_change_nothing(role: str) -> None:
    roles.give(roles.FIVE)
    client = Client()
    client.force_login(roles.member(role))
    made = dead(make.subscription(), 2)
    replay = started(actor="bob")
    may = role in ("Operator", "Lead")
    page = f"/admin/deliveries/replay/{replay.pk}/"
    text = client.get(page).content.decode()
    assert ("Cancel replay" in text) is may and ("Change rate" in text) is may
    assert client.get("/admin/deliveries/replay/").status_code == 200
    assert client.get(f"{page}state/").status_code == 200
    assert ("Replay matching" in client.get("/admin/deliveries/delivery/").content.decode()) is may
    assert client.get(PREPARE).status_code == (200 if may else 403)
    assert client.get(f"{PREPARE}&act=discard").status_code == (200 if may else 403)
    if may:
        return
    entries = AuditEntry.objects.count()
    for address in (
        PREPARE,
        f"{PREPARE}&act=discard",
        f"{page}do/pause/",
        f"{page}do/cancel/",
        f"{page}do/rate/",
    ):
        answer = client.post(address, {"seen": "2", "until": "1", "reason": "x", "rate": "9"})
        assert answer.status_code == 403
    replay.refresh_from_db()
    assert (replay.state, replay.waiting, Replay.objects.count()) == ("running", 2, 1)
    assert AuditEntry.objects.count() == entries
    assert Delivery.objects.filter(pk__in=[each.pk for each in made], state="dead").count() == 2


def test_acts_are_posts_with_a_token(operator: Client) -> None:
    dead(make.subscription(), 1)
    replay = started(actor="bob")
    address = f"/admin/deliveries/replay/{replay.pk}/do/cancel/"
    assert operator.get(address).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(User.objects.get(username="ada"))
    assert strict.post(address).status_code == 403
    replay.refresh_from_db()
    assert replay.state == "running"


def test_it_is_paused_resumed_paced_and_cancelled_and_the_late_one_is_told(operator: Client) -> None:
    dead(make.subscription(rate_per_s=20), 3)
    replay = started(actor="bob")
    address = f"/admin/deliveries/replay/{replay.pk}/do/"
    told = [
        said(operator.post(f"{address}{act}/", options, follow=True))[-1]
        for act, options in (
            ("pause", {}), ("pause", {}), ("resume", {}), ("rate", {"rate": "7"}), ("rate", {"rate": "70"}),
            ("rate", {"rate": "x"}), ("cancel", {}), ("cancel", {}),
        )
    ]  # fmt: skip
    assert told == [
        "It is paused; nothing is under way.",
        "It is paused already.",
        "It goes on.",
        "It goes at 7 a second now.",
        "Above 20 a second, which a subscription allows, only a lead may go.",
        "A rate is more than 0 and at most 10,000 a second.",
        "It is cancelled and gives back 3; nothing is under way.",
        "It is cancelled already.",
    ]
    verbs = AuditEntry.objects.order_by("pk").values_list("verb", flat=True)
    assert list(verbs) == [
        "start-replay",
        "pause-replay",
        "resume-replay",
        "change-replay-rate",
        "cancel-replay",
    ]


def test_its_state_is_told_as_json(operator: Client) -> None:
    dead(make.subscription(), 3)
    replay = started(actor="bob")
    Replay.objects.filter(pk=replay.pk).update(delivered=2)
    answer = operator.get(f"/admin/deliveries/replay/{replay.pk}/state/")
    assert answer["Cache-Control"].startswith("no-store")
    told = answer.json()
    assert (told["headline"], told["bar"], told["state"], told["done"]) == ("2 of 3", 2, "running", False)


def test_what_is_written_wrong_in_an_address_is_said(operator: Client) -> None:
    page = operator.get(f"{PREPARE}&preset=nonsense&act=eat&colour=red")
    assert page.context["notices"] == (
        "There is no filter “colour”; it was ignored.",
        "There is no act “eat”; this would replay.",
        "There is no preset “nonsense”; it was ignored.",
    )
    assert operator.get("/admin/deliveries/replay/rpl_x/").status_code == 404
    assert operator.get("/admin/deliveries/replay/?before=x").status_code == 200


def test_an_old_address_leads_to_its_progress(operator: Client) -> None:
    dead(make.subscription(), 1)
    replay = started(actor="bob")
    answer = operator.get(f"/admin/deliveries/replay/{replay.pk}/change/")
    assert answer["Location"] == f"/admin/deliveries/replay/{replay.pk}/"


def test_several_issues_are_replayed_in_one_job(operator: Client) -> None:
    to = make.subscription()
    dead(to, 2, fingerprint="v1:a")
    dead(to, 3, fingerprint="v1:b")
    dead(to, 4, fingerprint="v1:c")
    page = operator.get("/admin/deliveries/replay/prepare/?fp=v1:a,v1:b&preset=issue")
    assert page.context["found"].count == 5


def test_only_what_is_dead_is_taken_unless_another_status_is_asked_for(operator: Client) -> None:
    to = make.subscription()
    dead(to, 2)
    make.delivery(to, state="delivered", attempts=1)
    make.delivery(to)
    page = operator.get("/admin/deliveries/replay/prepare/?since=all")
    assert page.context["found"].count == 2
    assert [(each.reason, each.count) for _, each in page.context["left_out"]] == [
        ("owed", 1),
        ("delivered", 1),
    ]
    page = operator.get("/admin/deliveries/replay/prepare/?since=all&status=delivered,pending")
    assert page.context["title"] == "Replay 1 delivery to hook"


def test_lanes_that_do_not_move_are_warned_of_and_can_be_left_out(operator: Client) -> None:
    dead(make.subscription(name="up"), 2)
    paused, disabled = make.subscription(name="paused"), make.subscription(name="off")
    dead(paused, 3)
    dead(disabled, 4)
    Lane.objects.filter(pk=paused.pk).update(hold="paused")
    Lane.objects.filter(pk=disabled.pk).update(hold="disabled")
    page = operator.get(PREPARE)
    assert page.context["found"].count == 5
    assert [each.name for each in page.context["troubled"]] == ["paused"]
    assert [(each.reason, each.count) for _, each in page.context["left_out"]] == [("disabled", 4)]
    page = operator.get(f"{PREPARE}&moving=1")
    assert page.context["found"].count == 2
    assert sorted((each.reason, each.count) for _, each in page.context["left_out"]) == [
        ("disabled", 4),
        ("held", 3),
    ]


def test_only_the_newest_event_of_each_object_is_sent_if_so_asked(operator: Client) -> None:
    to = make.subscription()
    events = [
        make.event(state="routed", entity=entity, entity_version=version)
        for entity, version in (("order-1", 2), ("order-1", 1), ("order-2", 1), ("", None), ("", None))
    ]
    for event in events:
        dead(to, of=event)
    page = operator.get(PREPARE)
    assert (page.context["found"].count, page.context["found"].overtaken) == (5, 1)
    page = operator.get(f"{PREPARE}&newest=1")
    assert page.context["found"].count == 4
    assert [(each.reason, each.count) for _, each in page.context["left_out"]] == [("overtaken", 1)]
    operator.post(f"{PREPARE}&newest=1", form(operator, f"{PREPARE}&newest=1"))
    frozen = ReplayItem.objects.order_by("pk").values_list("event_id", flat=True)
    assert list(frozen) == [events[0].pk, events[2].pk, events[3].pk, events[4].pk]


def test_many_are_discarded_after_a_preview(operator: Client) -> None:
    to = make.subscription()
    dead(to, 102)
    make.delivery(to)
    address = f"{PREPARE}&act=discard"
    page = operator.get(address)
    assert page.context["title"] == "Discard 102 dead letters of hook"
    assert "Discard 102" in page.content.decode()
    operator.post(address, form(operator, address, typed="102"))
    replay = Replay.objects.get()
    assert (replay.verb, replay.state, replay.discarded, replay.total) == ("discard", "finished", 102, 102)
    assert Delivery.objects.filter(state="discarded").count() == 102
    assert Delivery.objects.filter(state="pending").count() == 1
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.count, entry.reason) == ("start-discard", 102, "mended")


def test_the_pages_cost_as_much_with_many_as_with_few(operator: Client) -> None:
    to = make.subscription()
    dead(to, 10)
    replay = started(actor="bob")
    page = f"/admin/deliveries/replay/{replay.pk}/"
    addresses = (PREPARE, "/admin/deliveries/replay/", page, f"{page}state/")
    dead(to, 10)
    few = [_queries(operator, address) for address in addresses]
    make.deliveries(to, 10_000)
    Delivery.objects.filter(state="pending").update(state="dead", due_at=None)
    assert [_queries(operator, address) for address in addresses] == few
    assert max(few) < 45


def _queries(client: Client, address: str) -> int:
    client.get(address)  # what is remembered a while is remembered now
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_a_replay_is_in_the_list_in_words(operator: Client) -> None:
    dead(make.subscription(name="ERP core"), 3)
    replay = started(actor="bob")
    assert replays.cancel(replay_id=replay.pk, actor="bob").is_done
    text = operator.get("/admin/deliveries/replay/").content.decode()
    for words in ("Cancelled", "Dead letter, To ", "0 of 3", "bob", "mended", public_id("replay", replay.pk)):
        assert words in text
