"""Subscriptions over the REST API: made, read, changed, held; the secret is shown once."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import Lane, Subscription
from tests import make
from tests.callers import Caller, with_key
from webhooks.ids import public_id, uuid7
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

URL = "https://billing.example/hook"
HOME = "/api/v1/subscriptions"
LONGER = "The longest cool-down must be no shorter than the first, and at most a day."


@pytest.fixture
def caller() -> Caller:
    return with_key()


def wanted(**more: Any) -> dict[str, Any]:
    owner = public_id("subscriber", make.subscriber().pk)
    return {"subscriber": owner, "name": "hook", "url": URL, "event_types": ["user.*"], **more}


def create(caller: Caller, **more: Any) -> dict[str, Any]:
    answer = caller.post(HOME, wanted(**more))
    assert answer.status_code == 201, answer.json()
    return answer.json()


def test_creation_shows_the_secret_and_nothing_does_afterwards(caller: Caller) -> None:
    made = create(caller)
    assert made["secret"].startswith("whsec_")
    read = caller.get(f"{HOME}/{made['id']}")
    assert made["secret"] not in read.content.decode()
    assert [secret["hint"] for secret in read.json()["secrets"]] == [made["secret"][-4:]]


def test_all_settings_come_back_as_they_were_given(caller: Caller) -> None:
    make.source("shop")
    settings = {
        "source": "shop",
        "filter": "data.amount > `10`",
        "transform": "data",
        "timeout_s": 5.0,
        "retry_first_s": 2.0,
        "retry_factor": 3.0,
        "retry_cap_s": 100.0,
        "retry_max_attempts": 4,
        "retry_delays_s": None,
        "retry_jitter": 0.5,
        "retry_max_age_s": 9_000.0,
        "client_errors": "once",
        "window": 3,
        "rate_per_s": 2.5,
        "ordering": "unordered",
        "latest_only": True,
        "circuit_failure_rate": 0.8,
        "circuit_min_volume": 20,
        "circuit_window_s": 120.0,
        "circuit_cooldown_s": 1.0,
        "circuit_cooldown_cap_s": 60.0,
        "disable_after_s": 0.0,
    }
    made = create(caller, **settings)
    assert {name: made[name] for name in settings} == settings


def test_what_holds_in_effect_is_said_in_words_and_seconds(caller: Caller) -> None:
    made = create(caller, retry_delays_s=[5, 60], retry_jitter=0)
    assert made["effective"] == {
        "schedule": "3 attempts over 1 min 5 s",
        "worst_case_s": 65.0,
        "timeout_s": 15.0,
        "window": 10,
        "client_errors": "thrice",
        "circuit": {
            "failure_rate": 0.5,
            "min_volume": 10,
            "window_s": 60.0,
            "cooldown_s": 5.0,
            "cooldown_cap_s": 300.0,
        },
        "disable_after_s": 432_000.0,
    }


def test_headers_go_in_and_only_their_names_come_out(caller: Caller) -> None:
    made = create(caller, headers={"x-api-key": "s3cret"})
    assert made["header_names"] == ["x-api-key"]
    assert "s3cret" not in caller.get(f"{HOME}/{made['id']}").content.decode()


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("url", "billing.example", "The URL must begin with http:// or https://."),
        ("filter", "data.", None),
        ("event_types", [], 'List at least one event type, such as "user.*"; "*" is every event.'),
        ("event_types", "user.*", 'Expected a list of items but got type "str".'),
        ("subscriber", "sbr_x", "This is not a subscriber id: expected sbr_ and 32 hex digits."),
        pytest.param("subscriber", str(uuid7()), "There is no such subscriber.", id="subscriber-unknown"),
        ("source", "nowhere", "There is no such source."),
        ("retry_delays_s", [-1], "Each delay must be a number of seconds from 0 to a year."),
        ("client_errors", "twice", '"twice" is not a valid choice.'),
        ("window", 10**30, "Choose between 1 and 1,000 requests at once."),
        ("rate_per_s", 0, "Choose between 0.001 and 10,000 requests per second."),
        ("ordering", "random", '"random" is not a valid choice.'),
        ("circuit_failure_rate", 2, "Choose between 0.01 and 1 of the attempts."),
        ("circuit_min_volume", 0, "Choose between 1 and 10,000 attempts."),
        ("circuit_cooldown_cap_s", 1, LONGER),
        ("disable_after_s", 1, "Choose at least 60 seconds, or 0 for never."),
        ("lane", {}, "This cannot be set."),
        (
            "headers",
            {"host": "x"},
            "The header host is set by the connection, so a subscription cannot set it.",
        ),
        ("secret", "whsec_dG9vIHNob3J0", "The secret must hold 24 to 64 bytes."),
        ("colour", "red", "There is no such field."),
        ("hold", "paused", "This cannot be set."),
    ],
)
def test_a_wrong_field_is_named(caller: Caller, field: str, value: Any, sentence: str | None) -> None:
    answer = caller.post(HOME, wanted(**{field: value}))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
    assert sentence is None or answer.json()["errors"][field] == [sentence]
    assert not Subscription.objects.exists()


def test_missing_fields_are_named_together(caller: Caller) -> None:
    answer = caller.post(HOME, {})
    assert set(answer.json()["errors"]) == {"subscriber", "name", "url", "event_types"}


def test_a_patch_changes_what_it_names_and_says_who_did(caller: Caller) -> None:
    made = create(caller)
    answer = caller.patch(f"{HOME}/{made['id']}", {"window": 2})
    assert (answer.status_code, answer.json()["window"], answer.json()["url"]) == (200, 2, URL)
    entry = AuditEntry.objects.get(verb="update")
    assert (entry.before, entry.after) == ({"window": None}, {"window": 2})
    assert entry.actor.startswith("operator (weir_operator_")


def test_a_patch_that_is_refused_changes_nothing(caller: Caller) -> None:
    made = create(caller)
    answer = caller.patch(f"{HOME}/{made['id']}", {"ordering": "strict", "window": 5})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["window"])
    assert caller.get(f"{HOME}/{made['id']}").json()["ordering"] == "unordered"


@pytest.mark.parametrize(
    ("state", "window"), [("closed", 10), ("open", 0), ("half_open", 1), ("recovering", 4)]
)
def test_its_lane_says_how_it_moves(caller: Caller, state: str, window: int) -> None:
    subscription, at = make.subscription(), make.now()
    Lane.objects.update(circuit=state, circuit_since=at, window=4 if state == "recovering" else None)
    lane = caller.get(f"{HOME}/{public_id('subscription', subscription.pk)}").json()["lane"]
    assert lane == {
        "hold": "",
        "hold_reason": "",
        "held_at": None,
        "hold_until": None,
        "circuit": state,
        "circuit_since": f"{at:%Y-%m-%dT%H:%M:%S.%f}Z",
        "cooldown_until": None,
        "window": window,
        "not_before": None,
        "failing_since": None,
        "warned_at": None,
        "order": "",
    }


@pytest.mark.parametrize("field", ["subscriber", "secret", "id"])
def test_a_patch_cannot_change_owner_secret_or_id(caller: Caller, field: str) -> None:
    made = create(caller)
    answer = caller.patch(f"{HOME}/{made['id']}", {field: "x"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


def test_a_subscription_is_never_deleted(caller: Caller) -> None:
    made = create(caller)
    assert caller.delete(f"{HOME}/{made['id']}").status_code == 405
    assert Subscription.objects.count() == 1


def test_pause_resume_disable_and_enable(caller: Caller) -> None:
    made = create(caller)
    holds = [
        caller.post(f"{HOME}/{made['id']}/{verb}", {"reason": "night"}).json()["hold"]
        for verb in ("pause", "pause", "resume", "disable", "enable")
    ]
    assert holds == ["paused", "paused", "", "disabled", ""]


def test_resuming_what_is_disabled_is_a_conflict(caller: Caller) -> None:
    made = create(caller)
    caller.post(f"{HOME}/{made['id']}/disable", {"reason": "night"})
    answer = caller.post(f"{HOME}/{made['id']}/resume")
    assert answer.status_code == 409
    assert answer.json()["detail"] == "This subscription is disabled; resume does not apply to it."


def test_rotation_shows_the_new_secret_once_and_keeps_the_old_for_the_overlap(caller: Caller) -> None:
    made = create(caller)
    before = make.now()
    turned = caller.post(f"{HOME}/{made['id']}/rotate-secret", {"overlap_s": 60, "reason": "leaked"}).json()
    assert turned["secret"] != made["secret"]
    old = Subscription.objects.get().secrets.get(hint=made["secret"][-4:])
    assert old.expires_at is not None
    assert before <= old.expires_at - timedelta(seconds=60) <= make.now()


@pytest.mark.parametrize("overlap", [-1, 10**12, 1e300, "nan", "inf", "x"])
def test_an_absurd_overlap_is_refused(caller: Caller, overlap: Any) -> None:
    made = create(caller)
    answer = caller.post(f"{HOME}/{made['id']}/rotate-secret", {"overlap_s": overlap, "reason": "leaked"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["overlap_s"])
    assert Subscription.objects.get().secrets.count() == 1


def test_lists_narrow_by_subscriber(caller: Caller) -> None:
    mine = make.subscription(subscriber=make.subscriber("mine"))
    make.subscription(subscriber=make.subscriber("other"))
    found = caller.get(f"{HOME}?subscriber={public_id('subscriber', mine.subscriber_id)}").json()["results"]
    assert [row["id"] for row in found] == [public_id("subscription", mine.pk)]


def test_a_list_asks_the_same_number_of_questions_whatever_its_length(caller: Caller) -> None:
    counts = []
    for _ in range(2):
        for _ in range(3):
            make.subscription(source=make.source())
        with CaptureQueriesContext(
            connection,
        ) as asked:
            caller.get(HOME)
        counts.append(len(asked))
    assert counts[0] == counts[1]


@pytest.mark.parametrize(
    "url",
    [
        "https://user:s3cret@billing.example/hook",
        "ftp://billing.example/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:9000/",
        "http://localhost/",
        "https://[fe80::1%25eth0]/",
        "https://" + "a" * 10_000 + "/",
        "https://" + "a." * 900 + "example/",
    ],
)
def test_a_url_that_is_never_sent_to_is_refused_when_it_is_saved(caller: Caller, url: str) -> None:
    made = create(caller)
    for answer in (
        caller.post(HOME, wanted(url=url)),
        caller.patch(f"{HOME}/{made['id']}", {"url": url}),
    ):
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["url"])
        assert "s3cret" not in answer.content.decode()
    assert Subscription.objects.get().url == URL


def test_what_is_allowed_no_longer_does_not_stand_in_the_way_of_other_changes(caller: Caller) -> None:
    subscription = make.subscription("http://127.0.0.1:9/hook")
    home = f"{HOME}/{public_id('subscription', subscription.pk)}"
    assert caller.patch(home, {"window": 2}).status_code == 200
    assert caller.patch(home, {"url": "http://127.0.0.1:10/hook"}).status_code == 400


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-id": "x"},
        {"Content-Length": "3"},
        {"x-split": "a\r\nb: c"},
        {"x-nul": "a\x00"},
        {"x-long": "v" * 5_000},
        {"x y": "z"},
        {"x-é": "z"},
        {"x-twice": "a", "X-Twice": "b"},
    ],
)
def test_headers_that_cannot_be_sent_are_refused_when_they_are_saved(
    caller: Caller, headers: dict[str, str]
) -> None:
    answer = caller.post(HOME, wanted(headers=headers))
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["headers"])
    assert not Subscription.objects.exists()
