"""Every address of the console that can be looked at, found in the site's own list, so that none can be forgotten."""

import re
from collections.abc import Iterator

from django.apps import apps
from django.contrib import admin
from django.urls import URLPattern, reverse

# Ends the session, or leads out of the console; has a list of things as its one answer, not a page.
LEFT_OUT = {"logout", "view_on_site", "app_list", "jsi18n", "autocomplete", "login"}
DOORS_OF = re.compile(r"(?P<app>[a-z]+)_(?P<model>[a-z]+)_(?P<what>[a-z_]+)")


def addresses() -> Iterator[str]:
    """Those without an argument, and those of one thing for the oldest there is, each once."""
    for name, arguments in _named():
        if arguments == 0:
            yield reverse(f"admin:{name}")
        elif arguments == 1 and (key := _oldest(name)) is not None:
            yield reverse(f"admin:{name}", args=[key])


def things_missing() -> list[str]:
    """Doors of one thing for which there is nothing in the database: a walk that skips them proves too little."""
    return [name for name, arguments in _named() if arguments == 1 and _oldest(name) is None]


def _named() -> list[tuple[str, int]]:
    patterns = [each for each in _flat(admin.site.get_urls()) if each.name and each.name not in LEFT_OUT]
    return list({(str(each.name), len(each.pattern.converters)): None for each in patterns})


def _flat(patterns: list) -> Iterator[URLPattern]:
    for each in patterns:
        if isinstance(each, URLPattern):
            yield each
        else:
            yield from _flat(each.url_patterns)


def _oldest(name: str) -> object:
    """Its primary key, if there is any."""
    found = DOORS_OF.fullmatch(name)
    if found is None:
        return None
    try:
        model = apps.get_model(found["app"], found["model"])
    except LookupError:
        return None
    return model._default_manager.order_by("pk").values_list("pk", flat=True).first()
