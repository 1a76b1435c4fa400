"""A number of any size or form, wherever a body or an address takes one, is taken or refused by its name: no 500."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from deliveries.models import Subscription
from tests.callers import Caller, with_key
from tests.tenants import Tenant, shown, tenant
from webhooks.models import Source

pytestmark = pytest.mark.django_db

HUGE = 10**400
ODD = (
    HUGE, -HUGE, 2**31, 2**63, -(2**63) - 1, 1e308, -1e308, 0.5, "9" * 400, "-" + "9" * 4_000, "1e400", "nan", "٣",
    [HUGE], {"a": HUGE},
)  # fmt: skip
SUBSCRIPTION = (
    "timeout_s", "retry_first_s", "retry_factor", "retry_cap_s", "retry_max_attempts", "retry_jitter",
    "retry_max_age_s", "window", "rate_per_s", "circuit_failure_rate", "circuit_min_volume", "circuit_window_s",
    "circuit_cooldown_s", "circuit_cooldown_cap_s", "disable_after_s", "retry_delays_s", "name", "event_types",
    "headers", "filter",
)  # fmt: skip
TYPE_SCHEMA = {"maximum": 5, "multipleOf": 2, "maxLength": 3, "minItems": 1, "const": 1, "enum": [1]}


def bodies(of: Tenant) -> Iterator[tuple[str, str, dict[str, Any], tuple[str, ...]]]:
    """A method, an address, a body that it takes, and the fields of it to be odd."""
    subscriber, to = (shown(kind, of.things[kind]) for kind in ("subscriber", "subscription"))
    source = Source.objects.get(pk=of.things["source"]).slug
    at = f"subscriptions/{to}"
    wish = {"subscriber": subscriber, "name": "n", "url": "https://93.184.216.34/", "event_types": ["*"]}
    yield "post", "subscriptions", wish, SUBSCRIPTION
    yield "patch", at, {}, SUBSCRIPTION
    yield "post", f"{at}/pause", {}, ("for_s", "until")
    yield "post", f"{at}/rotate-secret", {"reason": "r"}, ("overlap_s",)
    shop = {"name": "n", "slug": "another"}
    yield "post", "sources", shop, ("expected_every_s", "options", "business_keys", "slug", "name")
    yield "patch", f"sources/{source}", {}, ("expected_every_s", "options", "business_keys", "slug", "name")
    order = {"reason": "r", "dry_run": True}
    yield "post", "replays", order, ("rate_per_s", "expected_count", "filter")
    yield "post", "replays", {"reason": "r"}, ("rate_per_s", "expected_count")
    yield "patch", f"replays/{shown('replay', of.things['replay'])}", {}, ("rate_per_s",)
    yield "post", f"alerts/{shown('alert', of.things['alert'])}/mute", {"reason": "r"}, ("for_s",)
    yield "post", "event-types", {"name": "a.type"}, ("schema", "example", "name", "description")
    event = {"source": source, "event_type": "a.type", "entity": "e", "data": {}}
    yield "post", "events", event, ("entity_version", "deliver_at", "data", "event_id")
    yield "post", "api-keys", {"role": "viewer"}, ("name", "expires_at")


def ask(caller: Caller, method: str, path: str, body: object) -> Any:
    send = getattr(caller, method)
    return send(f"/api/v1/{path}", data=json.dumps(body), content_type="application/json")


def check(answer: Any, asked: object) -> None:
    assert answer.status_code < 500, (asked, answer.json())
    if answer.status_code == 400 and answer.json()["code"] == "invalid":
        assert answer.json()["errors"], asked


@pytest.mark.parametrize("odd", ODD, ids=lambda each: str(each)[:12])
def test_an_odd_number_in_a_body_is_no_mistake_of_ours(odd: object) -> None:
    of, caller = tenant("other"), with_key()
    for method, path, body, fields in bodies(of):
        for field in fields:
            check(ask(caller, method, path, {**body, field: odd}), (method, path, field))
    check(ask(caller, "post", "replays", {"dry_run": True, "filter": {"attempts": odd}}), "attempts")
    for keyword in TYPE_SCHEMA:
        check(ask(caller, "post", "event-types", {"name": "b.type", "schema": {keyword: odd}}), keyword)


@pytest.mark.parametrize("odd", [each for each in ODD if isinstance(each, str)], ids=lambda each: each[:12])
def test_an_odd_number_in_an_address_is_no_mistake_of_ours(odd: str) -> None:
    caller = with_key()
    for path in (
        "deliveries",
        "events",
        "attempts",
        "dead-letters",
        "issues",
        "cascades",
        "stats",
        "refusals",
    ):
        for name in ("limit", "since", "until", "attempts", "status_code"):
            check(caller.get(f"/api/v1/{path}", {name: odd}), (path, name))


@pytest.mark.parametrize("field", ["window", "retry_max_attempts", "circuit_min_volume"])
@pytest.mark.parametrize(("number", "usual"), [(HUGE, 1_000_000), (-HUGE, -1)], ids=["large", "small"])
def test_a_number_of_hundreds_of_digits_is_refused_like_any_other_that_is_out_of_bounds(
    field: str, number: int, usual: int
) -> None:
    of, caller = tenant("other"), with_key()
    before = list(Subscription.objects.values())
    for method, path, body, _ in list(bodies(of))[:2]:
        answers = [ask(caller, method, path, {**body, field: each}) for each in (number, usual)]
        assert [(each.status_code, list(each.json()["errors"])) for each in answers] == [(400, [field])] * 2
        assert answers[0].json()["errors"] == answers[1].json()["errors"]
    assert list(Subscription.objects.values()) == before
