"""What a subscription may be: each wrong field is named, every change reaches the routers and the lane."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from django.core.exceptions import ValidationError
from pytest_django import Settings

from deliveries.deciders import retry
from deliveries.deciders.circuit import Rules
from deliveries.models import Hold, Lane, Notice, RouteRevision, Subscription
from deliveries.services import subscriptions
from deliveries.services.defaults import (
    circuit_rules_of,
    disable_after_of,
    schedule_of,
    timeout_of,
    window_of,
)
from deliveries.services.subscriptions import Created, Refused, create_subscription, update_subscription
from tests import make
from webhooks.deciders.standard import new_secret
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

URL = "https://billing.example/hook"


def create(**options: Any) -> Created:
    wanted = {"name": "hook", "url": URL, "event_types": ["user.*"], **options}
    return create_subscription(subscriber=make.subscriber(), actor="ada", **wanted)


def problems(**options: Any) -> dict[str, list[str]]:
    with pytest.raises(ValidationError) as refused:
        create(**options)
    assert not Subscription.objects.exists()
    return refused.value.message_dict


def revision() -> int:
    return RouteRevision.objects.get().revision


def test_a_subscription_comes_with_its_lane_and_a_signing_secret() -> None:
    made = create()
    assert made.subscription.lane.subscriber == made.subscription.subscriber
    secret = made.subscription.secrets.get()
    assert made.secret.startswith("whsec_")
    assert (secret.sealed, secret.hint, secret.expires_at) == (made.secret, made.secret[-4:], None)


def test_a_secret_may_be_brought_along() -> None:
    secret = new_secret()
    assert create(secret=secret).secret == secret


def test_a_secret_that_cannot_sign_is_refused_without_repeating_it() -> None:
    assert problems(secret="whsec_dG9vIHNob3J0") == {"secret": ["The secret must hold 24 to 64 bytes."]}


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("name", " ", "Give the subscription a name."),
        ("name", "n" * 201, "A name has at most 200 characters."),
        ("url", "ftp://billing.example", "The URL must begin with http:// or https://."),
        ("event_types", [], 'List at least one event type, such as "user.*"; "*" is every event.'),
        ("event_types", ["us*er"], 'A star stands alone ("*") or after a last dot ("user.*").'),
        ("event_types", ["t"] * 101, "List at most 100 event types."),
        ("event_types", [7], "Event types are a list of texts."),
        (
            "headers",
            {"Host": "x"},
            "The header Host is set by the connection, so a subscription cannot set it.",
        ),
        ("timeout_s", 31, "Choose between 0.1 and 30 seconds."),
        ("timeout_s", float("nan"), "Choose between 0.1 and 30 seconds."),
        ("window", 0, "Choose between 1 and 1,000 requests at once."),
        ("rate_per_s", float("inf"), "Choose between 0.001 and 10,000 requests per second."),
        ("rate_per_s", float("nan"), "Choose between 0.001 and 10,000 requests per second."),
        ("rate_per_s", 0, "Choose between 0.001 and 10,000 requests per second."),
        ("rate_per_s", -1, "Choose between 0.001 and 10,000 requests per second."),
        ("circuit_failure_rate", 0, "Choose between 0.01 and 1 of the attempts."),
        ("circuit_failure_rate", 1.01, "Choose between 0.01 and 1 of the attempts."),
        ("circuit_failure_rate", float("nan"), "Choose between 0.01 and 1 of the attempts."),
        ("circuit_min_volume", 0, "Choose between 1 and 10,000 attempts."),
        ("circuit_window_s", 0, "Choose between 1 and 3,600 seconds."),
        ("circuit_window_s", float("inf"), "Choose between 1 and 3,600 seconds."),
        ("circuit_cooldown_s", 0, "Choose between 0.1 and 3,600 seconds."),
        ("circuit_cooldown_cap_s", -5, "Choose between 0.1 and 86,400 seconds."),
        ("disable_after_s", -1, "Choose between 0 and 31,622,400 seconds."),
        ("disable_after_s", 59.9, "Choose at least 60 seconds, or 0 for never."),
        ("client_errors", "twice", "Choose one of once, thrice, schedule."),
        ("ordering", "random", "Choose one of unordered, strict."),
        ("retry_factor", 0.5, "Choose between 1 and 1,000 times."),
        ("retry_max_attempts", 10**12, "Choose between 1 and 10,000 attempts."),
        ("retry_jitter", 2, "Choose between 0 and 1 of the delay."),
        ("retry_delays_s", ["5"], "Write the delays as a list of seconds, such as [5, 60, 3600]."),
        ("retry_delays_s", [-1], "Each delay must be a number of seconds from 0 to a year."),
        ("retry_first_s", 50_000, "The longest delay must be at least the first delay and at most a year."),
    ],
)
def test_a_wrong_field_is_named_with_one_sentence(field: str, value: Any, sentence: str) -> None:
    assert problems(**{field: value}) == {field: [sentence]}


@pytest.mark.parametrize("field", ["filter", "transform"])
@pytest.mark.parametrize("expression", ["data.", "no_such(@)", "[" * 3_000, "x" * 4_001])
def test_a_filter_or_transform_that_is_not_jmespath_is_refused(field: str, expression: str) -> None:
    assert list(problems(**{field: expression})) == [field]


def test_every_wrong_field_is_named_at_once() -> None:
    assert set(problems(name="", url="x", filter="[")) == {"name", "url", "filter"}


def test_first_delay_and_longest_delay_are_judged_together() -> None:
    assert create(retry_first_s=50_000, retry_cap_s=60_000).subscription.retry_first_s == 50_000


def test_what_is_left_empty_follows_the_hub(settings: Settings) -> None:
    subscription = create().subscription
    settings.HUB_RETRY_MAX_ATTEMPTS, settings.HUB_TIMEOUT_S, settings.HUB_WINDOW = 3, 7, 4
    assert schedule_of(subscription).max_attempts == 3
    assert (timeout_of(subscription), window_of(subscription)) == (7, 4)


def test_the_hubs_list_of_delays_yields_to_a_subscriptions_own_growth(settings: Settings) -> None:
    settings.HUB_RETRY_DELAYS_S = [5, 60]
    assert schedule_of(create().subscription).delays_s == (5, 60)
    assert schedule_of(create(retry_max_attempts=4).subscription).delays_s is None
    assert schedule_of(create(retry_delays_s=[1]).subscription).delays_s == (1,)


def test_the_default_schedule_lasts_about_42_hours() -> None:
    assert retry.describe(schedule_of(create().subscription)).startswith("12 attempts over 42 h 4 min")


def test_strict_order_sends_one_at_a_time() -> None:
    assert window_of(create(ordering="strict").subscription) == 1


def test_strict_order_and_many_requests_at_once_contradict_each_other() -> None:
    sentence = "Strict order sends one at a time; leave this empty, or choose unordered."
    assert problems(ordering="strict", window=2) == {"window": [sentence]}
    assert create(ordering="strict", window=1).subscription.window == 1


def test_strict_order_is_not_asked_of_a_subscription_with_a_wide_window() -> None:
    subscription = create(window=2).subscription
    with pytest.raises(ValidationError):
        update_subscription(subscription_id=subscription.pk, actor="ada", ordering="strict")
    subscription.refresh_from_db()
    assert (subscription.ordering, Lane.objects.get().revision) == ("unordered", 1)


LONGER = "The longest cool-down must be no shorter than the first, and at most a day."


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"circuit_cooldown_s": 301}, "circuit_cooldown_s"),  # against the hub's cap of 300
        ({"circuit_cooldown_cap_s": 4.9}, "circuit_cooldown_cap_s"),  # against the hub's first of 5
        ({"circuit_cooldown_s": 60, "circuit_cooldown_cap_s": 59}, "circuit_cooldown_cap_s"),
    ],
)
def test_cool_downs_are_judged_together_with_the_hubs(options: dict[str, float], field: str) -> None:
    assert problems(**options) == {field: [LONGER]}


def test_cool_downs_at_the_edge_of_the_hubs_are_taken() -> None:
    assert create(circuit_cooldown_s=300).subscription.circuit_cooldown_s == 300
    assert create(circuit_cooldown_cap_s=5).subscription.circuit_cooldown_cap_s == 5


def test_a_subscriptions_own_thresholds_win_over_the_hubs() -> None:
    own = create(circuit_failure_rate=0.9, circuit_min_volume=3, circuit_window_s=30, window=4).subscription
    assert circuit_rules_of(own) == Rules(
        failure_rate=0.9, min_volume=3, window_s=30, cooldown_s=5, cooldown_cap_s=300, cap=4
    )


@pytest.mark.parametrize(("own", "effective"), [(None, 432_000), (0, 0), (60, 60), (3_600.5, 3_600.5)])
def test_the_term_of_failing_is_its_own_or_the_hubs(own: float | None, effective: float) -> None:
    assert disable_after_of(create(disable_after_s=own).subscription) == effective


def test_a_change_is_seen_by_routers_and_by_the_lanes_owner() -> None:
    subscription, before = create().subscription, revision()
    update_subscription(subscription_id=subscription.pk, actor="ada", url="https://new.example/hook")
    assert revision() == before + 1
    assert Lane.objects.get().revision == 2


def test_a_change_of_nothing_changes_nothing() -> None:
    subscription, before = create(headers={"x-team": "a"}).subscription, revision()
    update_subscription(
        subscription_id=subscription.pk,
        actor="ada",
        url=URL,
        headers={"x-team": "a"},
        event_types=("user.*",),
    )
    assert (revision(), Lane.objects.get().revision) == (before, 1)
    assert not AuditEntry.objects.filter(verb="update").exists()


def test_a_change_that_is_refused_leaves_no_trace() -> None:
    subscription, before = create().subscription, revision()
    with pytest.raises(ValidationError):
        update_subscription(subscription_id=subscription.pk, actor="ada", name="new", url="x")
    subscription.refresh_from_db()
    assert (subscription.name, subscription.url, revision()) == ("hook", URL, before)


def test_the_audit_names_headers_and_keeps_no_value_of_them() -> None:
    subscription = create().subscription
    update_subscription(subscription_id=subscription.pk, actor="ada", headers={"x-api-key": "s3cret"})
    entry = AuditEntry.objects.get(verb="update")
    assert (entry.before, entry.after) == ({"headers": []}, {"headers": ["x-api-key"]})
    assert entry.object_id == public_id("subscription", subscription.pk)


def test_a_rotated_secret_signs_beside_the_old_one_for_a_day() -> None:
    made, before = create(), make.now()
    new = subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada").secret
    old, fresh = made.subscription.secrets.order_by("created_at")
    assert (fresh.sealed, fresh.expires_at) == (new, None)
    assert before <= cast(datetime, old.expires_at) - timedelta(days=1) <= make.now()
    assert Lane.objects.get().revision == 2


def test_a_second_rotation_never_prolongs_the_first_secret() -> None:
    made = create()
    subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada", overlap=timedelta(hours=1))
    first_end = made.subscription.secrets.order_by("created_at")[0].expires_at
    subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada")
    assert made.subscription.secrets.order_by("created_at")[0].expires_at == first_end


def test_more_than_five_secrets_never_sign_at_once() -> None:
    made = create()
    for _ in range(4):
        subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada")
    with pytest.raises(Refused, match="5 secrets sign already"):
        subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada")
    assert made.subscription.secrets.count() == 5


def test_pausing_holds_the_lane_and_resuming_wakes_it() -> None:
    subscription = create().subscription
    assert subscriptions.pause(subscription_id=subscription.pk, actor="ada", reason="night")
    lane = Lane.objects.get()
    assert (lane.hold, lane.hold_reason, lane.held_at is None) == ("paused", "night", False)
    before = make.now()
    assert subscriptions.resume(subscription_id=subscription.pk, actor="ada")
    lane.refresh_from_db()
    assert (lane.hold, lane.hold_reason, lane.revision) == ("", "", 3)
    assert before <= cast(datetime, lane.next_due_at) <= make.now()
    assert lane.held_at == lane.next_due_at  # since when it moves


def test_pausing_twice_is_one_act() -> None:
    subscription = create().subscription
    moved = [subscriptions.pause(subscription_id=subscription.pk, actor="ada") for _ in range(2)]
    assert moved == [True, False]
    assert AuditEntry.objects.filter(verb="pause").count() == 1


def test_what_was_disabled_is_not_resumed_but_enabled() -> None:
    subscription = create().subscription
    subscriptions.disable(subscription_id=subscription.pk, actor="ada")
    with pytest.raises(Refused, match="This subscription is disabled; resume does not apply to it."):
        subscriptions.resume(subscription_id=subscription.pk, actor="ada")
    assert Lane.objects.get().hold == Hold.DISABLED
    assert subscriptions.enable(subscription_id=subscription.pk, actor="ada")
    assert Lane.objects.get().hold == Hold.NONE


def test_an_endpoint_that_is_gone_disables_its_subscription_and_says_so_once() -> None:
    subscription = create().subscription
    for _ in range(2):
        subscriptions.disable_gone(subscription_id=subscription.pk, now=make.now())
    lane = Lane.objects.get()
    assert (lane.hold, lane.hold_reason, lane.revision) == ("disabled", "Its endpoint answered 410 Gone.", 2)
    assert Notice.objects.get().text == "hook of billing was disabled. Its endpoint answered 410 Gone."


OWN_TYPES_TOLD = (
    "Weir's own types are weir.subscription.failing, weir.subscription.recovered, weir.subscription.disabled, "
    "weir.delivery.dead, weir.replay.finished, weir.alert.opened and weir.alert.closed."
)


@pytest.mark.parametrize(
    "pattern", ["weir.nope", "weir.nope.*", "weir.delivery", "weir.delivery.dead.*", "weir."]
)
def test_a_type_that_weir_never_tells_of_is_refused(pattern: str) -> None:
    told = {"event_types": [f"There is no {pattern}: {OWN_TYPES_TOLD}"]}
    assert problems(event_types=["user.*", pattern]) == told
    made = create().subscription
    before = revision()
    with pytest.raises(ValidationError) as refused:
        update_subscription(subscription_id=made.pk, actor="ada", event_types=[pattern])
    assert refused.value.message_dict == told
    made.refresh_from_db()
    assert (made.event_types, revision()) == (["user.*"], before)


@pytest.mark.parametrize("pattern", ["weir.*", "weir.delivery.*", "weir.alert.closed", "weir", "weirdo.*"])
def test_a_pattern_that_some_type_of_weirs_own_fits_is_taken_and_so_is_what_only_looks_like_one(
    pattern: str,
) -> None:
    assert create(event_types=[pattern]).subscription.event_types == [pattern]


def test_what_another_source_calls_as_weir_does_is_its_own_affair() -> None:
    made = create(event_types=["weir.nope"], source=make.source()).subscription
    assert made.event_types == ["weir.nope"]
    with pytest.raises(ValidationError, match="There is no weir.nope"):
        update_subscription(subscription_id=made.pk, actor="ada", source=None)
    made.refresh_from_db()
    assert made.source == make.source()


def test_a_type_that_weir_told_of_once_stands_in_no_other_changes_way() -> None:
    made = create().subscription
    Subscription.objects.filter(pk=made.pk).update(event_types=["weir.gone"])
    assert update_subscription(subscription_id=made.pk, actor="ada", name="renamed").name == "renamed"
