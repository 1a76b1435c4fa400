"""Decides which headers and bodies hold credentials, and parts them from what people may see. It stores nothing."""

import re
from collections.abc import Collection, Iterable
from urllib.parse import unquote_plus

MASK = "••••••"

_SENSITIVE = re.compile(
    r"\A(proxy-)?authorization\Z|cookie|token|secret|password|passwd|credential|api[-_]?key|access[-_]?key|auth[-_]?key|private[-_]?key"
)

# Microsoft Graph proves itself by a secret inside each notification.
_IN_BODY = re.compile(rb'("clientState"\s*:\s*")(?:[^"\\]|\\.)+"', re.DOTALL)


def is_sensitive(name: str) -> bool:
    """Whether a header of this name may hold a credential. A signature is none: alone it opens nothing."""
    return _SENSITIVE.search(name.lower()) is not None


def mask(headers: Iterable[tuple[str, str]]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The headers as people may see them, and the values that were masked, to be sealed by the caller."""
    shown: list[tuple[str, str]] = []
    credentials: dict[str, str] = {}
    for name, value in headers:
        if value and is_sensitive(name):
            credentials[name] = value
            value = MASK
        shown.append((name, value))
    return shown, credentials


def mask_query(query: str) -> str:
    """The query string as people may see it; the same string when nothing in it is sensitive."""
    return "&".join(_mask_pair(pair) for pair in query.split("&"))


def _mask_pair(pair: str) -> str:
    name, equals, _ = pair.partition("=")
    return f"{name}={MASK}" if equals and is_sensitive(unquote_plus(name)) else pair


def mask_document(document: object, names: Collection[str]) -> object:
    """JSON with the values masked that stand under a sensitive name, or under one of `names` (in lower case)."""
    if isinstance(document, dict):
        return {
            name: MASK
            if value and (is_sensitive(name) or name.lower() in names)
            else mask_document(value, names)
            for name, value in document.items()
        }
    if isinstance(document, list):
        return [mask_document(each, names) for each in document]
    return document


def mask_body(body: bytes) -> bytes:
    """A body as people may see it; the same bytes when no provider keeps its secret there."""
    return _IN_BODY.sub(rb"\1" + MASK.encode() + b'"', body) if b'"clientState"' in body else body
