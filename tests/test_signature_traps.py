"""The traps of verifying what strangers send, each with a request that falls into it at a careless receiver."""

import base64
import hmac
import json
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from tests.test_signature_fuzz import from_vector
from tests.test_signature_vectors import BY_ID, VECTORS
from webhooks.deciders.arrival import Arrival
from webhooks.deciders.certificates import certificate_url
from webhooks.deciders.options import with_options
from webhooks.deciders.schemes import SCHEMES, scheme
from webhooks.deciders.verdicts import LiveSecret, Refused, Verified, refused
from webhooks.deciders.verify import verify
from webhooks.models import Event, EventBody, Refusal
from webhooks.services import certificates
from webhooks.services.sources import add_secret, create_source

SECRET = "s3cret"
AT = 1767225600


@pytest.fixture(autouse=True)
def clock(monkeypatch: Any) -> None:
    monkeypatch.setattr("webhooks.views.timezone.now", lambda: datetime.fromtimestamp(AT, UTC))


def source(slug: str, secret: str = SECRET, **options: Any) -> Any:
    return create_source(name="S", slug="shop", scheme=slug, secret=secret, options=options, actor="test")


def send(
    body: bytes | str, headers: dict[str, str], query: str = "", content_type: str = "application/json"
) -> Any:
    return Client().post(f"/in/shop?{query}", body, content_type=content_type, headers=headers)


def reason() -> str:
    assert not Event.objects.exists()
    return Refusal.objects.latest("id").reason


def sha256_hex(content: bytes | str, secret: str = SECRET) -> str:
    return hmac.new(
        secret.encode(), content if isinstance(content, bytes) else content.encode(), "sha256"
    ).hexdigest()


def didit(timestamp: int = AT, **more: Any) -> bytes:
    return json.dumps(
        {"event_id": "e", "webhook_type": "status.updated", "timestamp": timestamp, **more}
    ).encode()


