"""How a body is laid out: JSON keeps what was written, other text stays as it is, bytes are named by size and hash."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.deciders.shown_body import Piece, show


def laid_out(body: bytes) -> str:
    return "".join(piece.text for piece in show(body).pieces)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{}", "{}"),
        (b"[]", "[]"),
        (b'"a"', '"a"'),
        (b"1.10", "1.10"),
        (b"12345678901234567890123", "12345678901234567890123"),
        (b"[true,null]", "[\n  true,\n  null\n]"),
        (b'{"a":{"b":[]},"a":2}', '{\n  "a": {\n    "b": []\n  },\n  "a": 2\n}'),
        (
            b'{"\\ud800":"a\\udfff \\ud83d\\ude00"}',
            '{\n  "\\ud800": "a\\udfff 😀"\n}',
        ),  # half a character is no text
        ('{"n":"Zoë 1 \\u0000"}'.encode(), '{\n  "n": "Zoë 1 \\u0000"\n}'),
    ],
)
def test_json_is_laid_out_and_nothing_in_it_is_changed(body: bytes, expected: str) -> None:
    assert (show(body).kind, laid_out(body)) == ("json", expected)


@pytest.mark.parametrize("is_raw", [False, True])
def test_a_secret_that_its_provider_sends_in_the_body_is_not_shown(is_raw: bool) -> None:
    shown = show(b'{"value":[{"clientState" : "se\\"cret","id":"clientState"}]}', raw=is_raw)
    told = "".join(piece.text for piece in shown.pieces)
    assert "cret" not in told and told.count("••••••") == 1 and told.count("clientState") == 2


def test_each_piece_says_what_it_is_and_digits_in_a_text_are_no_number() -> None:
    assert show(b'{"id 1":"2",  "n":3,"t":true}').pieces == [
        Piece("", "{\n  "), Piece("key", '"id 1"'), Piece("", ": "), Piece("string", '"2"'), Piece("", ",\n  "),
        Piece("key", '"n"'), Piece("", ": "), Piece("number", "3"), Piece("", ",\n  "), Piece("key", '"t"'),
        Piece("", ": "), Piece("word", "true"), Piece("", "\n}"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"plain", b"{", b"<a>1</a>", b"[" * 5_000, b"a\xffb and more text than that"]
)
def test_what_is_no_json_is_shown_as_it_came(body: bytes) -> None:
    shown = show(body)
    assert (shown.kind, shown.is_json) == ("text", False)
    assert [piece.text for piece in shown.pieces] == [body.decode(errors="replace")]


@pytest.mark.parametrize("body", [b"\0", b"\x89PNG\r\n\x1a\n\xff\xfe\xfd", b"\xff" * 20])
def test_bytes_are_named_by_size_and_hash(body: bytes) -> None:
    shown = show(body)
    assert (shown.kind, shown.size, len(shown.digest), shown.pieces) == ("binary", len(body), 64, ())


def test_what_is_long_is_cut_at_a_whole_character() -> None:
    shown = show("é".encode() * 40_000)
    assert (shown.is_cut, shown.size, shown.pieces) == (True, 80_000, [Piece("", "é" * 32_768)])
    assert show("é".encode() * 40_000, whole=True).pieces == [Piece("", "é" * 40_000)]


def test_nothing_is_empty() -> None:
    assert show(b"").kind == "empty"


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4), max_leaves=20,
))  # fmt: skip
def test_whatever_json_is_laid_out_means_the_same(value: object) -> None:
    body = json.dumps(value).encode()
    assert json.loads(laid_out(body)) == value


@given(st.binary(max_size=300))
def test_no_bytes_break_it(body: bytes) -> None:
    for raw in (False, True):
        assert show(body, raw=raw).size == len(body)
