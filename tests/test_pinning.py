"""How a certificate comes to be pinned on a source, and to be unpinned: what is taken, shown and recorded."""

import logging
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from django.apps import apps
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from tests import make
from tests.callers import Caller, browser, with_key
from tests.certificates import Authority, authority, rsa_key
from webhooks.deciders.pinning import LONGEST, pinned
from webhooks.models import AuditEntry, Source
from webhooks.services.sources import create_source, update_source

pytestmark = pytest.mark.django_db

HOME = "/api/v1/sources"
OPTIONS = {"account": "WH-1"}
PRIVATE = "This holds a private key, which is to stay with the sender: give the certificate alone."


@pytest.fixture(scope="module")
def pin() -> Authority:
    return authority(rsa_key(), name="for trying")


@pytest.fixture
def caller() -> Caller:
    return with_key()


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


@pytest.fixture
def paypal() -> Source:
    return create_source(name="P", slug="p", scheme="paypal", options=OPTIONS, actor="test")


def pem(**options: Any) -> str:
    return authority(options.pop("key", rsa_key()), **options).certificate


def private_key() -> str:
    return authority(rsa_key()).private


def secret_line() -> str:
    """One that stands in the private key and nowhere else."""
    return private_key().splitlines()[3]


# What is given, and the sentence that it is refused with.
FLAWS = {
    "no PEM": (
        lambda: "certificate",
        "This is no X.509 certificate in PEM, which begins with BEGIN CERTIFICATE.",
    ),
    "broken": (
        lambda: pem()[:400] + "\n-----END CERTIFICATE-----\n",
        "This is no X.509 certificate in PEM, which begins with BEGIN CERTIFICATE.",
    ),
    "a private key": (private_key, PRIVATE),
    "both": (lambda: pem() + private_key(), PRIVATE),
    "an encrypted key": (lambda: "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n", PRIVATE),
    "a chain": (
        lambda: pem() + pem(name="root"),
        "These are several certificates: pin the signer's own, without its chain.",
    ),
    "another curve": (
        lambda: pem(key=ec.generate_private_key(ec.SECP256R1())),
        "PayPal signs by RSA: the certificate must hold a key of 2048 to 8192 bits.",
    ),
    "ed25519": (
        lambda: pem(key=ed25519.Ed25519PrivateKey.generate()),
        "PayPal signs by RSA: the certificate must hold a key of 2048 to 8192 bits.",
    ),
    "a short key": (
        lambda: pem(key=rsa_key(1_024)),
        "PayPal signs by RSA: the certificate must hold a key of 2048 to 8192 bits.",
    ),
    "too long": (lambda: "x" * (LONGEST + 1), f"Ensure this field has no more than {LONGEST} characters."),
}


def assert_unchanged(source: Source) -> None:
    source.refresh_from_db()
    assert (source.pinned_certificate, source.revision) == ("", 1)
    assert not AuditEntry.objects.exclude(verb="create").exists()


def assert_nowhere(text: str) -> None:
    """In no column of any table."""
    for model in apps.get_models():
        for row in model._default_manager.values():
            assert text not in str(row), model


