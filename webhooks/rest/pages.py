"""Pages of a list by key, both ways: newest first, never skipping and never counting. It knows no resource.

A cursor is an id, and ids tell the time; so pages stay what they were while rows are added before the first.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import remove_query_param, replace_query_param

from .addresses import address_for

M = TypeVar("M", bound=Model)

USUAL_LIMIT = 50
MOST_ROWS = 250
_CURSOR = re.compile(r"(older|newer)\.([0-9a-f]{32})", re.ASCII)


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in a list: older than one id, or newer than another; neither: its beginning."""

    before: UUID | None = None
    after: UUID | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """One page, newest first, and which neighbours it has. `key` is the column by which they are paged."""

    rows: Sequence[Any]
    has_next: bool
    has_previous: bool
    key: str = "pk"

    def place(self, index: int) -> UUID:
        """Where in the list a row stands."""
        found: UUID = getattr(self.rows[index], self.key)
        return found


def by_key(queryset: QuerySet[M, Any], cursor: Cursor, size: int, key: str = "pk") -> Rows:
    """Reads one row more than `size`, to know whether there are more. `key` is a column of ids that tell the time."""
    if cursor.after is not None:
        found = list(queryset.filter(**{f"{key}__gt": cursor.after}).order_by(key)[: size + 1])
        return Rows(rows=found[:size][::-1], has_next=True, has_previous=len(found) > size, key=key)
    older = queryset if cursor.before is None else queryset.filter(**{f"{key}__lt": cursor.before})
    found = list(older.order_by(f"-{key}")[: size + 1])
    return Rows(
        rows=found[:size], has_next=len(found) > size, has_previous=cursor.before is not None, key=key
    )


class Pages(BasePagination):
    """`next` is the page of older rows, `previous` that of newer ones."""

    cursor_query_param = "cursor"
    page_size_query_param = "limit"

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.address = address_for(request, request.get_full_path())
        self.cursor, size = self._asked(request)
        self.page: Rows = view.read_page(queryset, self.cursor, size)
        return list(self.page.rows)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": self._next(), "previous": self._previous(), "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "next": {**link, "description": "The page of older ones; null where this is the last."},
                "previous": {**link, "description": "The page of newer ones; null on the first page."},
                "results": {**schema, "description": "Newest first."},
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        return [
            {
                "name": self.cursor_query_param,
                "in": "query",
                "required": False,
                "description": "A place in the list. Take it from `next` or `previous`; it means nothing elsewhere.",
                "schema": {"type": "string", "pattern": f"^{_CURSOR.pattern}$"},
            },
            {
                "name": self.page_size_query_param,
                "in": "query",
                "required": False,
                "description": f"Rows of a page, {MOST_ROWS} at most; more is taken for that.",
                "schema": {"type": "integer", "minimum": 1, "default": USUAL_LIMIT},
            },
        ]

    def _asked(self, request: Request) -> tuple[Cursor, int]:
        errors: dict[str, list[str]] = {}
        cursor, limit = (
            request.query_params.get(self.cursor_query_param),
            request.query_params.get(self.page_size_query_param),
        )
        found = None if cursor is None else _CURSOR.fullmatch(cursor)
        if cursor is not None and found is None:
            errors[self.cursor_query_param] = ["This is no cursor; take it from next or previous."]
        if limit is not None and not re.fullmatch(r"0*[1-9][0-9]{0,8}", limit, re.ASCII):
            errors[self.page_size_query_param] = ["Choose a number of rows, 1 or more."]
        if errors:
            raise ValidationError(errors)
        size = min(MOST_ROWS, USUAL_LIMIT if limit is None else int(limit))
        if found is None:
            return Cursor(), size
        place = UUID(found[2])
        return (Cursor(before=place) if found[1] == "older" else Cursor(after=place)), size

    def _next(self) -> str | None:
        """After an empty page of newer ones, what was the newest is next again."""
        if not self.page.has_next:
            return None
        page, after = self.page, self.cursor.after
        place = page.place(-1) if page.rows else UUID(int=min(after.int + 1, _LAST)) if after else None
        return self._at(f"older.{place.hex}") if place else None

    def _previous(self) -> str | None:
        if not self.page.has_previous:
            return None
        page, before = self.page, self.cursor.before
        place = page.place(0) if page.rows else UUID(int=max(before.int - 1, 0)) if before else None
        return self._at(f"newer.{place.hex}") if place else None

    def _at(self, cursor: str) -> str:
        bare = remove_query_param(self.address, self.cursor_query_param)
        return str(replace_query_param(bare, self.cursor_query_param, cursor))


_LAST = (1 << 128) - 1
