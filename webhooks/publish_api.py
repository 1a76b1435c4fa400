"""The door where one event is published. It refuses nothing by what it remembers.

What most publishers send is tried at once: by copies in memory of the key, the source and the type, and without DRF's
ceremony, which took as long as storing the event. The statement that stores it finds whether all of them still hold;
then it is stored, and that is the answer. Whatever else there is to say is said the long way, by the tables.
"""

from functools import cached_property
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import Error
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks import store
from webhooks.authentication import plain_key
from webhooks.deciders import plain_publication
from webhooks.deciders.causality import claim_of
from webhooks.deciders.trace_context import parent_of
from webhooks.deprecation import deprecation
from webhooks.ids import public_id
from webhooks.models import ApiKey, Event
from webhooks.rest import UNCACHED, Conflict, Door, rates
from webhooks.rest.bodies import read_json
from webhooks.serializers import Publication, Published
from webhooks.services import event_types, known_publishers, publish, scheduled
from webhooks.services.event_types import Catalogue
from webhooks.services.publications import Origin, Said, said_plainly


class PublishDoor(Door[Event]):
    """A part of the door of events."""

    owned_by = None
    kind = "event"
    publishers_may = frozenset({"create"})

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        # What is done to one event is posted here, too, and publishes nothing, whatever its body says.
        answer = self._at_once(request) if self.action_map.get("post") == "create" else None
        return answer or super().dispatch(request, *args, **kwargs)

    @extend_schema(request=Publication, responses={201: Published, 200: Published})
    def create(self, request: Request) -> Response:
        """Publish an event. 201 when stored, 200 when it was already, 409 when its id means something else."""
        said = Said(**{"event_id": self.made_id.hex, **self.read(Publication).validated_data})
        catalogue = event_types.look_up([said.event_type])
        verdict = publish.publish(said, catalogue=catalogue, origin=origin_of(request))
        known_publishers.remember(self.key, said.source)
        if isinstance(verdict, store.Conflict):
            name = public_id("event", verdict.event_id)
            sentence = f"This id was published before, with other data or for another time, as {name}."
            raise Conflict(sentence, code="id-conflict")
        answer, headers = _told(said, verdict, catalogue)
        is_new = isinstance(verdict, store.Stored)
        if not is_new and scheduled.cancelled_among([verdict.event_id]):
            answer["cancelled"] = True
        code = status.HTTP_201_CREATED if is_new else status.HTTP_200_OK
        return Response(answer, status=code, headers=headers)

    @cached_property
    def made_id(self) -> UUID:
        """A repeat whose first try died before it could answer must not become an event of its own."""
        return self.claim.id if self.claim else uuid4()

    # -- at once ---------------------------------------------------------------------------------------

    def _at_once(self, request: HttpRequest) -> HttpResponse | None:
        """201, or nothing yet: whether anything is the matter, and what, `create` says."""
        if not _is_usual(request):
            return None
        key = known_publishers.recall_key(plain_key(request) or "", timezone.now())
        if key is None:
            return None
        try:
            self.spent = rates.spend(key)
            if self.spent is None or self.spent.is_allowed:
                return self._stored(request, key)
        except UnreadablePostError:
            request._read_started = False  # type: ignore[attr-defined]  # or reading on would be a fault of ours
        except (ValueError, RecursionError, ValidationError, Error):
            pass
        return None

    def _stored(self, request: HttpRequest, key: ApiKey) -> HttpResponse | None:
        said = self._said(request.body)
        catalogue = event_types.recall(said.event_type) if said else None
        if said is None or catalogue is None:
            return None
        origin = origin_of(request)
        verdict = publish.publish_known(said, api_key_digest=key.digest, catalogue=catalogue, origin=origin)
        if verdict is None:
            known_publishers.forget(key)
            return None
        return self._created(*_told(said, verdict, catalogue))

    def _said(self, body: bytes) -> Said | None:
        plain = plain_publication.read(read_json(body))
        source = known_publishers.recall_source(plain.source) if plain else None
        if plain is None or source is None:
            return None
        return said_plainly(plain, source, self.made_id.hex if plain.event_id is None else plain.event_id)

    def _created(self, answer: dict[str, Any], headers: dict[str, str]) -> HttpResponse:
        """As `create` would answer through DRF, to the last header."""
        headers |= {"Allow": ", ".join(self.allowed_methods), "Cache-Control": UNCACHED}
        content = JSONRenderer().render(answer)
        response = HttpResponse(content, "application/json", status.HTTP_201_CREATED, headers=headers)
        if self.spent is not None:
            rates.tell(response, self.spent)
        return response


def origin_of(request: HttpRequest | Request) -> Origin:
    headers = {name: request.META[key] for name, key in _ORIGIN.items() if key in request.META}
    claim = claim_of(headers)
    return Origin(cause_id=claim.cause_id, sender=parent_of(headers), tracestate=claim.tracestate)


_ORIGIN = {
    "weir-cause": "HTTP_WEIR_CAUSE",
    "traceparent": "HTTP_TRACEPARENT",
    "tracestate": "HTTP_TRACESTATE",
}


def _is_usual(request: HttpRequest) -> bool:
    """With an `Idempotency-Key`, the answer is kept for the key's holder: that is the long way, too."""
    meta = request.META
    if request.method != "POST" or "HTTP_IDEMPOTENCY_KEY" in meta or meta.get("CONTENT_TYPE") not in _JSON:
        return False
    length = meta.get("CONTENT_LENGTH") or ""
    return length.isdecimal() and len(length) < _LONG and int(length) <= settings.HUB_MAX_BODY


_JSON = frozenset({"application/json", "application/json; charset=utf-8"})
_LONG = 10  # digits of a length


def _told(
    said: Said, verdict: store.Stored | store.Duplicate, catalogue: Catalogue
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer's body, and its headers."""
    words, headers = deprecation(catalogue)
    answer = {
        "id": public_id("event", verdict.event_id),
        "event_id": said.event_id,
        "status": "accepted" if isinstance(verdict, store.Stored) else "duplicate",
    }
    return answer | words, headers
