"""Reads what the catalogue of event types tells others: its part of the API's description."""

from typing import Any

from webhooks.deciders.webhooks_section import TypeFacts, webhooks_section
from webhooks.models import EventType, EventTypeState


def described() -> dict[str, Any]:
    """The OpenAPI document's `webhooks`: every type that may still be published under."""
    rows = EventType.objects.exclude(state=EventTypeState.ARCHIVED).order_by("name")
    return webhooks_section(
        TypeFacts(
            name=row.name,
            description=row.description,
            schema=row.schema,
            example=row.example,
            is_deprecated=row.state == EventTypeState.DEPRECATED,
        )
        for row in rows
    )
