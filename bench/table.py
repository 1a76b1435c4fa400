"""Draws the figures as a table, plain or Markdown. It never computes one."""

from collections.abc import Iterable, Sequence

from bench.figures import Figure

HEAD = ("bench", "on", "measured", "median", "lowest to highest", "goal", "met")


def draw(figures: Iterable[tuple[str, Figure]], *, markdown: bool) -> str:
    """`figures` come with the name of the database they were taken on."""
    cells = [HEAD, *(_cells(database, figure) for database, figure in figures)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEAD))]
    lines = [_line(row, widths, markdown=markdown) for row in cells]
    rule = _line(["-" * width for width in widths], widths, markdown=markdown)
    return "\n".join([lines[0], rule, *lines[1:]])


def _line(row: Sequence[str], widths: Sequence[int], *, markdown: bool) -> str:
    padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    return f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip()


def _cells(database: str, figure: Figure) -> tuple[str, ...]:
    spread = f"{_number(min(figure.values))} to {_number(max(figure.values))}"
    return (
        figure.bench,
        database,
        figure.what,
        f"{_number(figure.median)} {figure.unit}",
        spread if len(figure.values) > 1 else "one round",
        _goal(figure),
        {True: "yes", False: "NO", None: ""}[figure.is_met],
    )


def _goal(figure: Figure) -> str:
    if figure.at_least is not None:
        return f"≥ {_number(figure.at_least)} {figure.unit}"
    return f"≤ {_number(figure.at_most)} {figure.unit}" if figure.at_most is not None else ""


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
