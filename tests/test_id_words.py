"""What is no id is said to be none in words that people use."""

import pytest

from webhooks.ids import PREFIXES, parse_id

NAMED = {
    "source": "a source",
    "event": "an event",
    "eventtype": "an event type",
    "refusal": "a refusal",
    "subscriber": "a subscriber",
    "apikey": "an API key",
    "subscription": "a subscription",
    "delivery": "a delivery",
    "attempt": "an attempt",
    "deadletter": "a dead letter",
    "issue": "an issue",
    "replay": "a replay",
    "notice": "a notice",
    "alert": "an alert",
    "alertrule": "an alert rule",
    "alertchannel": "an alert channel",
}


@pytest.mark.parametrize("kind", PREFIXES)
def test_each_kind_has_its_article_and_its_words(kind: str) -> None:
    with pytest.raises(ValueError, match="This is not") as refused:
        parse_id(kind, "nothing")
    assert str(refused.value) == (
        f"This is not {NAMED[kind]} id: expected {PREFIXES[kind]}_ and 32 hex digits."
    )
