"""The short way to publish: what most publishers send is stored without the layers a request passes, and without DRF.

Those took longer than storing the event. It goes by copies in memory of the key, the source and the type; the statement
that stores the event finds whether all of them still hold. Then it is stored, and that is the answer. It refuses
nothing: whatever else there is to say is said the long way (`publish_api`), by the tables.
"""

import json
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import Error
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from rest_framework import status
from rest_framework.request import Request

from webhooks import store
from webhooks.authentication import plain_key
from webhooks.deciders import plain_publication
from webhooks.deciders.causality import claim_of
from webhooks.deciders.trace_context import parent_of
from webhooks.deprecation import deprecation
from webhooks.ids import public_id
from webhooks.models import ApiKey
from webhooks.rest import UNCACHED, rates
from webhooks.rest.bodies import read_json
from webhooks.services import event_types, known_publishers, publish
from webhooks.services.api_rate import Allowance
from webhooks.services.event_types import Catalogue
from webhooks.services.publications import NOWHERE, Origin, Said, said_plainly

_JSON = frozenset({"application/json", "application/json; charset=utf-8"})
_LONG = 10  # digits of a length
_ALWAYS = {"Allow": "GET, POST, HEAD, OPTIONS", "Cache-Control": UNCACHED}  # as the long way has it
_ORIGIN = {
    "weir-cause": "HTTP_WEIR_CAUSE",
    "traceparent": "HTTP_TRACEPARENT",
    "tracestate": "HTTP_TRACESTATE",
}
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(slots=True)
class Tried:
    """What one request has used up by being tried, for the long way to go on with."""

    made_id: UUID = field(default_factory=uuid4)  # of an event that came without one
    spent: Allowance | None = None


def tried(request: HttpRequest) -> Tried:
    """The same for one request, however often it is asked."""
    if not hasattr(request, "tried_at_once"):
        request.tried_at_once = Tried()  # type: ignore[attr-defined]  # ours
    found: Tried = request.tried_at_once  # type: ignore[attr-defined]
    return found


def answer(request: HttpRequest) -> HttpResponse | None:
    """201, or nothing yet: whether anything is the matter, and what, the long way says."""
    if not _is_usual(request):
        return None
    key = known_publishers.recall_key(plain_key(request) or "", timezone.now())
    if key is None:
        return None
    so_far = tried(request)
    try:
        so_far.spent = rates.spend(key)
        if so_far.spent is None or so_far.spent.is_allowed:
            return _stored(request, key, so_far)
    except UnreadablePostError:
        request._read_started = False  # type: ignore[attr-defined]  # or reading on would be a fault of ours
    except (ValueError, RecursionError, ValidationError, Error):
        pass
    return None


def origin_of(request: HttpRequest | Request) -> Origin:
    headers = {name: request.META[key] for name, key in _ORIGIN.items() if key in request.META}
    if not headers:
        return NOWHERE
    claim = claim_of(headers)
    return Origin(cause_id=claim.cause_id, sender=parent_of(headers), tracestate=claim.tracestate)


def told(
    said: Said, verdict: store.Stored | store.Duplicate, catalogue: Catalogue
) -> tuple[dict[str, Any], dict[str, str]]:
    """The answer's body, and its headers."""
    words, headers = deprecation(catalogue)
    body = {
        "id": public_id("event", verdict.event_id),
        "event_id": said.event_id,
        "status": "accepted" if isinstance(verdict, store.Stored) else "duplicate",
    }
    return body | words, headers


def _is_usual(request: HttpRequest) -> bool:
    """With an `Idempotency-Key`, the answer is kept for the key's holder: that is the long way, too."""
    meta = request.META
    if "HTTP_IDEMPOTENCY_KEY" in meta or "HTTP_CONTENT_ENCODING" in meta:
        return False
    if meta.get("CONTENT_TYPE") not in _JSON:
        return False
    if not _is_ours(meta.get("HTTP_HOST") or meta["SERVER_NAME"], tuple(settings.ALLOWED_HOSTS)):
        return False
    length = meta.get("CONTENT_LENGTH") or ""
    return length.isdecimal() and len(length) < _LONG and int(length) <= settings.HUB_MAX_BODY


@lru_cache(maxsize=256)
def _is_ours(host: str, allowed: tuple[str, ...]) -> bool:
    """As Django would say, which takes longer than reading the body."""
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, allowed)


def _stored(request: HttpRequest, key: ApiKey, so_far: Tried) -> HttpResponse | None:
    said = _said(request.body, so_far)
    catalogue = event_types.recall(said.event_type) if said else None
    if said is None or catalogue is None:
        return None
    verdict = publish.publish_known(
        said, api_key_digest=key.digest, catalogue=catalogue, origin=origin_of(request)
    )
    if verdict is None:
        known_publishers.forget(key)
        return None
    return _created(*told(said, verdict, catalogue), so_far.spent)


def _said(body: bytes, so_far: Tried) -> Said | None:
    plain = plain_publication.read(read_json(body))
    source = known_publishers.recall_source(plain.source) if plain else None
    if plain is None or source is None:
        return None
    return said_plainly(plain, source, so_far.made_id.hex if plain.event_id is None else plain.event_id)


def _created(body: dict[str, Any], headers: dict[str, str], spent: Allowance | None) -> HttpResponse:
    """As the long way would answer through DRF, to the last header."""
    response = HttpResponse(
        _encode(body), "application/json", status.HTTP_201_CREATED, headers=headers | _ALWAYS
    )
    if spent is not None:
        rates.tell(response, spent)
    return response