class TestOverTheApi:
    def test_it_is_pinned_shown_as_people_know_it_and_unpinned(self, caller: Caller, pin: Authority) -> None:
        wanted = {"name": "P", "slug": "p", "scheme": "paypal", "options": OPTIONS}
        made = caller.post(HOME, wanted | {"pinned_certificate": f"Bag Attributes\n{pin.certificate}\n"})
        shown = {
            "subject": "CN=for trying",
            "fingerprint": pin.fingerprint,
            "expires_at": pin.expires_at.isoformat().replace("+00:00", "Z"),
        }
        assert (made.status_code, made.json()["pinned"]) == (201, shown)
        assert made.json()["pinned_certificate"] == Source.objects.get().pinned_certificate == pin.certificate
        gone = caller.patch(f"{HOME}/p", {"pinned_certificate": ""}).json()
        assert (gone["pinned"], gone["pinned_certificate"]) == (None, "")
        source = Source.objects.get()
        assert (source.pinned_certificate, source.revision) == ("", 2)

    def test_a_change_of_something_else_leaves_it_pinned(
        self, caller: Caller, paypal: Source, pin: Authority
    ) -> None:
        caller.patch(f"{HOME}/p", {"pinned_certificate": pin.certificate})
        assert caller.patch(f"{HOME}/p", {"name": "Q"}).json()["pinned"]["fingerprint"] == pin.fingerprint

    @pytest.mark.parametrize("flaw", FLAWS)
    def test_what_cannot_be_pinned_is_refused_in_a_sentence(
        self, caller: Caller, paypal: Source, flaw: str, caplog: Any
    ) -> None:
        give, sentence = FLAWS[flaw]
        with caplog.at_level(logging.DEBUG):
            answer = caller.patch(f"{HOME}/p", {"pinned_certificate": give()})
        assert (answer.status_code, answer.json()["errors"]) == (400, {"pinned_certificate": [sentence]})
        assert_unchanged(paypal)
        assert secret_line() not in answer.content.decode() + caplog.text

    def test_an_expired_one_and_one_of_the_future_are_refused(self, caller: Caller, paypal: Source) -> None:
        ended, coming = authority(ends_in_s=-1), authority(begins_in_s=3_600)
        begins = f"{make.now():%Y-%m-%d}"
        for given, said in (
            (ended, f"The certificate expired on {ended.expires_at:%Y-%m-%d %H:%M} UTC."),
            (coming, "The certificate is not valid before "),
        ):
            answer = caller.patch(f"{HOME}/p", {"pinned_certificate": given.certificate})
            (told,) = answer.json()["errors"]["pinned_certificate"]
            assert answer.status_code == 400 and told.startswith(said), begins
        assert_unchanged(paypal)

    def test_a_private_key_reaches_no_table_not_even_with_an_idempotency_key(
        self, caller: Caller, paypal: Source
    ) -> None:
        wanted = {"name": "Q", "slug": "q", "scheme": "paypal", "options": OPTIONS}
        for field in ("pinned_certificate", "secret"):
            body = wanted | {field: private_key()}
            answer = caller.post(HOME, body, headers={"Idempotency-Key": field})
            assert (answer.status_code, answer.json()["errors"]) == (400, {field: [PRIVATE]})
            assert secret_line() not in answer.content.decode()
        assert_nowhere(secret_line())
        assert Source.objects.exclude(pk=paypal.pk).filter(scheme="paypal").count() == 0

    @pytest.mark.parametrize("scheme", ["none", "stripe"])
    def test_a_scheme_that_signs_by_no_certificate_takes_none(
        self, caller: Caller, scheme: str, pin: Authority
    ) -> None:
        body = {"name": "S", "slug": "s", "scheme": scheme, "secret": "whsec_x"}
        answer = caller.post(HOME, body | {"pinned_certificate": pin.certificate})
        sentence = f"The scheme {scheme} signs by no certificate, so none can be pinned."
        assert (answer.status_code, answer.json()["errors"]) == (400, {"pinned_certificate": [sentence]})
        assert not Source.objects.filter(slug="s").exists()

    def test_another_scheme_waits_until_it_is_unpinned(
        self, caller: Caller, paypal: Source, pin: Authority
    ) -> None:
        caller.patch(f"{HOME}/p", {"pinned_certificate": pin.certificate})
        other: dict[str, Any] = {"scheme": "none", "options": {}}
        answer = caller.patch(f"{HOME}/p", other)
        assert (answer.status_code, list(answer.json()["errors"])) == (400, ["pinned_certificate"])
        assert caller.patch(f"{HOME}/p", other | {"pinned_certificate": ""}).status_code == 200
        assert Source.objects.get(pk=paypal.pk).scheme == "none"

    @pytest.mark.parametrize("role", ["viewer", "publisher"])
    def test_who_is_no_operator_can_neither_pin_nor_unpin(
        self, paypal: Source, pin: Authority, role: str
    ) -> None:
        caller = with_key(role)
        assert caller.patch(f"{HOME}/p", {"pinned_certificate": pin.certificate}).status_code == 403
        assert_unchanged(paypal)
        update_source(source_id=paypal.pk, pinned_certificate=pin.certificate, actor="test")
        assert caller.patch(f"{HOME}/p", {"pinned_certificate": ""}).status_code == 403
        assert Source.objects.get(pk=paypal.pk).pinned_certificate == pin.certificate


