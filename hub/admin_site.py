"""The admin site that is Weir's console: its shell, its door and the hub's own pages.

It registers nothing; each app does that for itself.
"""

import math
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache

from hub import jump, login_limit, queue_page, sidebar, tries
from hub.overview import page as overview

RED = {"production", "prod", "live"}


class ConsoleSite(AdminSite):
    site_title = "Weir"
    site_header = "Weir"
    index_title = "All records"
    enable_nav_sidebar = False  # ours is in the shell; Django's opens and closes with a script

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # History is never deleted by hand, and configuration is disabled instead.
        self.disable_action("delete_selected")

    def get_urls(self) -> list[URLPattern | URLResolver]:
        return [
            path("overview/", self.admin_view(overview.parts), name="overview"),
            path("records/", self.admin_view(self.records), name="records"),
            path("go/", self.admin_view(jump.page), name="go"),
            path("queue/", self.admin_view(queue_page.page), name="queue"),
            path("queue/run-again/", self.admin_view(queue_page.run_again), name="queue_run_again"),
            *super().get_urls(),
        ]

    def index(  # type: ignore[override]  # the stubs ask for Django's own kind of answer
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The overview; whoever may not see all of it begins with the records he may see."""
        if overview.may_see(request):
            return overview.page(request)
        return self.records(request, extra_context)

    def records(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Django's list of everything that is stored."""
        return super().index(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        name = settings.HUB_ENVIRONMENT
        shell = {"environment": name, "is_production": name.lower() in RED}
        if self.has_permission(request):
            shell["sections"] = sidebar.sections(request.user, request.path)
        return super().each_context(request) | shell

    @method_decorator(never_cache)
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """As Django's, but for whoever tries too often."""
        if request.method != "POST":
            return super().login(request, extra_context)
        who = {"name": request.POST.get("username", ""), "address": tries.address_behind(request)}
        now = datetime.now(UTC)
        if until := login_limit.take(**who, now=now):
            return self._locked_out(request, math.ceil((until - now).total_seconds()))
        answer = super().login(request, extra_context)
        if answer.status_code == 302:
            login_limit.give_back(**who)
        return answer

    def _locked_out(self, request: HttpRequest, wait_s: int) -> HttpResponse:
        context = {**self.each_context(request), "title": "Log in", "minutes": math.ceil(wait_s / 60)}
        headers = {"Retry-After": str(wait_s)}
        return TemplateResponse(request, "hub/locked_out.html", context, status=429, headers=headers)
