"""A subscription signs by a shared secret, by an ed25519 pair, or by both; its keys are rotated without a gap."""

import base64
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.core.exceptions import ValidationError

from deliveries.models import Subscription, SubscriptionSecret
from deliveries.services import subscriptions
from tests import make
from tests.callers import browser, with_key
from tests.endpoints import Endpoint, Request, answers
from tests.running import dispatchers
from webhooks.deciders import standard
from webhooks.ids import public_id
from webhooks.models import AuditEntry

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.HUB_EGRESS_ALLOW = [ip_network("127.0.0.0/8")]


# RFC 8032, section 7.1, TEST 1: the seed, and the public key that it must have.
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
KEY = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
PRIVATE = "whsk_" + base64.b64encode(SEED).decode()
PUBLIC = "whpk_" + base64.b64encode(KEY).decode()


def create(**more: Any) -> subscriptions.Created:
    wanted = {"name": "hook", "url": "http://127.0.0.1:9/", "event_types": ["*"], **more}
    return subscriptions.create_subscription(subscriber=make.subscriber(), actor="ada", **wanted)


def is_by(public: str, request: Request) -> bool:
    """As a receiver checks it, with nothing but `cryptography`."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    name, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
    content = f"{name}.{at}.".encode() + request.body
    for element in request.headers["webhook-signature"].split():
        version, _, signature = element.partition(",")
        if version != "v1a":
            continue
        try:
            key.verify(base64.b64decode(signature), content)
        except InvalidSignature:
            continue
        return True
    return False


def versions(request: Request) -> list[str]:
    return [each.partition(",")[0] for each in request.headers["webhook-signature"].split()]


# -- the keys ------------------------------------------------------------------------------------------


def test_a_public_key_is_that_of_the_rfc() -> None:
    assert standard.public_key(PRIVATE) == PUBLIC
    assert standard.public_key(standard.new_secret()) == ""
    fresh = standard.new_private_key()
    assert (fresh[:5], len(base64.b64decode(fresh[5:]))) == ("whsk_", 32)


def test_a_signature_is_over_id_timestamp_and_body() -> None:
    signature = standard.sign(
        secrets=[PRIVATE], message_id="msg_1", timestamp=1614265330, body=b'{"test": 1}'
    )
    version, _, encoded = signature.partition(",")
    assert version == "v1a"
    Ed25519PublicKey.from_public_bytes(KEY).verify(base64.b64decode(encoded), b'msg_1.1614265330.{"test": 1}')


@pytest.mark.parametrize(
    ("signing", "has_secret", "has_public"), [("", 1, 0), ("v1", 1, 0), ("v1a", 0, 1), ("both", 1, 1)]
)
def test_new_keys_are_what_was_asked_for(signing: str, has_secret: bool, has_public: bool) -> None:
    made = create(signing=signing)
    assert (made.secret.startswith("whsec_"), made.public_key.startswith("whpk_")) == (has_secret, has_public)
    assert made.subscription.signing == (signing or "v1")
    kept = [bool(each.public_key) for each in SubscriptionSecret.objects.all()]
    assert sorted(kept) == sorted([False] * has_secret + [True] * has_public)


def test_a_key_that_is_given_says_how_it_signs_and_is_not_told_back() -> None:
    made = create(secret=PRIVATE)
    assert (made.secret, made.public_key, made.subscription.signing) == ("", PUBLIC, "v1a")
    row = SubscriptionSecret.objects.get()
    assert (row.sealed, row.public_key, row.hint) == (PRIVATE, PUBLIC, PUBLIC[-4:])
    with pytest.raises(ValidationError, match="This secret signs v1a"):
        create(secret=PRIVATE, signing="v1")
    with pytest.raises(ValidationError, match="Choose one of v1, v1a, both"):
        create(signing="rot13")


# -- a real receiver -----------------------------------------------------------------------------------


def test_a_receiver_with_the_public_key_alone_knows_who_speaks() -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        made = create(url=endpoint.url, signing="v1a")
        make.event()
        (request,) = endpoint.wait_for(1)
    assert versions(request) == ["v1a"]
    assert is_by(made.public_key, request)
    assert not is_by(PUBLIC, request)


def test_with_both_each_receiver_verifies_by_what_it_holds() -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        made = create(url=endpoint.url, signing="both")
        make.event()
        (request,) = endpoint.wait_for(1)
    assert sorted(versions(request)) == ["v1", "v1a"]
    assert is_by(made.public_key, request)
    shared = standard.verify(
        secrets=[made.secret],
        message_id=request.headers["webhook-id"],
        timestamp=request.headers["webhook-timestamp"],
        signature=request.headers["webhook-signature"],
        body=request.body,
        now=float(request.headers["webhook-timestamp"]),
    )
    assert shared.is_valid


def test_while_it_is_rotated_both_the_old_key_and_the_new_one_sign() -> None:
    with Endpoint(answers(200)) as endpoint, dispatchers():
        made = create(url=endpoint.url, signing="v1a")
        keys = subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada")
        make.event()
        (request,) = endpoint.wait_for(1)
    assert versions(request) == ["v1a", "v1a"]
    assert is_by(made.public_key, request) and is_by(keys.public_key, request)


def test_rotation_leads_from_a_shared_secret_to_a_public_key_without_a_gap() -> None:
    made = create()
    keys = subscriptions.rotate_secret(
        subscription_id=made.subscription.pk, actor="ada", signing="v1a", overlap=timedelta(hours=1)
    )
    assert (keys.secret, keys.public_key.startswith("whpk_")) == ("", True)
    assert Subscription.objects.get().signing == "v1a"
    live = SubscriptionSecret.objects.order_by("created_at").values_list("public_key", "expires_at")
    assert [(bool(public), until is not None) for public, until in live] == [(False, True), (True, False)]
    entry = AuditEntry.objects.get(verb="rotate-secret")
    assert (entry.before["signing"], entry.after["signing"]) == ("v1", "v1a")
    again = subscriptions.rotate_secret(subscription_id=made.subscription.pk, actor="ada")
    assert again.public_key != keys.public_key


# -- the doors -----------------------------------------------------------------------------------------


def test_over_the_api_a_public_key_is_shown_at_any_time_and_a_private_one_never() -> None:
    caller = with_key()
    wanted = {
        "subscriber": public_id("subscriber", make.subscriber().pk),
        "name": "hook",
        "url": "http://127.0.0.1:9/",
        "event_types": ["*"],
        "signing": "v1a",
    }
    made = caller.post("/api/v1/subscriptions", wanted)
    assert made.status_code == 201
    body = made.json()
    assert (body["secret"], body["signing"]) == (None, "v1a")
    home = f"/api/v1/subscriptions/{body['id']}"
    shown = caller.get(home)
    assert [each["public_key"] for each in shown.json()["secrets"]] == [body["public_key"]]
    assert caller.patch(home, {"signing": "v1"}).status_code == 400
    rotation = {"signing": "both", "overlap_s": 60, "reason": "Both for a while."}
    rotated = caller.post(f"{home}/rotate-secret", rotation).json()
    assert rotated["secret"].startswith("whsec_") and rotated["public_key"].startswith("whpk_")
    private = SubscriptionSecret.objects.exclude(public_key="").first()
    assert private is not None
    assert private.sealed not in made.content.decode() + shown.content.decode()


def test_on_the_console_it_is_chosen_when_made_shown_on_its_page_and_changed_by_rotation() -> None:
    chief = browser(is_superuser=True)
    form = {
        "subscriber": make.subscriber().pk, "name": "hook", "url": "http://127.0.0.1:9/", "event_types": "*",
        "ordering": "unordered", "format": "standard", "signing": "v1a",
    }  # fmt: skip
    answer = chief.post("/admin/deliveries/subscription/add/", form)
    assert answer.status_code == 302
    row = SubscriptionSecret.objects.get()
    home = f"/admin/deliveries/subscription/{row.subscription_id}"
    page = chief.get(f"{home}/change/").content.decode()
    assert row.public_key in page and row.sealed not in page
    rotation = {"reason": "audit", "overlap": "3600", "signing": "v1", "instead_of": row.pk.hex}
    rotated = chief.post(f"{home}/rotate/", rotation).content.decode()
    assert "This is the new secret" in rotated
    assert Subscription.objects.get().signing == "v1"
    assert SubscriptionSecret.objects.filter(public_key="").count() == 1
