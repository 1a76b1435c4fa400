"""A secret is rotated with a reason: the new one is shown once, the old one signs on, and the overlap can be ended."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
import standardwebhooks
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from deliveries.models import Lane, Subscription, SubscriptionSecret
from deliveries.services import subscriptions
from deliveries.services.ping import ping_endpoint
from tests import make
from tests.callers import browser
from tests.endpoints import Endpoint, Request, answers
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db

DAY = "86400"


@pytest.fixture(autouse=True)
def loopback(settings: Settings) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


@pytest.fixture
def lead() -> Client:
    return browser("deliveries.view_subscription", "deliveries.rotate_secret")


def door(to: Subscription, name: str = "rotate") -> str:
    return reverse(f"admin:deliveries_subscription_{name}", args=[to.pk])


def rotate(client: Client, to: Subscription, **more: str) -> Any:
    shown = client.get(door(to)).context["instead_of"]
    return client.post(
        door(to), {"instead_of": shown, "overlap": DAY, "reason": "leaked", **more}, follow=True
    )


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


def verifies(request: Request, secret: str) -> bool:
    try:
        standardwebhooks.Webhook(secret).verify(request.body, request.headers)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def sealed(to: Subscription) -> list[str]:
    return [each.sealed for each in to.secrets.order_by("created_at", "id")]


def test_both_secrets_verify_at_a_real_receiver_until_the_overlap_is_ended(lead: Client) -> None:
    with Endpoint(answers(200)) as endpoint:
        to = make.subscription(endpoint.url)
        page = rotate(lead, to)
        old, new = sealed(to)
        ping_endpoint(subscription_id=to.pk, actor="ada")
        ended = lead.post(door(to, "end_overlap"), {"reason": "they have it"}, follow=True)
        ping_endpoint(subscription_id=to.pk, actor="ada")
    assert page.context["plain"] == new
    during, after = endpoint.requests
    assert (verifies(during, old), verifies(during, new)) == (True, True)
    assert len(during.headers["webhook-signature"].split()) == 2
    assert (verifies(after, old), verifies(after, new)) == (False, True)
    assert said(ended) == ["Only the newest secret signs from now on."]


def test_the_new_one_is_shown_once_and_nowhere_again(lead: Client) -> None:
    to = make.subscription()
    answer = rotate(lead, to)
    _, new = sealed(to)
    assert new in answer.content.decode() and "no-store" in answer["Cache-Control"]
    addresses = [door(to), reverse("admin:deliveries_subscription_change", args=[to.pk])]
    for page in (lead.get(address).content.decode() for address in addresses):
        assert new not in page and new[-4:] in page
    assert new not in str(list(AuditEntry.objects.values()))
    assert new not in str(lead.session.items()) + str(lead.cookies)


def test_the_act_is_recorded_and_the_lane_reads_its_secrets_again(lead: Client) -> None:
    to, before = make.subscription(), make.now()
    rotate(lead, to, overlap="3600")
    old, new = to.secrets.order_by("created_at", "id")
    assert new.expires_at is None and old.expires_at is not None
    assert before + timedelta(hours=1) <= old.expires_at <= make.now() + timedelta(hours=1)
    entry = AuditEntry.objects.get()
    assert (entry.verb, entry.reason) == ("rotate-secret", "leaked")
    assert entry.before == {"hints": [old.hint]}
    assert entry.after == {"hint": new.hint, "overlap_s": 3_600.0}
    assert Lane.objects.get().revision == 2


def test_without_an_overlap_the_old_one_ends_at_once(lead: Client) -> None:
    to = make.subscription()
    rotate(lead, to, overlap="0")
    old = to.secrets.order_by("created_at").first()
    assert old is not None and old.expires_at is not None and old.expires_at <= make.now()


def test_a_double_click_rotates_once_and_the_second_is_told(lead: Client) -> None:
    to = make.subscription()
    shown = lead.get(door(to)).context["instead_of"]
    asked = {"instead_of": shown, "overlap": DAY, "reason": "leaked"}
    first, second = (lead.post(door(to), asked, follow=True) for _ in range(2))
    assert first.context["plain"]
    assert said(second) == ["Somebody rotated the secret since you opened this page, so nothing was done."]
    assert (to.secrets.count(), AuditEntry.objects.count()) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "field", "sentence"),
    [
        ({"reason": " "}, "reason", "Say why: a reason is needed."),
        ({"overlap": "7"}, "overlap", "Choose how long the old secret signs on."),
        ({"secret": "whsec_dG9vIHNob3J0"}, "secret", "The secret must hold 24 to 64 bytes."),
    ],
)
def test_a_wrong_answer_is_told_and_nothing_is_rotated(
    lead: Client, asked: dict[str, str], field: str, sentence: str
) -> None:
    to = make.subscription()
    answer = rotate(lead, to, **asked)
    assert (answer.status_code, answer.context["problems"]) == (400, {field: sentence})
    assert sentence in answer.content.decode()
    assert (to.secrets.count(), AuditEntry.objects.count(), Lane.objects.get().revision) == (1, 0, 1)


def test_a_form_without_what_it_saw_is_stale(lead: Client) -> None:
    to = make.subscription()
    lead.post(door(to), {"overlap": DAY, "reason": "leaked"})
    assert (to.secrets.count(), AuditEntry.objects.count()) == (1, 0)


def test_who_may_not_rotate_does_not() -> None:
    to, operator = (
        make.subscription(),
        browser("deliveries.view_subscription", "deliveries.hold_subscription"),
    )
    for name in ("rotate", "end_overlap"):
        assert operator.get(door(to, name)).status_code == 403
        answer = operator.post(door(to, name), {"overlap": DAY, "reason": "x"})
        assert answer.status_code == 403
    assert (SubscriptionSecret.objects.count(), AuditEntry.objects.count()) == (1, 0)


def test_an_overlap_is_ended_with_a_reason_and_once(lead: Client) -> None:
    to = make.subscription()
    rotate(lead, to)
    assert (
        "End the overlap now"
        in lead.get(reverse("admin:deliveries_subscription_change", args=[to.pk])).content.decode()
    )
    assert said(lead.post(door(to, "end_overlap"), {"reason": ""})) == ["Say why: a reason is needed."]
    assert to.secrets.filter(expires_at__lte=make.now()).count() == 0
    old = to.secrets.order_by("created_at").first()
    for told in ("Only the newest secret signs from now on.", "No older secret signed any more."):
        assert said(lead.post(door(to, "end_overlap"), {"reason": "done"}, follow=True)) == [told]
    entry = AuditEntry.objects.get(verb="end-overlap")
    assert old is not None and (entry.before, entry.after) == ({"hints": [old.hint]}, {"hints": []})


def test_nothing_is_ended_where_there_is_no_overlap() -> None:
    to = make.subscription()
    assert subscriptions.end_overlap(subscription_id=to.pk, actor="ada") == 0
    assert (Lane.objects.get().revision, AuditEntry.objects.count()) == (1, 0)
