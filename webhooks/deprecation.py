"""Tells a publisher that it uses what is on its way out: in a header (RFC 9745), and in words. It refuses nothing."""

from rest_framework.response import Response

from webhooks.services.event_types import Catalogue, deprecated_since


def with_deprecation(answer: Response, catalogue: Catalogue) -> Response:
    """The header bears the earliest time since when any of the types is deprecated, as `@` and Unix seconds."""
    since = deprecated_since(catalogue)
    if since:
        answer["Deprecation"] = f"@{int(min(since.values()).timestamp())}"
        answer.data["deprecated"] = [
            f"The event type {name} is deprecated since {at:%Y-%m-%d}." for name, at in sorted(since.items())
        ]
    return answer
