"""Says at which address a caller finds something else of the API. It looks nothing up."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.http.request import split_domain_port
from rest_framework.request import Request


def address_for(request: HttpRequest | Request, path: str) -> str:
    """The public one for who asked at its host, since a proxy has taken its https off; else that which was asked."""
    public = settings.HUB_PUBLIC_URL
    if public and split_domain_port(request.get_host())[0] == urlsplit(public).hostname:
        return f"{public}{path}"
    return request.build_absolute_uri(path)
