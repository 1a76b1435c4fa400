"""Issues on the console: dead letters by how they failed: listed and looked at. Acts are in `issue_acts`."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.urls import URLPattern

from deliveries.deciders.issue_query import IssueQuery, ParsedIssues, parse_issues
from deliveries.models import Issue
from webhooks.history_admin import fresh

from .issue_acts import ActingOnIssues, may_act
from .issue_list import issue_figures, issues_context


@admin.register(Issue)
class IssueAdmin(ActingOnIssues):
    ids: ClassVar = {"issue": "pk", "subscription": "subscription_id"}
    list_template = "admin/deliveries/issue/list.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("counts/", self.counts_view, "counts"),
            self.door("act/<slug:verb>/", self.act_view, "act"),
            *super().get_urls(),
        ]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        parsed = parse_issues(dict(request.GET.lists()))
        return self._shown(request, {"title": "Issues"} | issues_context(parsed, datetime.now(UTC)))

    def counts_view(self, request: HttpRequest) -> JsonResponse:
        self.must_look(request)
        query = parse_issues(dict(request.GET.lists())).query
        return fresh({"counts": issue_figures(query, datetime.now(UTC))})

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """One issue in whatever state it is, with what people did to it."""
        self.must_look(request)
        key = self.named(object_id)
        context = issues_context(ParsedIssues(query=IssueQuery(issue=key, tab="")), datetime.now(UTC))
        if not context["rows"] and not context["is_slow"]:
            raise Http404("There is no such issue.")
        name = next((f"{row.words} at {row.issue.subscription.name}" for row in context["rows"]), "Issue")
        return self._shown(request, context | {"title": name, "one": key, "done": self.done_to(request, key)})

    def _shown(self, request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        return self.render(request, self.list_template, context | {"may": may_act(request)})
