"""How a door reads: JSON, strict about what it does not know, and things named by their public ids."""

from collections.abc import Mapping
from decimal import Decimal
from email.message import Message
from io import BytesIO
from json import JSONDecodeError
from math import isfinite
from typing import IO, Any, TypeVar, cast
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.utils import json

from webhooks import chunks
from webhooks.authentication import KeyHolder
from webhooks.deciders.wording import UNSTORABLE, is_storable_json
from webhooks.ids import parse_id, public_id

M = TypeVar("M", bound=Model)


class Body(JSONParser):
    """JSON in UTF-8, as RFC 8259 (8.1) has it; what is none is told in our own words.

    Another charset is refused before anything is read: some that Python knows take minutes for a megabyte.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        named = Message()
        named["Content-Type"] = media_type or self.media_type
        if (named.get_content_charset() or "utf-8") not in _UTF_8:
            raise UnsupportedMediaType(media_type or "", "JSON is read as UTF-8: name no other charset.")
        try:
            return read_json(stream.read())
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None
        except ValueError as error:
            raise ParseError(_said_of(error)) from None


_UTF_8 = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})


class Inexact(ValueError):
    """A number of more digits, or of a greater size, than are kept; the message is one sentence."""


def _said_of(error: ValueError) -> str:
    match error:
        case Inexact():
            return str(error)
        case JSONDecodeError():
            what = error.msg[:1].lower() + error.msg[1:]
            return f"This is not JSON, at line {error.lineno}, column {error.colno}: {what}."
        case UnicodeError():
            return "This is not UTF-8."
    return "This holds a number that JSON does not know, such as NaN, or one of thousands of digits."


def read_json(body: bytes) -> Any:
    """As `Body` reads it. Raises ValueError, or RecursionError, without a word for the caller."""
    return json.loads(body.decode(), parse_constant=json.strict_constant, parse_float=_exact)


def _exact(text: str) -> float:
    """What is said in JSON goes out as JSON: digits that a float does not keep, of money perhaps, are not dropped."""
    value = float(text)
    if len(text) <= _KEPT and "e" not in text and "E" not in text:
        return value
    if not isfinite(value) or _decimal(text) != Decimal(repr(value)):
        raise Inexact(f"The number {text[:_SHOWN]} would not be kept digit by digit; send it as a text.")
    return value


def _decimal(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        return None


_KEPT = 16  # characters: fifteen digits, which a float always keeps, and a point
_SHOWN = 50


def gather(request: Request) -> None:
    """Makes what came in chunks a body with a length, which Django then knows to read. Raises ParseError."""
    try:
        body = chunks.read(request._request)
    except OSError:
        raise ParseError("The body ended before its last chunk.") from None
    request._request._stream = BytesIO(body)
    request.META["CONTENT_LENGTH"] = str(len(body))


class Json(serializers.JSONField):
    """Any JSON that can be stored as such, which a NUL and half a character cannot."""

    def to_internal_value(self, data: Any) -> Any:
        value = super().to_internal_value(data)
        if not is_storable_json(value):
            raise ValidationError(UNSTORABLE)
        return value


class Strict(serializers.Serializer[Any]):
    """A body whose unknown fields are refused by name, so that no typing error passes for a setting."""

    def to_internal_value(self, data: Any) -> Any:
        writable = {name for name, field in self.fields.items() if not field.read_only}
        names = [name for name in data if name not in writable] if isinstance(data, Mapping) else []
        unknown = {name: [self._refusal(name)] for name in names}
        try:
            value = super().to_internal_value(data)
        except ValidationError as error:
            if not unknown or not isinstance(error.detail, dict):
                raise
            raise ValidationError({**unknown, **error.detail}) from None  # all of it is told at once
        if unknown:
            raise ValidationError(unknown)
        return value

    def _refusal(self, name: str) -> str:
        return "This cannot be set." if name in self.fields else "There is no such field."


class Filters(Strict):
    """The query string of a list; each field's `source` is the lookup it narrows by."""

    def narrow(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        return queryset.filter(**self.validated_data)


class PublicId(serializers.Field[UUID, str, str, Any]):
    """`evt_…` outside, a UUID inside."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return parse_id(self.kind, str(data))
        except ValueError as error:
            raise ValidationError(str(error)) from None

    def to_representation(self, value: UUID) -> str:
        return public_id(self.kind, value)


class ById(serializers.RelatedField[Any, Any, str]):
    """A thing named by its public id. Whoever holds a key may name only what `within` leaves of the queryset."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def to_internal_value(self, data: Any) -> Any:
        try:
            found = self.find(self._nameable(), str(data))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        if found is None:
            raise ValidationError(self.missing())
        return found

    def find(self, queryset: QuerySet[Any], text: str) -> Model | None:
        return queryset.filter(pk=parse_id(self.kind, text)).first()

    def missing(self) -> str:
        return f"There is no such {self.kind}."

    def within(self, queryset: QuerySet[Any], holder: KeyHolder) -> QuerySet[Any]:
        """What this holder may name."""
        return queryset

    def to_representation(self, value: Any) -> str:
        return public_id(self.kind, value.pk)

    def use_pk_only_optimization(self) -> bool:
        return True

    def _nameable(self) -> QuerySet[Any]:
        holder, queryset = holder_of(self), cast(QuerySet[Any], self.get_queryset())
        return queryset if holder is None else self.within(queryset, holder)


def holder_of(field: serializers.Field[Any, Any, Any, Any]) -> KeyHolder | None:
    """Who holds the key that came with the request; None where a door read without one."""
    holder = getattr(field.context.get("request"), "user", None)
    return holder if isinstance(holder, KeyHolder) else None
