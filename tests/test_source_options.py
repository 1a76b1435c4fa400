"""What a scheme leaves to be filled in: checked when it is saved, in force from the next request."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests.callers import Caller, browser, with_key
from webhooks.deciders.options import check_options, with_options
from webhooks.deciders.scheme_columns import Unit
from webhooks.deciders.schemes import SCHEMES, scheme
from webhooks.models import Event, SecretPurpose, Source, SourceSecret
from webhooks.services.sources import create_source, update_source

HOME = "/api/v1/sources"


@pytest.mark.parametrize(
    ("slug", "options", "sentence"),
    [
        ("none", [], "The options must be a JSON object."),
        ("stripe", {"colour": "red"}, "The scheme stripe has no option called 'colour'."),
        ("stripe", {"signed": "{body}"}, "The scheme stripe has no option called 'signed'."),
        ("stripe", {"tolerance_s": -1}, "tolerance_s must be a number of seconds, at most 604800."),
        ("stripe", {"tolerance_s": True}, "tolerance_s must be a number of seconds, at most 604800."),
        ("stripe", {"tolerance_s": float("nan")}, "tolerance_s must be a number of seconds, at most 604800."),
        ("stripe", {"tolerance_s": "5"}, "tolerance_s must be a number of seconds, at most 604800."),
        ("square", {"public_url": 5}, "The option public_url must be a text of at most 500 characters."),
        (
            "square",
            {"public_url": "https://x.example/?a=1"},
            "public_url must be an http or https address without a query string.",
        ),
        (
            "square",
            {"public_url": "http://[::1"},
            "public_url must be an http or https address without a query string.",
        ),
        (
            "generic-hmac",
            {"signed": "{ts}."},
            "The signed template must hold {body}, or the body would not be signed.",
        ),
        ("generic-hmac", {"signed": "{body}{x}"}, "The signed template has an unknown placeholder {x}."),
        ("generic-hmac", {"signed": "{body}{"}, "The signed template has an unknown placeholder {}."),
        (
            "generic-hmac",
            {"signed": "{ts}{body}"},
            "The signed template holds {ts}, so the option timestamp must say where that is.",
        ),
        (
            "generic-hmac",
            {"algorithm": "md5"},
            "The option algorithm must be one of sha1, sha256, sha384, sha512.",
        ),
        ("generic-hmac", {"encoding": "rot13"}, "The option encoding must be one of hex, base64, text."),
        (
            "generic-hmac",
            {"signature": "X-Signature"},
            "The option signature must be header:<name>, json:<path> or form:<field>.",
        ),
        ("aws-sns", {}, "The scheme aws-sns needs the option account: the topic's ARN."),
        ("paypal", {"account": ""}, "The scheme paypal needs the option account: the webhook's id."),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(slug: str, options: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_options(scheme(slug), options)
    assert str(caught.value) == sentence


@pytest.mark.parametrize("slug", sorted(set(SCHEMES) - {"aws-sns", "paypal"}))
def test_no_scheme_needs_an_option_but_those_that_name_an_account(slug: str) -> None:
    check_options(scheme(slug), {})
    assert with_options(scheme(slug), {}) == scheme(slug)


def test_options_become_columns_and_unknown_ones_are_left_out() -> None:
    options = {"timestamp_unit": "ms", "timestamp": "header:t", "entity_from": "json:a", "from_the_future": 1}
    row = with_options(scheme("generic-hmac"), options)
    assert (row.timestamp_unit, row.timestamp, row.entity_sources) == (
        Unit.MILLISECONDS,
        "header:t",
        ("json:a",),
    )


@pytest.mark.django_db
class TestSaved:
    def test_they_are_in_force_from_the_next_request(self) -> None:
        made = create_source(name="Shop", slug="shop", scheme="api-key", secret="k", actor="test")
        headers = {"x-key": "k"}
        assert Client().post("/in/shop", b"1", content_type="text/plain", headers=headers).status_code == 401
        update_source(source_id=made.id, options={"signature": "header:X-Key"}, actor="test")
        assert Client().post("/in/shop", b"1", content_type="text/plain", headers=headers).status_code == 202

    def test_entity_version_and_operation_are_found_where_they_say(self) -> None:
        options = {
            "entity_from": "json:user.id",
            "version_from": "json:user.v",
            "operation_from": "header:x-op",
        }
        create_source(name="Shop", slug="shop", options=options, actor="test")
        body = b'{"id":"1","user":{"id":"u1","v":7}}'
        Client().post("/in/shop", body, content_type="application/json", headers={"x-op": "o9"})
        event = Event.objects.get()
        assert (event.entity, event.entity_version, event.operation_id) == ("u1", 7, "o9")

    @pytest.mark.parametrize("version", [b'"x"', b"1.5", b"9" * 30, b"null", b"[]"])
    def test_a_version_that_is_no_number_is_absent(self, version: bytes) -> None:
        create_source(name="Shop", slug="shop", options={"version_from": "json:v"}, actor="test")
        Client().post("/in/shop", b'{"v":' + version + b"}", content_type="application/json")
        assert Event.objects.get().entity_version is None


@pytest.mark.django_db
class TestOverTheApi:
    @pytest.fixture
    def caller(self) -> Caller:
        return with_key()

    def test_options_and_a_handshake_token_are_taken_and_the_token_is_not_shown(self, caller: Caller) -> None:
        wanted = {
            "name": "M",
            "slug": "m",
            "scheme": "meta",
            "secret": "app-secret",
            "handshake_token": "meaty",
        }
        answer = caller.post(HOME, wanted | {"options": {"tolerance_s": 60}})
        assert (answer.status_code, answer.json()["options"]) == (201, {"tolerance_s": 60})
        hints = {each["purpose"]: each["hint"] for each in answer.json()["secrets"]}
        assert hints == {"signing": "cret", "handshake": "eaty"}
        assert "meaty" not in answer.content.decode()

    def test_a_new_handshake_token_replaces_the_old_one_only(self, caller: Caller) -> None:
        wanted = {
            "name": "M",
            "slug": "m",
            "scheme": "meta",
            "secret": "app-secret",
            "handshake_token": "old",
        }
        caller.post(HOME, wanted)
        assert caller.patch(f"{HOME}/m", {"handshake_token": "new"}).status_code == 200
        live = SourceSecret.objects.filter(expires_at=None)
        assert {(each.purpose, each.sealed) for each in live} == {
            (SecretPurpose.SIGNING, "app-secret"),
            (SecretPurpose.HANDSHAKE, "new"),
        }

    @pytest.mark.parametrize("options", ["x", [1], {"colour": 1}, None, {"tolerance_s": "1"}])
    def test_wrong_options_are_named(self, caller: Caller, options: Any) -> None:
        answer = caller.post(HOME, {"name": "M", "slug": "m", "options": options})
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["options"])
        assert not Source.objects.exists()


@pytest.mark.django_db
def test_the_console_takes_options_and_shows_what_to_know_of_the_scheme() -> None:
    chief = browser(is_superuser=True)
    rows = {"secrets-TOTAL_FORMS": "0", "secrets-INITIAL_FORMS": "0", "is_enabled": "on", "secret": "s"}
    form = {"name": "Square", "slug": "square", "scheme": "square", **rows}
    wrong = chief.post(reverse("admin:webhooks_source_add"), {**form, "options": '{"public_url": "x"}'})
    found = dict(wrong.context["adminform"].form.errors)["options"]
    assert found == ["public_url must be an http or https address without a query string."]
    options = '{"public_url": "https://shop.example/in/square"}'
    chief.post(reverse("admin:webhooks_source_add"), {**form, "options": options})
    made = Source.objects.get()
    assert made.options == {"public_url": "https://shop.example/in/square"}
    page = chief.get(reverse("admin:webhooks_source_edit", args=[made.pk])).content.decode()
    assert "Weakness: The address is signed" in page
    assert "The sender waits 10 s for an answer." in page
