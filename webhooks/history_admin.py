"""How the console lists things: uncounted, found by exact id, history unchanged. It registers nothing."""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import BinaryField, Field, Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webhooks.ids import parse_id, public_id
from webhooks.models import AuditEntry
from webhooks.sealing import SealedTextField
from webhooks.services import audit

if TYPE_CHECKING:  # Django's own classes take no parameter while they run
    ModelAdmin = admin.ModelAdmin[Any]
    ModelForm = forms.ModelForm[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, ModelForm, TabularInline = admin.ModelAdmin, forms.ModelForm, admin.TabularInline

SHOWN_ACTS = 20  # of people, on a thing's own page; the audit has the rest
DEEPEST_PAGE = 10_000  # the database reads every row that a page skips
LONGEST_REASON = 500  # characters; a sentence or two, not a report
SHOWN_BYTES = 65_536  # of a body; the rest is counted, not shown


class UncountedList(ChangeList):
    """Fetches one row more than a page holds, to know whether another page follows."""

    def get_results(self, request: HttpRequest) -> None:
        if not 1 <= self.page_num <= DEEPEST_PAGE:
            self.page_num = 1
        rows = self._rows_of(self.page_num)
        if not rows and self.page_num > 1:
            self.page_num, rows = 1, self._rows_of(1)
        self.result_list = rows[: self.list_per_page]
        self.result_count = self.full_result_count = (self.page_num - 1) * self.list_per_page + len(rows)
        self.paginator = Paginator(range(self.result_count), self.list_per_page)
        self.multi_page = self.page_num > 1 or len(rows) > self.list_per_page
        self.show_full_result_count = self.can_show_all = False
        self.show_admin_actions = True

    def _rows_of(self, page: int) -> list[Any]:
        start = (page - 1) * self.list_per_page
        return list(self.queryset[start : start + self.list_per_page + 1])


class Listing(ModelAdmin):
    """`ids` says which public ids the search box knows, `texts` which columns it compares, exactly."""

    ids: ClassVar[dict[str, str]] = {}
    texts: ClassVar[tuple[str, ...]] = ()

    ordering = ("-pk",)
    sortable_by = ()
    list_per_page = 50
    list_select_related: ClassVar[bool | tuple[str, ...]] = False
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions_selection_counter = False  # it offers "select all", which would take in rows nobody saw

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return UncountedList

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return (
            super()
            .get_queryset(request)
            .defer(*(field.name for field in _columns(self.model) if _is_hidden(field)))
        )

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return (*self.ids.values(), *self.texts)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        term = search_term.strip()
        return (queryset.filter(self.found_by(term)) if term else queryset), False

    def found_by(self, term: str) -> Q:
        """Equality on indexed columns only: a search must not read a big table."""
        found = Q(pk__in=[])
        for kind, lookup in self.ids.items():
            try:
                found |= Q((lookup, parse_id(kind, term)))
            except ValueError:
                continue
        for lookup in self.texts:
            found |= Q((lookup, term))
        return found

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """What a service refuses although its form was in order, since another was quicker, is said in a message."""
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ValidationError as flaw:
            self.message_user(request, " ".join(flaw.messages), messages.ERROR)
            return redirect(request.get_full_path())

    # -- for pages of our own --------------------------------------------------------------------------

    def door(self, address: str, view: Callable[..., HttpResponseBase], name: str) -> URLPattern:
        """Below the list's address, let in as Django's own pages are, and reversed by this name."""
        opts = self.opts
        return path(
            address, self.admin_site.admin_view(view), name=f"{opts.app_label}_{opts.model_name}_{name}"
        )

    def must(self, request: HttpRequest, permission: str) -> None:
        if not request.user.has_perm(permission):
            raise PermissionDenied

    def must_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def must_look(self, request: HttpRequest) -> None:
        """For pages that show and change nothing."""
        self.must_view(request)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied

    def done_to(self, request: HttpRequest, key: UUID) -> list[AuditEntry]:
        """What people did to one thing, the newest first, for who may see it."""
        if not request.user.has_perm("webhooks.view_auditentry"):
            return []
        kind = str(self.opts.model_name)
        entries = AuditEntry.objects.filter(object_kind=kind, object_id=public_id(kind, key))
        return list(entries.order_by("-pk")[:SHOWN_ACTS])

    def named(self, object_id: str) -> UUID:
        """The id in an address, or 404."""
        kind = str(self.opts.model_name)
        try:
            return parse_id(kind, unquote(object_id))
        except ValueError:
            raise Http404(f"There is no such {kind}.") from None

    def render(
        self, request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200
    ) -> TemplateResponse:
        """In the shell, and never kept by a browser: who logs out leaves nothing behind."""
        request.current_app = self.admin_site.name
        shell = {**self.admin_site.each_context(request), "opts": self.opts, "media": self.media}
        headers = {"Cache-Control": "no-store"}
        return TemplateResponse(request, template, {**shell, **context}, status=status, headers=headers)


class History(Listing):
    """What happened can be looked at, and that is all. Secrets and raw bytes are left out.

    `payloads` names what shows bodies or header values: seen only with the permission, and each opening is recorded,
    as one of what `opens` says: its kind, and where its id is.
    """

    payloads: ClassVar[tuple[str, ...]] = ()
    opens: ClassVar[tuple[str, str]]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        columns = [field.name for field in _columns(self.model) if not _is_hidden(field)]
        hidden = () if may_see_payloads(request) else self.payloads
        return [name for name in (*columns, *self.readonly_fields) if name not in hidden]

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        answer = super().change_view(request, object_id, form_url, extra_context)
        if self.payloads and answer.status_code == 200 and may_see_payloads(request):
            kind, where = self.opens
            rows = self.model._default_manager.filter(pk=unquote(object_id))
            audit.record_opening(kind, rows.values_list(where, flat=True).get(), **who(request))
        return answer


class Rows(TabularInline):
    """History on the page of what it belongs to."""

    extra = 0
    max_num = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class Who(TypedDict):
    """Whom services name in the audit."""

    actor: str
    user: User


def who(request: HttpRequest) -> Who:
    user = request.user
    if not isinstance(user, User):
        raise PermissionDenied  # the console lets nobody in unnamed; this says so to the type checker too
    return {"actor": user.get_username(), "user": user}


def reason_in(request: HttpRequest) -> str:
    """Why, in the words of who asks; empty where they said nothing."""
    return request.POST.get("reason", "").strip()[:LONGEST_REASON]


def fresh(content: dict[str, Any]) -> JsonResponse:
    """An answer to a script, which a browser must not keep."""
    return JsonResponse(content, headers={"Cache-Control": "no-store"})


def csv_file(name: str, lines: Iterable[str], now: datetime) -> StreamingHttpResponse:
    """A file to keep, written while it is read; the browser keeps no copy of its own."""
    headers = {
        "Content-Disposition": f'attachment; filename="{name}-{now:%Y%m%d-%H%M%S}.csv"',
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers=headers)


def may_see_payloads(request: HttpRequest) -> bool:
    """Bodies and header values."""
    return request.user.has_perm("webhooks.view_payload")


def as_text(body: bytes | memoryview) -> SafeString:
    """A body on a page: decoded as far as it can be, escaped, and cut where it gets long."""
    content = bytes(body)
    text = content[:SHOWN_BYTES].decode(errors="replace")
    more = len(content) - SHOWN_BYTES
    return format_html("<pre>{}{}</pre>", text, f"\n… and {more:,} bytes more" if more > 0 else "")


def _columns(model: type[Model]) -> "list[Field[Any, Any]]":
    return list(model._meta.concrete_fields)


def _is_hidden(field: "Field[Any, Any]") -> bool:
    return isinstance(field, SealedTextField | BinaryField)
