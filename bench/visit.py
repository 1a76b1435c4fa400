"""The pages of the console that are measured: what each is called, where it is, and how long it may take at most.

A page that is not there is left out, so that this table may name what is still to come. It asks for nothing itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.urls import NoReverseMatch, reverse

from deliveries.models import Attempt, Cascade, Delivery, DeliveryState, Issue, Replay, Subscription
from webhooks.ids import first_id_at, public_id
from webhooks.models import Event, Refusal, Source

PAGE_MS, LIST_MS, OVERVIEW_MS = 200, 60, 150


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """`of` names what its address needs, `query` may name such things in braces."""

    what: str
    view: str
    of: str = ""
    query: str = ""
    at_most: float = PAGE_MS


def _overview(span: str, at_most: float = PAGE_MS) -> Page:
    return Page(what=f"overview, {span}", view="index", query=f"w={span}", at_most=at_most)


def _deliveries(what: str, query: str = "") -> Page:
    return Page(
        what=f"deliveries, {what}", view="deliveries_delivery_changelist", query=query, at_most=LIST_MS
    )


def _list(what: str, model: str, query: str = "") -> Page:
    return Page(what=what, view=f"{model}_changelist", query=query)


def _one(what: str, model: str) -> Page:
    return Page(what=what, view=f"{model}_change", of=model)


PAGES = (
    _overview("1h"),
    _overview("6h"),
    _overview("24h"),
    _overview("7d"),
    _overview("30d", OVERVIEW_MS),
    Page(what="overview, 30d, as tables", view="index", query="w=30d&as=table"),
    _deliveries("newest"),
    _deliveries("25 days deep", "before={deep}"),
    _deliveries("oldest first", "order=oldest"),
    _deliveries("dead", "status=dead"),
    _deliveries("dead, held, retrying", "status=dead,held,retrying"),
    _deliveries("delivered, deep", "status=delivered&before={deep}"),
    _deliveries("one subscription", "sub={subscription}"),
    _deliveries("one subscription, dead", "sub={subscription}&status=dead"),
    _deliveries("one source, deep", "source={source}&before={deep}"),
    _deliveries("one type", "type={type}"),
    _deliveries("a pattern of types, 4xx", "type=order.*&code=4xx"),
    _deliveries("5xx, deep", "code=5xx&before={deep}"),
    _deliveries("timeouts", "error=timeout"),
    _deliveries("5 attempts or more", "attempts=>=5"),
    _deliveries("one issue", "fp={fingerprint}"),
    _deliveries("a sender's id", "q={external}"),
    _deliveries("one quarter of an hour", "from={quarter}&to={quarter_end}"),
    Page(what="deliveries, counts of the tabs", view="deliveries_delivery_counts"),
    Page(what="deliveries, live tail", view="deliveries_delivery_newer", query="after={newest}"),
    _one("one delivery", "deliveries_delivery"),
    Page(what="asking to discard one", view="deliveries_delivery_discard", of="deliveries_delivery"),
    _list("issues", "deliveries_issue"),
    _one("one issue", "deliveries_issue"),
    _list("dead letters", "deliveries_deadletter", "resolved_at__isempty=1"),
    Page(what="replay, of one issue", view="deliveries_replay_prepare", query="fp={fingerprint}&status=dead"),
    Page(what="replay, of all that is dead", view="deliveries_replay_prepare", query="status=dead"),
    _list("replays", "deliveries_replay"),
    _one("one replay", "deliveries_replay"),
    _list("events", "webhooks_event"),
    _list("events, a sender's id", "webhooks_event", "q={external}"),
    _one("one event", "webhooks_event"),
    _list("events, duplicates", "webhooks_event", "tab=duplicates"),
    _list("events, one type, deep", "webhooks_event", "type={type}&before={deep_event}"),
    _list("refusals", "webhooks_refusal"),
    _one("one refusal", "webhooks_refusal"),
    _list("cascades", "deliveries_cascade"),
    _one("one cascade", "deliveries_cascade"),
    _list("attempts", "deliveries_attempt"),
    _one("one attempt", "deliveries_attempt"),
    _list("subscriptions", "deliveries_subscription"),
    _one("one subscription", "deliveries_subscription"),
    _list("sources", "webhooks_source"),
    _one("one source", "webhooks_source"),
    _list("subscribers", "webhooks_subscriber"),
    _list("circuit changes", "deliveries_circuitchange"),
    _list("notices", "deliveries_notice"),
    _list("rollups", "deliveries_rollup"),
    Page(what="queue and workers", view="queue"),
    _list("audit log", "webhooks_auditentry"),
    Page(what="all records", view="records"),
    Page(what="an id that leads nowhere", view="go", query="q=evt_nowhere"),
)  # fmt: skip


def addresses(pages: tuple[Page, ...] = PAGES) -> Iterator[tuple[Page, str]]:
    """Those that are there, and for which there is something to look at."""
    things, words = _things(), _words()
    for page in pages:
        try:
            args = [things[page.of]] if page.of else []
            path = reverse(f"admin:{page.view}", args=args)
            yield page, f"{path}?{page.query.format_map(words)}" if page.query else path
        except (KeyError, NoReverseMatch):
            continue


def _things() -> Mapping[str, object]:
    """A primary key of each kind that has any."""
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).order_by("-pk").values_list("pk", flat=True)
    found = {
        "deliveries_delivery": dead.first(),
        "deliveries_issue": Issue.objects.order_by("-last_seen_at").values_list("pk", flat=True).first(),
        "deliveries_cascade": Cascade.objects.order_by("-events").values_list("pk", flat=True).first(),
        "deliveries_replay": Replay.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "deliveries_subscription": Subscription.objects.order_by("pk").values_list("pk", flat=True).first(),
        "deliveries_attempt": Attempt.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "webhooks_event": Event.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "webhooks_refusal": Refusal.objects.order_by("-pk").values_list("pk", flat=True).first(),
        "webhooks_source": Source.objects.order_by("pk").values_list("pk", flat=True).first(),
    }
    return {name: key for name, key in found.items() if key is not None}


def _words() -> Mapping[str, str]:
    """What addresses say of the newest dead delivery, and of the month."""
    now = datetime.now(UTC)
    dead = Delivery.objects.filter(state=DeliveryState.DEAD).select_related("source").order_by("-pk").first()
    newest = Delivery.objects.order_by("-pk").values_list("pk", flat=True).first()
    if dead is None or newest is None:
        return {}
    quarter = (now - timedelta(days=3)).replace(minute=15, second=0, microsecond=0)
    return {
        "deep": public_id("delivery", first_id_at(now - timedelta(days=25))),
        "deep_event": public_id("event", first_id_at(now - timedelta(days=25))),
        "newest": public_id("delivery", newest),
        "subscription": public_id("subscription", dead.subscription_id),
        "source": dead.source.slug,
        "type": dead.event_type,
        "external": dead.external_id,
        "fingerprint": dead.fingerprint,
        "quarter": f"{quarter:%Y-%m-%dT%H:%MZ}",
        "quarter_end": f"{quarter + timedelta(minutes=15):%Y-%m-%dT%H:%MZ}",
    }
