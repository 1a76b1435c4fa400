"""How long a pause is asked for over the API: until a moment, for so many seconds, or until somebody resumes it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from deliveries.services.holds import LONGEST_PAUSE
from webhooks.serializers import Reason

_BOUNDS = f"A pause ends later than now and within {LONGEST_PAUSE.days} days."


class Pause(Reason):
    until = serializers.DateTimeField(
        required=False,
        allow_null=True,
        help_text="When it ends by itself. Left out, like `for_s`: when somebody resumes it.",
    )
    for_s = serializers.FloatField(
        required=False, allow_null=True, help_text="The same in seconds from now; only one of the two."
    )

    def validate_until(self, until: datetime | None) -> datetime | None:
        now = datetime.now(UTC)
        if until is not None and not now < until <= now + LONGEST_PAUSE:
            raise ValidationError(_BOUNDS)
        return until

    def validate_for_s(self, seconds: float | None) -> float | None:
        if seconds is not None and not 0 < seconds < LONGEST_PAUSE.total_seconds():  # NaN fails both
            raise ValidationError(_BOUNDS)
        return seconds

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Of a length the moment at which it ends."""
        seconds = attrs.pop("for_s", None)
        if seconds is None:
            return attrs
        if attrs.get("until") is not None:
            raise ValidationError({"for_s": ["Say until when or for how long, not both."]})
        return {**attrs, "until": datetime.now(UTC) + timedelta(seconds=seconds)}
