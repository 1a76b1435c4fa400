"""Draws the charts of `hub.charts`, each by the template of its kind: `{% chart value %}`."""

from django import template
from django.template.loader import get_template

from hub.charts import Gauge, Lines, Sparkline, Stacks, Strip

register = template.Library()

TEMPLATES: dict[type, str] = {
    Stacks: "charts/stacks.html",
    Lines: "charts/lines.html",
    Sparkline: "charts/sparkline.html",
    Strip: "charts/strip.html",
    Gauge: "charts/gauge.html",
}


TABLES: dict[type, str] = {Stacks: "charts/stacks_table.html", Lines: "charts/lines_table.html"}


@register.simple_tag
def chart(value: Stacks | Lines | Sparkline | Strip | Gauge) -> str:
    """By its kind; titles and labels are escaped by the template."""
    return get_template(TEMPLATES[type(value)]).render({"chart": value})


@register.simple_tag
def chart_table(value: Stacks | Lines) -> str:
    """The same for those who read numbers, without the drawing."""
    return get_template(TABLES[type(value)]).render({"chart": value})
