"""Configuration on the console: saved by the services, refused in sentences, secrets written and not read."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.urls import reverse

from deliveries.models import Lane, Subscription
from tests import make
from tests.callers import browser
from webhooks.deciders.standard import new_secret
from webhooks.models import ApiKey, AuditEntry, Source, Subscriber
from webhooks.services.keys import authenticate, create_api_key

pytestmark = pytest.mark.django_db

URL = "https://billing.example/hook"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


def add(client: Client, model: str, **fields: Any) -> Any:
    return client.post(reverse(f"admin:{model}_add"), fields, follow=True)


def change(client: Client, model: str, pk: object, **fields: Any) -> Any:
    return client.post(reverse(f"admin:{model}_change", args=[pk]), fields, follow=True)


def form_of(made: Subscription) -> str:
    return reverse("admin:deliveries_subscription_edit", args=[made.pk])


def edit(client: Client, made: Subscription, **fields: Any) -> Any:
    return client.post(form_of(made), subscription(**fields), follow=True)


def act(client: Client, model: str, action: str, *rows: Any) -> Any:
    chosen = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(reverse(f"admin:{model}_changelist"), chosen, follow=True)


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def errors(answer: Any) -> dict[str, list[str]]:
    return {name: list(found) for name, found in answer.context["adminform"].form.errors.items()}


def subscription(**more: Any) -> dict[str, Any]:
    """The form as a person fills it."""
    inline = {"secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0"}
    return {
        "name": "hook",
        "url": URL,
        "event_types": "user.*\norder.*",
        "ordering": "unordered",
        **inline,
        **more,
    }


def source(**more: Any) -> dict[str, Any]:
    inline = {"secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0"}
    return {"name": "Shop", "slug": "shop", "scheme": "none", "is_enabled": "on", **inline, **more}


def test_a_new_subscription_shows_its_secret_once(chief: Client) -> None:
    answer = add(chief, "deliveries_subscription", subscriber=make.subscriber().pk, **subscription())
    made = Subscription.objects.get()
    secret = made.secrets.get().sealed
    assert said(answer)[0] == f"Its signing secret is {secret} and is not shown again."
    assert made.event_types == ["user.*", "order.*"]
    assert Lane.objects.get().subscription == made
    page = reverse("admin:deliveries_subscription_change", args=[made.pk])
    assert secret not in chief.get(page).content.decode()
    assert (AuditEntry.objects.get().actor, LogEntry.objects.get().object_id) == ("ada", str(made.pk))


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("url", "billing.example", "The URL must begin with http:// or https://."),
        ("event_types", "us*er", 'A star stands alone ("*") or after a last dot ("user.*").'),
        ("event_types", " ", "This field is required."),
        ("headers", '["x"]', 'Write headers as a JSON object of texts, such as {"x-team": "billing"}.'),
        (
            "headers",
            '{"host": "x"}',
            "The header host is set by the connection, so a subscription cannot set it.",
        ),
        ("secret", "whsec_dG9vIHNob3J0", "The secret must hold 24 to 64 bytes."),
        ("window", "0", "Choose between 1 and 1,000 requests at once."),
        ("retry_delays_s", "[-1]", "Each delay must be a number of seconds from 0 to a year."),
        ("retry_first_s", "50000", "The longest delay must be at least the first delay and at most a year."),
        ("rate_per_s", "0", "Choose between 0.001 and 10,000 requests per second."),
        ("circuit_min_volume", "0", "Choose between 1 and 10,000 attempts."),
        (
            "circuit_cooldown_s",
            "301",
            "The longest cool-down must be no shorter than the first, and at most a day.",
        ),
        ("disable_after_s", "30", "Choose at least 60 seconds, or 0 for never."),
    ],
)
def test_a_wrong_field_is_named(chief: Client, field: str, value: str, sentence: str) -> None:
    form = subscription(**{field: value})
    answer = add(chief, "deliveries_subscription", subscriber=make.subscriber().pk, **form)
    assert errors(answer) == {field: [sentence]}
    assert not Subscription.objects.exists()


def test_a_filter_that_is_not_jmespath_is_refused(chief: Client) -> None:
    form = subscription(filter="data.[")
    answer = add(chief, "deliveries_subscription", subscriber=make.subscriber().pk, **form)
    assert list(errors(answer)) == ["filter"]


def test_a_change_is_made_by_the_service_and_keeps_what_is_not_shown(chief: Client) -> None:
    made = make.subscription(url=URL, headers='{"x-team": "a"}', event_types=["user.*", "order.*"])
    edit(chief, made, retry_max_attempts="3")
    made.refresh_from_db()
    assert (made.retry_max_attempts, json.loads(made.headers)) == (3, {"x-team": "a"})
    assert AuditEntry.objects.get().after == {"retry_max_attempts": 3}
    assert Lane.objects.get().revision == 2


def test_pace_and_containment_are_set_in_the_form(chief: Client) -> None:
    made = make.subscription(url=URL, event_types=["user.*", "order.*"])
    wanted = {"rate_per_s": "2.5", "latest_only": "on", "circuit_min_volume": "3", "disable_after_s": "0"}
    edit(chief, made, **wanted)
    assert AuditEntry.objects.get().after == {
        "rate_per_s": 2.5,
        "latest_only": True,
        "circuit_min_volume": 3,
        "disable_after_s": 0.0,
    }


def test_no_explicit_delays_are_shown_as_nothing(chief: Client) -> None:
    made = make.subscription(url=URL)
    page = chief.get(form_of(made)).content.decode()
    assert ">null<" not in "".join(page.split()) and 'name="retry_delays_s"' in page


def test_headers_are_dropped_by_an_empty_object(chief: Client) -> None:
    made = make.subscription(url=URL, headers='{"x-team": "a"}')
    edit(chief, made, headers="{}")
    made.refresh_from_db()
    assert made.headers == ""


def test_the_owner_of_a_subscription_is_settled_for_good(chief: Client) -> None:
    made, other = make.subscription(url=URL), make.subscriber("other")
    edit(chief, made, subscriber=other.pk)
    made.refresh_from_db()
    assert made.subscriber.name == "billing"


def test_the_page_says_what_the_schedule_comes_to(chief: Client) -> None:
    made = make.subscription(url=URL, retry_delays_s=[5, 60], retry_jitter=0)
    for address in (form_of(made), reverse("admin:deliveries_subscription_change", args=[made.pk])):
        assert "3 attempts over 1 min 5 s" in chief.get(address).content.decode()


def test_an_empty_field_says_what_the_hub_has_instead(chief: Client) -> None:
    page = chief.get(form_of(make.subscription())).content.decode()
    assert 'placeholder="15"' in page and "Empty: the hub's, 15." in page
    assert "The hub&#x27;s: dead after three attempts" in page


def test_a_form_that_was_opened_before_somebody_else_saved_changes_nothing(chief: Client) -> None:
    made = make.subscription(url=URL, event_types=["user.*", "order.*"])
    seen_at = made.updated_at.isoformat()
    edit(browser(is_superuser=True, name="bob"), made, seen_at=seen_at, window="3")
    answer = edit(chief, made, seen_at=seen_at, window="7")
    assert said(answer) == [
        "Somebody changed this subscription since you opened it; look again, then decide."
    ]
    made.refresh_from_db()
    assert (made.window, AuditEntry.objects.get().actor) == (3, "bob")


def test_the_form_is_for_who_may_change(chief: Client) -> None:
    made, looker = make.subscription(url=URL), browser("deliveries.view_subscription", name="bob")
    assert looker.get(form_of(made)).status_code == 403
    assert edit(looker, made, window="3").status_code == 403
    made.refresh_from_db()
    assert made.window is None and not AuditEntry.objects.exists()


def test_a_source_is_made_with_its_secret(chief: Client) -> None:
    secret = new_secret()
    add(chief, "webhooks_source", **source(scheme="standard-webhooks", secret=secret))
    made = Source.objects.get()
    assert (made.slug, made.secrets.get().sealed) == ("shop", secret)
    page = chief.get(reverse("admin:webhooks_source_change", args=[made.pk])).content.decode()
    assert secret not in page and secret[-4:] in page


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"slug": "No Slug"}, "slug"),
        ({"scheme": "standard-webhooks"}, "secret"),
        ({"scheme": "standard-webhooks", "secret": "short"}, "secret"),
        ({"scheme": "magic"}, "scheme"),
        ({"id_from": "data.["}, "id_from"),
        ({"type_from": "header:"}, "type_from"),
    ],
)
def test_a_wrong_field_of_a_source_is_named(chief: Client, more: dict[str, str], field: str) -> None:
    assert list(errors(add(chief, "webhooks_source", **source(**more)))) == [field]
    assert not Source.objects.exists()


def test_a_slug_that_is_taken_is_refused(chief: Client) -> None:
    make.source("shop")
    assert list(errors(add(chief, "webhooks_source", **source()))) == ["slug"]


def test_a_source_is_changed_and_takes_a_second_secret(chief: Client) -> None:
    made = make.source("shop")
    first, second = new_secret(), new_secret()
    for secret in (first, second):
        change(chief, "webhooks_source", made.pk, **source(scheme="standard-webhooks", secret=secret))
    made.refresh_from_db()
    assert made.scheme == "standard-webhooks"
    assert {kept.sealed for kept in made.secrets.filter(expires_at=None)} == {first, second}


def test_a_subscriber_is_made_and_renamed(chief: Client) -> None:
    add(chief, "webhooks_subscriber", name="Billing")
    change(chief, "webhooks_subscriber", Subscriber.objects.get().pk, name="Finance")
    assert Subscriber.objects.get().name == "Finance"
    assert list(AuditEntry.objects.order_by("pk").values_list("verb", flat=True)) == ["create", "rename"]


def test_a_new_key_is_shown_once_and_works(chief: Client) -> None:
    answer = add(chief, "webhooks_apikey", name="ci", role="publisher")
    plain = said(answer)[0].removeprefix("The key is ").removesuffix(" and is not shown again.")
    found = authenticate(plain)
    assert found is not None and found.role == "publisher"
    assert plain not in chief.get(reverse("admin:webhooks_apikey_changelist")).content.decode()


def test_a_key_says_whose_it_is_or_where_it_may_publish(chief: Client) -> None:
    owner, shop = make.subscriber("Billing"), make.source("shop")
    add(chief, "webhooks_apikey", role="subscriber", subscriber=owner.pk)
    add(chief, "webhooks_apikey", role="publisher", sources=[shop.pk])
    subscribers, publishers = ApiKey.objects.order_by("pk")
    assert (subscribers.subscriber, list(publishers.sources.all())) == (owner, [shop])
    shown = chief.get(reverse("admin:webhooks_apikey_changelist")).content.decode()
    assert "Billing" in shown and ">shop<" in shown


def test_a_subscribers_key_needs_its_subscriber(chief: Client) -> None:
    answer = add(chief, "webhooks_apikey", role="subscriber")
    assert errors(answer) == {"subscriber": ["A subscriber's key must say whose it is."]}
    assert not ApiKey.objects.exists()


def test_a_key_cannot_expire_in_the_past(chief: Client) -> None:
    answer = add(chief, "webhooks_apikey", role="viewer", expires_at_0="2001-01-01", expires_at_1="00:00:00")
    assert errors(answer) == {"expires_at": ["A key cannot expire in the past."]}
    assert not ApiKey.objects.exists()


def test_a_key_is_revoked_after_asking_and_the_second_is_told(chief: Client) -> None:
    add(chief, "webhooks_apikey", name="ci", role="viewer")
    key = ApiKey.objects.get()
    asked = act(chief, "webhooks_apikey", "revoke", key)
    assert "Revoke 1 API key?" in asked.content.decode() and key.shown_prefix in asked.content.decode()
    key.refresh_from_db()
    assert key.revoked_at is None
    address = reverse("admin:webhooks_apikey_changelist")
    answer = {"action": "revoke", "_selected_action": [key.pk], "post": "yes", "reason": "leaked"}
    assert said(chief.post(address, answer, follow=True))[-1] == "Revoked 1."
    key.refresh_from_db()
    assert key.revoked_at is not None
    assert said(chief.post(address, answer, follow=True)) == ["1 had been revoked before."]
    assert AuditEntry.objects.get(verb="revoke").reason == "leaked"


def test_a_list_of_keys_says_which_still_work(chief: Client) -> None:
    live, expired, revoked = (create_api_key(role="viewer", name=name)[0] for name in ("a", "b", "c"))
    ApiKey.objects.filter(pk=expired.pk).update(expires_at=make.now(), last_used_at=make.now())
    ApiKey.objects.filter(pk=revoked.pk).update(revoked_at=make.now())
    shown = chief.get(reverse("admin:webhooks_apikey_changelist")).content.decode()
    assert [word for word in ("Live", "Expired", "Revoked", "never", "just now") if word not in shown] == []
    assert f"<code>{live.shown_prefix}…</code>" in shown


def test_a_subscriber_is_shown_with_what_it_wants_and_sends(chief: Client) -> None:
    mine = make.subscriber("finance")
    hook = make.subscription(name="ledger", subscriber=mine)
    make.subscription(name="elsewhere")
    Lane.objects.filter(pk=hook.pk).update(hold="paused")
    Source.objects.create(slug="till", name="Till", subscriber=mine)
    shown = chief.get(reverse("admin:webhooks_subscriber_change", args=[mine.pk])).content.decode()
    assert "ledger" in shown and "Paused" in shown and "/in/till" in shown
    assert "elsewhere" not in shown


def test_without_permission_a_key_is_not_revoked(chief: Client) -> None:
    add(chief, "webhooks_apikey", name="ci", role="viewer")
    key = ApiKey.objects.get()
    act(browser("webhooks.view_apikey", name="bob"), "webhooks_apikey", "revoke", key)
    key.refresh_from_db()
    assert key.revoked_at is None
