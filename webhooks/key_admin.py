"""API keys on the console: made and shown once, revoked after asking, never changed."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from webhooks.history_admin import Listing, ModelForm, reason_in, who
from webhooks.models import ApiKey
from webhooks.services import keys


class ApiKeyForm(ModelForm):
    class Meta:
        model = ApiKey
        fields = ("name", "role", "subscriber", "sources", "expires_at")

    def clean(self) -> dict[str, Any]:
        """By the service's own rules, so that the page refuses what the API and the terminal would."""
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors:
            asked = {name: given[name] for name in ("role", "subscriber", "expires_at")}
            keys.check(**asked, sources=list(given["sources"]))
        return given


@admin.register(ApiKey)
class ApiKeyAdmin(Listing):
    list_display = ("label", "prefix", "role", "owner", "standing", "last_used", "expires_at", "created_at")
    list_select_related = ("subscriber",)
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter))
    form = ApiKeyForm
    fields = ApiKeyForm.Meta.fields
    ids: ClassVar = {"apikey": "pk"}
    texts: ClassVar = ("name", "shown_prefix")
    search_help_text = "A key's id, its whole name, or the characters that are shown of it."
    actions = ("revoke",)
    revoke_template = "admin/webhooks/apikey/revoke.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiKey]:
        rows: QuerySet[ApiKey] = super().get_queryset(request)
        return rows.prefetch_related("sources")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("webhooks.change_apikey")

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        """Looked at, it tells more than was asked for when it was made."""
        more = ("prefix", "standing", "created_at", "last_used_at", "revoked_at") if obj else ()
        return (*ApiKeyForm.Meta.fields, *more)

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        made, plain = keys.create_api_key(
            role=obj.role,
            name=obj.name,
            subscriber=obj.subscriber,
            sources=form.cleaned_data["sources"],
            expires_at=obj.expires_at,
            **who(request),
        )
        obj.pk, obj.shown_prefix = made.pk, made.shown_prefix
        self.message_user(request, f"The key is {plain} and is not shown again.", messages.WARNING)

    @admin.display(description="Name")
    def label(self, key: ApiKey) -> str:
        return key.name or f"{key.get_role_display()} without a name"

    @admin.display(description="Begins with")
    def prefix(self, key: ApiKey) -> SafeString:
        return format_html("<code>{}…</code>", key.shown_prefix)

    @admin.display(description="Of or for")
    def owner(self, key: ApiKey) -> str:
        """Whose it is, or where it may publish."""
        if key.subscriber is not None:
            return key.subscriber.name
        return ", ".join(sorted(source.slug for source in key.sources.all())) or "everything"

    @admin.display(description="State")
    def standing(self, key: ApiKey) -> SafeString:
        state = "revoked" if key.revoked_at else "expired" if _is_over(key) else "live"
        return render_to_string("admin/webhooks/apikey/standing.html", {"state": state})

    @admin.display(description="Last used")
    def last_used(self, key: ApiKey) -> SafeString:
        return render_to_string("admin/webhooks/apikey/last_used.html", {"at": key.last_used_at})

    @admin.action(description="Revoke selected API keys", permissions=["revoke"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> HttpResponse | None:
        """Asks first: a service that still holds the key is locked out at once."""
        chosen = list(queryset)
        if not request.POST.get("post"):
            return self._ask(request, chosen)
        reason = reason_in(request)
        revoked = [key for key in chosen if keys.revoke_api_key(key_id=key.pk, reason=reason, **who(request))]
        for key in revoked:
            self.log_change(request, key, "Revoked.")
        if revoked:
            self.message_user(request, f"Revoked {len(revoked)}.", messages.SUCCESS)
        if before := len(chosen) - len(revoked):
            self.message_user(request, f"{before} had been revoked before.", messages.WARNING)
        return None

    def _ask(self, request: HttpRequest, chosen: list[ApiKey]) -> TemplateResponse:
        context = {
            "title": f"Revoke {len(chosen)} API key{'' if len(chosen) == 1 else 's'}?",
            "keys": chosen,
        }
        return self.render(request, self.revoke_template, context)


def _is_over(key: ApiKey) -> bool:
    return key.expires_at is not None and key.expires_at <= timezone.now()
