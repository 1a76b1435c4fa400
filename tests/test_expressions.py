"""Filters and transforms: what they yield, and how little harm a bad one can do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhooks.deciders.expressions import ExpressionFailed, compile_expression, parse_json, render_json

ORDER = {"type": "order.paid", "data": {"total": 120, "items": [{"sku": "A", "n": 2}, {"sku": "B", "n": 0}]}}


def evaluated(text: str, value: object = ORDER) -> object:
    return compile_expression(text).evaluate(value)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("data.total", 120),
        ("data.missing", None),
        ("data.total > `100`", True),
        ("data.total > 'a'", None),
        ("type > data", None),
        ("type >= 'order.' && `2` <= data.total", True),
        ("`true` > `0`", None),
        ("type == 'order.paid' && data.total < `100`", False),
        ("data == data", True),
        ("data.items[?n > `0`].sku", ["A"]),
        ("data.items[].sku | join('-', @)", "A-B"),
        ("[[`1`, `2`], `3`, [`4`]][]", [1, 2, 3, 4]),
        ("{id: type, count: length(data.items)}", {"id": "order.paid", "count": 2}),
        ("sort_by(data.items, &n)[0].sku", "B"),
        ("`true` == `1`", False),
    ],
)
def test_jmespath_is_evaluated(text: str, result: object) -> None:
    assert evaluated(text) == result


@pytest.mark.parametrize(
    ("text", "truth"),
    [("`0`", True), ("'a'", True), ("`false`", False), ("missing", False), ("''", False), ("`[]`", False)],
)
def test_a_filter_holds_by_the_truth_of_jmespath(text: str, truth: bool) -> None:
    assert compile_expression(text).holds(ORDER) is truth


def test_an_expression_is_compiled_once() -> None:
    assert compile_expression("data.total") is compile_expression("data.total")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The expression is empty."),
        ("  ", "The expression is empty."),
        ("a" * 4001, "The expression is longer than 4,000 characters."),
        ("(" * 500 + "a" + ")" * 500, "The expression is nested too deeply."),
        ("!" * 3000 + "a", "The expression is nested too deeply."),
        ("a" + "|a" * 150, "The expression is nested too deeply."),
        ("nope(@)", "The expression calls nope(), which JMESPath does not have."),
        ("a[?nope(@)]", "The expression calls nope(), which JMESPath does not have."),
    ],
)
def test_an_expression_is_refused_when_it_is_saved(text: str, sentence: str) -> None:
    with pytest.raises(ValueError) as refusal:
        compile_expression(text)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("text", ["data.[", "a b", "{a: }", "`{", "'", "@@", "a[?b", "\x00", "\ud800"])
def test_what_is_not_jmespath_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=r"^The expression is not valid JMESPath.*\.$"):
        compile_expression(text)


@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
@given(st.text(alphabet="ab.[]{}()*|&!@?<>=`'\" ,:0", max_size=40))
def test_no_text_can_do_worse_than_be_refused(text: str) -> None:
    try:
        render_json(compile_expression(text).evaluate(ORDER))
    except (ValueError, ExpressionFailed) as refusal:
        assert str(refusal).endswith(".")


@pytest.mark.parametrize(
    "text", ["length(data.total)", "abs(type)", "join(data, type)", "sort_by(data.items, &@)", "length()"]
)
def test_an_expression_that_fails_says_so_in_one_sentence(text: str) -> None:
    with pytest.raises(ExpressionFailed, match=r"^The expression failed on this event: .*\.$"):
        evaluated(text)


@pytest.mark.parametrize(
    "text",
    [
        "|".join(["[@,@]"] * 60),
        "|".join(["[@,@]"] * 60) + "|to_string(@)",
        "|".join(["[@,@][]"] * 60),
        "|".join(["{a:@,b:@}"] * 50) + "|[@,@]|[0]==[1]",
        "{a: " + "|".join(["[@,@]"] * 40) + ", b: " + "|".join(["[@,@]"] * 40) + "} | a == b",
        "|".join(["join('xxxxxxxxxxxxxxxx', [@,@,@,@,@,@,@,@])"] * 40),
    ],
    ids=["result", "text", "flatten", "objects", "comparison", "join"],
)
def test_a_small_expression_cannot_make_a_huge_value(text: str) -> None:
    with pytest.raises(ExpressionFailed, match="takes too much work"):
        evaluated(text, "x")


def test_a_megabyte_passes() -> None:
    items = [{"sku": "x" * 80, "n": number} for number in range(10_000)]
    assert len(evaluated("items[?n >= `0`].{sku: sku, n: n}", {"items": items})) == 10_000  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "rendered"),
    [
        ({"b": 1, "a": [True, None]}, b'{"b":1,"a":[true,null]}'),
        ("José", '"José"'.encode()),
        (1.5, b"1.5"),
        ("a/b\n", b'"a/b\\n"'),
        (None, b"null"),
    ],
)
def test_json_is_rendered_compact_and_unescaped(value: object, rendered: bytes) -> None:
    assert render_json(value) == rendered


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (float("nan"), "The result has a number or a depth that JSON cannot hold."),
        ([float("inf")], "The result has a number or a depth that JSON cannot hold."),
        ("\ud800", "The result has half a character in it, which UTF-8 cannot hold."),
        (object(), "The result is not a JSON value."),
    ],
)
def test_what_json_cannot_hold_is_a_failure(value: object, sentence: str) -> None:
    with pytest.raises(ExpressionFailed) as failure:
        render_json(value)
    assert str(failure.value) == sentence


def test_a_number_beyond_measure_fails_when_rendered() -> None:
    with pytest.raises(ExpressionFailed):
        render_json(evaluated("to_number('1e999')"))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe\xfd", b'{"a": NaN}', b"[" * 100_000, b"1" * 5_000, b"Infinity"]
)
def test_a_body_that_is_not_json_is_a_failure(body: bytes) -> None:
    with pytest.raises(ExpressionFailed, match="The event's body is not JSON"):
        parse_json(body)


def test_a_json_body_is_read() -> None:
    assert parse_json(b'{"a": "\xc3\xa9"}') == {"a": "é"}
