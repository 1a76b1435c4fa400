"""The page "Queue and workers": who works, what waits, what failed. It is read only."""

from datetime import UTC, datetime

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_safe

from hub import workers


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm("deliveries.view_seat"):
        raise PermissionDenied
    now = datetime.now(UTC)
    seats = workers.seats()
    context = {
        **admin.site.each_context(request),
        "title": "Queue and workers",
        "now": now,
        "seats": seats,
        "working": workers.working(seats),
        "circuits": workers.lanes_by_circuit(),
        "totals": workers.totals(now),
        "lanes": workers.deepest_lanes(),
        "most_lanes": workers.MOST_LANES,
        "tasks": workers.task_queue(now),
        "failures": workers.failures(now),
        "schedules": workers.schedules(now),
    }
    return TemplateResponse(request, "hub/queue.html", context)
