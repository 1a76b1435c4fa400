"""The lists of the REST API that are measured: what each is called and where it is. It asks for nothing itself."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from deliveries.models import Delivery, DeliveryState
from webhooks.ids import first_id_at, public_id


@dataclass(frozen=True, kw_only=True, slots=True)
class List:
    """`query` may name things in braces."""

    what: str
    path: str
    query: str = ""

    @property
    def is_paged(self) -> bool:
        return self.path != "stats"


def _each(path: str, **queries: str) -> tuple[List, ...]:
    first = List(what=path, path=path)
    return (first, *(List(what=f"{path}, {what.replace('_', ' ')}", path=path, query=query)
                     for what, query in queries.items()))  # fmt: skip


LISTS = (
    *_each("sources"),
    *_each("subscribers"),
    *_each("subscriptions", of_a_subscriber="subscriber={subscriber}", of_a_source="source={source}"),
    *_each(
        "events",
        of_a_source="source={source}",
        of_a_type="event_type={type}",
        unmatched="state=unmatched",
        by_a_senders_id="event_id={external}",
        by_any_id="q={external}",
        of_a_pattern="event_type=order.*",
        since_last_week="since={week}",
    ),
    *_each("event-types"),
    *_each("cascades", quarantined="quarantined=true"),
    *_each(
        "deliveries",
        dead="state=dead",
        pending="state=pending",
        delivered="state=delivered",
        of_a_subscription="subscription={subscription}",
        of_a_subscriber="subscriber={subscriber}",
        of_a_source="source={source}",
        of_a_type="event_type={type}",
        of_an_event="event={event}",
        by_a_senders_id="event_id={external}",
        by_any_id="q={external}",
        dead_of_a_source="state=dead&source={source}",
        retrying_or_held="status=retrying,held",
        with_5xx="status_code=5xx",
        by_an_outcome="outcome=timeout",
        of_a_pattern="event_type=order.*",
        since_last_week="since={week}",
    ),
    *_each(
        "dead-letters",
        waiting="resolved=false",
        for_a_reason="reason=exhausted",
        by_an_outcome="outcome=timeout",
        of_a_subscription="subscription={subscription}",
        of_a_subscriber="subscriber={subscriber}",
        of_a_source="source={source}",
        of_a_type="event_type={type}",
        of_an_issue="issue={issue}",
        until_last_week="until={week}",
    ),
    *_each(
        "issues",
        open="state=open",
        of_a_subscription="subscription={subscription}",
        until_last_week="until={week}",
    ),
    *_each("replays", running="state=running"),
    *_each("alerts", open="state=open", since_last_week="since={week}"),
    *_each("refusals", waiting="state=waiting", for_a_reason="reason=signature-mismatch"),
    *_each(
        "stats",
        of_a_month="since={month}",
        by_subscription="by=subscription",
        by_type="by=type",
        by_source="by=source",
        of_a_type="event_type={type}",
    ),
)


def addresses(*, deep: int = 0) -> Iterator[tuple[List, str]]:
    """Those for which there is something to look at: the first page, or that which begins so many days ago."""
    words = _words()
    place = first_id_at(datetime.now(UTC) - timedelta(days=deep)).hex
    for each in LISTS:
        if deep and not each.is_paged:
            continue
        try:
            query = each.query.format_map(words)
        except KeyError:
            continue
        parts = [*([query] if query else []), *([f"cursor=older.{place}"] if deep else [])]
        yield each, f"/api/v1/{each.path}" + ("?" + "&".join(parts) if parts else "")


def _words() -> Mapping[str, str]:
    """What addresses say of the newest dead delivery, and of the month."""
    now = datetime.now(UTC).replace(microsecond=0)
    ago = {
        name: f"{now - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
        for name, days in (("week", 7), ("month", 29))
    }
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).order_by("-pk")
    last = dead.select_related("source", "subscription", "dead_letter").first()
    if last is None:
        return ago
    return {
        **ago,
        "subscription": public_id("subscription", last.subscription_id),
        "subscriber": public_id("subscriber", last.subscription.subscriber_id),
        "source": last.source.slug,
        "type": last.event_type,
        "event": public_id("event", last.event_id),
        "external": last.external_id,
        "issue": public_id("issue", last.dead_letter.issue_id),
    }
