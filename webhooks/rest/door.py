"""What every REST door shares: who may enter, whose things it shows, how it refuses and pages. It knows no resource.

A door says `owned_by`: the lookup from one of its rows to the Subscriber it belongs to, or None where its rows belong
to nobody. Subscribers' keys see what is theirs and nothing else, and a door that says nothing cannot be imported.
"""

import logging
from collections.abc import Iterable
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID

from django.conf import settings
from django.db import Error
from django.db.models import Model, QuerySet
from django.http import Http404, HttpResponseNotModified
from django.urls import reverse
from rest_framework import status
from rest_framework.exceptions import ParseError, UnsupportedMediaType, ValidationError
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.permissions import SAFE_METHODS
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from webhooks.authentication import (
    ApiKeyAuthentication,
    KeyHolder,
    MayOperate,
    MayOwn,
    MayPublish,
    MayRead,
)
from webhooks.deciders import etags
from webhooks.ids import parse_id, public_id
from webhooks.models import ApiKey
from webhooks.services import audit
from webhooks.services.api_rate import Allowance
from webhooks.services.kept_answers import Claim
from webhooks.services.versions import Seen

from . import problems, rates, repeats
from .bodies import Body, Filters, Strict, gather
from .pages import Cursor, Pages, Rows, by_key

M = TypeVar("M", bound=Model)
B = TypeVar("B", bound=Strict)

_said = logging.getLogger(__name__)
UNCACHED = "private, no-cache"  # to be asked for anew, by its ETag
_TAGGED = frozenset({"GET", "HEAD", "PATCH"})

# What subscribers may do with what is theirs, where a door does not say.
LOOKS = frozenset({"list", "retrieve", "metadata"})


class _Escaped(JSONRenderer):
    ensure_ascii = True


class Written(JSONRenderer):
    """JSON in UTF-8. Half a character, which a caller may have sent and is told of, is written as its escape."""

    def render(self, *args: Any, **kwargs: Any) -> bytes:
        try:
            return super().render(*args, **kwargs)
        except UnicodeEncodeError:
            return _Escaped().render(*args, **kwargs)


class OnlyJson(DefaultContentNegotiation):
    """Answers JSON whatever a browser or a client says it accepts."""

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return Written(), Written.media_type


