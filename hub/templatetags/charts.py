"""Draws the charts of `hub.charts`, each by the template of its kind: `{% chart value %}`."""

from collections.abc import Sequence

from django import template
from django.template.loader import get_template

from hub.charts import (
    Column,
    Gauge,
    Kind,
    Lines,
    Series,
    Sparkline,
    Stacks,
    Strip,
    Tree,
    gauge,
    lines,
    stacks,
    strip,
)

register = template.Library()

TEMPLATES: dict[type, str] = {
    Stacks: "charts/stacks.html",
    Lines: "charts/lines.html",
    Sparkline: "charts/sparkline.html",
    Strip: "charts/strip.html",
    Gauge: "charts/gauge.html",
    Tree: "charts/tree.html",
}


TABLES: dict[type, str] = {Stacks: "charts/stacks_table.html", Lines: "charts/lines_table.html"}


@register.simple_tag
def chart(value: Stacks | Lines | Sparkline | Strip | Gauge | Tree) -> str:
    """By its kind; titles and labels are escaped by the template."""
    return get_template(TEMPLATES[type(value)]).render({"chart": value})


@register.simple_tag
def chart_table(value: Stacks | Lines) -> str:
    """The same for those who read numbers, without the drawing."""
    return get_template(TABLES[type(value)]).render({"chart": value})


@register.simple_tag
def stacked(
    title: str, kinds: Sequence[tuple[str, str]], columns: Sequence[tuple[str, Sequence[int], bool]]
) -> str:
    """Bars from plain values, for apps that may not know the charts: kinds are name and tone, columns label,
    counts and whether they are unfinished."""
    made = stacks(
        title=title,
        kinds=[Kind(name=name, tone=tone) for name, tone in kinds],
        columns=[
            Column(label=label, counts=counts, is_unfinished=is_open) for label, counts, is_open in columns
        ],
    )
    return chart(made)


@register.simple_tag
def bars(title: str, values: Sequence[int], tone: str = "bad") -> str:
    """A strip of them, from plain values."""
    return chart(strip(title=title, values=values, tone=tone))


@register.simple_tag
def throughput(per_second: Sequence[int], name: str) -> str:
    """What went through in each of the last seconds, the oldest first."""
    labels = [f"−{len(per_second) - number} s" for number in range(len(per_second))]
    series = [Series(name=name, tone="info", values=list(per_second))]
    return chart(lines(title=f"{name}, each second", labels=labels, series=series, height=150))


@register.simple_tag
def share(title: str, value: int, most: int, tone: str = "info") -> str:
    """A bar beside a number: how much of the whole it is."""
    return chart(gauge(title=title, value=value, most=most, tone=tone))
