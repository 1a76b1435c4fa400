"""How a replay is ordered as JSON. It starts none, and counts nothing."""

from collections.abc import Mapping
from typing import Any, Final

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from deliveries.deciders.replay_choice import DISCARD, Choice, Preset, read
from deliveries.models.replay import ReplayState, Verb
from deliveries.selectors.never_attempted import without_subscription
from deliveries.services.replays import HIGHEST_RATE_PER_S, MOST_ITEMS
from webhooks.rest import MadeBetween
from webhooks.serializers import Reason

from .replay_filter import Criteria

PRESETS: Final[Mapping[str, Preset]] = {
    "failed-since": Preset.FAILED,
    "never-attempted": Preset.NEVER,
    "one-issue": Preset.ISSUE,
}
PRESET_NAMES: Final[Mapping[str, str]] = {"": ""} | {preset.value: name for name, preset in PRESETS.items()}
OF_SENDING: Final = (
    "rate_per_s",
    "exceed_limits",
    "send_one_first",
    "stop_itself",
    "newest_only",
    "only_moving",
)


class ReplayOrder(Reason):
    kind = serializers.ChoiceField(
        choices=Verb.choices, default=Verb.REPLAY, help_text="Send them again, or let them rest for good."
    )
    filter = Criteria(
        required=False, help_text="Which deliveries. Left out: the dead letters of the last 30 days."
    )
    preset = serializers.ChoiceField(
        choices=list(PRESETS),
        required=False,
        help_text="`failed-since`: the dead letters of the filter. `never-attempted`: also events that the named "
        "subscriptions want and were never owed, such as those from before they were made. `one-issue`: the dead "
        "letters of the named issues.",
    )
    newest_only = serializers.BooleanField(
        required=False, help_text="Of each entity only its newest event. Left out: false."
    )
    only_moving = serializers.BooleanField(
        required=False,
        help_text="Nothing of subscriptions that are paused, or whose circuit is not closed. Left out: false.",
    )
    rate_per_s = serializers.FloatField(
        required=False,
        allow_null=True,
        max_value=HIGHEST_RATE_PER_S,
        help_text="Deliveries a second to each subscription. Left out: as fast as each allows.",
    )
    exceed_limits = serializers.BooleanField(
        required=False, help_text="Whether the rate may lie above a subscription's own. Left out: false."
    )
    send_one_first = serializers.BooleanField(
        required=False,
        help_text="Send one to each subscription, and go on when it is answered by a 2xx. Left out: true.",
    )
    stop_itself = serializers.BooleanField(
        required=False,
        help_text="Stop when more than a fifth of the last 50 failed, or a circuit opens. Left out: true.",
    )
    expected_count = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text="How many you saw, such as in a dry run: when it would be another number now, nothing is "
        "started, and the answer is 409. Needed to discard, and where neither a filter nor a preset says which.",
    )
    dry_run = serializers.BooleanField(
        default=False, help_text=f"Only say what it would take in (at most {MOST_ITEMS:,} go at once)."
    )

    def validate_rate_per_s(self, rate: float | None) -> float | None:
        return checked_rate(rate)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs["dry_run"] and not attrs.get("reason", "").strip():
            raise ValidationError({"reason": ["Say why: a reason is needed."]})
        if attrs["kind"] == Verb.DISCARD:
            _refuse_of_sending(attrs)
        attrs["choice"] = self._choice(attrs)
        if not attrs["dry_run"] and "expected_count" not in attrs:
            _check_meant(attrs)
        return attrs

    def _choice(self, attrs: Mapping[str, Any]) -> Choice:
        """What the console would read from an address that asks the same."""
        asked = attrs.get("filter", {})
        try:
            params = Criteria().to_params(asked)
        except ValidationError as error:
            raise ValidationError({"filter": error.detail}) from None
        options = {
            "preset": attrs.get("preset", ""),
            "act": DISCARD if attrs["kind"] == Verb.DISCARD else "",
            "newest": "1" if attrs.get("newest_only") else "",
            "moving": "1" if attrs.get("only_moving") else "",
        }
        found = read(params | {name: [text] for name, text in options.items() if text})
        if found.notices:
            raise ValidationError({"filter": list(found.notices)})
        _check_preset(found.choice)
        return found.choice


def _check_meant(attrs: Mapping[str, Any]) -> None:
    """Nobody sends the whole hub again, or lets anything rest for good, who has not said that he means it."""
    if attrs["kind"] == Verb.DISCARD:
        raise ValidationError({"expected_count": ["Say how many you saw, such as in a dry run."]})
    if not attrs.get("filter") and not attrs.get("preset"):
        raise ValidationError({"filter": ["Say which: by a filter, a preset, or the number you saw."]})


class RateChange(Reason):
    rate_per_s = serializers.FloatField(
        max_value=HIGHEST_RATE_PER_S, help_text="Deliveries a second to each subscription, from now on."
    )
    exceed_limits = serializers.BooleanField(
        default=False, help_text="Whether it may lie above a subscription's own rate."
    )

    def validate_rate_per_s(self, rate: float) -> float | None:
        return checked_rate(rate)


class ReplayFilters(MadeBetween):
    state = serializers.ChoiceField(choices=ReplayState.choices, required=False, help_text="How it stands.")
    kind = serializers.ChoiceField(
        source="verb", choices=Verb.choices, required=False, help_text="`replay` or `discard`."
    )


def checked_rate(rate: float | None) -> float | None:
    if rate is not None and not rate > 0:  # NaN is not more than 0 either
        raise ValidationError("Choose a rate of more than 0.")
    return rate


def _check_preset(choice: Choice) -> None:
    if without_subscription(choice):
        sentence = "Name a subscription: it is asked what that one was never sent."
        raise ValidationError({"filter": {"subscription": [sentence]}})
    if choice.preset == Preset.ISSUE and not choice.query.fingerprints:
        raise ValidationError({"filter": {"issue": ["Name an issue."]}})
    if choice.preset == Preset.NEVER and choice.is_discard:
        raise ValidationError({"preset": ["What was never attempted cannot be discarded."]})


def _refuse_of_sending(attrs: Mapping[str, Any]) -> None:
    if meant := [name for name in OF_SENDING if attrs.get(name)]:
        raise ValidationError({name: ["This is for a replay; a discard sends nothing."] for name in meant})
