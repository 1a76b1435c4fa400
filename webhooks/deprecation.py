"""Tells a publisher that it uses what is on its way out: in a header (RFC 9745), and in words. It refuses nothing."""

from typing import Any

from webhooks.services.event_types import Catalogue, deprecated_since


def deprecation(catalogue: Catalogue) -> tuple[dict[str, Any], dict[str, str]]:
    """What is added to an answer, and its headers; nothing where none of the types is deprecated.

    The header bears the earliest time since when any of them is, as `@` and Unix seconds.
    """
    since = deprecated_since(catalogue)
    if not since:
        return {}, {}
    words = [
        f"The event type {name} is deprecated since {at:%Y-%m-%d}." for name, at in sorted(since.items())
    ]
    return {"deprecated": words}, {"Deprecation": f"@{int(min(since.values()).timestamp())}"}
