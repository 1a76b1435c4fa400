"""Cascades on the console: what one event led to, as a tree and as a waterfall; what was set aside is let go here."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import URLPattern, reverse

from deliveries.deciders.cascade_tree import TONES, tell
from deliveries.deciders.delivery_query import Status
from deliveries.deciders.delivery_signs import waited
from deliveries.deciders.delivery_words import STATUS_WORDS
from deliveries.deciders.list_address import Reading, search
from deliveries.models import Cascade
from deliveries.selectors.cascades import Listed, cascades_page, read_cascade, statuses_of
from deliveries.selectors.patience import TooSlow, patience
from webhooks.history_admin import History
from webhooks.ids import parse_id, parse_uuid, public_id

from .delivery_list import PAGE
from .event_list import WORST_FIRST, Some
from .quarantine_acts import DISCARD_CASCADE, MAY_LET_GO, RELEASE_CASCADE, LetGo, LettingGo

ROWS = 100  # of the waterfall, on one page


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    cascade: Cascade
    some: Sequence[Some] | None  # not summed: too large


@admin.register(Cascade)
class CascadeAdmin(LettingGo, History):
    actions = None
    ids: ClassVar = {"event": "root_id"}

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("<path:object_id>/release/", self.release_view, "release"),
            self.door("<path:object_id>/discard/", self.discard_view, "discard"),
            *super().get_urls(),
        ]

    def release_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._let_go(request, object_id, RELEASE_CASCADE)

    def discard_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return self._let_go(request, object_id, DISCARD_CASCADE)

    def _let_go(self, request: HttpRequest, object_id: str, act: LetGo) -> HttpResponse:
        self.must(request, MAY_LET_GO)
        cascade = self._one(object_id)
        there = reverse("admin:deliveries_cascade_change", args=[cascade.pk])
        named = f"a cascade of {cascade.root.event_type or cascade.root.source.name}"
        return self.let_go(request, act, cascade, named=named, count=cascade.quarantined, back=there)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        reading = Reading(dict(request.GET.lists()))
        term = reading.one("q", search, "")
        is_quarantined = reading.one("tab", {"quarantined": True, "": False}.__getitem__, False)
        before, after = (reading.one(name, _event, None) for name in ("before", "after"))
        reading.mention_the_rest()
        try:
            with patience():
                found = cascades_page(
                    search=term, before=before, after=after, size=PAGE, is_quarantined=is_quarantined
                )
                lines, is_slow = _lines(found.cascades), False
        except TooSlow:
            found, lines, is_slow = Listed(cascades=[], has_next=False, has_previous=False), [], True
        context = {
            "title": "Cascades", "term": term, "lines": lines, "is_slow": is_slow, "notices": reading.notices,
            "now": datetime.now(UTC), "is_quarantined": is_quarantined, **_neighbours(found, term, is_quarantined),
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
            "depth_limit": settings.HUB_CASCADE_DEPTH,
            "may_let_go": request.user.has_perm(MAY_LET_GO),
            "may_replay_many": request.user.has_perm("deliveries.bulk_replay"),
            "dead": told.statuses.get(Status.DEAD, 0),
            "notices": reading.notices,
            "now": datetime.now(UTC),
        }
        return self.render(request, "admin/deliveries/cascade/page.html", context)

    def _one(self, object_id: str) -> Cascade:
        try:
            trace = parse_uuid(unquote(object_id))
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


def _neighbours(found: Listed, term: str, is_quarantined: bool) -> dict[str, str]:
    def address(name: str, cascade: Cascade) -> str:
        pairs = {"q": term} if term else {}
        pairs |= {"tab": "quarantined"} if is_quarantined else {}
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
