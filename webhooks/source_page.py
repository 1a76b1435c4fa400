"""What the pages of sources show: all of them with how they do, and one with everything its operator needs to know."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest

from webhooks.deciders.options import with_options
from webhooks.deciders.pinning import pinned
from webhooks.deciders.refusal_query import RefusalQuery, to_url
from webhooks.deciders.refusal_words import words_of
from webhooks.deciders.scheme_columns import Reply, Scheme
from webhooks.deciders.scheme_facts import proof
from webhooks.deciders.schemes import SCHEMES
from webhooks.ids import parse_id
from webhooks.models import Event, SecretPurpose, Source, SourceSecret
from webhooks.selectors import sources as selectors

PAGE = 50
LATEST = 8  # events on a source's page
MOST_SECRETS = 20
OVERLAPS = ((0, "end at once"), (3_600, "live 1 hour more"), (86_400, "live 1 day more"),
            (604_800, "live 7 days more"), (None, "live on until they are ended"))  # fmt: skip
CHARTED = (("accepted", "Accepted", "good"), ("duplicate", "Duplicates", "quiet"),
           ("conflict", "Conflicts", "warn"), ("refused", "Refused", "bad"))  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    source: Source
    label: str
    state: str
    words: str
    day: selectors.Day
    accepted: Sequence[int]  # by the hour
    waiting: int
    waiting_address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where something of an event is looked for: as the scheme has it, or as somebody set it for this source."""

    name: str
    where: Sequence[str]
    is_set: bool


# -- the list ----------------------------------------------------------------------------------------------


def list_context(params: Mapping[str, str], now: datetime) -> dict[str, Any]:
    notices = [f"There is no filter “{name[:40]}”. It was ignored." for name in params if name not in _KNOWN]
    found, has_next, has_previous = _page(params, notices)
    ids = [source.pk for source in found]
    days, hours, waiting = selectors.days(ids, now=now), selectors.hours(ids, now=now), selectors.waiting(ids)
    return {
        "rows": [
            _row(source, days[source.pk], hours[source.pk], sum(waiting.get(source.pk, {}).values()), now)
            for source in found
        ],
        "next": f"?after={found[-1].pk.hex}" if has_next else "",
        "previous": f"?before={found[0].pk.hex}" if has_previous and found else "",
        "term": params.get("q", ""),
        "notices": notices,
        "now": now,
    }


_KNOWN = ("q", "after", "before", "_changelist_filters")


def _page(params: Mapping[str, str], notices: list[str]) -> tuple[list[Source], bool, bool]:
    """By name, from where a source stands in that order; one row more than a page is read."""
    rows = selectors.with_last_event(Source.objects.select_related("subscriber"))
    if term := params.get("q", "").strip():
        return list(rows.filter(_named(term)).order_by("name", "pk")[:PAGE]), False, False
    before, after = (_standing(params.get(name, ""), notices) for name in ("before", "after"))
    if before:
        earlier = rows.filter(Q(name__lt=before.name) | Q(name=before.name, pk__lt=before.pk))
        found = list(earlier.order_by("-name", "-pk")[: PAGE + 1])
        return found[:PAGE][::-1], True, len(found) > PAGE
    if after:
        rows = rows.filter(Q(name__gt=after.name) | Q(name=after.name, pk__gt=after.pk))
    found = list(rows.order_by("name", "pk")[: PAGE + 1])
    return found[:PAGE], len(found) > PAGE, after is not None


def _standing(text: str, notices: list[str]) -> Source | None:
    if not text:
        return None
    try:
        found = Source.objects.filter(pk=parse_id("source", text)).only("name").first()
    except ValueError:
        found = None
    if found is None:
        notices.append("There is no such page. The first one is shown.")
    return found


def _named(term: str) -> Q:
    if "\0" in term:
        return Q(pk__in=[])
    named = Q(slug=term) | Q(name=term)
    try:
        return named | Q(pk=parse_id("source", term))
    except ValueError:
        return named


def _row(
    source: Source, day: selectors.Day, hours: Sequence[selectors.Hour], waiting: int, now: datetime
) -> Row:
    state, words = state_of(source, now)
    row = SCHEMES.get(source.scheme)
    return Row(
        source=source,
        label=row.label if row else source.scheme,
        state=state,
        words=words,
        day=day,
        accepted=[each.counts.get("accepted", 0) for each in hours],
        waiting=waiting,
        waiting_address=to_url(RefusalQuery(sources=(source.slug,))),
    )


def state_of(source: Source, now: datetime) -> tuple[str, str]:
    """`source` as `with_last_event` reads it."""
    last = source.last_event_at  # type: ignore[attr-defined]
    if not source.is_enabled:
        return "disabled", "Disabled"
    if selectors.silent_since(source, last, now):
        return "silent", "Silent"
    return ("receiving", "Receiving") if last else ("awaited", "No event yet")


# -- one source --------------------------------------------------------------------------------------------


