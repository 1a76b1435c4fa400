"""The official libraries and this hub agree on what is signed, and on what is not."""

import json
import time
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
import standardwebhooks
import stripe
from slack_sdk.signature import SignatureVerifier
from twilio.request_validator import RequestValidator

from webhooks.deciders.options import with_options
from webhooks.deciders.schemes import scheme
from webhooks.deciders.verify import Arrival, LiveSecret, Verified, verify

NOW = int(time.time())
BODY = json.dumps({"id": "evt_1", "type": "order.paid", "name": "José 日本"}, ensure_ascii=False)
OTHERS = [BODY + " ", BODY.replace("paid", "void"), ""]
URL = "https://hub.example.com/in/shop"


def accepts(
    slug: str, secret: str, headers: dict[str, str], body: str, *, at: int = NOW, query: str = ""
) -> bool:
    arrival = Arrival(
        method="POST",
        headers={name.lower(): value for name, value in headers.items()},
        body=body.encode(),
        query=query,
        remote_address="",
        received_at=datetime.fromtimestamp(at, UTC),
    )
    row = with_options(scheme(slug), {"public_url": URL})
    live = [LiveSecret(text=secret, hint=secret[-4:])]
    return isinstance(verify(scheme=row, secrets=live, arrival=arrival, now=arrival.received_at), Verified)


@pytest.mark.parametrize(
    ("slug", "prefix"), [("standard-webhooks", "webhook"), ("svix", "svix"), ("gitlab", "webhook")]
)
def test_standardwebhooks_agrees(slug: str, prefix: str) -> None:
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    at = datetime.fromtimestamp(NOW, UTC)
    signature = standardwebhooks.Webhook(secret).sign(msg_id="msg_1", timestamp=at, data=BODY)
    headers = {f"{prefix}-id": "msg_1", f"{prefix}-timestamp": str(NOW), f"{prefix}-signature": signature}
    assert accepts(slug, secret, headers, BODY)
    assert not any(accepts(slug, secret, headers, other) for other in OTHERS)


def stripe_accepts(header: str, body: str, secret: str) -> bool:
    try:
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=300)
    except stripe.SignatureVerificationError:
        return False
    return True


@pytest.mark.parametrize("age", [0, 299, 301])
@pytest.mark.parametrize("body", [BODY, *OTHERS])
@pytest.mark.parametrize("version", ["v1", "v0"])
def test_stripe_agrees(age: int, body: str, version: str) -> None:
    secret, at = "whsec_test_secret", int(time.time()) - age
    compute: Any = stripe.WebhookSignature._compute_signature
    header = f"t={at},{version}={compute(f'{at}.{BODY}', secret)}"
    expected = body == BODY and age < 300 and version == "v1"
    assert stripe_accepts(header, body, secret) is expected
    assert accepts("stripe", secret, {"Stripe-Signature": header}, body, at=int(time.time())) is expected


@pytest.mark.parametrize("body", [BODY, *OTHERS])
def test_slack_sdk_agrees(body: str) -> None:
    official = SignatureVerifier("slack-secret")
    at = str(int(time.time()))
    signature = official.generate_signature(timestamp=at, body=BODY)
    headers = {"X-Slack-Request-Timestamp": at, "X-Slack-Signature": str(signature)}
    assert official.is_valid_request(body, headers) is (body == BODY)
    assert accepts("slack", "slack-secret", headers, body, at=int(at)) is (body == BODY)


TEXTS = {"MessageSid": "SM1", "Body": "José & Söhne = 100 % +", "Empty": "", "Z": "z", "a": "A"}


@pytest.mark.parametrize("algorithm", ["HMAC_SHA1", "HMAC_SHA256", "HMAC_MD5"])
@pytest.mark.parametrize("query", ["", "foo=1&bar=%20x"])
def test_twilio_agrees_on_forms(algorithm: str, query: str) -> None:
    official = RequestValidator("12345")
    url = f"{URL}?{query}" if query else URL
    known = algorithm if algorithm != "HMAC_MD5" else "HMAC_SHA1"
    headers = {
        "X-Twilio-Signature": official.compute_signature(url, TEXTS, known),
        "X-Twilio-Webhooks-Signature-Settings": f"key=k,algorithm={algorithm}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    expected = official.validate(url, TEXTS, headers["X-Twilio-Signature"], algorithm)
    assert expected is (algorithm != "HMAC_MD5")
    assert accepts("twilio", "12345", headers, urlencode(TEXTS), query=query) is expected
    assert not accepts("twilio", "12345", headers, urlencode(TEXTS | {"Z": "y"}), query=query)


def test_twilio_agrees_on_json() -> None:
    official = RequestValidator("12345")
    query = f"bodySHA256={official.compute_hash(BODY)}"
    signature = official.compute_signature(f"{URL}?{query}", {})
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/json"}
    assert official.validate(f"{URL}?{query}", BODY, signature)
    assert accepts("twilio", "12345", headers, BODY, query=query)
    assert not accepts("twilio", "12345", headers, BODY + " ", query=query)
