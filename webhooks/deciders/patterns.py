"""Says how much work holding a text against a regular expression may be, and refuses those that may take for ever.

Python's own matcher tries one way after another, lets nobody else in meanwhile and cannot be stopped. So the ways that
there may be are counted before it begins. It matches nothing itself.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from math import factorial
from typing import Any, Final

LONGEST_PATTERN: Final = 500  # characters
LONGEST_MATCHED: Final = 2_000  # characters held against any pattern
MOST_STEPS: Final = 10_000_000  # of one match, some tenths of a second
MOST_WAYS: Final = 10_000  # that do not come of the text's length
MOST_DEGREE: Final = 5  # repeats without bound, one after the other
_UNBOUNDED: Final = 256  # times; a repeat that may be longer is one without bound


@dataclass(frozen=True, kw_only=True, slots=True)
class Effort:
    """A text of n characters may be taken in up to `ways` × n to the power of `degree` ways, in ascending places."""

    ways: int
    degree: int

    def steps(self, length: int) -> int:
        return int(self.ways * length**self.degree // factorial(self.degree)) + length

    @property
    def longest(self) -> int:
        """Characters of a text that is held against it."""
        if self.degree == 0:
            return LONGEST_MATCHED
        most = (MOST_STEPS * factorial(self.degree) / self.ways) ** (1 / self.degree)
        return min(LONGEST_MATCHED, int(most))


class _Endless(Exception):  # noqa: N818
    """Something repeats what can be taken in several ways."""


@lru_cache(maxsize=1_000)
def effort(pattern: str) -> Effort:
    """Raises ValueError, one sentence."""
    if len(pattern) > LONGEST_PATTERN:
        raise ValueError(f"A pattern has at most {LONGEST_PATTERN} characters.")
    try:
        re.compile(pattern)
        parsed = _parse(pattern)
    except (re.error, RecursionError, OverflowError):
        raise ValueError(f"The pattern {pattern[:80]!r} is not a regular expression.") from None
    try:
        found = _of_all(parsed)
    except _Endless:
        raise ValueError(
            f"The pattern {pattern[:80]!r} repeats what repeats, which may take for ever."
        ) from None
    starts = 0 if _is_anchored(parsed) else 1  # it is tried from every place of the text
    if found.ways > MOST_WAYS or found.degree > MOST_DEGREE:
        raise ValueError(f"The pattern {pattern[:80]!r} has too many ways to match, which may take for ever.")
    return Effort(ways=found.ways, degree=found.degree + starts)


_parse: Any = re._parser.parse  # type: ignore[attr-defined]  # what `re` itself reads by; no other reads the same


def _is_anchored(parsed: Any) -> bool:
    is_lined = parsed.state.flags & re.MULTILINE
    first = parsed[0] if len(parsed) else None
    return not is_lined and first is not None and str(first[0]) == "AT" and "BEGINNING" in str(first[1])


def _of_all(nodes: Iterable[tuple[Any, Any]]) -> Effort:
    """One after the other."""
    ways, degree = 1, 0
    for name, argument in nodes:
        found = _of(str(name), argument)
        ways, degree = ways * found.ways, degree + found.degree
    return Effort(ways=ways, degree=degree)


def _of(name: str, argument: Any) -> Effort:
    match name:
        case "SUBPATTERN":
            return _of_all(argument[3])
        case "ATOMIC_GROUP":
            return _of_all(argument)
        case "ASSERT" | "ASSERT_NOT":
            return _of_all(argument[1])
        case "BRANCH":
            return _of_branches(argument[1])
        case "GROUPREF_EXISTS":
            return _of_branches([each or [] for each in argument[1:]])
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _of_repeat(*argument)
        case "GROUPREF":
            return Effort(ways=1, degree=1)
    return Effort(ways=1, degree=0)  # one character, or a place


def _of_branches(branches: list[Any]) -> Effort:
    efforts = [_of_all(each) for each in branches]
    ways = [each.ways for each in efforts]
    return Effort(
        ways=max(ways) if _differ_at_once(branches) else sum(ways),
        degree=max(each.degree for each in efforts),
    )


def _differ_at_once(branches: list[Any]) -> bool:
    """Whether each begins with another character, so that one at most goes on."""
    seen: set[str] = set()
    for branch in branches:
        firsts = _firsts(branch)
        if not firsts or firsts & seen:
            return False
        seen |= firsts
    return True


def _firsts(branch: Any) -> set[str]:
    """The characters that it may begin with, without their case; none where that is not plain to see."""
    node: tuple[Any, Any] = branch[0] if len(branch) else ("", None)
    name, argument = node
    if str(name) == "LITERAL":
        return {chr(argument).casefold()}
    if str(name) != "IN":
        return set()
    found: set[str] = set()
    for kind, what in argument:
        if str(kind) == "LITERAL":
            found.add(chr(what).casefold())
        elif str(kind) == "RANGE" and what[1] - what[0] < _UNBOUNDED:
            found |= {chr(code).casefold() for code in range(what[0], what[1] + 1)}
        else:
            return set()
    return found


def _of_repeat(least: int, most: int, what: Any) -> Effort:
    inner = _of_all(what)
    if most <= 1:
        return Effort(ways=inner.ways + 1 - least, degree=inner.degree)
    if _is_parted(what):
        return Effort(ways=1, degree=1)
    if inner.degree or (inner.ways > 1 and most > _UNBOUNDED):
        raise _Endless
    if most > _UNBOUNDED:
        return Effort(ways=1, degree=1)
    ways = most - least + 1 if inner.ways == 1 else inner.ways**most * (most - least + 1)
    return Effort(ways=ways, degree=0)


def _is_parted(what: Any) -> bool:
    """Whether it is a character and then a run of others, or the other way round, such as `\\.[a-z]+`.

    Then it is plain where each ends, and together they have no more ways than one run.
    """
    nodes = list(what)
    while len(nodes) == 1 and str(nodes[0][0]) == "SUBPATTERN":
        nodes = list(nodes[0][1][3])
    if len(nodes) != 2:
        return False
    mark, run = nodes if str(nodes[0][0]) == "LITERAL" else nodes[::-1]
    if str(mark[0]) != "LITERAL" or str(run[0]) not in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        return False
    inside = list(run[1][2])
    return len(inside) == 1 and not _may_take(inside[0], chr(mark[1]))


def _may_take(node: tuple[Any, Any], character: str) -> bool:
    """Whether this may stand for the character, in either case."""
    name, argument = node
    cases = {character, character.lower(), character.upper(), character.casefold()}
    if str(name) == "LITERAL":
        return chr(argument) in cases
    if str(name) == "NOT_LITERAL":
        return chr(argument) not in cases or len(cases) > 1
    if str(name) != "IN" or str(argument[0][0]) == "NEGATE":
        # What a class leaves out, it leaves out in one case at least.
        left_out = str(name) == "IN" and any(_is_in(part, character) for part in argument[1:])
        return not (left_out and len(cases) == 1)
    return any(_is_in(part, each) for part in argument for each in cases)


def _is_in(part: tuple[Any, Any], character: str) -> bool:
    kind, what = str(part[0]), part[1]
    if kind == "LITERAL":
        return chr(what) == character
    if kind == "RANGE":
        return bool(what[0] <= ord(character) <= what[1])
    is_in = {
        "DIGIT": character.isdecimal(),
        "SPACE": character.isspace(),
        "WORD": character.isalnum() or character == "_",
    }[str(what).rpartition("_")[2]]
    return is_in != ("NOT_" in str(what))
