"""Draws the course of a list's selection, each bar a way into it. It takes what a selector read, and reads nothing."""

from django import template

from deliveries.deciders.delivery_address import to_url
from deliveries.selectors.selection_course import Course
from hub.charts import Column, Kind, stacks

from .charts import chart

register = template.Library()

KINDS = {
    "delivered": Kind(name="delivered", tone="quiet"),
    "retried": Kind(name="failed, to be retried", tone="warn"),
    "dead": Kind(name="dead", tone="bad"),
}
HOUR_S, DAY_S = 3_600, 86_400


@register.simple_tag
def selection_chart(course: Course) -> str:
    """Empty where there is nothing to draw."""
    if not course.steps:
        return ""
    spans_days = (course.steps[-1].end - course.steps[0].start).total_seconds() > DAY_S
    form = "%d %b %H:%M" if spans_days else "%H:%M"
    columns = [
        Column(
            label=f"{step.start:{form}}",
            counts=list(step.counts),
            address=to_url(step.query),
            is_unfinished=step.is_unfinished,
        )
        for step in course.steps
    ]
    kinds = [KINDS[name] for name in course.names]
    return chart(stacks(title="What came of attempts, by time", kinds=kinds, columns=columns, height=48))