def page_context(source: Source, now: datetime, request: HttpRequest) -> dict[str, Any]:
    row = SCHEMES.get(source.scheme)
    day = selectors.days([source.pk], now=now)[source.pk]
    waiting = selectors.waiting([source.pk]).get(source.pk, {})
    secrets = list(source.secrets.defer("sealed").order_by("-pk")[:MOST_SECRETS])
    state, words = state_of(source, now)
    return {
        "source": source,
        "scheme": row,
        "state": state,
        "state_words": words,
        "silent_since": selectors.silent_since(source, source.last_event_at, now),  # type: ignore[attr-defined]
        "expected": source.expected_every_s,
        "ingest": ingest_url(source, request),
        "day": day,
        "chart_kinds": [(name, tone) for _, name, tone in CHARTED],
        "chart_columns": list(_columns(selectors.hours([source.pk], now=now)[source.pk])),
        "reasons": day.reasons,
        "waiting": [
            (each, words_of(each).label, count, _refusals(source, each)) for each, count in waiting.items()
        ],
        "not_waiting": [
            (each, words_of(each).label, count) for each, count in day.reasons.items() if each not in waiting
        ],
        "tolerance": with_options(row, source.options).tolerance_s if row else 0,
        "waiting_count": sum(waiting.values()),
        "waiting_address": _refusals(source),
        "secrets": [(secret, *_life(secret, now)) for secret in secrets],
        "has_live_secret": any(_life(each, now)[0] != "ended" for each in secrets if _is_signing(each)),
        "overlaps": OVERLAPS,
        "handshakes": list(source.handshakes.order_by("name")),
        "places": _places(source, row) if row else [],
        "events": _latest(source),
        "warnings": list(_warnings(source, row)) if row else [],
        "answer": _answer(row.reply) if row else "",
        "proof": _proof(source, row) if row else "",
        "pinned": pinned(source.pinned_certificate),
        "pin_has_ended": _has_ended(source, now),
        "handshake_names": row.handshakes if row else (),
        "now": now,
    }


def ingest_url(source: Source, request: HttpRequest) -> str:
    path = f"/in/{source.slug}"
    return settings.HUB_PUBLIC_URL + path if settings.HUB_PUBLIC_URL else request.build_absolute_uri(path)


def _columns(hours: Sequence[selectors.Hour]) -> Iterator[tuple[str, list[int], bool]]:
    for each in hours:
        counts = [each.counts.get(verdict, 0) for verdict, _, _ in CHARTED]
        yield f"{each.starts_at:%H:%M}", counts, each is hours[-1]


def _refusals(source: Source, reason: str = "") -> str:
    return to_url(RefusalQuery(sources=(source.slug,), reasons=(reason,) if reason else ()))


def _is_signing(secret: SourceSecret) -> bool:
    return secret.purpose == SecretPurpose.SIGNING


def _life(secret: SourceSecret, now: datetime) -> tuple[str, str]:
    """`live`, `ending` or `ended`, and the same in words."""
    if secret.expires_at is None:
        return "live", "Live"
    return ("ending", "Ending") if now < secret.expires_at else ("ended", "Ended")


def _latest(source: Source) -> list[Event]:
    rows = Event.objects.filter(source=source).order_by("-pk")
    return list(rows.only("external_id", "event_type", "verified_by", "state", "received_at")[:LATEST])


def _places(source: Source, row: Scheme) -> list[Place]:
    own = with_options(row, source.options)
    known = (
        ("Id", own.id_sources, source.id_from),
        ("Type", own.type_sources, source.type_from),
        ("Time", own.time_sources, source.options.get("time_from")),
        ("Operation", own.operation_sources, source.options.get("operation_from")),
        ("Entity", own.entity_sources, source.options.get("entity_from")),
        ("Version", own.version_sources, source.options.get("version_from")),
    )
    return [
        Place(name=name, where=(override,) if override else where, is_set=bool(override))
        for name, where, override in known
    ]


def _proof(source: Source, row: Scheme) -> str:
    return "a signature by the certificate that is pinned here" if source.pinned_certificate else proof(row)


def _has_ended(source: Source, now: datetime) -> bool:
    known = pinned(source.pinned_certificate)
    return known is not None and known.expires_at < now


def _warnings(source: Source, row: Scheme) -> Iterator[str]:
    if source.pinned_certificate:
        yield (
            "A pinned certificate stands in for the provider's: only what its key signed is believed, and whatever "
            "the provider signs with another is refused, until it is unpinned."
        )
    if row.weakness:
        yield row.weakness
    needs_url = "{url}" in row.signed or row.slug == "twilio"
    if needs_url and not settings.HUB_PUBLIC_URL and not source.options.get("public_url"):
        yield "This scheme signs the address, and nobody said what it is: set the option public_url, or HUB_PUBLIC_URL."


def _answer(reply: Reply | None) -> str:
    if reply is None:
        return "202 for what is new, 200 for what was here before, in JSON"
    body = f", {reply.body}" if reply.body else ", empty"
    return f"{reply.status}{body}" if reply.status != 204 else "204, empty"


def ends_at(text: str, now: datetime) -> datetime | None:
    """When the others end, as the form says it; None: not by this. Raises ValueError for what is not offered."""
    offered = {str(seconds): seconds for seconds, _ in OVERLAPS}
    if text not in offered:
        raise ValueError("Choose how long the others live.")
    seconds = offered[text]
    return None if seconds is None else now + timedelta(seconds=seconds)
