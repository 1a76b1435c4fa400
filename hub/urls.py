"""Maps addresses to doors; what lies behind each door is its own affair."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from hub import failures, problem_pages
from hub.health import livez, readyz
from hub.metrics import metrics
from hub.openapi import document

to_console = RedirectView.as_view(pattern_name="admin:index")

urlpatterns = [
    path("api/v1/", include("hub.api")),
    path("in/", include("webhooks.urls")),
    path("", to_console),
    path("admin", to_console),
    path("admin/", admin.site.urls),
    path("api/schema", document.schema, name="api-schema"),
    path("api/docs", document.docs, name="api-docs"),
    path("api/problems", problem_pages.contents, name="problems"),
    path("api/problems/<slug:slug>", problem_pages.one, name="problem"),
    re_path(r"^api(?:/.*)?$", failures.nothing_here),
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]

handler400 = failures.bad_request
handler403 = failures.forbidden
handler404 = failures.not_found
handler500 = failures.server_error
