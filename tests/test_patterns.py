"""Before a text is held against a pattern, the ways there may be are counted: matching cannot be stopped."""

import re
import time

import pytest

from webhooks.deciders.patterns import Effort, effort


@pytest.mark.parametrize(
    ("pattern", "ways", "degree"),
    [
        ("^abc$", 1, 0),
        ("abc", 1, 1),
        (r"^\d{4}-\d{2}$", 1, 0),
        ("^a?b?$", 4, 0),
        ("^[a-z]{1,63}$", 63, 0),
        ("^(foo|bar)+$", 1, 1),
        ("^(foo|far)+$", 1, 1),
        (r"^((25[0-5]|2[0-4]\d|1?\d?\d)\.){3}$", 216, 0),
        (r"^[^@]+@[^@]+\.[^@]+$", 1, 3),
        (r"[^@]+@[^@]+\.[^@]+", 1, 4),
        (r"^(\.[a-z]+)*$", 1, 1),
        (r"^([a-z]+\.)*$", 1, 1),
        ("(?m)^a*", 1, 2),
        (r"^(a*)\1$", 1, 2),
        ("", 1, 1),
    ],
)
def test_ways_are_counted(pattern: str, ways: int, degree: int) -> None:
    assert effort(pattern) == Effort(ways=ways, degree=degree)


@pytest.mark.parametrize(
    "pattern",
    [
        "^(a+)+$",
        "^(a|aa)+$",
        "^(a|a)*$",
        "(a?b?)*",
        "(?i)^(ab|AC|A)*$",
        "^(?:[a-z]*x)*$",
        "(?i)^([a-z]+X)*$",
        r"^(\w+\s?)*$",
        r"^([^,]*[,;])*$",
        "^(.*,)*$",
        r"(a)(\1|\1\1)*",
        "(?=(a+)+)",
        "((a*)*)?",
        "(x{2,})*",
    ],
)
def test_what_repeats_what_repeats_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="repeats what repeats, which may take for ever"):
        effort(pattern)


@pytest.mark.parametrize(
    "pattern", ["(a?){30}a{30}", "(?:a{1,30}){1,30}", "((a{1,9}){1,9}){1,9}", "^a*b*c*d*e*f*$"]
)
def test_what_has_too_many_ways_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="has too many ways to match, which may take for ever"):
        effort(pattern)


@pytest.mark.parametrize("pattern", ["(", "a**", "[z-a]", "(?P<n>a)(?P<n>b)", "a{2,1}", "a{99999999999}"])
def test_what_is_no_regular_expression_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not a regular expression"):
        effort(pattern)


@pytest.mark.parametrize("pattern", ["^a*a*a*a*a*b$", "a*a*a*b", "^(a|b)*(b|a)*c$", "^(a?){9}b$", "(.)*x"])
def test_a_text_as_long_as_may_be_takes_no_second_to_match(pattern: str) -> None:
    text = "a" * effort(pattern).longest
    began_at = time.monotonic()
    assert re.search(pattern, text) is None
    assert time.monotonic() - began_at < 5
