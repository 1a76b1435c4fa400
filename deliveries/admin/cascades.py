"""Cascades on the console: what one event led to, as a tree and as a waterfall. They are looked at, and that is all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse

from deliveries.deciders.cascade_tree import TONES, tell
from deliveries.deciders.delivery_query import Status
from deliveries.deciders.delivery_signs import waited
from deliveries.deciders.delivery_words import STATUS_WORDS
from deliveries.deciders.list_address import Reading, search
from deliveries.models import Cascade
from deliveries.selectors.cascades import Listed, cascades_page, read_cascade, statuses_of
from deliveries.selectors.patience import TooSlow, patience
from webhooks.history_admin import History
from webhooks.ids import parse_id, public_id

from .delivery_list import PAGE
from .event_list import WORST_FIRST, Some

ROWS = 100  # of the waterfall, on one page


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    cascade: Cascade
    some: Sequence[Some] | None  # not summed: too large


@admin.register(Cascade)
class CascadeAdmin(History):
    actions = None
    ids: ClassVar = {"event": "root_id"}

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        reading = Reading(dict(request.GET.lists()))
        term = reading.one("q", search, "")
        before, after = (reading.one(name, _event, None) for name in ("before", "after"))
        reading.mention_the_rest()
        try:
            with patience():
                found = cascades_page(search=term, before=before, after=after, size=PAGE)
                lines, is_slow = _lines(found.cascades), False
        except TooSlow:
            found, lines, is_slow = Listed(cascades=[], has_next=False, has_previous=False), [], True
        context = {
            "title": "Cascades", "term": term, "lines": lines, "is_slow": is_slow, "notices": reading.notices,
            "now": datetime.now(UTC), **_neighbours(found, term),
        }  # fmt: skip
        return self.render(request, "admin/deliveries/cascade/list.html", context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.must_look(request)
        cascade = self._one(object_id)
        reading = Reading(dict(request.GET.lists()))
        number = reading.one("page", _page_number, 1)
        reading.mention_the_rest()
        found = read_cascade(cascade)
        told = tell(found.root, found.hops, found.legs)
        pages = -(-len(told.rows) // ROWS)
        number = min(number, pages)
        statuses = [
            Some(status=each, number=told.statuses[each]) for each in WORST_FIRST if told.statuses.get(each)
        ]
        context = {
            "title": f"Cascade of {found.root.event_type or found.root.source}",
            "cascade": cascade,
            "told": told,
            "events": 1 + len(found.hops),
            "deliveries": len(found.legs),
            "span": waited(told.span_s),
            "statuses": statuses[::-1],
            "rows": [
                (
                    row,
                    TONES[row.leg.status] if row.leg else "quiet",
                    STATUS_WORDS[row.leg.status] if row.leg else "",
                )
                for row in told.rows[(number - 1) * ROWS : number * ROWS]
            ],
            "page": number,
            "pages": pages,
            "is_cut": found.is_cut,
            "notices": reading.notices,
            "now": datetime.now(UTC),
        }
        return self.render(request, "admin/deliveries/cascade/page.html", context)

    def _one(self, object_id: str) -> Cascade:
        try:
            trace = UUID(unquote(object_id))
        except ValueError:
            raise Http404("There is no such cascade.") from None
        cascade = Cascade.objects.select_related("root__source").filter(pk=trace).first()
        if cascade is None:
            raise Http404("There is no such cascade.")
        return cascade


def _lines(cascades: Sequence[Cascade]) -> list[_Line]:
    told = statuses_of(cascades)
    return [_Line(cascade=each, some=_some(told.get(each.trace_id))) for each in cascades]


def _some(statuses: dict[Status, int] | None) -> list[Some] | None:
    if statuses is None:
        return None
    return [Some(status=each, number=statuses[each]) for each in WORST_FIRST if each in statuses]


def _neighbours(found: Listed, term: str) -> dict[str, str]:
    def address(name: str, cascade: Cascade) -> str:
        pairs = {"q": term} if term else {}
        return "?" + urlencode(pairs | {name: public_id("event", cascade.root_id)})

    rows = found.cascades
    return {
        "previous": address("after", rows[0]) if rows and found.has_previous else "",
        "next": address("before", rows[-1]) if rows and found.has_next else "",
    }


def _event(text: str) -> UUID:
    return parse_id("event", text)


def _page_number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= 1_000_000:
        raise ValueError(text)
    return int(text[:9])
