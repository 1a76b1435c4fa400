"""Refusals on the console: listed, looked at, and accepted after all, one or several, each by its service."""

from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from webhooks.deciders.refusal_query import parse, to_url
from webhooks.deciders.refusal_words import words_of
from webhooks.history_admin import History, may_see_payloads, reason_in, who
from webhooks.ids import parse_id
from webhooks.models import Refusal
from webhooks.refusal_page import list_context, page_context, tally, trial_of
from webhooks.selectors import refusals
from webhooks.services import audit
from webhooks.services.accept import Acceptance, accept, try_again

ACCEPT = "webhooks.accept_refusal"
AT_ONCE = 100  # requests accepted by one press; each is judged twice, and a page should not take seconds


@admin.register(Refusal)
class RefusalAdmin(History):
    ids: ClassVar = {"refusal": "pk", "event": "event_id"}
    actions = None
    list_template = "admin/webhooks/refusal/list.html"
    page_template = "admin/webhooks/refusal/page.html"
    ask_template = "admin/webhooks/refusal/ask.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("accept/", self.accept_many_view, "accept_many"),
            self.door("<path:object_id>/accept/", self.accept_view, "accept"),
            *super().get_urls(),
        ]

    # -- looked at -------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        query, notices = parse(dict(request.GET.lists()))
        shown = list_context(query, datetime.now(UTC))
        context = {"title": "Refusals", "notices": notices, "may_accept": request.user.has_perm(ACCEPT)}
        return self.render(request, self.list_template, shown | context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.must_look(request)
        refusal, now = self._one(object_id), datetime.now(UTC)
        may_accept = request.user.has_perm(ACCEPT)
        shown = page_context(refusal, now, request, trial=trial_of(refusal, now) if may_accept else None)
        if may_see_payloads(request):
            audit.record_opening("refusal", refusal.pk, **who(request))
        return self.render(request, self.page_template, shown | {"title": shown["words"].label})

    # -- accepted after all ----------------------------------------------------------------------------

    def accept_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One POST, one act: pressed twice, the second is told that it was done."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self.must(request, ACCEPT)
        refusal = self._one(object_id)
        waived = {name: request.POST.get(name) == "1" for name in ("any_age", "as_own")}
        told = accept(refusal_id=refusal.pk, reason=reason_in(request), **waived, **who(request))
        if told.is_done:
            self.log_change(request, refusal, "Accepted after all.")
        level = messages.SUCCESS if told.is_done else messages.WARNING
        self.message_user(request, told.sentence, level)
        return redirect(reverse("admin:webhooks_refusal_change", args=[refusal.pk]))

    def accept_many_view(self, request: HttpRequest) -> HttpResponse:
        """Asks with what would come of each, then does it, oldest first. What needs a waiver is left out."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self.must(request, ACCEPT)
        query, _ = parse(dict(QueryDict(request.POST.get("kept", "")[:4_000]).lists()))
        there = reverse("admin:webhooks_refusal_changelist") + to_url(query)
        ids = _chosen(request)
        if request.POST.get("all") and len(query.sources) == 1:
            ids = refusals.oldest_waiting(query, AT_ONCE)
        if not 1 <= len(ids) <= AT_ONCE:
            said = f"Choose at most {AT_ONCE} requests at once." if ids else "No request was chosen."
            self.message_user(request, said, messages.ERROR)
            return redirect(there)
        if request.POST.get("post") and not reason_in(request):
            self.message_user(request, "Say why: a reason is needed.", messages.ERROR)
        elif request.POST.get("post"):
            self._accept_each(request, ids)
            return redirect(there)
        return self._ask(request, ids, there)

    def _ask(self, request: HttpRequest, ids: list[UUID], back: str) -> HttpResponse:
        now = datetime.now(UTC)
        rows = [(each, words_of(each.reason).label, try_again(each, now=now))
                for each in refusals.whole(ids) if each.accepted_at is None]  # fmt: skip
        counts = tally([trial for _, _, trial in rows])
        ready = counts.get("new", 0) + counts.get("duplicate", 0)
        context = {
            "title": f"Accept {ready} request{'' if ready == 1 else 's'} after all?"
            if ready
            else "None can be taken now",
            "rows": rows,
            "counts": counts,
            "ready": ready,
            "back": back,
            "kept": request.POST.get("kept", "")[:4_000],
        }
        return self.render(request, self.ask_template, context)

    def _accept_each(self, request: HttpRequest, ids: list[UUID]) -> None:
        told: list[Acceptance] = []
        for refusal in refusals.whole(ids):
            told.append(accept(refusal_id=refusal.pk, reason=reason_in(request), **who(request)))
            if told[-1].is_done:
                self.log_change(request, refusal, "Accepted after all.")
        done = sum(each.is_done for each in told)
        if done:
            self.message_user(request, f"Accepted {done}.", messages.SUCCESS)
        if left := [each for each in told if not each.is_done]:
            why = " ".join(dict.fromkeys(each.sentence for each in left))
            self.message_user(request, f"Left out {len(left)}. {why[:500]}", messages.WARNING)

    # -- who may, and what is there --------------------------------------------------------------------

    def _one(self, object_id: str) -> Refusal:
        try:
            found = refusals.whole([parse_id("refusal", unquote(object_id))])
        except ValueError:
            found = []
        if not found:
            raise Http404("There is no such refusal; they are kept a short while.")
        return found[0]


def _chosen(request: HttpRequest) -> list[UUID]:
    ids = []
    for text in request.POST.getlist("chosen")[: AT_ONCE + 1]:
        try:
            ids.append(parse_id("refusal", text))
        except ValueError:
            continue
    return ids
