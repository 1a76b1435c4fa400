"""A certificate pinned on a source is believed instead of the provider's own, and nothing else is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from tests import make
from tests.callers import browser
from tests.certificates import Authority, authority, rsa_key, trusting
from tests.test_signature_traps import URLS
from webhooks.deciders.arrival import Arrival
from webhooks.deciders.options import with_options
from webhooks.deciders.samples import SAMPLES
from webhooks.deciders.schemes import SCHEMES, scheme
from webhooks.deciders.signing import Signed, fill_in, sign
from webhooks.deciders.verify import Refused, Verified, verify
from webhooks.models import Event, Handshake, Refusal, Source
from webhooks.services import certificates, known_sources, trusted_roots
from webhooks.services.accept import Prospect, accept, try_again
from webhooks.services.rehearse import rehearse
from webhooks.services.sources import create_source, update_source

pytestmark = pytest.mark.django_db

CERTIFIED = sorted(slug for slug, row in SCHEMES.items() if row.needs_certificate)
ACCOUNT = "arn:aws:sns:us-east-1:123456789012:Topic"
PROVIDERS = {
    "aws-sns": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-7f3a.pem",
    "paypal": "https://api.paypal.com/v1/notifications/certs/CERT-7f3a",
}
ELSEWHERE = "https://certificate.invalid/sample.pem"
NOT_PINNED = "The signature is not by the key of the certificate that is pinned here."


@dataclass
class Provider:
    """Its own certificate, and how often somebody came for it."""

    own: Authority
    fetched: list[str]


@pytest.fixture(autouse=True)
def no_old_copies(monkeypatch: Any) -> None:
    """A copy of another test's source, of the same name and without a pin, would have its certificate fetched first."""
    monkeypatch.setattr(known_sources, "_known", {})


@pytest.fixture(scope="module")
def pin() -> Authority:
    return authority(name="for trying")


@pytest.fixture
def provider(monkeypatch: Any) -> Iterator[Provider]:
    made = Provider(own=authority(rsa_key(), name="the provider"), fetched=[])

    def fetch(url: str) -> str:
        made.fetched.append(url)
        return made.own.certificate

    monkeypatch.setattr(certificates, "_fetch", fetch)
    monkeypatch.setattr(trusted_roots, "roots", lambda: trusting(made.own.certificate))
    certificates._kept.clear()
    yield made
    certificates._kept.clear()


def make_source(slug: str, pinned: str = "") -> Source:
    options = {"account": ACCOUNT}
    return create_source(
        name="S", slug="shop", scheme=slug, options=options, pinned_certificate=pinned, actor="test"
    )


def request(slug: str, by: Authority, *, url: str = ELSEWHERE, account: str = ACCOUNT) -> Signed:
    """A sample that says its certificate is at `url`."""
    unsigned = fill_in(SAMPLES[slug], id=uuid4().hex, at=make.now())
    if slug == "aws-sns":
        unsigned = replace(unsigned, document={**unsigned.document, "SigningCertURL": url})
    else:
        unsigned = replace(unsigned, headers={**unsigned.headers, "paypal-cert-url": url})
    return sign(with_options(scheme(slug), {"account": account}), unsigned, secret=by.private, url="")


def send(signed: Signed) -> Any:
    headers = dict(signed.headers)
    return Client().post("/in/shop", signed.body, content_type=headers.pop("content-type"), headers=headers)


def arrival_of(signed: Signed) -> Arrival:
    return Arrival(
        method="POST",
        headers=signed.headers,
        body=signed.body,
        query="",
        remote_address="",
        received_at=make.now(),
    )


def assert_refused(answer: Any, reason: str, detail: str = "") -> None:
    assert (answer.status_code, answer.json()) == (401, {"detail": "signature verification failed"})
    assert not Event.objects.exists() and not Handshake.objects.exists()
    refusal = Refusal.objects.get()
    assert refusal.reason == reason and detail in refusal.detail


