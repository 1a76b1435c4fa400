"""Makes the description of the REST API and serves it, with pages to read and try it. It knows no resource.

What doors say does not change while a process lives, so it is read once; what the hub sends is read at each request.
"""

from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from drf_spectacular.generators import SchemaGenerator

from deliveries.deciders.own_types import OWN_TYPES
from hub import api
from hub.failures import to_be_read
from hub.middleware import POLICY
from hub.openapi import fields  # noqa: F401 (its classes are found by being there)
from hub.openapi.operations import COMPONENTS
from hub.openapi.words import described
from webhooks.deciders.webhooks_section import TypeFacts, webhooks_section
from webhooks.selectors import event_types

MEDIA_TYPE = "application/vnd.oai.openapi+json"
_TO_WHOM = (
    "Sent to the subscriber whom it concerns, where an event type that begins with `weir.` asks for it."
)
README: Final = Path(__file__).resolve().parents[2] / "README.md"


@to_be_read
@never_cache
def schema(request: HttpRequest) -> HttpResponse:
    return JsonResponse(document(), content_type=MEDIA_TYPE)


@to_be_read
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI, whose stylesheet holds its pictures; nothing else is let in that other pages would not."""
    page = render(request, "hub/api_docs.html")
    page["Content-Security-Policy"] = f"{POLICY}; img-src 'self' data:"
    return page


def document() -> dict[str, Any]:
    """OpenAPI 3.1. `webhooks` says what the hub sends to subscribers."""
    return {**_doors(), "servers": [{"url": settings.HUB_PUBLIC_URL or "/"}], "webhooks": webhooks()}


def webhooks() -> dict[str, Any]:
    """Path items by event type (OpenAPI 3.1, 4.8.1): what is published here, and what Weir tells of itself."""
    return event_types.described() | _own_types()


@lru_cache(maxsize=1)
def _own_types() -> dict[str, Any]:
    """What Weir tells subscribers of themselves: the set is closed, and the catalogue holds none of it."""
    return webhooks_section(
        TypeFacts(
            name=each.name,
            description=f"{each.sent_when} {_TO_WHOM}",
            schema=each.schema,
            example=each.example,
            event_id=f"{each.name}/{each.key}",
        )
        for each in OWN_TYPES.values()
    )


@lru_cache(maxsize=1)
def _doors() -> dict[str, Any]:
    generator = SchemaGenerator(patterns=api.described)
    made: dict[str, Any] = generator.get_schema(request=None, public=True)
    for kind, parts in COMPONENTS.items():
        made.setdefault("components", {}).setdefault(kind, {}).update(parts)
    made["info"]["description"] += _jobs()
    return described(_without_marks(made))


def _jobs() -> str:
    """What there is to copy, from the README; nothing where the hub runs without it."""
    text = README.read_text(encoding="utf-8") if README.exists() else ""
    _, heading, jobs = text.partition("\n## Five common jobs\n")
    return f"\n{heading}" + jobs.partition("\n## ")[0]


def _without_marks(part: Any) -> Any:
    """The generator's own notes on choices are of no use to anybody else."""
    if isinstance(part, dict):
        return {name: _without_marks(each) for name, each in part.items() if name != "x-spec-enum-id"}
    return [_without_marks(each) for each in part] if isinstance(part, list) else part
