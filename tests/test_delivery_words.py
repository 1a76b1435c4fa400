"""What people are told of a delivery: its status, its answer, its attempts, the likely cause of a failure, as curl."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.curl import curl
from deliveries.deciders.delivery_signs import duration, response_tag, shown_status, squares
from deliveries.deciders.delivery_words import OUTCOME_WORDS
from deliveries.deciders.diagnosis import BY_OUTCOME, diagnose
from deliveries.deciders.outcome import Outcome
from webhooks.deciders.redaction import MASK


@pytest.mark.parametrize(
    ("state", "phase", "is_held", "expected"),
    [
        ("pending", 0, False, "pending"),
        ("pending", 1, False, "retrying"),
        ("pending", 2, False, "retrying"),
        ("pending", 0, True, "held"),
        ("pending", 1, True, "held"),
        ("dead", 1, True, "dead"),
        ("delivered", 0, False, "delivered"),
        ("superseded", 0, False, "superseded"),
    ],
)
def test_a_status_is_derived(state: str, phase: int, is_held: bool, expected: str) -> None:
    assert shown_status(state=state, phase=phase, is_held=is_held) == expected


@pytest.mark.parametrize(
    ("outcome", "status", "expected"),
    [
        ("", None, ("", "")),
        ("ok", 204, ("204", "")),
        ("server_error", 503, ("503", "bad")),
        ("client_error", 401, ("401", "warn")),
        ("throttled", 429, ("429", "warn")),
        ("timeout", None, ("timeout", "bad")),
        ("timeout", 200, ("timeout", "bad")),  # the answer began and never ended
        ("tls", None, ("TLS", "bad")),
        ("dns", None, ("DNS", "bad")),
        ("refused", None, ("conn", "bad")),
        ("unheard_of", None, ("unheard_of", "bad")),
    ],
)
def test_an_answer_has_a_tag_and_a_tone(outcome: str, status: int | None, expected: tuple[str, str]) -> None:
    assert response_tag(outcome, status) == expected


@pytest.mark.parametrize(
    ("attempts", "state", "outcome", "expected"),
    [
        (0, "pending", "", ["next"]),
        (0, "dead", "blocked", []),
        (1, "delivered", "ok", ["good"]),
        (3, "delivered", "ok", ["bad", "bad", "good"]),
        (2, "pending", "timeout", ["bad", "bad", "next"]),
        (12, "dead", "timeout", ["bad"] * 6),
        (12, "delivered", "ok", ["bad"] * 5 + ["good"]),
    ],
)
def test_attempts_are_squares(attempts: int, state: str, outcome: str, expected: list[str]) -> None:
    assert list(squares(attempts=attempts, state=state, outcome=outcome)) == expected


@pytest.mark.parametrize(
    ("milliseconds", "expected"),
    [
        (None, "–"),
        (0, "0 ms"),
        (999, "999 ms"),
        (1000, "1.0 s"),
        (9_940, "9.9 s"),
        (9_960, "10 s"),
        (15_000, "15 s"),
    ],
)
def test_a_duration_is_short(milliseconds: int | None, expected: str) -> None:
    assert duration(milliseconds) == expected


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_outcome_has_words(outcome: Outcome) -> None:
    assert OUTCOME_WORDS[outcome]
    if outcome not in (Outcome.OK, Outcome.GONE, Outcome.THROTTLED):  # these have a status that says it
        assert BY_OUTCOME[outcome]


def test_what_went_well_has_no_diagnosis() -> None:
    assert diagnose(outcome="ok", status=200, error="") is None
    assert diagnose(outcome="", status=None, error="") is None


@pytest.mark.parametrize(
    ("outcome", "status", "headline", "cause", "concerns_endpoint"),
    [
        ("client_error", 401, "HTTP 401 Unauthorized", "its secret may differ", True),
        ("client_error", 418, "HTTP 418 I'm a Teapot", "look at its answer", True),
        ("client_error", 499, "HTTP 499", "look at its answer", True),
        ("server_error", 503, "HTTP 503 Service Unavailable", "it is unavailable", True),
        ("gone", 410, "HTTP 410 Gone", "the subscription was disabled", True),
        ("throttled", 429, "HTTP 429 Too Many Requests", "a lower rate", True),
        ("redirect", 302, "HTTP 302 Found", "never followed", True),
        ("timeout", None, "No answer in time", "answer first and work later", True),
        ("timeout", 200, "No answer in time", "answer first and work later", True),
        ("tls", None, "TLS failed", "expired, not trusted", True),
        ("blocked", None, "Address blocked", "HUB_EGRESS_ALLOW", False),
        ("transform_failed", None, "Transform failed", "does not fit this event", False),
        ("unheard_of", None, "It failed: unheard_of", "", True),
    ],
)
def test_a_failure_is_said_with_its_likely_cause(
    outcome: str, status: int | None, headline: str, cause: str, concerns_endpoint: bool
) -> None:
    found = diagnose(outcome=outcome, status=status, error="as it was")
    assert found is not None
    assert (found.headline, found.detail, found.concerns_endpoint) == (
        headline,
        "as it was",
        concerns_endpoint,
    )
    assert cause in found.cause


def test_of_an_expired_certificate_the_date_is_said() -> None:
    error = (
        "The endpoint's certificate is not trusted: certificate has expired. It was valid until 2026-11-01."
    )
    found = diagnose(outcome="tls", status=None, error=error)
    assert found is not None
    assert (found.headline, found.cause, found.detail) == (
        "Certificate expired",
        "The receiver's certificate was valid until 2026-11-01: whoever runs the receiver has to renew it.",
        error,
    )


def test_a_curl_command_has_no_secret_in_it() -> None:
    command = curl(
        url="https://a.example/?x=1&y='", headers=[("x-api-key", MASK), ("authorization", "Bearer abc"), ("a", "it's")],
        body=b'{"a": "it\'s"}',
    )  # fmt: skip
    assert shlex.split(command.replace("\\\n", "")) == [
        "curl", "-X", "POST", "https://a.example/?x=1&y='", "-H", "x-api-key: $SECRET", "-H",
        "authorization: $SECRET", "-H", "a: it's", "--data-binary", '{"a": "it\'s"}',
    ]  # fmt: skip
    assert "abc" not in command


@pytest.mark.parametrize("body", [None, b"\xff", b"a\0b", b"@/etc/passwd", b"x" * 16_385])
def test_a_body_that_does_not_fit_a_command_comes_from_a_file(body: bytes | None) -> None:
    assert curl(url="https://a.example", headers=[], body=body).endswith("--data-binary @body")


@given(st.text(), st.text(), st.binary())
def test_no_text_gets_out_of_its_quotes(url: str, value: str, body: bytes) -> None:
    words = shlex.split(curl(url=url, headers=[("name", value)], body=body).replace(" \\\n  ", " "))
    assert (len(words), words[3]) == (8, url) or "\\\n" in url + value or b"\\\n" in body
