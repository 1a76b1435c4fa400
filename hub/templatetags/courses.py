"""Draws what rollups say of a subscription: outcomes as stacks, latencies as lines, a day's failures as a strip.

It takes what selectors read, since the apps know nothing of the hub's charts. It reads nothing itself.
"""

from collections.abc import Sequence
from datetime import timedelta

from django import template
from django.urls import reverse

from deliveries.selectors.rollups import Figures
from deliveries.selectors.subscription_story import Step
from hub.charts import Column, Kind, Series, lines, stacks, strip
from hub.charts.scale import milliseconds, plain

from .charts import chart

register = template.Library()

OUTCOMES = (
    Kind(name="first try", tone="good"),
    Kind(name="after a retry", tone="info"),
    Kind(name="failed, to be retried", tone="warn"),
    Kind(name="dead", tone="bad"),
)
DAY = timedelta(days=1)


@register.simple_tag
def outcome_chart(steps: Sequence[Step]) -> str:
    there = reverse("admin:deliveries_delivery_changelist")
    columns = [
        Column(
            label=label,
            counts=_counts(step.figures),
            address=there + step.address,
            is_unfinished=step.is_unfinished,
        )
        for step, label in zip(steps, _labels(steps), strict=True)
    ]
    return chart(stacks(title="What came of attempts", kinds=OUTCOMES, columns=columns, height=132))


@register.simple_tag
def latency_chart(steps: Sequence[Step]) -> str:
    series = [
        Series(name=name, tone=tone, values=[step.figures.latency(share) for step in steps])
        for name, tone, share in (("p50", "info", 0.5), ("p95", "warn", 0.95))
    ]
    drawn = lines(
        title="How long answers took",
        labels=_labels(steps),
        series=series,
        is_log=True,
        height=132,
        words=milliseconds,
    )
    return chart(drawn)


@register.simple_tag
def failure_strip(hours: Sequence[Figures]) -> str:
    failures = [each.failed for each in hours]
    told = f"{plain(sum(failures))} failed attempts" if any(failures) else "no failed attempt"
    return chart(strip(title=f"{told} in 24 hours", values=failures))


def _counts(figures: Figures) -> tuple[int, int, int, int]:
    return figures.delivered_first, figures.delivered_retry, figures.retried, figures.dead


def _labels(steps: Sequence[Step]) -> list[str]:
    """With the day where a chart is longer than one."""
    is_long = len(steps) > 1 and steps[-1].start - steps[0].start > DAY
    shape = "%d %b %H:%M" if is_long else "%H:%M"
    return [step.start.strftime(shape) for step in steps]
