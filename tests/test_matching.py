"""Which subscriptions an event may interest."""

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deliveries.deciders.matching import MatchTable, Wanted, matches, validate_pattern

SHOP, BANK = uuid.UUID(int=1), uuid.UUID(int=2)


def wanted(number: int, *patterns: str, sources: tuple[uuid.UUID, ...] = ()) -> Wanted:
    return Wanted(subscription_id=uuid.UUID(int=number), source_ids=frozenset(sources), patterns=patterns)


def found(table: MatchTable, source: uuid.UUID, event_type: str) -> list[int]:
    return [each.subscription_id.int for each in table.candidates(source, event_type)]


@pytest.mark.parametrize(
    ("pattern", "event_type", "fits"),
    [
        ("user.created", "user.created", True),
        ("user.created", "user.created.twice", False),
        ("user.created", "User.created", False),
        ("user.*", "user.created", True),
        ("user.*", "user.address.changed", True),
        ("user.*", "user", False),
        ("user.*", "user.", False),
        ("user.*", "users.created", False),
        ("user.address.*", "user.address.changed", True),
        ("user.address.*", "user.created", False),
        ("*", "user.created", True),
        ("*", "", True),
        ("Push Hook", "Push Hook", True),
    ],
)
def test_patterns_fit_exactly_by_subtree_or_always(pattern: str, event_type: str, fits: bool) -> None:
    assert matches(pattern, event_type) is fits
    assert bool(found(MatchTable([wanted(1, pattern)]), SHOP, event_type)) is fits


@pytest.mark.parametrize(
    ("pattern", "event_type"),
    [
        ("*", "x"),
        ("user.created", "user.created"),
        ("user.*", "user.created"),
        ("a.b.c.*", "a.b.c.d"),
        ("Push Hook", "Push Hook"),
        ("ünï.*", "ünï.x"),
    ],
)
def test_a_legal_pattern_passes_and_finds_something(pattern: str, event_type: str) -> None:
    validate_pattern(pattern)
    assert matches(pattern, event_type)


@pytest.mark.parametrize(
    "pattern", ["", "**", "user*", "*.created", "user.*.x", ".*", "user.**", " user", "a\nb", "a" * 201]
)
def test_an_illegal_pattern_is_refused_in_one_sentence(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        validate_pattern(pattern)


def test_a_source_narrows_and_none_means_any() -> None:
    table = MatchTable(
        [wanted(1, "*"), wanted(2, "*", sources=(SHOP,)), wanted(3, "*", sources=(SHOP, BANK))]
    )
    assert found(table, SHOP, "x") == [1, 2, 3]
    assert found(table, BANK, "x") == [1, 3]


def test_a_subscription_that_fits_twice_is_found_once() -> None:
    table = MatchTable([wanted(1, "*", "user.*", "user.created")])
    assert found(table, SHOP, "user.created") == [1]
    assert found(table, SHOP, "user.created") == [1]


def test_an_empty_table_finds_nobody() -> None:
    assert found(MatchTable([]), SHOP, "user.created") == []


PARTS = st.sampled_from(["a", "b", "c"])
TYPES = st.lists(PARTS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.one_of(TYPES, TYPES.map(lambda text: text + ".*"), st.just("*"))


@given(st.lists(st.lists(PATTERNS, min_size=1, max_size=3), max_size=8), TYPES)
def test_the_index_finds_what_a_scan_would(all_patterns: list[list[str]], event_type: str) -> None:
    table = MatchTable(wanted(number, *patterns) for number, patterns in enumerate(all_patterns))
    assert found(table, SHOP, event_type) == [
        number
        for number, patterns in enumerate(all_patterns)
        if any(matches(pattern, event_type) for pattern in patterns)
    ]


def test_types_without_end_do_not_fill_the_memory() -> None:
    table = MatchTable([wanted(1, "*")])
    for number in range(5_000):
        table.candidates(SHOP, f"type.{number}")
    assert len(table._answers) == 4_096


def test_one_of_ten_thousand_subscriptions_is_found() -> None:
    table = MatchTable(wanted(number, f"type{number}.*") for number in range(10_000))
    assert found(table, SHOP, "type9999.made") == [9999]
