"""Parameters of a list's address, read as the console reads them, and refused where it would excuse them."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from webhooks.deciders.reading import moment
from webhooks.ids import first_id_at

from .bodies import Filters

M = TypeVar("M", bound=Model)

MOST_VALUES: Final = 50  # of one parameter; a longer list is a slip, or an attack


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


def from_when() -> Read:
    return Read(moment, _WHEN, help_text="Those made at this time or later, such as 2026-01-31T12:00:00Z.")


def until_when() -> Read:
    return Read(moment, _WHEN, help_text="Those made before this time.")


_WHEN = "Write a time such as 2026-01-31T12:00:00Z."


class MadeBetween(Filters):
    """For lists of what was made at some time; ids tell which."""

    since, until = from_when(), until_when()

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
