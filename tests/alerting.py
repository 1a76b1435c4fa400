"""Rules and channels as tests want them, with as little said as they need."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from deliveries.models import Alert, AlertChannel, AlertMessage, AlertRule
from deliveries.services import alert_rules, alerting
from tests import make


@pytest.fixture(autouse=True)
def no_rules(db: None) -> None:
    """Those of the first run are there or not, by which test emptied the tables before."""
    AlertRule.objects.all().delete()


NOBODY_LISTENS = "json://127.0.0.1:9/s3cret"


def rule(slug: str = "success", **options: Any) -> AlertRule:
    """Under 95 % over 15 minutes, of at least 20 attempts, unless something else is measured."""
    measure = options.setdefault("measure", "success_rate")
    if measure == "success_rate":
        options = {"threshold": 95.0, "window_s": 900, "least_volume": 20} | options
    return alert_rules.create_rule(
        slug=slug, name=options.pop("name", slug.capitalize()), actor="ada", **options
    )


def channel(name: str = "Ops", url: str = NOBODY_LISTENS, **options: Any) -> AlertChannel:
    return AlertChannel.objects.create(name=name, sealed_url=url, service="JSON", hint=url[-4:], **options)


def look(after: float = 0, *, since: datetime | None = None) -> alerting.Looked:
    """As the schedule would, so many seconds later."""
    return alerting.look(now=(since or make.now()) + timedelta(seconds=after))


def summaries(**which: Any) -> list[str]:
    return list(Alert.objects.filter(**which).order_by("rule", "scope").values_list("summary", flat=True))


def messages() -> list[tuple[str, str]]:
    return list(AlertMessage.objects.order_by("pk").values_list("kind", "title"))
