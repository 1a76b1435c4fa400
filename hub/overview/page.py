"""The door of the overview: the page, and its changing part alone.

What it shows is the same for everybody who may see it, so it is drawn once in a while for all of them.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from django.contrib import admin
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from deliveries.selectors.overview import Overview, overview
from deliveries.selectors.patience import TooSlow, patience
from deliveries.selectors.rollups import SPANS, recent
from hub import workers
from webhooks.models import Event, Source

from . import rows
from .banners import banners
from .drawings import latencies, outcomes
from .links import Links
from .tiles import tiles

FRESH_S = 10  # drawn at most this often for each window, whoever looks
EVERY_MS = 30_000
USUAL: Final = "24h"
SPAN_WORDS: Final = {"1h": "hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
FRESH: Final = {"Cache-Control": "no-store"}

# Parts of the page tell of all of these, so who may not see one of them begins with the records he may see.
NEEDS: Final = tuple(
    f"deliveries.view_{model}"
    for model in (
        "alert", "deadletter", "delivery", "issue", "lane", "notice", "replay", "rollup", "seat", "subscription",
    )
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Which window, with drawings or with tables, and what of the address was not understood."""

    span: str
    as_table: bool
    notices: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        return f"?w={self.span}{'&as=table' if self.as_table else ''}"


def may_see(request: HttpRequest) -> bool:
    return request.user.has_perms(NEEDS)


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """A database that is too slow is told, and the window is kept."""
    wish = _wish(request)
    try:
        drawn = _drawn(request, wish)
    except TooSlow:
        drawn = ""
    context = {
        **admin.site.each_context(request),
        "title": "Overview",
        "wish": wish,
        "spans": [(name, SPAN_WORDS[name]) for name in SPANS],
        "parts": drawn,
        "every_ms": EVERY_MS,
    }
    return TemplateResponse(request, "hub/overview.html", context, headers=FRESH)


@require_safe
def parts(request: HttpRequest) -> HttpResponse:
    """What changes, for the page to put in its place."""
    if not may_see(request):
        return JsonResponse({"error": "Your role does not let you see this."}, status=403, headers=FRESH)
    try:
        return HttpResponse(_drawn(request, _wish(request)), headers=FRESH)
    except TooSlow:
        return JsonResponse({"error": "The database took too long."}, status=503, headers=FRESH)


def _wish(request: HttpRequest) -> Wish:
    wanted = request.GET.get("w", "").strip() or USUAL
    unknown = [name for name in request.GET if name not in ("w", "as")][:10]
    notices = [f"There is no filter “{name[:40]}”; it was ignored." for name in unknown]
    if wanted not in SPANS:
        notices.insert(
            0, f"There is no window “{wanted[:40]}”; the last {SPAN_WORDS[USUAL]} are shown instead."
        )
        wanted = USUAL
    return Wish(span=wanted, as_table=request.GET.get("as") == "table", notices=tuple(notices))


def _drawn(request: HttpRequest, wish: Wish) -> str:
    """Raises TooSlow. Senders are told the address by which the page is looked at."""
    ingest = request.build_absolute_uri("/in/")
    key = f"hub.overview.{wish.span}.{wish.as_table}.{ingest}"
    return str(cache.get_or_set(key, partial(_draw, wish, ingest), FRESH_S))


def _draw(wish: Wish, ingest: str) -> str:
    now = datetime.now(UTC)
    with patience():
        told = overview(recent(wish.span, now=now), now)
        seats, tasks = workers.seats(), workers.task_queue(now)
        has_events = bool(Event.objects.order_by("pk").values_list("pk", flat=True)[:1])
        slug = Source.objects.order_by("pk").values_list("slug", flat=True).first()
    links = Links(wish.span, told.window.since)
    context = {
        "now": now,
        "wish": wish,
        "told": told,
        "is_empty": not has_events,
        "ingest": ingest + (slug or "<source>"),
        "has_source": bool(slug),
        "banners": list(banners(told, seats, now)),
        "tiles": list(tiles(told, links, now)),
        "outcomes": outcomes(told, links, now, table=f"?w={wish.span}&as=table"),
        "latencies": latencies(told, table=f"?w={wish.span}&as=table"),
        "workers": workers.working(seats),
        **_rows(told, links, tasks, now),
    }
    return render_to_string("hub/overview_parts.html", context)


def _rows(told: Overview, links: Links, tasks: workers.TaskQueue, now: datetime) -> dict[str, Any]:
    return {
        "worst": [rows.worst_row(each, links) for each in told.worst],
        "troubles": [rows.trouble_row(each, now) for each in told.troubles],
        "more_troubles": told.troubled - len(told.troubles),
        "issues": [rows.issue_row(each, links) for each in told.issues],
        "causes": rows.cause_rows(told.causes, links),
        "other_causes": sum(each.failures for each in told.causes[rows.CAUSES :]),
        "waiting": rows.waiting_rows(told, tasks, links),
        "news": rows.news(told),
    }
