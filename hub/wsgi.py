"""What the web server calls."""

import os
from typing import Any

import django
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hub.settings")


class HubRequest(WSGIRequest):
    """A request whose Content-Type may be anything; a sender's odd header is no fault of ours."""

    def _set_content_type_params(self, meta: dict[str, Any]) -> None:
        try:
            super()._set_content_type_params(meta)  # type: ignore[misc]  # Django's own, unknown to its stubs
        except ValueError:  # such as `charset*=bogus''x`, which Django lets through as a 500
            self.content_type, self.content_params = "", {}


class HubHandler(WSGIHandler):
    request_class = HubRequest


django.setup(set_prefix=False)
application = HubHandler()
