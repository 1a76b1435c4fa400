"""Maps addresses to doors; what lies behind each door is its own affair."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from hub.health import livez, readyz
from hub.metrics import metrics

to_console = RedirectView.as_view(pattern_name="admin:index")

urlpatterns = [
    path("", to_console),
    path("admin", to_console),
    path("admin/", admin.site.urls),
    path("in/", include("webhooks.urls")),
    path("api/v1/", include("hub.api")),
    path("livez", livez, name="livez"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
