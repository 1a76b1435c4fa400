"""A provider reads the answer it wants, the first time and every time after, and never when it was refused."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.test_signature_vectors import VECTORS, _send, _source
from webhooks.deciders.scheme_columns import Scheme
from webhooks.deciders.schemes import scheme
from webhooks.models import Event, EventKey

pytestmark = pytest.mark.django_db

# By the row: what a sender of one valid request reads. The rows that are not here read our own JSON.
ANSWERS = {
    "adyen": (200, "text/plain; charset=utf-8", b"[accepted]"),
    "discord": (204, None, b""),
    "linear": (200, "text/plain; charset=utf-8", b""),
    "mailgun": (200, "text/plain; charset=utf-8", b""),
    "paddle": (200, "text/plain; charset=utf-8", b""),
    "slack": (200, "text/plain; charset=utf-8", b""),
    "twilio": (200, "text/xml; charset=utf-8", b"<Response/>"),
    "zoom": (200, "text/plain; charset=utf-8", b""),
}
VALID = {
    vector["provider"]: vector
    for vector in VECTORS
    if vector["expect"] == "valid" and vector["provider"] in ANSWERS and "kind" not in vector
}


def row_of(vector: dict[str, Any]) -> Scheme:
    return scheme(_source(vector).scheme)


@pytest.mark.parametrize("provider", sorted(ANSWERS))
def test_the_first_and_every_later_answer_is_the_provider_s_own(provider: str, monkeypatch: Any) -> None:
    vector = VALID[provider]
    monkeypatch.setattr("webhooks.views.timezone.now", lambda: datetime.fromtimestamp(vector["now"], UTC))
    assert row_of(vector).reply is not None
    for _ in range(2):
        answer = _send(vector)
        status, content_type, body = ANSWERS[provider]
        assert (answer.status_code, answer.content) == (status, body)
        if content_type:
            assert answer.headers["Content-Type"] == content_type
    assert Event.objects.count() == 1
    assert EventKey.objects.get().duplicates == 1


@pytest.mark.parametrize("provider", sorted(ANSWERS))
def test_who_is_refused_reads_nothing_of_it(provider: str) -> None:
    vector = VALID[provider]
    _source(vector)
    answer = _send(vector | {"headers": {}, "body": "{}"})
    assert (answer.status_code, answer.json()) == (401, {"detail": "signature verification failed"})
    assert not Event.objects.exists()


def test_a_row_without_an_answer_of_its_own_reads_ours(monkeypatch: Any) -> None:
    vector = next(each for each in VECTORS if each["id"] == "github-valid-unicode")
    monkeypatch.setattr("webhooks.views.timezone.now", lambda: datetime.fromtimestamp(vector["now"], UTC))
    _source(vector)
    assert [(_send(vector).status_code, _send(vector).json()["status"])] == [(202, "duplicate")]
