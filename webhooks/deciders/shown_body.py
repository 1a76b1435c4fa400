"""Decides how a body is shown: JSON laid out piece by piece, other text as it is, bytes as a size and a hash.

It yields plain text in pieces; escaping them is the page's affair, so nothing in a body is ever markup.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from .redaction import mask_body

SHOWN = 65_536  # bytes; the rest is loaded when asked for
LONGEST_LAID_OUT = (
    262_144  # bytes; longer JSON is shown as it came, since every piece is an element of the page
)
INDENT = "  "


@dataclass(frozen=True, slots=True)
class Piece:
    """`kind` is key, string, number, word or, for what lies between them, empty."""

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownBody:
    kind: Literal["json", "text", "binary", "empty"]
    size: int
    pieces: Sequence[Piece] = ()
    digest: str = ""
    is_cut: bool = False
    is_json: bool = False  # though it may be shown as it came


def show(body: bytes, *, whole: bool = False, raw: bool = False) -> ShownBody:
    if not body:
        return ShownBody(kind="empty", size=0)
    is_cut = len(body) > SHOWN and not whole
    open_body = mask_body(body)
    text = _text(open_body, is_cut)
    if text is None:
        return ShownBody(kind="binary", size=len(body), digest=sha256(body).hexdigest())
    pieces = None if is_cut or len(body) > LONGEST_LAID_OUT else _laid_out(open_body)
    if pieces is None or raw:
        return ShownBody(
            kind="text", size=len(body), pieces=[Piece("", text)], is_cut=is_cut, is_json=pieces is not None
        )
    return ShownBody(kind="json", size=len(body), pieces=pieces, is_json=True)


def _text(body: bytes, is_cut: bool) -> str | None:
    try:
        text = body[:SHOWN].decode("utf-8", "ignore") if is_cut else body.decode()
    except UnicodeDecodeError:
        # A stray byte does not make a text a picture.
        text = body.decode("utf-8", "replace")
        if text.count("\ufffd") * 10 > len(text):
            return None
    return None if "\0" in text else text


class _Number(str):
    """As it was written: 1.10 stays 1.10."""


def _laid_out(body: bytes) -> Sequence[Piece] | None:
    try:
        value = json.loads(
            body, parse_int=_Number, parse_float=_Number, parse_constant=_Number, object_pairs_hook=tuple
        )
        return _joined(_walk(value, "\n"))
    except (ValueError, RecursionError):
        return None


def _walk(value: Any, margin: str) -> Iterator[tuple[str, str]]:
    """Objects come as tuples of pairs, so that a key said twice is shown twice."""
    if isinstance(value, _Number):
        yield "number", str(value)
    elif isinstance(value, str):
        yield "string", _quoted(value)
    elif isinstance(value, list | tuple):
        yield from _inside(value, margin)
    else:
        yield "word", json.dumps(value)


def _quoted(text: str) -> str:
    """As JSON; half a character, which no page can hold, stays the escape that it came as."""
    return json.dumps(text, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _inside(values: Sequence[Any], margin: str) -> Iterator[tuple[str, str]]:
    opening, closing = "[]" if isinstance(values, list) else "{}"
    if not values:
        yield "", opening + closing
        return
    deeper = margin + INDENT
    for number, each in enumerate(values):
        yield "", (", " if number else opening).rstrip() + deeper
        if isinstance(values, tuple):
            yield "key", _quoted(each[0])
            yield "", ": "
            each = each[1]
        yield from _walk(each, deeper)
    yield "", margin + closing


def _joined(parts: Iterator[tuple[str, str]]) -> Sequence[Piece]:
    pieces: list[Piece] = []
    for kind, text in parts:
        if pieces and not kind and not pieces[-1].kind:
            pieces[-1] = Piece("", pieces[-1].text + text)
        else:
            pieces.append(Piece(kind, text))
    return pieces
