"""The admin site that is Weir's console. It registers nothing; each app does that for itself."""

from typing import Any

from django.contrib.admin import AdminSite


class ConsoleSite(AdminSite):
    site_title = "Weir"
    site_header = "Weir"
    index_title = "Webhooks in, deliveries out"
    enable_nav_sidebar = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # History is never deleted by hand, and configuration is disabled instead.
        self.disable_action("delete_selected")
