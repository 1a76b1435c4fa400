"""The very bytes that came, over the API, as a file to keep; the audit tells who took them. It changes nothing else."""

import re
from typing import cast

from django.http import Http404, HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.decorators import action
from rest_framework.request import Request

from deliveries.selectors.event_story import content_of
from webhooks.deciders.etags import etag
from webhooks.ids import public_id
from webhooks.models import Event
from webhooks.rest import Door

# A sender may have called its bytes anything. As a file that no browser opens, a page among them does nothing.
SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}
UNKNOWN = "application/octet-stream"

_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+(?: *; *[\w.+-]+=[\w.+-]+)*", re.ASCII)


class RawDoor(Door[Event]):
    """A part of the door of events."""

    owned_by = None

    @extend_schema(responses={(200, "*/*"): OpenApiTypes.ANY})
    @action(detail=True)
    def raw(self, request: Request, pk: str) -> HttpResponse:
        """Read the bytes of an event. They are as they came, nothing masked, under the content type that they had.

        The audit tells of each reading.
        """
        event = self.get_object()
        content = content_of(event)
        if content is None:
            raise Http404("Its body is past retention.")
        self.opened = ("event", event.pk)
        body = bytes(content.body)
        is_known = _MEDIA_TYPE.fullmatch(content.content_type)
        name = public_id("event", event.pk)
        tag = etag(version="", content=body)  # they never change
        answer = HttpResponse(
            body,
            content_type=content.content_type if is_known else UNKNOWN,
            headers={**SAFE, "Content-Disposition": f'attachment; filename="{name}"', "ETag": tag},
        )
        return cast(HttpResponse, get_conditional_response(request, etag=tag, response=answer))
