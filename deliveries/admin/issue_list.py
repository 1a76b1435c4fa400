"""What the issues page shows: tabs, one page of rows with how their endpoints do now, counts. It changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from deliveries.deciders.delivery_address import parse, to_url
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_signs import response_tag
from deliveries.deciders.diagnosis import Diagnosis, diagnose
from deliveries.deciders.endpoint import EndpointNow
from deliveries.deciders.issue_query import TABS, Cursor, IssueQuery, ParsedIssues, issues_url
from deliveries.deciders.issue_states import Move, offered, shown_state
from deliveries.deciders.replay_choice import DISCARD, REPLAY, Choice
from deliveries.models import Issue, Subscription
from deliveries.selectors.endpoints import endpoints_now
from deliveries.selectors.issue_pages import (
    COUNTED,
    LETTERS_COUNTED,
    STRIP_HOURS,
    IssuePage,
    Letters,
    dead_letters,
    issue_counts,
    issue_page,
    last_day,
    last_death,
    letters_of,
)
from deliveries.selectors.patience import TooSlow, patience

from .replay_prepare import prepare_address

PAGE = 40  # two lines each: as long as fifty deliveries
NOTHING: Final = (0,) * STRIP_HOURS


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueRow:
    issue: Issue
    state: str
    state_words: str
    tag: str
    tone: str
    words: str
    host: str
    letters: Letters
    last_day: Sequence[int]
    endpoint: EndpointNow
    dead_address: str
    replay_address: str
    discard_address: str
    diagnosis: Diagnosis | None
    moves: Sequence[Move]

    @property
    def is_worth_replaying(self) -> bool:
        """Only then is its button filled: the page says which ones are worth pressing."""
        return self.letters.dead > 0 and self.endpoint.answers


def issues_context(parsed: ParsedIssues, now: datetime) -> dict[str, Any]:
    """All of the page. When the database is too slow, the page without rows, which says so."""
    query = parsed.query
    try:
        with patience():
            found, is_slow = issue_page(query, now, PAGE), False
            rows = issue_rows(found.issues, now)
            last = None if rows or query.tab != "open" else last_death()
    except TooSlow:
        found, rows, is_slow, last = IssuePage(), [], True, None
    return {
        "query": query,
        "notices": parsed.notices,
        "rows": rows,
        "is_slow": is_slow,
        "tabs": [
            (name, words, issues_url(replace(query.first_page(), tab=name)), name == query.tab)
            for name, words in TABS.items()
        ],
        "subscription": _name(query),
        "of_every_subscription": issues_url(replace(query.first_page(), subscription=None)),
        "here": issues_url(query.first_page()),
        "kept": issues_url(query),
        "last_death": last,
        "now": now,
        **_neighbours(query, found),
    }


def issue_rows(issues: Sequence[Issue], now: datetime) -> list[IssueRow]:
    """Three questions, however many rows."""
    letters = letters_of(issue.fingerprint for issue in issues)
    strips = last_day((issue.pk for issue in issues), now)
    endpoints = endpoints_now(
        {issue.subscription_id: issue.subscription.lane for issue in issues}.values(), now
    )
    return [
        _row(
            issue,
            letters.get(issue.fingerprint, Letters()),
            strips.get(issue.pk, NOTHING),
            endpoints[issue.subscription_id],
            now,
        )
        for issue in issues
    ]


def issue_figures(query: IssueQuery, now: datetime) -> dict[str, str]:
    """How many each tab would show, and how many dead letters wait in all; none where it takes too long."""
    try:
        with patience(1):
            tabs = {tab: _up_to(number, COUNTED) for tab, number in issue_counts(query, now).items()}
            return tabs | {"letters": _up_to(dead_letters(), LETTERS_COUNTED)}
    except TooSlow:
        return {}


def letters_query(fingerprints: Iterable[str]) -> DeliveryQuery:
    """One issue's dead letters: the very criteria of its count, of the list it leads to and of its replay."""
    return parse(letters_params(fingerprints)).query


def letters_params(fingerprints: Iterable[str]) -> dict[str, list[str]]:
    return {"status": [Status.DEAD.value], "fp": [",".join(fingerprints)]}


def prepare_letters(fingerprints: Iterable[str], verb: str = REPLAY) -> str:
    """Where a replay, or a discard, of all dead letters of these issues is previewed."""
    return prepare_address(Choice(query=letters_query(fingerprints), verb=verb))


def _row(
    issue: Issue, letters: Letters, day: Sequence[int], endpoint: EndpointNow, now: datetime
) -> IssueRow:
    state = shown_state(state=issue.state, ignored_until=issue.ignored_until, now=now)
    tag, tone = response_tag(issue.outcome, issue.status)
    found = diagnose(outcome=issue.outcome, status=issue.status, error=issue.error)
    return IssueRow(
        issue=issue,
        state=state,
        state_words=state.capitalize(),
        tag=tag or str(issue.status or ""),
        tone=tone or "bad",
        words=_words(issue, found),
        host=urlsplit(issue.subscription.url).netloc.rpartition("@")[2],
        letters=letters,
        last_day=day,
        endpoint=endpoint,
        dead_address=to_url(letters_query([issue.fingerprint])),
        replay_address=prepare_letters([issue.fingerprint]),
        discard_address=prepare_letters([issue.fingerprint], DISCARD),
        diagnosis=found,
        moves=offered(state),
    )


def _words(issue: Issue, found: Diagnosis | None) -> str:
    """`503 Service Unavailable`, `TLS failed`; the error as it was met stands in its title."""
    if found is None:
        return f"{issue.reason} {issue.status or ''}".strip().capitalize()
    return found.headline.removeprefix("HTTP ")


def _neighbours(query: IssueQuery, found: IssuePage) -> dict[str, str]:
    if not found.issues:
        return {"older": "", "newer": ""}
    first, last = found.issues[0], found.issues[-1]
    page = query.first_page()
    older = issues_url(replace(page, before=Cursor(seen_at=last.last_seen_at, issue=last.pk)))
    newer = issues_url(replace(page, after=Cursor(seen_at=first.last_seen_at, issue=first.pk)))
    return {"older": older if found.has_older else "", "newer": newer if found.has_newer else ""}


def _name(query: IssueQuery) -> str:
    if query.subscription is None:
        return ""
    names = Subscription.objects.filter(pk=query.subscription).values_list("name", flat=True)
    return names.first() or "An unknown subscription"


def _up_to(number: int, most: int) -> str:
    return f"{most // 1000}k+" if number > most else f"{number:,}"
