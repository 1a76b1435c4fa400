"""Where a pasted id leads: to the thing, to a list of things, or to a sentence. It reads by equality on indexes.

What somebody may not see, it treats as if it were not there.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from deliveries.models import (
    Alert,
    AlertChannel,
    AlertRule,
    Attempt,
    Cascade,
    DeadLetter,
    Delivery,
    Issue,
    Notice,
    Replay,
    Subscription,
)
from deliveries.selectors.event_pages import telling_of
from webhooks.deciders.wording import with_article
from webhooks.ids import PREFIXES, parse_id, parse_uuid, public_id
from webhooks.models import ApiKey, Event, EventType, Refusal, Source, Subscriber

MODELS: dict[str, type[Model]] = {
    "source": Source,
    "event": Event,
    "refusal": Refusal,
    "subscriber": Subscriber,
    "apikey": ApiKey,
    "subscription": Subscription,
    "delivery": Delivery,
    "eventtype": EventType,
    "attempt": Attempt,
    "deadletter": DeadLetter,
    "issue": Issue,
    "replay": Replay,
    "notice": Notice,
    "alert": Alert,
    "alertrule": AlertRule,
    "alertchannel": AlertChannel,
}
LONGEST = 500  # characters of a sender's id
MOST = 50  # events listed that share a sender's id, the newest first

May = Callable[[type[Model]], bool]


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    kind: str
    id: str
    what: str
    address: str


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """`/admin/go/?q=…`; the one answer there is, is gone to at once."""
    term = request.GET.get("q", "").strip().strip("\"'`")
    found = find(term, may=lambda model: _may_view(request, model))
    if len(found) == 1:
        return redirect(found[0].address)
    context = {
        **admin.site.each_context(request),
        "title": f"{len(found)} events have this id" if found else "Nothing found" if term else "Go to",
        "term": term[:LONGEST],
        "found": found,
        "is_cut": len(found) == MOST,
        "looked_for": looked_for(term),
        "prefixes": [(_name(kind), f"{prefix}_") for kind, prefix in PREFIXES.items()],
    }
    return TemplateResponse(request, "hub/jump.html", context)


def find(term: str, *, may: May) -> list[Found]:
    """Things whose own id this is, and events whose sender's id it is: senders too begin ids with `evt_`."""
    if not term or len(term) > LONGEST or "\x00" in term:
        return []
    found = [_found(kind, row) for kind, row in _by_own_id(term, may)]
    if may(Cascade) and (cascade := _by_trace_id(term)):
        found.append(cascade)
    if may(Event):
        found += [_found("event", event, _what(event)) for event in _by_other_names(term)]
    return list({each.address: each for each in found}.values())


def kinds_of(term: str) -> dict[str, UUID]:
    """What a text may be the id of, by its prefix; every kind when it is a bare UUID."""
    head, mark, _ = term.lower().partition("_")
    named = {kind: prefix for kind, prefix in PREFIXES.items() if not mark or prefix == head}
    ids = {}
    for kind in named:
        try:
            ids[kind] = parse_id(kind, term.lower())
        except ValueError:
            continue
    return ids


def looked_for(term: str) -> str:
    """The search in words."""
    kinds = kinds_of(term)
    if len(kinds) == 1:
        return f"{_article(next(iter(kinds)))} with this id, and an event with this id at its sender"
    if kinds:
        return "anything with this id, and an event with this id at its sender"
    return "an event with this id at its sender"


def _by_own_id(term: str, may: May) -> Iterator[tuple[str, Model]]:
    for kind, key in kinds_of(term).items():
        model = MODELS[kind]
        if may(model) and (row := model._default_manager.only("pk").filter(pk=key).first()):
            yield kind, row


def _by_trace_id(term: str) -> Found | None:
    try:
        trace = parse_uuid(term)
    except ValueError:
        return None
    cascade = Cascade.objects.filter(pk=trace).select_related("root").first()
    if cascade is None:
        return None
    return Found(
        kind="cascade",
        id=trace.hex,
        what=f"of {cascade.root.event_type or 'an event'}",
        address=reverse("admin:deliveries_cascade_change", args=[trace]),
    )


def _by_other_names(term: str) -> list[Event]:
    """The sender's id, the operation that is reported, or the entity that it is about."""
    named = Q(external_id=term) | Q(pk__in=telling_of(term)[:MOST])
    rows = Event.objects.filter(named).select_related("source").order_by("-pk")
    return list(rows.only("external_id", "event_type", "received_at", "source__name")[:MOST])


def _found(kind: str, row: Model, what: str = "") -> Found:
    options = row._meta
    return Found(
        kind=_name(kind),
        id=public_id(kind, row.pk),
        what=what,
        address=reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk]),
    )


def _what(event: Event) -> str:
    return (
        f"{event.event_type or 'no type'} from {event.source.name}, {event.received_at:%Y-%m-%d %H:%M:%S} UTC"
    )


def _may_view(request: HttpRequest, model: type[Model]) -> bool:
    return admin.site._registry[model].has_view_permission(request)


def _name(kind: str) -> str:
    return str(MODELS[kind]._meta.verbose_name)


def _article(kind: str) -> str:
    return with_article(_name(kind))
