"""Which issues somebody asks for, read from an address and written back. It reads no table."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from webhooks.deciders.reading import Params, Reading, iso, moment
from webhooks.ids import parse_id, public_id

TABS: Final = {"open": "Open", "acknowledged": "Acknowledged", "resolved": "Resolved", "ignored": "Ignored"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A place in the list: the last seen come first, then the greater ids."""

    seen_at: datetime
    issue: UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueQuery:
    """`issue` is one issue in whatever state it is."""

    tab: str = "open"
    subscription: UUID | None = None
    issue: UUID | None = None
    before: Cursor | None = None  # the page of those seen earlier
    after: Cursor | None = None  # the page of those seen later

    def first_page(self) -> "IssueQuery":
        return replace(self, before=None, after=None)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedIssues:
    query: IssueQuery
    notices: tuple[str, ...] = ()


def parse_issues(params: Params) -> ParsedIssues:
    reading = Reading(params)
    query = IssueQuery(
        tab=reading.one("state", _tab, "open"),
        subscription=reading.one("sub", lambda text: parse_id("subscription", text), None),
        before=reading.one("before", _cursor, None),
        after=reading.one("after", _cursor, None),
    )
    if query.before and query.after:
        reading.notices.append("The cursor after was ignored, since before was given too.")
        query = replace(query, after=None)
    return ParsedIssues(query=query, notices=reading.said())


def issues_url(query: IssueQuery) -> str:
    """The query string, with its question mark; without any filter the bare mark, which drops an older one."""
    params = {
        "state": "" if query.tab == "open" else query.tab,
        "sub": public_id("subscription", query.subscription) if query.subscription else "",
        "before": _written(query.before),
        "after": _written(query.after),
    }
    return "?" + urlencode({name: text for name, text in params.items() if text}, safe=":")


def _tab(text: str) -> str:
    TABS[text]
    return text


def _cursor(text: str) -> Cursor:
    at, _, issue = text.rpartition("_iss_")
    return Cursor(seen_at=moment(at), issue=parse_id("issue", issue))


def _written(cursor: Cursor | None) -> str:
    return f"{iso(cursor.seen_at)}_{public_id('issue', cursor.issue)}" if cursor else ""
