"""Parameters of a list's address, read as the console reads them, and refused where it would excuse them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.fields import SkipField

from webhooks.deciders.reading import moment_or_ago
from webhooks.ids import first_id_at

from .bodies import Filters

M = TypeVar("M", bound=Model)

MOST_VALUES: Final = 50  # of one parameter; a longer list is a slip, or an attack
EVER: Final = "all"


class Read(serializers.Field[Any, Any, Any, Any]):
    """One value, read as the console reads it; `sentence` says what would do."""

    def __init__(self, read: Callable[[str], Any], sentence: str, **kwargs: Any) -> None:
        super().__init__(required=False, **kwargs)
        self.reader = read
        self.sentence = sentence

    def to_internal_value(self, data: Any) -> Any:
        return self._one(str(data).strip())

    def _one(self, text: str) -> Any:
        try:
            return self.reader(text)
        except (ValueError, KeyError, OverflowError):
            raise ValidationError(self.sentence) from None


class Several(Read):
    """Values between commas, sorted and without repetition, so that equal questions are equal values."""

    def to_internal_value(self, data: Any) -> tuple[Any, ...]:
        texts = [text.strip() for text in str(data).split(",") if text.strip()]
        if not 1 <= len(texts) <= MOST_VALUES:
            raise ValidationError(f"Give 1 to {MOST_VALUES} values, with commas between them.")
        found = {each for each in map(self._one, texts) if each is not None}
        return tuple(sorted(found, key=str))


class When(Read):
    """A time, or how long ago: the same words in every list, in figures and in the filter of a replay."""

    HOW = "A time such as 2026-01-31T12:00:00Z, or how long ago: `15m`, `24h`, `7d`."
    SENTENCE = "Write a time such as 2026-01-31T12:00:00Z, or how long ago, such as 15m, 24h or 7d."

    def __init__(self, help_text: str, **kwargs: Any) -> None:
        super().__init__(_moment, self.SENTENCE, help_text=help_text, **kwargs)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):  # JSON has numbers, and 20260131 would pass for a day
            raise ValidationError(self.sentence)
        return super().to_internal_value(data)


class Since(When):
    """`all` lifts the bound, as it does on the console."""

    HOW = f"{When.HOW[:-1]}; or `all`."
    SENTENCE = f"{When.SENTENCE[:-1]}, or all."

    def to_internal_value(self, data: Any) -> Any:
        if data == EVER:
            raise SkipField
        return super().to_internal_value(data)


def _moment(text: str) -> datetime:
    return moment_or_ago(text, datetime.now(UTC))


class MadeBetween(Filters):
    """For lists of what was made at some time; ids tell which."""

    since = Since(f"Those made at this time or later. {Since.HOW}")
    until = When(f"Those made before this time. {When.HOW}")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, end = attrs.get("since"), attrs.get("until")
        if start and end and start >= end:
            raise ValidationError({"until": ["Choose a time later than since."]})
        return attrs

    def narrow(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        asked = dict(self.validated_data)
        start, end = asked.pop("since", None), asked.pop("until", None)
        narrowed = queryset.filter(**asked)
        narrowed = narrowed.filter(pk__gte=first_id_at(start)) if start else narrowed
        return narrowed.filter(pk__lt=first_id_at(end)) if end else narrowed
