"""What every REST door shares: who may enter, how it reads, refuses and pages. It knows no resource."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.core.exceptions import ValidationError as Invalid
from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from webhooks.authentication import ApiKeyAuthentication, MayOperate, MayRead
from webhooks.ids import parse_id, public_id

M = TypeVar("M", bound=Model)


class Conflict(APIException):
    """What is asked for is clear, and the present state of the thing does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


class BodyTooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_code = "too-large"


class Body(JSONParser):
    """JSON, and one sentence where Python's own reader would give up on its depth."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().parse(*args, **kwargs)
        except RecursionError:
            raise ParseError("This JSON is nested too deeply.") from None


class OnlyJson(DefaultContentNegotiation):
    """Answers JSON whatever a browser or a client says it accepts."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return JSONRenderer(), JSONRenderer.media_type


class Pages(CursorPagination):
    """Newest first, by id; never counted."""

    ordering = "-id"
    page_size = 50
    page_size_query_param = "limit"
    max_page_size = 250


class Strict(serializers.Serializer[Any]):
    """A body whose unknown fields are refused by name, so that no typing error passes for a setting."""

    def to_internal_value(self, data: Any) -> Any:
        writable = {name for name, field in self.fields.items() if not field.read_only}
        if isinstance(data, Mapping) and (unknown := [name for name in data if name not in writable]):
            raise ValidationError({name: [self._refusal(name)] for name in unknown})
        return super().to_internal_value(data)

    def _refusal(self, name: str) -> str:
        return "This cannot be set." if name in self.fields else "There is no such field."


class Filters(Strict):
    """The query string of a list; each field's `source` is the lookup it narrows by."""

    def narrow(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        return queryset.filter(**self.validated_data)


class Door(GenericViewSet[M]):
    """Keys that read may look; `writers` says whose may change."""

    authentication_classes = [ApiKeyAuthentication]
    parser_classes = [Body]
    renderer_classes = [JSONRenderer]
    content_negotiation_class = OnlyJson
    pagination_class = Pages
    writers: ClassVar[type[BasePermission]] = MayOperate
    filters: ClassVar[type[Filters]] = Filters
    kind: ClassVar[str]
    lookup_value_regex = "[^/]+"

    def get_permissions(self) -> list[Any]:
        return [MayRead() if self.request.method in SAFE_METHODS else self.writers()]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if _length_of(request) > settings.HUB_MAX_BODY:
            raise BodyTooLarge(f"A body has at most {settings.HUB_MAX_BODY} bytes.")

    def handle_exception(self, exc: Exception) -> Response:
        return super().handle_exception(_spoken(exc))

    def filter_queryset(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        """Narrows a list by the query string; a name or value it does not know is refused, never ignored."""
        given = {name: value for name, value in self.request.query_params.items() if name not in _PAGING}
        asked = self.filters(data=given)
        asked.is_valid(raise_exception=True)
        return asked.narrow(queryset)

    def get_object(self) -> M:
        queryset = self.get_queryset()
        found = self.find(queryset, self.kwargs["pk"])
        if found is None:
            raise Http404(f"There is no such {self.kind}.")
        return found

    def find(self, queryset: QuerySet[M], text: str) -> M | None:
        try:
            return queryset.filter(pk=parse_id(self.kind, text)).first()
        except ValueError:
            return None

    @property
    def actor(self) -> str:
        return str(self.request.user)


_PAGING = frozenset({Pages.cursor_query_param, Pages.page_size_query_param})


def _length_of(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # Django reads no body then


def _spoken(error: Exception) -> Exception:
    """A service's refusal of some fields, as DRF says it."""
    if not isinstance(error, Invalid):
        return error
    return ValidationError(error.message_dict if hasattr(error, "error_dict") else {"detail": error.messages})


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
    """A thing named by its public id."""

    def __init__(self, kind: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def to_internal_value(self, data: Any) -> Any:
        try:
            found = self.find(cast(QuerySet[Any], self.get_queryset()), str(data))
        except ValueError as error:
            raise ValidationError(str(error)) from None
        if found is None:
            raise ValidationError(f"There is no such {self.kind}.")
        return found

    def find(self, queryset: QuerySet[Any], text: str) -> Model | None:
        return queryset.filter(pk=parse_id(self.kind, text)).first()

    def to_representation(self, value: Any) -> str:
        return public_id(self.kind, value.pk)

    def use_pk_only_optimization(self) -> bool:
        return True
