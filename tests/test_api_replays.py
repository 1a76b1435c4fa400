"""Replays over the API: previewed, frozen, started as seen, paced, paused, cancelled; discards of many likewise."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Delivery, Replay, ReplayItem
from deliveries.selectors import never_attempted, replay_estimate
from deliveries.selectors.patience import TooSlow
from deliveries.services import replays
from tests import make
from tests.answers import fields, sentence
from tests.callers import Caller, with_key
from tests.replaying import dead, items
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

HOME = "/api/v1/replays"
WHY = {"reason": "mended"}
ALL = {"filter": {"since": "30d"}}


@pytest.fixture
def caller() -> Caller:
    return with_key()


def ordered(caller: Caller, **asked: Any) -> dict[str, Any]:
    answer = caller.post(HOME, {**WHY, **ALL, **asked})
    assert answer.status_code == 201, answer.json()
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("asked", [{"dry_run": True}, WHY], ids=["preview", "start"])
def test_a_choice_that_takes_too_long_to_look_at_is_refused_and_is_no_mistake_of_the_hub(
    caller: Caller, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stopped(*_: object) -> None:
        raise TooSlow

    dead(make.subscription())
    monkeypatch.setattr(replays, "estimate", stopped)
    monkeypatch.setattr(replay_estimate, "count", stopped)
    answer = caller.post(HOME, asked | ALL)
    assert (answer.status_code, answer.json()["code"]) == (422, "slow")
    assert answer.json()["detail"] == (
        "To look at all that is chosen takes too long, so nothing was done. Narrow the time range."
    )
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []
    assert nothing_was_made()


def nothing_was_made() -> bool:
    made = Replay.objects.exists() or ReplayItem.objects.exists()
    return not made and not AuditEntry.objects.exclude(verb="create").exists()


class TestDryRun:
    def test_it_counts_by_failure_type_and_subscription_and_makes_nothing(self, caller: Caller) -> None:
        first, second = make.subscription(name="a", rate_per_s=5), make.subscription(name="b")
        dead(first, 3)
        dead(second, 2, last_outcome="timeout", last_status=None, fingerprint="v1:b")
        make.delivery(first, state="delivered")
        answer = caller.post(HOME, {"dry_run": True})
        told = answer.json()
        assert (answer.status_code, told["dry_run"], told["count"], told["to_be_made"]) == (200, True, 5, 0)
        assert told["failures"] == [
            {"outcome": "server_error", "status": 503, "count": 3},
            {"outcome": "timeout", "status": None, "count": 2},
        ]
        assert told["event_types"] == [{"event_type": "user.created", "count": 5}]
        assert [(each["name"], each["count"], each["rate_per_s"]) for each in told["subscriptions"]] == [
            ("a", 3, 5.0), ("b", 2, None),
        ]  # fmt: skip
        assert (len(told["first"]), len(told["last"])) == (3, 3)
        assert nothing_was_made()
        assert Delivery.objects.filter(state="dead").count() == 5

    def test_a_branch_of_a_cascade_is_named_by_its_node_and_sent_parents_first(self, caller: Caller) -> None:
        to, root = make.subscription(), make.event(state="routed")
        [parent] = dead(to, of=root)
        dead(to, of=make.event(state="routed", trace_id=root.trace_id, cause_id=parent.pk, depth=1))
        dead(to)
        for node in (public_id("event", root.pk), public_id("delivery", parent.pk)):
            assert caller.post(HOME, {"dry_run": True, "filter": {"below": node}}).json()["count"] == 2
        answer = caller.post(HOME, {"dry_run": True, "filter": {"below": "here"}})
        assert fields(answer) == {"filter": {"below": ["This is no id of an event or a delivery."]}}
        assert nothing_was_made()
        told = ordered(caller, filter={"below": public_id("event", root.pk)})
        assert (told["total"], told["filter"]["below"]) == (2, root.pk.hex)
        assert Replay.objects.get().wave == 0

    def test_it_says_what_is_left_out_and_why(self, caller: Caller) -> None:
        to = make.subscription()
        dead(to, 2)
        make.delivery(to, state="delivered")
        disabled = make.subscription(name="off")
        disabled.lane.hold = "disabled"
        disabled.lane.save()
        dead(disabled)
        told = caller.post(HOME, {"dry_run": True}).json()
        assert {each["why"]: (each["count"], each["sentence"]) for each in told["left_out"]} == {
            "disabled": (1, "Subscription disabled"),
            "delivered": (1, "Delivered; choose that status to send them again"),
        }

    def test_a_discard_is_previewed_alike(self, caller: Caller) -> None:
        dead(make.subscription(), 2)
        told = caller.post(HOME, {"kind": "discard", "dry_run": True}).json()
        assert (told["count"], told["left_out"]) == (2, [])
        assert nothing_was_made()

    def test_it_asks_as_much_of_2_as_of_200(self, caller: Caller) -> None:
        to, counts = make.subscription(), []
        for more in (2, 198):
            dead(to, more)
            with CaptureQueriesContext(connection) as asked:
                caller.post(HOME, {"dry_run": True})
            counts.append(len(asked))
        assert counts[0] == counts[1]


class TestFilter:
    @pytest.fixture
    def mine(self) -> Delivery:
        """One dead letter among others."""
        to = make.subscription(name="mine")
        event = make.event(type="order.paid", external_id="ord-1", source=make.source("till"), state="routed")
        (made,) = dead(
            to, of=event, attempts=3, last_outcome="timeout", last_status=None, fingerprint="v1:b",
        )  # fmt: skip
        dead(make.subscription(name="other"), 2, attempts=1)
        return made

    def test_each_criterion_narrows(self, caller: Caller, mine: Delivery) -> None:
        for criterion in (
            {"subscription": [public_id("subscription", mine.subscription_id)]},
            {"source": ["till"]},
            {"event_type": ["order.*"]},
            {"status_code": ["net"]},
            {"outcome": ["timeout"]},
            {"issue": [public_id("issue", mine.dead_letter.issue_id)]},
            {"fingerprint": ["v1:b"]},
            {"q": "ord-1"},
            {"attempts": 2, "status_code": ["net", "4xx"], "since": "1h"},
        ):
            told = caller.post(HOME, {"filter": criterion, "dry_run": True}).json()
            assert told.get("count") == 1, (criterion, told)

    def test_a_window_narrows(self, caller: Caller, mine: Delivery) -> None:
        def count(**window: str) -> int:
            return int(caller.post(HOME, {"filter": window, "dry_run": True}).json()["count"])

        ago, soon = ((make.now() + timedelta(hours=each)).isoformat() for each in (-1, 1))
        assert (count(since="1h"), count(since=ago), count(until=ago)) == (3, 3, 0)
        assert (count(since=ago, until=soon), count(since="24h", until=ago)) == (3, 0)
        assert (count(since="2h"), count(until="30m"), count(since="all", until="1h")) == (3, 0, 0)
        midnight, later = "2026-01-01T00:00:00Z", "2026-01-01T00:00:00.500Z"
        assert count(since=midnight, until=later) == 0

    @pytest.mark.parametrize(
        ("criterion", "field"),
        [
            ({"status": ["lost"]}, "status"),
            ({"subscription": ["sub_x"]}, "subscription"),
            ({"source": ["Not A Slug"]}, "source"),
            ({"event_type": ["order.*.paid"]}, "event_type"),
            ({"status_code": ["999"]}, "status_code"),
            ({"outcome": ["odd"]}, "outcome"),
            ({"issue": ["iss_00000000000070008000000000000000"]}, "issue"),
            ({"fingerprint": ["x"]}, "fingerprint"),
            ({"q": "\u0007"}, "q"),
            ({"since": "yesterday"}, "since"),
            ({"since": "0001-01-01T00:00:00Z"}, "since"),
            ({"since": 20260131}, "since"),
            ({"until": "all"}, "until"),
            ({"since": "2h", "until": "24h"}, "until"),
            ({"since": "2026-01-01T00:00:00.5Z", "until": "2026-01-01T00:00:00Z"}, "until"),
            ({"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "until"),
            ({"attempts": 0}, "attempts"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_what_it_does_not_understand_starts_nothing(
        self, caller: Caller, mine: Delivery, criterion: dict[str, Any], field: str
    ) -> None:
        answer = caller.post(HOME, {**WHY, "filter": criterion})
        assert (answer.status_code, list(fields(answer)["filter"])) == (400, [field])
        assert nothing_was_made()

    def test_it_is_shown_frozen_under_the_same_names(self, caller: Caller, mine: Delivery) -> None:
        asked: dict[str, Any] = {
            "event_type": ["order.*", "user.created"],
            "outcome": ["timeout"],
            "since": "1h",
            "attempts": 2,
        }
        shown = ordered(caller, filter=asked)["filter"]
        assert shown.pop("until") > shown.pop("since")
        del asked["since"]
        assert shown == {"status": ["dead"], **asked}
        again = {**shown, "since": "2026-01-01T00:00:00Z"}
        assert caller.post(HOME, {"filter": again, "dry_run": True}).status_code == 200


class TestStarting:
    def test_what_is_asked_for_is_frozen_and_recorded(self, caller: Caller) -> None:
        dead(make.subscription(), 3)
        made = ordered(caller, rate_per_s=20)
        replay = Replay.objects.get()
        assert made["id"] == public_id("replay", replay.pk)
        assert (made["kind"], made["state"], made["total"], made["waiting"]) == ("replay", "running", 3, 3)
        assert (made["rate_per_s"], made["sends_one_first"], made["stops_itself"]) == (20, True, True)
        assert items(replay) == ["waiting"] * 3
        entry = AuditEntry.objects.get(verb="start-replay")
        assert (entry.count, entry.reason, entry.actor) == (3, "mended", replay.ordered_by)

    def test_only_as_many_as_were_expected_are_started(self, caller: Caller) -> None:
        dead(make.subscription(), 3)
        answer = caller.post(HOME, {**WHY, "expected_count": 2})
        assert (answer.status_code, sentence(answer)) == (
            409, "You saw 2; it is 3 now. Nothing was started: look again.",
        )  # fmt: skip
        assert nothing_was_made()
        assert ordered(caller, expected_count=3)["total"] == 3

    def test_ordered_again_the_one_that_runs_is_shown(self, caller: Caller) -> None:
        to = make.subscription()
        dead(to, 2)
        made = ordered(caller)
        dead(to)
        answer = caller.post(HOME, WHY | ALL)
        assert (answer.status_code, answer.json()["id"]) == (200, made["id"])
        assert answer.json()["detail"] == "You have started this already, and it is not over; here it is."
        assert Replay.objects.count() == 1

    @pytest.mark.parametrize(
        ("asked", "field"),
        [
            ({"reason": " "}, "reason"),
            ({"kind": "delete"}, "kind"),
            ({"preset": "all"}, "preset"),
            ({"rate_per_s": 0}, "rate_per_s"),
            ({"rate_per_s": 1e9}, "rate_per_s"),
            ({"rate_per_s": "nan"}, "rate_per_s"),
            ({"kind": "discard", "rate_per_s": 5}, "rate_per_s"),
            ({"kind": "discard", "send_one_first": True}, "send_one_first"),
            (
                {"kind": "discard", "preset": "never-attempted", "filter": {"subscription": ["{to}"]}},
                "preset",
            ),
            ({}, "filter"),
            ({"filter": {}}, "filter"),
            ({"kind": "discard", "filter": {"subscription": ["{to}"]}}, "expected_count"),
            ({"preset": "never-attempted"}, "filter"),
            ({"preset": "one-issue"}, "filter"),
            ({"colour": "red"}, "colour"),
        ],
    )
    def test_an_order_that_makes_no_sense_starts_nothing(
        self, caller: Caller, asked: dict[str, Any], field: str
    ) -> None:
        to = make.subscription()
        dead(to)
        if asked.get("filter"):
            asked = {**asked, "filter": {"subscription": [public_id("subscription", to.pk)]}}
        answer = caller.post(HOME, {**WHY, **asked})
        assert (answer.status_code, list(fields(answer))) == (400, [field])
        assert nothing_was_made()

    def test_nothing_starts_where_nothing_fits(self, caller: Caller) -> None:
        answer = caller.post(HOME, WHY | ALL)
        assert (answer.status_code, sentence(answer)) == (409, "Nothing was chosen.")
        assert nothing_was_made()

    def test_a_rate_above_a_subscriptions_own_needs_a_word(self, caller: Caller) -> None:
        dead(make.subscription(rate_per_s=5))
        answer = caller.post(HOME, {**WHY, **ALL, "rate_per_s": 20})
        assert (answer.status_code, nothing_was_made()) == (409, True)
        assert ordered(caller, rate_per_s=20, exceed_limits=True)["exceeds_limits"] is True

    def test_a_filter_that_would_look_at_too_much_starts_nothing(
        self, caller: Caller, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(never_attempted, "MOST_FILTERED", 1)
        to = make.subscription(filter="data.name == 'Ada'")
        for _ in range(2):
            make.event(state="unmatched")
        asked = {
            **WHY, "preset": "never-attempted", "filter": {"subscription": [public_id("subscription", to.pk)]},
        }  # fmt: skip
        for body in (asked, {**asked, "dry_run": True}, {**asked, "expected_count": 2}):
            answer = caller.post(HOME, body)
            assert (answer.status_code, list(fields(answer))) == (400, ["filter"])
        assert nothing_was_made()


class TestPresets:
    def test_of_one_issue_its_dead_letters_go(self, caller: Caller) -> None:
        to = make.subscription()
        (mine,) = dead(to)
        dead(to, 2, fingerprint="v1:b")
        issue = public_id("issue", mine.dead_letter.issue_id)
        made = ordered(caller, preset="one-issue", filter={"issue": [issue]})
        assert (made["total"], made["preset"], made["filter"]["fingerprint"]) == (1, "one-issue", ["v1:a"])

    def test_what_failed_since_a_time_goes(self, caller: Caller) -> None:
        dead(make.subscription(), 2)
        assert ordered(caller, preset="failed-since", filter={"since": "1h"})["total"] == 2

    def test_what_a_new_subscription_was_never_sent_goes(self, caller: Caller) -> None:
        for _ in range(2):
            make.event(type="order.paid", state="unmatched")
        to = make.subscription(event_types=["order.*"])
        asked = {"preset": "never-attempted", "filter": {"subscription": [public_id("subscription", to.pk)]}}
        assert caller.post(HOME, {**asked, "dry_run": True}).json()["to_be_made"] == 2
        assert ordered(caller, **asked)["total"] == 2


class TestDiscarding:
    def test_many_are_discarded_by_one_order(self, caller: Caller) -> None:
        dead(make.subscription(), 3)
        made = ordered(caller, kind="discard", expected_count=3)
        assert (made["kind"], made["state"], made["discarded"]) == ("discard", "finished", 3)
        assert Delivery.objects.filter(state="discarded").count() == 3
        assert AuditEntry.objects.get(verb="start-discard").count == 3


class TestTurning:
    @pytest.fixture
    def home(self, caller: Caller) -> str:
        dead(make.subscription(rate_per_s=50), 3)
        return f"{HOME}/{ordered(caller)['id']}"

    def test_it_is_paused_resumed_and_cancelled(self, caller: Caller, home: str) -> None:
        turned = [caller.post(f"{home}/{verb}", WHY) for verb in ("pause", "resume", "cancel")]
        assert [(each.status_code, each.json()["state"]) for each in turned] == [
            (200, "paused"), (200, "running"), (200, "cancelled"),
        ]  # fmt: skip
        assert turned[-1].json()["detail"] == "It is cancelled and gives back 3; nothing is under way."
        assert caller.get(home).json()["returned"] == 3
        assert Delivery.objects.filter(state="dead").count() == 3

    @pytest.mark.parametrize("verb", ["pause", "resume", "cancel"])
    def test_what_is_over_is_not_turned(self, caller: Caller, home: str, verb: str) -> None:
        caller.post(f"{home}/cancel")
        count = AuditEntry.objects.count()
        answer = caller.post(f"{home}/{verb}")
        assert (answer.status_code, sentence(answer)) == (409, "It is cancelled already.")
        assert AuditEntry.objects.count() == count

    def test_its_rate_is_changed(self, caller: Caller, home: str) -> None:
        answer = caller.patch(home, {"rate_per_s": 2, **WHY})
        assert (answer.status_code, answer.json()["rate_per_s"]) == (200, 2)
        assert answer.json()["detail"] == "It goes at 2 a second now."
        assert AuditEntry.objects.get(verb="change-replay-rate").reason == "mended"

    def test_a_rate_that_cannot_be_changes_nothing(self, caller: Caller, home: str) -> None:
        answers = [
            caller.patch(home, body)
            for body in ({}, {"rate_per_s": 0}, {"rate_per_s": 100}, {"state": "paused"})
        ]
        assert [each.status_code for each in answers] == [400, 400, 409, 400]
        assert Replay.objects.get().rate_per_s is None
        assert caller.patch(home, {"rate_per_s": 100, "exceed_limits": True}).json()["exceeds_limits"] is True

    def test_it_tells_how_far_it_is(self, caller: Caller, home: str) -> None:
        failed = Delivery.objects.order_by("pk").first()
        a_while_ago = make.now() - timedelta(seconds=30)  # so that nothing went through just now
        ReplayItem.objects.filter(delivery=failed).update(state="failed", settled_at=a_while_ago)
        Replay.objects.update(failed=1)
        told = caller.get(home).json()
        assert (told["total"], told["waiting"], told["failed"]) == (3, 2, 1)
        progress = told["progress"]
        assert (progress["left_s"], len(progress["settled_per_second"])) == (None, 60)
        assert sum(progress["settled_per_second"]) == 1
        assert [each["delivery"] for each in progress["failed_again"]] == [public_id("delivery", failed.pk)]
        assert [(each["name"], each["total"]) for each in progress["subscriptions"]] == [("hook", 3)]

    def test_the_list_narrows_by_state_and_kind(self, caller: Caller, home: str) -> None:
        def count(query: str) -> int:
            return len(caller.get(f"{HOME}?{query}").json()["results"])

        assert [count(each) for each in ("", "state=running", "state=paused", "kind=discard")] == [1, 1, 0, 0]
