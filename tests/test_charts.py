"""Charts: numbers become places, exactly; what is drawn is escaped, linked and told in a table too."""

import ast
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import ages
from hub.charts import Column, Kind, Series, gauge, lines, sparkline, stacks, strip
from hub.charts.scale import linear, logarithmic, marks, milliseconds, plain
from hub.templatetags.charts import chart

KINDS = [Kind(name="Delivered", tone="good"), Kind(name="Dead", tone="bad")]


def columns(*counts: tuple[int, int]) -> list[Column]:
    return [
        Column(label=f"{number}:00", counts=each, address=f"?at={number}")
        for number, each in enumerate(counts)
    ]


def test_they_know_no_django() -> None:
    roots = set()
    for path in Path("hub/charts").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                roots |= {name.name.split(".")[0] for name in node.names}
            if isinstance(node, ast.ImportFrom) and not node.level:
                roots.add((node.module or "").split(".")[0])
    assert roots == {"math", "collections", "dataclasses", "typing"}


def test_bars_stand_on_each_other() -> None:
    first, second = stacks(title="x", kinds=KINDS, columns=columns((50, 50), (10, 0)), height=100).bars
    assert [(part.y, part.height, part.tone) for part in first.parts] == [
        ("50", "50", "good"),
        ("0", "50", "bad"),
    ]
    assert [(part.y, part.height) for part in second.parts] == [("90", "10")]
    assert (first.x, first.width, second.x, second.hit_x, second.hit_width) == (
        "4.5",
        "41",
        "54.5",
        "50",
        "50",
    )
    assert first.title == "0:00: Delivered 50, Dead 50"


def test_a_single_dead_letter_among_thousands_is_seen() -> None:
    bar = stacks(title="x", kinds=KINDS, columns=columns((10_000, 1)), height=100).bars[0]
    assert [(part.height, part.tone) for part in bar.parts] == [("50", "good"), ("1", "bad")]


def test_what_is_not_over_yet_is_pale_and_says_so() -> None:
    last = Column(label="3:00", counts=(0, 0), is_unfinished=True)
    bar = stacks(title="x", kinds=KINDS, columns=[last]).bars[0]
    assert (bar.is_pale, bar.title, bar.parts) == (True, "3:00, not over yet: none", [])


def test_nothing_at_all_is_an_empty_chart() -> None:
    assert [tick.words for tick in stacks(title="x", kinds=KINDS, columns=[]).ticks] == ["0", "1", "2"]
    assert (
        lines(title="x", labels=[], series=[Series(name="p50", tone="info", values=[])]).lines[0].path == ""
    )


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, [0, 1, 2]),
        (1, [0, 1, 2]),
        (7, [0, 5, 10]),
        (345, [0, 200, 400]),
        (400, [0, 200, 400]),
        (401, [0, 300, 600]),
    ],
)
def test_an_axis_ends_at_a_round_number(most: float, expected: list[float]) -> None:
    assert linear(most, 100)[1] == expected


@pytest.mark.parametrize(
    ("least", "most", "expected"),
    [
        (120, 28_000, [100, 300, 1_000, 3_000, 10_000, 30_000]),
        (100, 100, [100, 300]),
        (0, 50, [1e-9, 3e-9]),
        (3, 10, [3, 10]),
    ],
)
def test_a_logarithmic_axis_goes_by_thirds(least: float, most: float, expected: list[float]) -> None:
    values = logarithmic(least, most, 100)[1]
    assert values[: len(expected)] == pytest.approx(expected)
    assert values[-1] >= most * 0.999


def test_a_decade_is_as_high_anywhere() -> None:
    scale, _ = logarithmic(1, 1_000, 90)
    assert [round(scale.y(value)) for value in (1_000, 100, 10, 1, 0)] == [0, 30, 60, 90, 90]


def test_a_gap_is_a_gap() -> None:
    drawn = lines(
        title="x", labels=list("abcd"), series=[Series(name="p", tone="info", values=[2, None, 2, 0])]
    )
    assert drawn.lines[0].path == "M125 0h.1M625 0h.1L875 120"
    assert drawn.points[1].title == "b: p –"


def test_labels_are_as_many_as_fit() -> None:
    assert [mark.words for mark in marks([str(n) for n in range(96)])] == ["0", "16", "32", "48", "64", "80"]
    assert [(mark.x, mark.words) for mark in marks(["a", "b"])] == [("0", "a"), ("50", "b")]


@pytest.mark.parametrize(
    ("value", "told"), [(0, "0"), (200, "200"), (1_500, "1.5k"), (2_000_000, "2M"), (0.25, "0.25")]
)
def test_numbers_at_an_axis_are_short(value: float, told: str) -> None:
    assert plain(value) == told


def test_latencies_have_their_unit() -> None:
    assert [milliseconds(value) for value in (300, 1_000, 30_000)] == ["300 ms", "1 s", "30 s"]


def test_small_ones() -> None:
    assert sparkline(title="x", values=[0, 10], height=20).line == "M250 20h.1L750 0"
    assert sparkline(title="x", values=[]).area == ""
    assert [
        (step.x, step.y, step.height) for step in strip(title="x", values=[0, 5, 10], width=30).steps
    ] == [
        ("10", "10", "10"),
        ("20", "0", "20"),
    ]
    assert [gauge(title="x", value=value, most=200).width for value in (0, 0.1, 100, 999)] == [
        "0",
        "1",
        "50",
        "100",
    ]


def test_a_drawn_chart_links_tells_and_escapes() -> None:
    kinds = [Kind(name="<b>", tone="good")]
    drawn = chart(
        stacks(title='"x"', kinds=kinds, columns=[Column(label="<i>", counts=(3,), address='/?a="&b=1')])
    )
    assert '<a href="/?a=&quot;&amp;b=1" tabindex="-1"><title>&lt;i&gt;: &lt;b&gt; 3</title>' in drawn
    assert 'aria-label="&quot;x&quot;"' in drawn and "<b>" not in drawn and "<i>" not in drawn
    assert "<summary>Show as table</summary>" in drawn


@pytest.mark.parametrize(
    "value",
    [
        stacks(title="x", kinds=KINDS, columns=columns((1, 2))),
        lines(title="x", labels=["a"], series=[Series(name="p50", tone="info", values=[3])]),
        sparkline(title="x", values=[1, 2]),
        strip(title="x", values=[1, 2]),
        gauge(title="x", value=1, most=2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_none_needs_what_the_policy_forbids(value: Any) -> None:
    drawn = chart(value)
    assert "style" not in drawn and "<script" not in drawn and "onclick" not in drawn
    assert "<title>" in drawn


def test_two_charts_of_a_day_leave_room_on_a_page() -> None:
    day = [Column(label="00:00", counts=(200, 10, 3, 5), address="/admin/?since=" + "x" * 40)] * 96
    kinds = [
        Kind(name=name, tone="good")
        for name in ("First try", "After retry", "Retrying or held", "Dead letter")
    ]
    assert len(chart(stacks(title="x", kinds=kinds, columns=day)).encode()) < 60_000


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "just now"), (5, "5 s ago"), (240, "4 min ago"), (3_600, "1 h ago"), (3_900, "1 h 05 min ago"),
        (90_000, "1 d 1 h ago"), (40 * 86_400, "40 d ago"), (-34 * 60, "in 34 min"),
    ],
)  # fmt: skip
def test_times_are_told_as_people_do(seconds: int, told: str) -> None:
    now = datetime(2026, 11, 23, 12)
    assert ages.told(now - timedelta(seconds=seconds), now) == told