@pytest.mark.parametrize("slug", CERTIFIED)
class TestWhilePinned:
    @pytest.mark.parametrize("is_provider_s", [True, False])
    def test_what_it_signed_is_taken_and_the_address_in_the_request_is_left_alone(
        self, slug: str, pin: Authority, provider: Provider, is_provider_s: bool
    ) -> None:
        make_source(slug, pin.certificate)
        answer = send(request(slug, pin, url=PROVIDERS[slug] if is_provider_s else ELSEWHERE))
        assert answer.status_code == 202
        assert Event.objects.get().verified_by == f"{slug} pinned {pin.fingerprint[:11]}"
        assert provider.fetched == []

    def test_its_event_says_which_certificate_proved_it(self, slug: str, pin: Authority) -> None:
        make_source(slug, pin.certificate)
        send(request(slug, pin))
        address = reverse("admin:webhooks_event_change", args=[Event.objects.get().pk])
        page = browser(is_superuser=True).get(address).content.decode()
        said = f"by the certificate that was pinned on its source, <code>{pin.fingerprint[:11]}</code>."
        assert f"{SCHEMES[slug].label}: verified {said}" in page

    def test_what_the_provider_itself_signed_is_refused(
        self, slug: str, pin: Authority, provider: Provider
    ) -> None:
        make_source(slug, pin.certificate)
        answer = send(request(slug, provider.own, url=PROVIDERS[slug]))
        assert_refused(answer, "signature-mismatch", NOT_PINNED)
        assert provider.fetched == []

    def test_a_provider_s_certificate_that_is_known_already_is_not_believed_beside_it(
        self, slug: str, pin: Authority, provider: Provider
    ) -> None:
        made = make_source(slug)
        assert send(request(slug, provider.own, url=PROVIDERS[slug])).status_code == 202
        Event.objects.all().delete()
        update_source(source_id=made.pk, pinned_certificate=pin.certificate, actor="test")
        assert_refused(send(request(slug, provider.own, url=PROVIDERS[slug])), "signature-mismatch")

    def test_a_certificate_that_is_handed_over_all_the_same_counts_for_nothing(
        self, slug: str, pin: Authority, provider: Provider
    ) -> None:
        row = replace(with_options(scheme(slug), {"account": ACCOUNT}), pinned_certificate=pin.certificate)
        verdicts = [
            verify(
                scheme=row,
                secrets=[],
                arrival=arrival_of(request(slug, by, url=PROVIDERS[slug])),
                now=make.now(),
                certificate=provider.own.certificate,
            )
            for by in (provider.own, pin)
        ]
        assert verdicts == [
            Refused(reason="signature-mismatch", detail=NOT_PINNED),
            Verified(pin_hint=pin.fingerprint[:11]),
        ]

    def test_another_certificate_of_the_same_name_is_a_stranger_s(self, slug: str, pin: Authority) -> None:
        make_source(slug, pin.certificate)
        assert_refused(send(request(slug, authority(name="for trying"))), "signature-mismatch", NOT_PINNED)

    def test_a_body_that_was_changed_is_refused(self, slug: str, pin: Authority) -> None:
        make_source(slug, pin.certificate)
        signed = request(slug, pin)
        changed = signed.body.replace(b"ALARM", b"QUIET").replace(b"49.90", b"00.01")
        assert changed != signed.body
        assert_refused(send(replace(signed, body=changed)), "signature-mismatch", NOT_PINNED)

    def test_once_it_has_expired_nothing_is_taken(self, slug: str) -> None:
        make_source(slug)
        ended = authority(ends_in_s=-1, begins_in_s=-60)
        Source.objects.update(pinned_certificate=ended.certificate)
        assert_refused(send(request(slug, ended)), "certificate-invalid", "pin another one, or unpin it")

    def test_with_an_expired_one_the_rest_of_the_source_can_still_be_changed(self, slug: str) -> None:
        made = make_source(slug)
        Source.objects.update(pinned_certificate=authority(ends_in_s=-1).certificate)
        update_source(source_id=made.pk, is_enabled=False, actor="test")
        made.refresh_from_db()
        assert (made.is_enabled, made.pinned_certificate != "") == (False, True)


class TestUnpinned:
    @pytest.mark.parametrize("slug", CERTIFIED)
    def test_the_next_request_is_judged_by_what_the_provider_s_host_has(
        self, slug: str, pin: Authority, provider: Provider
    ) -> None:
        made = make_source(slug, pin.certificate)
        assert send(request(slug, pin)).status_code == 202
        update_source(source_id=made.pk, pinned_certificate="", actor="test")
        Event.objects.all().delete()
        assert_refused(send(request(slug, pin, url=PROVIDERS[slug])), "signature-mismatch")
        assert send(request(slug, provider.own, url=PROVIDERS[slug])).status_code == 202
        assert Event.objects.get().verified_by == slug
        assert provider.fetched == [PROVIDERS[slug]]

    @pytest.mark.parametrize("url", [*(each for each in URLS if "\n" not in each), ELSEWHERE])
    @pytest.mark.parametrize("slug", CERTIFIED)
    def test_no_address_but_the_provider_s_own_is_fetched(
        self, slug: str, url: str, pin: Authority, provider: Provider
    ) -> None:
        made = make_source(slug, pin.certificate)
        update_source(source_id=made.pk, pinned_certificate="", actor="test")
        assert_refused(send(request(slug, provider.own, url=url)), "certificate-url")
        assert provider.fetched == []