@pytest.mark.django_db
class TestTimestamps:
    def test_an_unsigned_header_cannot_make_an_old_body_fresh(self) -> None:
        source("didit")
        body = didit(AT - 3_600)
        answer = send(body, {"x-signature": sha256_hex(body), "x-timestamp": str(AT)})
        assert (answer.status_code, reason()) == (401, "timestamp-stale")

    def test_an_unsigned_header_must_agree_with_a_fresh_body(self) -> None:
        source("didit")
        body = didit()
        answer = send(body, {"x-signature": sha256_hex(body), "x-timestamp": str(AT - 1)})
        assert (answer.status_code, reason()) == (401, "timestamp-disagrees")

    def test_linear_s_header_timestamp_is_not_even_looked_at(self) -> None:
        source("linear")
        body = json.dumps({"type": "Issue", "webhookTimestamp": (AT - 3_600) * 1_000}).encode()
        headers = {"linear-signature": sha256_hex(body), "linear-timestamp": str(AT * 1_000)}
        assert send(body, headers).status_code == 401
        assert reason() == "timestamp-stale"

    @pytest.mark.parametrize(
        "text", ["", "abc", "1e9", "-1", "1767225600.0", "９", "²", "9" * 5_000, "0x10", "NaN"]
    )
    def test_a_timestamp_that_is_no_number_is_a_refusal(self, text: str) -> None:
        source("slack")
        body = "{}"
        headers = {
            "x-slack-request-timestamp": text,
            "x-slack-signature": f"v0={sha256_hex(f'v0:{text}:{body}')}",
        }
        assert send(body, headers).status_code == 401
        assert reason() == ("timestamp-malformed" if text else "timestamp-missing")

    @pytest.mark.parametrize(
        "text", ["2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "2026-13-01T00:00:00Z", "1"]
    )
    def test_an_iso_time_without_a_zone_or_sense_is_a_refusal(self, text: str) -> None:
        source("zendesk")
        signature = base64.b64encode(hmac.digest(SECRET.encode(), f"{text}{{}}".encode(), "sha256")).decode()
        names = ("x-zendesk-webhook-signature-timestamp", "x-zendesk-webhook-signature")
        assert send("{}", dict(zip(names, (text, signature), strict=True))).status_code == 401
        assert reason() in ("timestamp-malformed", "timestamp-stale")

    def test_a_skewed_clock_is_told_by_how_many_seconds(self) -> None:
        source("stripe")
        headers = {"stripe-signature": f"t={AT - 301},v1={sha256_hex(f'{AT - 301}.{{}}')}"}
        send("{}", headers)
        detail = "The timestamp is 301 s behind this hub's clock; 300 s are allowed."
        assert Refusal.objects.get().detail == detail


@pytest.mark.django_db
class TestSecrets:
    def test_stripe_s_secret_is_text_though_it_looks_like_base64(self) -> None:
        secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
        source("stripe", secret)
        headers = {"stripe-signature": f"t={AT},v1={sha256_hex(f'{AT}.{{}}', secret)}"}
        assert send("{}", headers).status_code == 202

    def test_which_of_two_live_secrets_matched_is_shown(self) -> None:
        made = source("github", "the-old-one")
        add_secret(source_id=made.id, secret="the-new-two", actor="test")
        for number, secret in enumerate(("the-old-one", "the-new-two")):
            body = str(number)
            headers = {"x-hub-signature-256": f"sha256={sha256_hex(body, secret)}", "x-github-delivery": body}
            assert send(body, headers).status_code == 202
        assert [event.verified_by for event in Event.objects.order_by("id")] == [
            "github …-one",
            "github …-two",
        ]

    @pytest.mark.parametrize("name", ["x-gitlab-token", "authorization"])
    def test_tokens_are_masked_where_events_show_their_headers(self, name: str) -> None:
        if name == "authorization":
            source("api-key", signature="header:Authorization", prefix="Bearer ")
        else:
            source("gitlab-token")
        value = f"Bearer {SECRET}" if name == "authorization" else SECRET
        assert send("{}", {name: value}).status_code == 202
        assert dict(EventBody.objects.get().headers)[name] == "••••••"
        assert SECRET not in json.dumps(EventBody.objects.get().headers)


@pytest.mark.django_db
class TestHeaders:
    def test_github_s_sha1_header_is_ignored(self) -> None:
        source("github")
        legacy = hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()
        assert send("{}", {"x-hub-signature": f"sha1={legacy}"}).status_code == 401
        assert reason() == "signature-missing"

    def test_bitbucket_takes_no_sha1_under_the_same_header(self) -> None:
        source("bitbucket")
        legacy = hmac.new(SECRET.encode(), b"{}", "sha1").hexdigest()
        assert send("{}", {"x-hub-signature": f"sha1={legacy}"}).status_code == 401
        assert reason() == "signature-malformed"

    @pytest.mark.parametrize("joint", [",", ", "])
    @pytest.mark.parametrize("slug", ["github", "stripe", "slack", "shopify", "gitlab-token", "paddle"])
    def test_a_signature_header_sent_twice_verifies_nothing(self, slug: str, joint: str) -> None:
        source(slug)
        raw = base64.b64encode(hmac.digest(SECRET.encode(), b"{}", "sha256")).decode()
        values = {
            "github": ("x-hub-signature-256", f"sha256={sha256_hex('{}')}"),
            "stripe": ("stripe-signature", f"t={AT},v1={sha256_hex(f'{AT}.{{}}')}"),
            "slack": ("x-slack-signature", f"v0={sha256_hex(f'v0:{AT}:{{}}')}"),
            "shopify": ("x-shopify-hmac-sha256", raw),
            "gitlab-token": ("x-gitlab-token", SECRET),
            "paddle": ("paddle-signature", f"ts={AT};h1={sha256_hex(f'{AT}:{{}}')}"),
        }
        name, value = values[slug]
        stamp = {"x-slack-request-timestamp": str(AT)}
        assert send("{}", {name: joint.join([value, value]), **stamp}).status_code == 401
        assert not Event.objects.exists()
        assert send("{}", {name: value, **stamp}).status_code in (200, 202)

    @pytest.mark.parametrize("slug", sorted(SCHEMES))
    def test_an_empty_request_is_answered_by_every_row(self, slug: str) -> None:
        hex_key = {"discord": "12505f9f45a056d21374908df95ca7b735f483b761cd1788c7b94206cc1be7eb"}
        secret = {
            "standard-webhooks": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "svix": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "gitlab": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "adyen": "00ff",
            "adyen-platform": "00ff",
            "discord": hex_key["discord"],
            "discord-interactions": hex_key["discord"],
            "sendgrid": "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+"
            "2fNNRaINXvVpiglSI8eNEc6wEA3F+g==",
        }.get(slug, SECRET)
        account = {"account": "a"} if slug in ("aws-sns", "paypal") else {}
        source(slug, secret, public_url="https://hub.example.com/in/shop", **account)
        assert send(b"", {}).status_code == (202 if slug == "none" else 401)


@pytest.mark.django_db
class TestAddresses:
    def signed(self, url: str) -> dict[str, str]:
        signature = hmac.digest(SECRET.encode(), f"{url}{{}}".encode(), "sha256")
        return {"x-square-hmacsha256-signature": base64.b64encode(signature).decode()}

    def test_the_stored_address_is_checked_and_not_the_request_s_host(self) -> None:
        source("square", public_url="https://shop.example/in/shop")
        assert send("{}", self.signed("http://testserver/in/shop")).status_code == 401
        assert send("{}", self.signed("https://shop.example/in/shop")).status_code == 202

    def test_the_hub_s_own_address_is_the_usual_one(self, settings: Any) -> None:
        settings.HUB_PUBLIC_URL = "https://hub.example"
        source("square")
        assert send("{}", self.signed("https://hub.example/in/shop")).status_code == 202

    def test_where_nobody_said_the_address_the_operator_is_told(self, settings: Any) -> None:
        settings.HUB_PUBLIC_URL = ""
        source("square")
        assert send("{}", self.signed("http://testserver/in/shop")).status_code == 401
        assert reason() == "url-unknown"

    def test_hubspot_decodes_some_escapes_of_the_query_and_leaves_the_others(self) -> None:
        source("hubspot", public_url="https://hub.example/in/shop")
        decoded = "https://hub.example/in/shop?a=x:y/z%20&b=@%26"
        content = f"POST{decoded}{{}}{AT}000"
        signature = base64.b64encode(hmac.digest(SECRET.encode(), content.encode(), "sha256")).decode()
        headers = {"x-hubspot-request-timestamp": f"{AT}000", "x-hubspot-signature-v3": signature}
        assert send("{}", headers, query="a=x%3Ay%2fz%20&b=%40%26").status_code == 202

    def test_twilio_signs_with_the_port_or_without(self) -> None:
        source("twilio", public_url="https://hub.example/in/shop")
        for url in ("https://hub.example/in/shop", "https://hub.example:443/in/shop"):
            signature = base64.b64encode(hmac.digest(SECRET.encode(), f"{url}A1".encode(), "sha1")).decode()
            answer = send(
                "A=1", {"x-twilio-signature": signature}, content_type="application/x-www-form-urlencoded"
            )
            assert (answer.status_code, answer.content) == (200, b"<Response/>")

    def test_twilio_s_body_that_nobody_signed_is_refused(self) -> None:
        source("twilio", public_url="https://hub.example/in/shop")
        signature = base64.b64encode(
            hmac.digest(SECRET.encode(), b"https://hub.example/in/shop", "sha1")
        ).decode()
        assert send(b"&&&", {"x-twilio-signature": signature}).status_code == 401
        assert reason() == "body-unreadable"


@pytest.mark.django_db
class TestBodies:
    def test_what_was_signed_is_kept_when_that_is_not_the_body(self) -> None:
        source("didit")
        body = b'{ "timestamp":1767225600, "event_id":"first", "event_id":"last", "n":98.0, "name":"Jos\\u00e9" }'
        canonical = '{"event_id":"last","n":98,"name":"José","timestamp":1767225600}'.encode()
        headers = {"x-signature-v2": sha256_hex(canonical), "x-timestamp": str(AT)}
        assert send(body, headers).status_code == 202
        assert bytes(EventBody.objects.get().body) == canonical
        assert (Event.objects.get().external_id, Event.objects.get().size) == ("last", len(canonical))
        assert Event.objects.get().verified_by == "didit-v2 …cret"

    def test_a_broken_raw_signature_does_not_spoil_a_good_v2(self) -> None:
        source("didit")
        body = didit()
        canonical = json.dumps(json.loads(body), sort_keys=True, separators=(",", ":"))
        headers = {"x-signature": "00", "x-signature-v2": sha256_hex(canonical), "x-timestamp": str(AT)}
        assert send(body, headers).status_code == 202

    def test_simple_alone_is_never_enough_unless_the_source_says_so(self) -> None:
        source("didit")
        headers = {"x-signature-simple": sha256_hex(f"{AT}:::status.updated"), "x-timestamp": str(AT)}
        assert send(didit(), headers).status_code == 401
        assert reason() == "signature-missing"

    def test_a_form_of_github_s_is_verified_as_it_was_sent(self) -> None:
        source("github")
        body = "payload=%7B%22a%22%3A1%7D"
        headers = {"x-hub-signature-256": f"sha256={sha256_hex(body)}", "x-github-event": "push"}
        assert send(body, headers, content_type="application/x-www-form-urlencoded").status_code == 202
        assert bytes(EventBody.objects.get().body) == body.encode()

    def test_a_retry_that_was_signed_anew_is_a_duplicate(self) -> None:
        source("linear")
        for at in (AT - 50, AT):
            body = json.dumps({"type": "Issue", "webhookTimestamp": at * 1_000}).encode()
            headers = {"linear-signature": sha256_hex(body), "linear-delivery": "d1"}
            assert send(body, headers).status_code == 200
        assert Event.objects.count() == 1
        assert not Refusal.objects.exists()

    def test_a_resend_with_a_fresh_timestamp_and_no_id_is_not_the_same_event(self) -> None:
        source("didit")
        for at in (AT - 50, AT):
            body = json.dumps({"session_id": "s", "webhook_type": "status.updated", "timestamp": at}).encode()
            send(body, {"x-signature": sha256_hex(body), "x-timestamp": str(at)})
        assert Event.objects.count() == 2


class TestFieldsSaidTwice:
    """Where fields are signed, who reads the first of two must not be told what nobody signed."""

    @pytest.mark.parametrize(
        "forged", ['{"eventCode":"REFUND",', '{"\\u0065ventCode":"REFUND",', '{"any":1,"any":2,']
    )
    @pytest.mark.django_db
    def test_an_item_of_adyen_with_a_second_value_is_refused_at_the_door(self, forged: str) -> None:
        vector = next(each for each in VECTORS if each["provider"] == "adyen" and each["expect"] == "valid")
        source("adyen", vector["secret"])
        name = '{"NotificationRequestItem":{'
        body = json.dumps(json.loads(vector["body"]), separators=(",", ":"))
        assert name in body
        assert send(body.replace(name, name[:-1] + forged), {}).status_code == 401
        assert reason() == "body-ambiguous"
        assert send(body, {}).status_code == 200

    @pytest.mark.parametrize(
        "name", ["sns-v2-notification-sha256", "mailgun-valid", "didit-simple-entity-event"]
    )
    def test_no_row_that_signs_fields_takes_one_twice(self, name: str) -> None:
        case = from_vector(BY_ID[name])
        assert isinstance(case.verify(case.arrival), Verified)
        body = b'{"x":1,"x":2,' + case.arrival.body.lstrip()[1:]
        assert case.verify(replace(case.arrival, body=body)) == refused("body-ambiguous")

    def test_of_all_rows_only_these_sign_fields(self) -> None:
        rows = [*SCHEMES.values(), with_options(scheme("generic-hmac"), {"signed": "{json:id}.{body}"})]
        assert {row.slug for row in rows if row.signs_fields} == {
            "adyen",
            "aws-sns",
            "didit-simple",
            "mailgun",
        }

    def test_where_the_bytes_are_signed_it_is_the_sender_s_affair(self) -> None:
        body = b'{"a":1,"a":2}'
        arrival = replace(
            from_vector(BY_ID["github-valid-unicode"]).arrival,
            body=body,
            headers={"x-hub-signature-256": f"sha256={sha256_hex(body)}"},
        )
        secrets = [LiveSecret(text=SECRET, hint="cret")]
        found = verify(scheme=scheme("github"), secrets=secrets, arrival=arrival, now=arrival.received_at)
        assert isinstance(found, Verified)


@pytest.mark.django_db
class TestDowngrades:
    def test_a_source_with_a_public_key_takes_no_v1(self) -> None:
        public = "whpk_ElBfn0WgVtITdJCN+VyntzX0g7dhzReIx7lCBswb5+s="
        source("standard-webhooks", public)
        key = base64.b64decode(public.removeprefix("whpk_"))
        forged = base64.b64encode(hmac.digest(key, f"m.{AT}.{{}}".encode(), "sha256")).decode()
        headers = {"webhook-id": "m", "webhook-timestamp": str(AT), "webhook-signature": f"v1,{forged}"}
        assert send("{}", headers).status_code == 401
        assert reason() == "signature-mismatch"

    @pytest.mark.parametrize(
        "settings", ["key=k,algorithm=HMAC_MD5", "algorithm=HMAC_SHA1,algorithm=HMAC_SHA256"]
    )
    def test_an_algorithm_of_twilio_s_that_is_unknown_fails_closed(self, settings: str) -> None:
        source("twilio", public_url="https://hub.example/in/shop")
        signature = base64.b64encode(
            hmac.digest(SECRET.encode(), b"https://hub.example/in/shopA1", "sha1")
        ).decode()
        headers = {"x-twilio-signature": signature, "x-twilio-webhooks-signature-settings": settings}
        assert send("A=1", headers, content_type="application/x-www-form-urlencoded").status_code == 401
        assert reason() == "signature-version"

    def test_raw_delivery_of_sns_has_no_signature_and_is_refused(self) -> None:
        source("aws-sns", "", account="arn:aws:sns:us-east-1:1:T")
        assert send('{"any":"thing"}', {"x-amz-sns-rawdelivery": "true"}).status_code == 401
        assert reason() == "signature-missing"


URLS = [
    "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
    "https://evil.example/https://sns.us-east-1.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
    "https://user@sns.us-east-1.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com:444/a.pem",
    "http://sns.us-east-1.amazonaws.com/a.pem",
    "https://sns.us-east-1.amazonaws.com/a.pem?x=.pem",
    "https://sns.us-east-1.amazonaws.com/../a.pem",
    "https://sns.us-east-1.amazonaws.com/a.pem\n",
    "https://sns.us-east-1.amazonaws.com/a.crt",
    "https://sns.evil.amazonaws.com/a.pem",
    "https://s3.us-east-1.amazonaws.com/a.pem",
    "https://evilpaypal.com/v1/notifications/certs/CERT-1",
    "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1",
    "https://api.paypal.com/v1/notifications/certs/../../x",
    "file:///etc/passwd",
    "",
]


class TestCertificates:
    @pytest.mark.parametrize("url", URLS)
    @pytest.mark.parametrize("slug", ["aws-sns", "paypal"])
    def test_an_address_that_is_not_the_provider_s_own_is_never_fetched(self, slug: str, url: str) -> None:
        body = json.dumps({"SigningCertURL": url}).encode()
        came = Arrival(
            method="POST",
            headers={"paypal-cert-url": url.replace("\n", "\x0b")},
            body=body,
            query="",
            remote_address="",
            received_at=datetime.now(UTC),
        )
        found = certificate_url(scheme(slug), came)
        assert isinstance(found, Refused) and found.reason == "certificate-url"

    @pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1"])
    def test_a_host_with_a_private_address_is_not_connected_to(self, address: str, monkeypatch: Any) -> None:
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        connected: list[Any] = []
        monkeypatch.setattr(socket, "create_connection", lambda *given, **__: connected.append(given))
        url = f"https://sns.us-east-1.amazonaws.com/{address.replace(':', '')}.pem"
        with pytest.raises(certificates.CertificateUnavailable):
            certificates.certificate_at(url)
        assert connected == []

    def test_a_failure_stands_for_a_while_and_a_success_for_good(self, monkeypatch: Any) -> None:
        fetched: list[str] = []

        def fetch(url: str) -> str:
            fetched.append(url)
            if len(fetched) == 1:
                raise OSError("no route")
            return "PEM"

        monkeypatch.setattr(certificates, "_fetch", fetch)
        url = f"https://sns.us-east-1.amazonaws.com/{time.monotonic_ns()}.pem"
        for _ in range(3):
            with pytest.raises(certificates.CertificateUnavailable):
                certificates.certificate_at(url)
        assert len(fetched) == 1
        certificates._failed.clear()
        assert [certificates.certificate_at(url) for _ in range(3)] == ["PEM"] * 3
        assert len(fetched) == 2

    @pytest.mark.django_db
    def test_while_a_certificate_cannot_be_had_the_sender_is_asked_to_come_again(
        self, monkeypatch: Any
    ) -> None:
        def down(url: str) -> str:
            raise OSError("no route")

        monkeypatch.setattr(certificates, "_fetch", down)
        source("aws-sns", "", account="arn:aws:sns:us-east-1:1:T")
        url = f"https://sns.us-east-1.amazonaws.com/{time.monotonic_ns()}.pem"
        answer = send(json.dumps({"Type": "Notification", "Signature": "AA==", "SigningCertURL": url}), {})
        assert answer.status_code == 503
        assert not Refusal.objects.exists() and not Event.objects.exists()


@pytest.mark.django_db
def test_our_own_faults_are_5xx_since_4xx_is_final_for_many_senders(monkeypatch: Any) -> None:
    def down(*_: Any) -> Any:
        raise OperationalError("gone")

    source("github")
    monkeypatch.setattr("webhooks.store.store", down)
    headers = {"x-hub-signature-256": f"sha256={sha256_hex('{}')}"}
    assert send("{}", headers).status_code == 503


CERTIFIED = {"aws-sns": "sns-v2-notification-sha256", "paypal": "paypal-valid"}


class TestWhatACertificateVouchesFor:
    @pytest.mark.parametrize("slug", sorted(CERTIFIED))
    def test_the_case_is_valid_before_it_is_changed(self, slug: str) -> None:
        assert self.verdict(slug) == Verified()

    @pytest.mark.parametrize(
        ("slug", "why"), [("aws-sns", "account-mismatch"), ("paypal", "signature-mismatch")]
    )
    def test_another_account_of_the_same_provider_is_a_stranger(self, slug: str, why: str) -> None:
        assert self.verdict(slug, account="arn:aws:sns:us-east-1:666:Evil") == refused(why)

    @pytest.mark.parametrize(("least", "is_taken"), [("", True), ("1", True), ("2", False)])
    def test_a_version_that_the_sender_chose_too_old_is_refused(self, least: str, is_taken: bool) -> None:
        case = from_vector(BY_ID["sns-v1-no-subject"])
        row = with_options(case.row, {"least_version": least} if least else {})
        found = verify(
            scheme=row,
            secrets=[],
            arrival=case.arrival,
            now=case.arrival.received_at,
            certificate=case.certificate,
            roots=case.roots,
        )
        assert found == (Verified() if is_taken else refused("signature-version"))

    @pytest.mark.parametrize("year", [2024, 2046])
    @pytest.mark.parametrize("slug", sorted(CERTIFIED))
    def test_a_certificate_out_of_its_time_verifies_nothing(self, slug: str, year: int) -> None:
        assert self.verdict(slug, now=datetime(year, 6, 1, tzinfo=UTC)) == refused("certificate-invalid")

    @pytest.mark.parametrize(
        "pem", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"]
    )
    def test_what_is_no_certificate_verifies_nothing(self, pem: str) -> None:
        expected = "certificate-invalid" if pem else "certificate-missing"
        assert self.verdict("paypal", certificate=pem) == refused(expected)

    def verdict(self, slug: str, *, account: str = "", **changes: Any) -> Verified | Refused:
        case = from_vector(BY_ID[CERTIFIED[slug]])
        row = with_options(case.row, {"account": account}) if account else case.row
        given: dict[str, Any] = {"certificate": case.certificate, "now": case.arrival.received_at, **changes}
        return verify(scheme=row, secrets=[], arrival=case.arrival, roots=case.roots, **given)