class TestAudit:
    def test_both_are_recorded_by_what_people_know_the_certificate_by(
        self, caller: Caller, paypal: Source, pin: Authority
    ) -> None:
        caller.patch(f"{HOME}/p", {"pinned_certificate": pin.certificate})
        caller.patch(f"{HOME}/p", {"pinned_certificate": ""})
        known = f"CN=for trying, SHA-256 {pin.fingerprint}, valid until {pin.expires_at:%Y-%m-%d %H:%M} UTC"
        entries = AuditEntry.objects.filter(verb="update").order_by("pk")
        changes = [(each.before["pinned_certificate"], each.after["pinned_certificate"]) for each in entries]
        assert changes == [("", known), (known, "")]

    def test_the_console_shows_the_change(self, chief: Client, paypal: Source, pin: Authority) -> None:
        update_source(source_id=paypal.pk, pinned_certificate=pin.certificate, actor="test")
        entry = AuditEntry.objects.get(verb="update")
        page = chief.get(reverse("admin:webhooks_auditentry_change", args=[entry.pk])).content.decode()
        assert pin.fingerprint in page


class TestOnTheConsole:
    def form(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "P", "slug": "p", "scheme": "paypal", "is_enabled": "on",
            "options": '{"account": "WH-1"}', **more,
        }  # fmt: skip

    def edit(self, client: Client, source: Source, **more: Any) -> Any:
        address = reverse("admin:webhooks_source_edit", args=[source.pk])
        return client.post(address, self.form(**more), follow=True)

    def text_of(self, client: Client, source: Source) -> str:
        return client.get(reverse("admin:webhooks_source_change", args=[source.pk])).content.decode()

    def test_it_is_pinned_by_the_form_and_shown_with_a_warning(
        self, chief: Client, paypal: Source, pin: Authority
    ) -> None:
        assert "None is pinned" in self.text_of(chief, paypal)
        text = self.edit(chief, paypal, certificate_to_pin=pin.certificate).content.decode()
        assert (
            "A pinned certificate stands in for the provider&#x27;s: only what its key signed is believed"
            in text
        )
        assert "CN=for trying" in text and pin.fingerprint in text
        assert f"{pin.expires_at:%Y-%m-%d %H:%M} UTC" in text
        assert "a signature by the certificate that is pinned here" in text
        assert "pinned</span>" in chief.get(reverse("admin:webhooks_source_changelist")).content.decode()
        entry = AuditEntry.objects.get(verb="update")
        assert entry.actor == "ada" and pin.fingerprint in entry.after["pinned_certificate"]

    def test_it_is_pinned_where_a_source_is_added(self, chief: Client, pin: Authority) -> None:
        chief.post(reverse("admin:webhooks_source_add"), self.form(certificate_to_pin=pin.certificate))
        assert Source.objects.get().pinned_certificate == pin.certificate

    def test_an_empty_field_leaves_it_as_it_is(self, chief: Client, paypal: Source, pin: Authority) -> None:
        update_source(source_id=paypal.pk, pinned_certificate=pin.certificate, actor="test")
        text = self.edit(chief, paypal, name="Q", certificate_to_pin="").content.decode()
        paypal.refresh_from_db()
        assert (paypal.name, paypal.pinned_certificate) == ("Q", pin.certificate) and pin.fingerprint in text

    @pytest.mark.parametrize("flaw", sorted(set(FLAWS) - {"too long"}))
    def test_a_flaw_is_told_at_its_field(self, chief: Client, paypal: Source, flaw: str) -> None:
        give, sentence = FLAWS[flaw]
        answer = self.edit(chief, paypal, certificate_to_pin=give())
        assert dict(answer.context["adminform"].form.errors) == {"certificate_to_pin": [sentence]}
        assert_unchanged(paypal)

    @pytest.mark.parametrize("field", ["certificate_to_pin", "secret"])
    @pytest.mark.parametrize("more", [{}, {"slug": "Not A Slug"}, {"options": "["}])
    def test_a_private_key_is_not_said_back_whatever_else_is_wrong(
        self, chief: Client, paypal: Source, field: str, more: dict[str, str]
    ) -> None:
        answer = self.edit(chief, paypal, **{field: private_key()}, **more)
        text = answer.content.decode()
        assert PRIVATE in text and secret_line() not in text
        assert_unchanged(paypal)
        assert_nowhere(secret_line())

    def test_a_private_key_is_not_said_back_where_the_scheme_is_none_that_we_know(
        self, chief: Client, paypal: Source
    ) -> None:
        text = self.edit(chief, paypal, scheme="magic", certificate_to_pin=private_key()).content.decode()
        assert PRIVATE in text and secret_line() not in text

    def test_it_is_unpinned_with_a_reason_once(self, chief: Client, paypal: Source, pin: Authority) -> None:
        update_source(source_id=paypal.pk, pinned_certificate=pin.certificate, actor="test")
        address = reverse("admin:webhooks_source_unpin", args=[paypal.pk])
        said = [
            str(*chief.post(address, {"reason": reason}, follow=True).context["messages"])
            for reason in ("", "tested", "tested")
        ]
        assert said == [
            "Say why: a reason is needed.",
            "Unpinned: the provider's own certificate is fetched again.",
            "No certificate was pinned any more.",
        ]
        paypal.refresh_from_db()
        assert (paypal.pinned_certificate, paypal.revision) == ("", 3)
        assert AuditEntry.objects.filter(verb="update").latest("pk").reason == "tested"

    def test_an_expired_one_is_told_on_the_page(self, chief: Client, paypal: Source) -> None:
        Source.objects.filter(pk=paypal.pk).update(pinned_certificate=authority(ends_in_s=-1).certificate)
        assert "The pinned certificate has expired, so everything is refused." in self.text_of(chief, paypal)

    def test_who_may_only_look_sees_it_and_cannot_change_it(self, paypal: Source, pin: Authority) -> None:
        viewer = browser("webhooks.view_source")
        address = reverse("admin:webhooks_source_unpin", args=[paypal.pk])
        assert self.edit(viewer, paypal, certificate_to_pin=pin.certificate).status_code == 403
        assert_unchanged(paypal)
        update_source(source_id=paypal.pk, pinned_certificate=pin.certificate, actor="test")
        assert viewer.post(address, {"reason": "x"}).status_code == 403
        text = self.text_of(viewer, paypal)
        assert pin.fingerprint in text and "Unpin" not in text
        assert Source.objects.get(pk=paypal.pk).pinned_certificate == pin.certificate

    def test_unpinning_is_no_address_to_look_at(self, chief: Client, paypal: Source) -> None:
        assert chief.get(reverse("admin:webhooks_source_unpin", args=[paypal.pk])).status_code == 405


class TestInTheTable:
    @pytest.mark.parametrize("what", ["a note", "a key first", "a key last"])
    def test_nothing_but_a_certificate_is_kept_whoever_writes_it(self, paypal: Source, what: str) -> None:
        text = {"a key first": private_key() + pem(), "a key last": pem() + private_key()}.get(what, what)
        with pytest.raises(IntegrityError), transaction.atomic():
            Source.objects.filter(pk=paypal.pk).update(pinned_certificate=text)
        assert_unchanged(paypal)

    def test_a_certificate_without_a_subject_is_shown_all_the_same(self) -> None:
        known = pinned(pem(name=""))
        assert known is not None and known.subject == "no subject"

    @pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
    def test_what_cannot_be_read_is_shown_as_nothing(self, text: str) -> None:
        assert pinned(text) is None