class TestSns:
    def test_another_topic_is_refused_though_its_signature_fits(self, pin: Authority) -> None:
        make_source("aws-sns", pin.certificate)
        other = "arn:aws:sns:us-east-1:666:Evil"
        assert_refused(send(request("aws-sns", pin, account=other)), "account-mismatch")

    @pytest.mark.parametrize("is_pinned_one", [True, False])
    def test_a_handshake_is_one_when_the_pinned_certificate_signed_it(
        self, pin: Authority, is_pinned_one: bool
    ) -> None:
        make_source("aws-sns", pin.certificate)
        answer = send(confirmation(pin if is_pinned_one else authority()))
        if not is_pinned_one:
            return assert_refused(answer, "signature-mismatch")
        asked = Handshake.objects.get()
        assert (answer.status_code, asked.name, asked.last_status) == (200, "sns", 200)
        assert asked.follow_up == "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription"
        return None


def confirmation(by: Authority) -> Signed:
    """Signed over its own fields: those of a notification, less the subject and with two more."""
    fields = {
        "Message": "You have chosen to subscribe.",
        "MessageId": "7f3a",
        "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "Timestamp": "2026-01-01T00:00:00.000Z",
        "Token": "2336412f37fb",
        "TopicArn": ACCOUNT,
        "Type": "SubscriptionConfirmation",
    }
    content = "".join(f"{name}\n{value}\n" for name, value in fields.items()).encode()
    document = {**fields, "SignatureVersion": "2", "SigningCertURL": ELSEWHERE, "Signature": by.sign(content)}
    headers = {"content-type": "text/plain; charset=UTF-8"}
    return Signed(headers=headers, body=json.dumps(document).encode())


@pytest.mark.parametrize("slug", CERTIFIED)
class TestJudgedAgain:
    def test_what_came_before_it_was_pinned_is_accepted_after_all(self, slug: str, pin: Authority) -> None:
        made = make_source(slug)
        assert_refused(send(request(slug, pin)), "certificate-url")
        update_source(source_id=made.pk, pinned_certificate=pin.certificate, actor="test")
        by = f"{slug} pinned {pin.fingerprint[:11]}"
        trial = try_again(Refusal.objects.get(), now=make.now())
        assert (trial.prospect, trial.sentence) == (Prospect.NEW, f"It would be taken now by {by}: 1 event.")
        assert accept(refusal_id=Refusal.objects.get().pk, actor="test").is_done
        assert Event.objects.get().verified_by == by

    def test_what_the_provider_sent_meanwhile_is_accepted_once_it_is_unpinned(
        self, slug: str, pin: Authority, provider: Provider
    ) -> None:
        made = make_source(slug, pin.certificate)
        assert_refused(send(request(slug, provider.own, url=PROVIDERS[slug])), "signature-mismatch")
        told = accept(refusal_id=Refusal.objects.get().pk, actor="test")
        assert (told.is_done, told.sentence) == (False, f"It would be refused again: {NOT_PINNED}")
        assert provider.fetched == []
        update_source(source_id=made.pk, pinned_certificate="", actor="test")
        assert accept(refusal_id=Refusal.objects.get().pk, actor="test").is_done
        assert Event.objects.get().verified_by == slug

    def test_a_pin_that_has_expired_since_vouches_for_nothing_though_it_was_valid_then(
        self, slug: str
    ) -> None:
        ended = authority(begins_in_s=-7_200, ends_in_s=-60)
        make_source(slug)
        send(request(slug, ended))
        Source.objects.update(pinned_certificate=ended.certificate)
        Refusal.objects.update(received_at=make.now() - timedelta(hours=1))
        told = accept(refusal_id=Refusal.objects.get().pk, actor="test")
        assert not told.is_done and "is pinned here is not valid now" in told.sentence
        assert not Event.objects.exists()

    def test_a_sample_on_the_source_s_page_is_judged_by_it_too(
        self, slug: str, pin: Authority, provider: Provider
    ) -> None:
        made = make_source(slug, pin.certificate)
        for by, expected in ((pin, "verified"), (provider.own, "refused")):
            arrival = arrival_of(request(slug, by, url=PROVIDERS[slug]))
            told = rehearse(source=made, arrival=arrival, now=make.now(), overrides={"type_from": ""})
            assert told.verdict == expected, told.sentence
        assert provider.fetched == [] and not Event.objects.exists() and not Refusal.objects.exists()
