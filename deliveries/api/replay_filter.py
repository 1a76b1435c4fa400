"""Which deliveries a replay is asked for over the API: the console's own query, under the API's names.

What is read here becomes the parameters of the console's address and goes through its one parser, so that both doors
mean the same by the same words.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from deliveries.deciders.delivery_address import MOST_ATTEMPTS, parse, to_params
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.list_address import MOST_LETTERS, MOST_VALUES, iso
from deliveries.deciders.list_query import SINCE
from deliveries.deciders.outcome import Outcome
from deliveries.models import Issue
from webhooks.ids import public_id
from webhooks.rest import PublicId, Since, Strict, When

# The API's name of each filter, the console's, and what is said of a value that it does not know.
_TEXTS: Final[Mapping[str, tuple[str, str]]] = {
    "source": ("source", "A source is named by its slug."),
    "event_type": ("type", "An event type is a name such as order.paid, or a pattern such as order.*."),
    "status_code": ("code", "A status is three digits, 2xx to 5xx, or net where there was no answer."),
    "fingerprint": ("fp", "This is not a fingerprint; an issue shows its own."),
    "below": ("below", "This is no id of an event or a delivery."),
    "q": ("q", "This is no id of ours or of a sender's."),
}
_NAMES: Final[Mapping[str, str]] = {
    "status": "status", "sub": "subscription", "source": "source", "type": "event_type", "code": "status_code",
    "error": "outcome", "fp": "fingerprint",
}  # fmt: skip

Params = dict[str, list[str]]


def _several(child: Any, help_text: str) -> serializers.ListField:
    return serializers.ListField(child=child, required=False, max_length=MOST_VALUES, help_text=help_text)


class SinceOrSpan(Since):
    """What the console's address has a word for stays that word, so that the same order is known for the same."""

    def to_internal_value(self, data: Any) -> Any:
        return data if isinstance(data, str) and data in SINCE else super().to_internal_value(data)


class Criteria(Strict):
    """Empty means any; several values of one filter mean any of them, several filters all of them."""

    status = _several(
        serializers.ChoiceField(choices=[each.value for each in Status]),
        "`dead`, `delivered`, `discarded`, `superseded`, `pending`, `retrying`, `held`. Left out: `dead`.",
    )
    subscription = _several(PublicId("subscription"), "Ids of subscriptions.")
    source = _several(serializers.CharField(max_length=63), "Slugs of sources.")  # type: ignore[assignment]
    event_type = _several(
        serializers.CharField(max_length=200), "Event types, or patterns such as `order.*`."
    )
    status_code = _several(
        serializers.CharField(max_length=3), "Of the last answer: `503`, `5xx`, or `net` for none."
    )
    outcome = _several(
        serializers.ChoiceField(choices=[each.value for each in Outcome]), "What came of the last attempt."
    )
    issue = _several(PublicId("issue"), "Ids of issues.")
    fingerprint = _several(serializers.CharField(max_length=40), "Fingerprints of issues.")
    replay = PublicId("replay", required=False, help_text="Only what this replay has sent.")
    below = serializers.CharField(
        required=False,
        max_length=40,
        help_text="The id of an event or a delivery: only what lies below it in its cascade, parents first, so that "
        "each event waits until all above it were answered, well or not.",
    )
    q = serializers.CharField(
        required=False, max_length=MOST_LETTERS, help_text="An id, of ours or the sender's, exactly."
    )
    since = SinceOrSpan(
        f"Deliveries made at this time or later. {Since.HOW} Left out: 30 days, or any time for a search, an issue, "
        "a replay or a node of a cascade."
    )
    until = When(f"Deliveries made before this time. {When.HOW} Left out: now.")
    attempts = serializers.IntegerField(
        required=False, min_value=1, max_value=MOST_ATTEMPTS, help_text="Tried at least so often."
    )

    def to_params(self, asked: Mapping[str, Any]) -> Params:
        """The parameters of the console's address, for values that are valid. Raises ValidationError."""
        params: Params = {
            "status": list(asked.get("status", ())),
            "sub": [public_id("subscription", each) for each in asked.get("subscription", ())],
            "error": list(asked.get("outcome", ())),
            "replay": [public_id("replay", asked["replay"])] if "replay" in asked else [],
            "attempts": [f">={asked['attempts']}"] if "attempts" in asked else [],
            **_span(asked),
        }
        for name, (param, sentence) in _TEXTS.items():
            given = asked.get(name, [])
            params[param] = [given] if isinstance(given, str) else list(given)
            if parse({param: params[param]}).notices:
                raise ValidationError({name: [sentence]})
        params["fp"] += _fingerprints(asked.get("issue", ()))
        return {name: values for name, values in params.items() if values}


def shown(query: DeliveryQuery) -> dict[str, Any]:
    """The same words, of a query that a replay has frozen."""
    params = to_params(query)
    told: dict[str, Any] = {
        name: params[param] if param == "type" else params[param][0].split(",")
        for param, name in _NAMES.items()
        if param in params
    }
    singles = {"replay": "replay", "below": "below", "q": "q", "from": "since", "to": "until"}
    told |= {name: params[param][0] for param, name in singles.items() if param in params}
    return told | ({"attempts": query.attempts} if query.attempts else {})


def _span(asked: Mapping[str, Any]) -> Params:
    since, until = asked.get("since"), asked.get("until")
    if isinstance(since, str):
        if until is None:
            return {"since": [since]}
        span = SINCE[since]  # the address knows spans up to now alone
        since = datetime.now(UTC).replace(microsecond=0) - span if span else None
    if since and until and since >= until:
        raise ValidationError({"until": ["Choose a time later than since."]})
    return {name: [iso(at)] for name, at in (("from", since), ("to", until)) if at}


def _fingerprints(issues: Any) -> list[str]:
    found = dict(Issue.objects.filter(pk__in=issues).values_list("pk", "fingerprint")) if issues else {}
    if missing := [each for each in issues if each not in found]:
        raise ValidationError({"issue": [f"There is no issue {public_id('issue', missing[0])}."]})
    return sorted(set(found.values()))
