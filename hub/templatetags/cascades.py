"""Draws a cascade: its tree, and in each row of its waterfall the time that a delivery took. It reads nothing.

It takes what the outbound side decided, since that side knows nothing of the hub's charts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django import template
from django.conf import settings
from django.urls import reverse

from deliveries.deciders.cascade_tree import Row
from deliveries.deciders.cascade_twigs import Twig
from hub.charts import tree
from webhooks.ids import public_id

from .charts import chart

register = template.Library()

PAGES = {"event": "admin:webhooks_event_change", "delivery": "admin:deliveries_delivery_change"}
LEAST = 0.4  # percent of the span; what is shorter is still seen


@dataclass(frozen=True, kw_only=True, slots=True)
class _Node:
    """A twig with where it leads to."""

    kind: str
    title: str
    note: str
    aside: str
    tone: str
    address: str
    lasts: str
    is_critical: bool
    children: Sequence["_Node"]


@register.simple_tag
def cascade_tree(twig: Twig, title: str) -> str:
    return chart(tree(title=title, root=_node(twig)))


@register.inclusion_tag("charts/span.html")
def span_bar(row: Row, span_s: float, tone: str) -> dict[str, str]:
    """Where in the cascade's whole time it lies."""
    span = span_s or 1
    width = max(LEAST, 100 * row.lasts_s / span)
    begins = min(100 * row.begins_s / span, 100 - width)
    title = f"from {row.begins_s:.3f} s for {row.took}"
    return {"x": f"{begins:.2f}", "width": f"{width:.2f}", "tone": tone, "title": title}


def _node(twig: Twig) -> _Node:
    return _Node(
        kind=twig.kind,
        title=twig.title,
        note=twig.note,
        aside=twig.aside if twig.kind == "event" else "",
        tone=twig.tone,
        address=_address(twig),
        lasts=twig.lasts,
        is_critical=twig.is_critical,
        children=[_node(child) for child in twig.children],
    )


def _address(twig: Twig) -> str:
    """Of a fold: the deliveries that it folds up, and the others of its event."""
    if twig.key is None:
        return ""
    if twig.kind == "fold":
        return f"{reverse('admin:deliveries_delivery_changelist')}?q={public_id('event', twig.key)}"
    return reverse(PAGES[twig.kind], args=[twig.key])


@register.simple_tag
def trace_address(trace_id: UUID) -> str:
    """Where the tracing system shows this trace, if HUB_TRACE_URL says where; else nothing."""
    return str(settings.HUB_TRACE_URL).replace("{trace_id}", trace_id.hex)
