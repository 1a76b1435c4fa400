"""What every attempt says of itself, and what a subscription may add."""

import time

import pytest
import standardwebhooks

from deliveries.deciders.request import check_headers, compose_headers
from webhooks.deciders.standard import Signer

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
DELIVERY = "dlv_0192f0c1d2e37000800000000000002a"


def composed(
    extra: dict[str, str] | None = None, *, secrets: tuple[str, ...] = (SECRET,), timestamp: int = 1614265330
) -> dict[str, str]:
    return compose_headers(
        signer=Signer.of(secrets),
        message_id=DELIVERY,
        timestamp=timestamp,
        body=b"{}",
        content_type="application/json",
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
        span_id="00f067aa0ba902b7",
        attempt=3,
        extra=extra or {},
    )


def test_an_attempt_carries_exactly_these_headers() -> None:
    headers = composed()
    signature = headers.pop("webhook-signature")
    assert signature == Signer.of([SECRET]).sign(DELIVERY, 1614265330, b"{}")
    assert headers == {
        "content-type": "application/json",
        "user-agent": "Weir/1",
        "accept-encoding": "identity",
        "webhook-id": DELIVERY,
        "webhook-timestamp": "1614265330",
        "idempotency-key": DELIVERY,
        "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "tracestate": f"weir={DELIVERY}",
        "weir-attempt": "3",
    }


def test_others_entries_in_a_tracestate_follow_ours() -> None:
    headers = compose_headers(
        signer=Signer.of([SECRET]), message_id=DELIVERY, timestamp=1, body=b"{}", content_type="", attempt=1,
        trace_id="4bf92f3577b34da6a3ce929d0e0e4736", span_id="00f067aa0ba902b7", tracestate="congo=1,rojo=2",
        extra={},
    )  # fmt: skip
    assert headers["tracestate"] == f"weir={DELIVERY},congo=1,rojo=2"


def test_a_receiver_with_the_official_package_verifies_it() -> None:
    headers = composed(timestamp=int(time.time()))
    assert standardwebhooks.Webhook(SECRET).verify(b"{}", headers) == {}


def test_the_subscriptions_own_headers_come_along() -> None:
    assert composed({"Authorization": "Bearer t"})["Authorization"] == "Bearer t"


def test_own_headers_never_override_ours() -> None:
    assert composed({"webhook-id": "forged", "user-agent": "x"}) == composed()


def test_without_a_secret_nothing_claims_to_be_signed() -> None:
    assert "webhook-signature" not in composed(secrets=())


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer abc"},
        {"x-team": "billing", "X-Env": "live"},
        {"cookie": "a=b"},
        {"x": ""},
    ],
)
def test_ordinary_headers_pass(headers: dict[str, str]) -> None:
    check_headers(headers)


TAKEN = """
    Host Content-Length Content-Type Content-Encoding Transfer-Encoding Connection Keep-Alive TE Trailer
    Upgrade Expect Proxy-Authorization User-Agent Accept-Encoding Idempotency-Key traceparent TraceState
    webhook-id Webhook-Anything weir-attempt WEIR-cause
"""


@pytest.mark.parametrize("name", TAKEN.split())
def test_a_header_that_is_ours_or_the_connections_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=rf"^The header {name} is set by [^.]*\.$"):
        check_headers({"x-fine": "1", name: "v"})


@pytest.mark.parametrize("name", ["", "a b", "a:b", "x\r\ny", "é", "x\x00"])
def test_a_name_that_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="^A header's name may have only"):
        check_headers({name: "v"})


@pytest.mark.parametrize("value", ["a\r\nb: c", "a\nb", "\x00", "\x7f", "tab\there", "é", "\ud800"])
def test_a_bad_value_is_refused_without_being_repeated(value: str) -> None:
    with pytest.raises(ValueError) as refusal:
        check_headers({"x-token": "s3cret" + value})
    assert str(refusal.value) == "The value of the header x-token must be printable ASCII."


def test_a_name_in_two_spellings_is_refused() -> None:
    with pytest.raises(ValueError, match="^The header X-A is given twice.$"):
        check_headers({"x-a": "1", "X-A": "2"})


def test_four_kibibytes_are_the_limit() -> None:
    check_headers({"x": "v" * 4_095})
    with pytest.raises(ValueError, match="^The headers are larger than 4,096 bytes together.$"):
        check_headers({"x": "v" * 4_096})
