"""Sources on the console: listed with how they do, looked at, changed and switched by services, tried on a sample."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import URLPattern, reverse

from webhooks.deciders.own import OWN_SOURCE
from webhooks.deciders.scheme_facts import facts
from webhooks.deciders.schemes import SCHEMES
from webhooks.history_admin import Listing, reason_in, who
from webhooks.ids import parse_id
from webhooks.models import SecretPurpose, Source
from webhooks.sample_page import SampleForm, filled, sample_context
from webhooks.selectors.sources import with_last_event
from webhooks.services import sources
from webhooks.source_form import SourceForm
from webhooks.source_page import ends_at, list_context, page_context

CHANGE = "webhooks.change_source"


@admin.register(Source)
class SourceAdmin(Listing):
    form = SourceForm
    fields = (*SourceForm.Meta.fields, "secret", "handshake_token", "certificate_to_pin", "what_to_know")
    readonly_fields = ("what_to_know",)
    actions = None
    ids: ClassVar = {"source": "pk"}
    texts: ClassVar = ("slug", "name")
    list_template = "admin/webhooks/source/list.html"
    page_template = "admin/webhooks/source/page.html"
    sample_template = "admin/webhooks/source/sample.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("<path:object_id>/edit/", self.edit_view, "edit"),
            self.door("<path:object_id>/sample/", self.sample_view, "sample"),
            self.door("<path:object_id>/switch/", self.switch_view, "switch"),
            self.door("<path:object_id>/add-secret/", self.add_secret_view, "add_secret"),
            self.door("<path:object_id>/end-secret/", self.end_secret_view, "end_secret"),
            self.door("<path:object_id>/unpin/", self.unpin_view, "unpin"),
            *super().get_urls(),
        ]

    # -- looked at -------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        shown = list_context(request.GET.dict(), datetime.now(UTC))
        context = {"title": "Sources", "may_add": self.has_add_permission(request)}
        return self.render(request, self.list_template, shown | context)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """What there is to see; the form, which is at `edit`, is sent here too."""
        if request.method == "POST":
            return self.edit_view(request, object_id)
        if not self.has_view_permission(request):
            raise PermissionDenied
        source = self._one(object_id)
        shown = page_context(source, datetime.now(UTC), request)
        may_change = request.user.has_perm(CHANGE) and source.pk != OWN_SOURCE
        context = {"title": source.name, "may_change": may_change}
        return self.render(request, self.page_template, shown | context)

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        source = self._one(object_id)
        if source.pk == OWN_SOURCE:  # its page says what it is; nobody changes it
            raise PermissionDenied
        return super().change_view(request, str(source.pk))

    def sample_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A POST here only asks: it stores and counts nothing."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        source, now = self._one(object_id), datetime.now(UTC)
        context: dict[str, Any] = {"title": "Try it on a sample", "source": source, "now": now}
        if request.method == "POST":
            form = SampleForm(source, request.POST)
            if form.is_valid():
                context |= sample_context(source, form, now)
        else:
            form = SampleForm(source, initial=filled(source, request))
        return self.render(request, self.sample_template, context | {"form": form})

    # -- changed ---------------------------------------------------------------------------------------

    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def switch(source: Source) -> str:
            wanted = request.POST.get("to") == "enabled"
            if source.is_enabled is wanted:
                return f"It was {'enabled' if wanted else 'disabled'} already."
            sources.update_source(
                source_id=source.pk, is_enabled=wanted, reason=reason_in(request), **who(request)
            )
            return "Enabled." if wanted else "Disabled: what is sent to it is answered with 404."

        return self._act(request, object_id, switch)

    def add_secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def add(source: Source) -> str:
            added = sources.add_secret(
                source_id=source.pk,
                secret=request.POST.get("secret", "").strip(),
                purpose=SecretPurpose(request.POST.get("purpose", SecretPurpose.SIGNING)),
                others_until=ends_at(request.POST.get("others", ""), datetime.now(UTC)),
                reason=_must_say_why(request),
                **who(request),
            )
            return f"Added …{added.hint}; it is live from now on."

        return self._act(request, object_id, add)

    def end_secret_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def end(source: Source) -> str:
            secret = source.secrets.filter(pk=parse_id("source", request.POST.get("secret", ""))).first()
            if secret is None:
                raise ValueError("The source has no such secret.")
            if secret.expires_at and secret.expires_at <= datetime.now(UTC):
                return f"…{secret.hint} had ended already."
            sources.expire_secret(secret_id=secret.pk, reason=_must_say_why(request), **who(request))
            return f"Ended …{secret.hint}: what it signs is refused from now on."

        return self._act(request, object_id, end)

    def unpin_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        def unpin(source: Source) -> str:
            if not source.pinned_certificate:
                return "No certificate was pinned any more."
            reason = _must_say_why(request)
            sources.update_source(source_id=source.pk, pinned_certificate="", reason=reason, **who(request))
            return "Unpinned: the provider's own certificate is fetched again."

        return self._act(request, object_id, unpin)

    def _act(self, request: HttpRequest, object_id: str, do: Callable[[Source], str]) -> HttpResponse:
        """One POST calls one service; what it says, or what is wrong, is shown on the source's page."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perm(CHANGE):
            raise PermissionDenied
        source = self._one(object_id)
        try:
            said = do(source)
        except ValidationError as flaw:
            self.message_user(request, " ".join(flaw.messages), messages.ERROR)
        except ValueError as flaw:
            self.message_user(request, str(flaw), messages.ERROR)
        else:
            self.log_change(request, source, said)
            self.message_user(request, said, messages.SUCCESS)
        return redirect(reverse("admin:webhooks_source_change", args=[source.pk]))

    def what_to_know(self, source: Source) -> str:
        row = SCHEMES.get(source.scheme)
        return "\n".join(facts(row)) if row else "This version of Weir does not have the scheme."

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        values = {name: form.cleaned_data[name] for name in SourceForm.Meta.fields}
        values["handshake_token"] = form.cleaned_data["handshake_token"].strip()
        if certificate := form.cleaned_data["certificate_to_pin"]:
            values["pinned_certificate"] = certificate
        secret = form.cleaned_data["secret"].strip()
        if not change:
            obj.pk = sources.create_source(secret=secret, **values, **who(request)).pk
            return
        if secret:
            sources.add_secret(source_id=obj.pk, secret=secret, **who(request))
        sources.update_source(source_id=obj.pk, **values, **who(request))

    def response_post_save_change(self, request: HttpRequest, obj: Source) -> HttpResponseRedirect:
        return HttpResponseRedirect(reverse("admin:webhooks_source_change", args=[obj.pk]))

    def response_post_save_add(self, request: HttpRequest, obj: Source) -> HttpResponseRedirect:
        return self.response_post_save_change(request, obj)

    # -- what is there ---------------------------------------------------------------------------------

    def _one(self, object_id: str) -> Source:
        rows = with_last_event(Source.objects.select_related("subscriber"))
        found: Source | None = rows.filter(pk=self.named(object_id)).first()
        if found is None:
            raise Http404("There is no such source.")
        return found


def _must_say_why(request: HttpRequest) -> str:
    if not (reason := reason_in(request)):
        raise ValueError("Say why: a reason is needed.")
    return reason
