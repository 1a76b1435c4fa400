"""What the pages of refusals show: the list with its counts, and one request with what would come of it now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest

from webhooks.deciders.refusal_query import Kept, RefusalQuery, to_url
from webhooks.deciders.refusal_words import words_of
from webhooks.deciders.shown_body import show
from webhooks.models import Refusal, SecretPurpose, Source
from webhooks.selectors import refusals
from webhooks.selectors.sources import waiting
from webhooks.services.accept import Trial, try_again

PAGE = 50
COUNTS_FRESH_S = 15
MOST_GROUPS = 200  # of a source and a reason, in the card that counts them
TABS = ((Kept.WAITING, "Waiting"), (Kept.ACCEPTED, "Accepted after all"), (Kept.ALL, "All"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """What waits of one source for one reason."""

    source: Source
    reason: str
    label: str
    count: int
    address: str
    is_chosen: bool


def list_context(query: RefusalQuery, now: datetime) -> dict[str, Any]:
    page = refusals.page(query, PAGE)
    first = query.first_page()
    return {
        "query": query,
        "rows": [(row, words_of(row.reason).label) for row in page.rows],
        "tabs": [(words, to_url(replace(first, kept=kept)), query.kept is kept) for kept, words in TABS],
        "groups": _groups(query),
        "chips": [
            *((f"Source {slug}", to_url(query.toggled("sources", slug))) for slug in query.sources),
            *((words_of(each).label, to_url(query.toggled("reasons", each))) for each in query.reasons),
        ],
        "clear": to_url(RefusalQuery(kept=query.kept)),
        "here": to_url(first),
        "one_source": query.sources[0] if len(query.sources) == 1 else "",
        "next": to_url(replace(first, before=page.rows[-1].pk)) if page.has_next and page.rows else "",
        "previous": to_url(replace(first, after=page.rows[0].pk)) if page.has_previous and page.rows else "",
        "keep_days": settings.HUB_KEEP_REFUSALS_DAYS,
        "most_kept": settings.HUB_REFUSALS_PER_SOURCE,
        "now": now,
    }


def page_context(
    refusal: Refusal, now: datetime, request: HttpRequest, *, trial: Trial | None
) -> dict[str, Any]:
    words = words_of(refusal.reason)
    may_see = request.user.has_perm("webhooks.view_payload")
    raw, whole = (request.GET.get(name) == "1" for name in ("raw", "whole"))
    shown: dict[str, Any] = {
        "refusal": refusal,
        "words": words,
        "trial": trial,
        "secrets": _secrets(refusal, now),
        "kept_until": refusal.received_at + timedelta(days=settings.HUB_KEEP_REFUSALS_DAYS),
        "size": len(refusal.body),
        "same": to_url(RefusalQuery(sources=(refusal.source.slug,), reasons=(refusal.reason,))),
        "may_see_payload": may_see,
        "raw": raw,
        "toggled": "" if raw else "?raw=1",
        "whole_address": "?whole=1",
        "now": now,
    }
    if may_see:
        shown |= {"headers": refusal.headers, "sent": show(bytes(refusal.body), whole=whole, raw=raw)}
    return shown


def trial_of(refusal: Refusal, now: datetime) -> Trial | None:
    """Nothing for what was accepted: it is an event, and needs no verdict."""
    return None if refusal.accepted_at else try_again(refusal, now=now)


def tally(trials: Sequence[Trial]) -> Mapping[str, int]:
    counts: dict[str, int] = {}
    for trial in trials:
        counts[trial.prospect] = counts.get(trial.prospect, 0) + 1
    return counts


def _groups(query: RefusalQuery) -> list[Group]:
    counted = cache.get_or_set("webhooks.waiting", waiting, COUNTS_FRESH_S) or {}
    sources = Source.objects.only("pk", "name", "slug").in_bulk(list(counted))
    found = [
        Group(
            source=sources[source_id],
            reason=reason,
            label=words_of(reason).label,
            count=count,
            address=to_url(RefusalQuery(sources=(sources[source_id].slug,), reasons=(reason,))),
            is_chosen=query.sources == (sources[source_id].slug,) and query.reasons == (reason,),
        )
        for source_id, reasons in counted.items()
        if source_id in sources
        for reason, count in reasons.items()
    ]
    return sorted(found, key=lambda each: (-each.count, each.source.name, each.reason))[:MOST_GROUPS]


def _secrets(refusal: Refusal, now: datetime) -> list[tuple[Any, str]]:
    """Every signing secret, and whether it was tried then, would be now, or both."""
    told = []
    for secret in (
        refusal.source.secrets.filter(purpose=SecretPurpose.SIGNING).defer("sealed").order_by("-pk")
    ):
        was = _is_live(secret, refusal.received_at) and secret.created_at <= refusal.received_at
        told.append((secret, _tried(was, _is_live(secret, now))))
    return told


def _is_live(secret: Any, at: datetime) -> bool:
    return secret.expires_at is None or at < secret.expires_at


def _tried(was: bool, is_live: bool) -> str:
    if was:
        return "tried then, and live now" if is_live else "tried then, expired since"
    return "added since: not tried yet" if is_live else "not live when it came"
