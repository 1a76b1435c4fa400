"""The page "Queue and workers": who works, what waits, what failed. It reads, but for one button of an admin's."""

from datetime import UTC, datetime

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_POST, require_safe

from hub import task_retries, workers
from webhooks.history_admin import who

SEE, RUN_AGAIN = "deliveries.view_seat", "deliveries.run_tasks_again"


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(SEE):
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
        "may_run_again": request.user.has_perm(RUN_AGAIN),
        "ours": task_retries.OURS,
    }
    return TemplateResponse(request, "hub/queue.html", context)


@require_POST
def run_again(request: HttpRequest) -> HttpResponse:
    if not request.user.has_perm(RUN_AGAIN):
        raise PermissionDenied
    function = request.POST.get("function", "")
    try:
        count = task_retries.run_again(function=function, now=datetime.now(UTC), **who(request))
    except task_retries.Refused as refusal:
        messages.warning(request, str(refusal))
        return redirect("admin:queue")
    if count:
        messages.success(request, f"{function} is queued once more; {count} failed before.")
    else:
        messages.info(request, f"{function} has no failure any more: it was run again already.")
    return redirect("admin:queue")