class Door(GenericViewSet[M]):
    """Keys that read may look, and operators may change. `subscribers_may` says what owners may do with their own,
    `publishers_may` what publishers may do here: nothing, unless it is named.
    """

    authentication_classes = [ApiKeyAuthentication]
    parser_classes = [Body]
    renderer_classes = [Written]
    content_negotiation_class = OnlyJson
    pagination_class = Pages
    filters: ClassVar[type[Filters]] = Filters
    kind: ClassVar[str]
    owned_by: ClassVar[str | None]
    subscribers_may: ClassVar[frozenset[str]] = LOOKS
    publishers_may: ClassVar[frozenset[str]] = frozenset()
    throttle_classes = [rates.PerKey]
    lookup_value_regex = "[^/]+"

    found: M | None = None  # the one thing that this request is about, once it was read
    claim: Claim | None = None
    allowance: Allowance | None = None
    spent: Allowance | None = None  # by this request already, before its key was looked up
    opened: tuple[str, UUID] | None = (
        None  # kind and id of what a stored payload is of that the answer gives out
    )

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not hasattr(cls, "owned_by"):
            raise TypeError(f"{cls.__name__} must say owned_by: the lookup to a row's subscriber, or None.")

    # -- who may ---------------------------------------------------------------------------------------

    def get_permissions(self) -> list[Any]:
        if self._is_owner():
            return [MayOwn()]
        if self.request.method in SAFE_METHODS:
            return [MayRead()]
        return [MayPublish() if self.action in self.publishers_may else MayOperate()]

    def _is_owner(self) -> bool:
        """Of something here, with which this may be done."""
        is_theirs = self.owned_by is not None and self.action in self.subscribers_may
        return is_theirs and self.holder is not None and self.holder.is_subscriber

    def permission_denied(self, request: Request, message: str | None = None, code: str | None = None) -> Any:
        """To subscribers, what is not theirs does not exist, whatever they try to do with it, or with a part of it."""
        if self.holder is not None and self.holder.is_subscriber and self.kwargs:
            if set(self.kwargs) != {self.lookup_field}:
                raise Http404("There is no such thing.")
            self.get_object()
        return super().permission_denied(request, message, code)

    @property
    def holder(self) -> KeyHolder | None:
        user = self.request.user
        return user if isinstance(user, KeyHolder) else None

    @property
    def key(self) -> ApiKey:
        """The row of the key that opened."""
        return cast(ApiKey, self.request.auth)

    @property
    def actor(self) -> str:
        return str(self.request.user)

    # -- what there is ---------------------------------------------------------------------------------

    def get_queryset(self) -> QuerySet[M]:
        """All there is for whoever holds the key. Overrides begin with `super().get_queryset()`."""
        return self.owned(super().get_queryset(), self.owned_by)

    def owned(self, queryset: QuerySet[M], by: str | None) -> QuerySet[M]:
        """For subscribers, what is theirs: nothing at all where it belongs to nobody."""
        holder = self.holder
        if holder is None or not holder.is_subscriber:
            return queryset
        return queryset.none() if by is None else queryset.filter(**{by: holder.subscriber_id})

    def filter_queryset(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        """Narrows a list by the query string; a name or value it does not know is refused, never ignored."""
        return self.read(self.filters, self.given).narrow(queryset)

    @property
    def given(self) -> dict[str, str]:
        """The query string but for what pages are asked for by."""
        return {name: value for name, value in self.params.items() if name not in _PAGING}

    @property
    def params(self) -> dict[str, str]:
        """The query string, each parameter of which is given once."""
        asked = self.request.query_params
        if twice := [name for name in asked if len(asked.getlist(name)) > 1]:
            raise ValidationError({name: ["Give this once."] for name in twice})
        return asked.dict()

    def read_page(self, queryset: QuerySet[M, Any], cursor: Cursor, size: int) -> Rows:
        return by_key(queryset, cursor, size)

    def get_object(self) -> M:
        found = self.find(self.get_queryset(), self.kwargs["pk"])
        if found is None:
            raise Http404(f"There is no such {self.kind}.")
        self.found = found
        return found

    def find(self, queryset: QuerySet[M], text: str) -> M | None:
        try:
            return queryset.filter(pk=parse_id(self.kind, text)).first()
        except ValueError:
            return None

    def read(self, body: type[B], data: Any = None, instance: Any = None, *, partial: bool = False) -> B:
        """The request's body, or other data, checked; it may name only what the key's holder may."""
        given = self.request.data if data is None else data
        wanted = body(instance, data=given, partial=partial, context=self.get_serializer_context())
        wanted.is_valid(raise_exception=True)
        return wanted

    # -- versions --------------------------------------------------------------------------------------

    def version_of(self, row: M) -> str:
        """Which version of it people have set; doors whose rows are changed by PATCH say so."""
        return ""

    @property
    def seen(self) -> Seen:
        """The versions that `If-Match` allows to be changed, for the service to compare in its transaction."""
        header = self.request.headers.get("If-Match")
        if header is None:
            return None
        try:
            return etags.versions(header)
        except ValueError as error:
            raise ParseError(str(error)) from None

    def again(self, pk: Any) -> M:
        """The row as it is now, after a change, with all that is shown of it."""
        self.found = self.get_queryset().get(pk=pk)
        return self.found

    # -- how it answers --------------------------------------------------------------------------------

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            gather(request)
        if _length_of(request) > settings.HUB_MAX_BODY:
            raise problems.BodyTooLarge(f"A body has at most {settings.HUB_MAX_BODY} bytes.")
        if request.method not in SAFE_METHODS and _is_encoded(request):
            # Nothing here unpacks: what is small on the way could be large in memory.
            sentence = "A body is read as it comes: send it without a Content-Encoding."
            raise UnsupportedMediaType("", sentence)
        if isinstance(request.auth, ApiKey):
            self.claim = repeats.claim(request, request.auth.pk)

    def handle_exception(self, exc: Exception) -> Any:
        if isinstance(exc, repeats.AnsweredBefore):
            self.opened = exc.answered.opened
            return exc.response()
        return super().handle_exception(exc)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        if isinstance(answer, Response):
            answer = self._tagged(request, answer)
        opened = self.opened
        try:
            self._record_opening(request, answer)
        except Error as error:  # what cannot be recorded is not given out
            return self.finalize_response(request, self.handle_exception(error), *args, **kwargs)
        answer.headers.setdefault("Cache-Control", UNCACHED)
        if self.claim is not None and isinstance(answer, Response):
            self._settle(self.claim, answer, opened)
        if self.allowance is not None:
            rates.tell(answer, self.allowance)
        return answer

    def _record_opening(self, request: Request, answer: Any) -> None:
        """Of a payload that leaves: HEAD, a refusal, and a copy that is still good, give none out."""
        opened, self.opened = self.opened, None
        if opened is not None and request.method != "HEAD" and status.is_success(answer.status_code):
            audit.record_opening_by_key(*opened, actor=self.actor)

    def _tagged(self, request: Request, answer: Response) -> Any:
        """With its ETag, where it shows one thing, and its address, where that is new; 304 where the caller has a good
        copy of it.
        """
        if self.found is None:
            return answer
        if answer.status_code == status.HTTP_201_CREATED:
            answer["Location"] = f"{request.path.rstrip('/')}/{public_id(self.kind, self.found.pk)}"
        elif request.method not in _TAGGED or answer.status_code != status.HTTP_200_OK:
            return answer
        answer.render()
        tag = etags.etag(version=self.version_of(self.found), content=answer.content)
        answer["ETag"] = tag
        known = request.headers.get("If-None-Match")
        if known and request.method in ("GET", "HEAD") and etags.is_good_copy(known, tag):
            return HttpResponseNotModified(headers={"ETag": tag})
        return answer

    def _settle(self, claim: Claim, answer: Response, opened: tuple[str, UUID] | None) -> None:
        """An answer that cannot be kept is given all the same: what it tells of was done."""
        try:
            repeats.settle(claim, answer, opened)
        except Error:
            _said.exception("An answer could not be kept for repeats of its request.")

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """What may be done here (`Allow`), and where all of it is described (RFC 8631)."""
        if self.lookup_field in self.kwargs:
            self.get_object()
        described = f'<{reverse("api-schema")}>; rel="service-desc"'
        return Response(status=status.HTTP_204_NO_CONTENT, headers={"Link": described})

    def get_exception_handler(self) -> Any:
        return problems.answer


_PAGING = frozenset({Pages.cursor_query_param, Pages.page_size_query_param})


def _is_encoded(request: Request) -> bool:
    said = request.META.get("HTTP_CONTENT_ENCODING", "")
    return said.strip().lower() not in ("", "identity")


def _length_of(request: Request) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # Django reads no body then
