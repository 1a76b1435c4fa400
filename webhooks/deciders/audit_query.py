"""Which audit entries somebody asks for, read from an address and written back. It reads no table."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlencode
from uuid import UUID

from webhooks.ids import PREFIXES

from .reading import Params, Reading, iso, moment

SINCE: Final[dict[str, timedelta | None]] = {
    "1h": timedelta(hours=1),
    "24h": timedelta(hours=24),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
    "all": None,
}
SINCE_WORDS: Final = {
    "1h": "Last hour",
    "24h": "Last 24 hours",
    "7d": "Last 7 days",
    "30d": "Last 30 days",
    "all": "Any time",
}
MOST_LETTERS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditQuery:
    """Empty means: any. `since` is a key of SINCE; `start` and `end` say it exactly."""

    who: str = ""
    verb: str = ""
    kind: str = ""
    object_id: str = ""
    since: str = "all"
    start: datetime | None = None
    end: datetime | None = None
    before: UUID | None = None  # the page of older ones
    after: UUID | None = None  # the page of newer ones

    def begins(self, now: datetime) -> datetime | None:
        span = SINCE[self.since]
        return self.start if span is None else now - span

    def first_page(self) -> "AuditQuery":
        return replace(self, before=None, after=None)

    def frozen(self, now: datetime) -> "AuditQuery":
        """The same set for ever: nothing that comes later can join it."""
        return replace(self.first_page(), since="all", start=self.begins(now), end=self.end or now)


@dataclass(frozen=True, kw_only=True, slots=True)
class ParsedAudit:
    query: AuditQuery
    notices: tuple[str, ...] = ()


def parse_audit(params: Params) -> ParsedAudit:
    reading = Reading(params)
    query = AuditQuery(
        who=reading.one("who", _text, ""),
        verb=reading.one("verb", _text, ""),
        kind=reading.one("kind", _text, ""),
        object_id=reading.one("object", _text, ""),
        since=reading.one("since", _since, "all"),
        start=reading.one("from", moment, None),
        end=reading.one("to", moment, None),
        before=reading.one("before", UUID, None),
        after=reading.one("after", UUID, None),
    )
    if (query.start or query.end) and query.since != "all":
        reading.notices.append("The filter since was ignored, since from or to was given too.")
        query = replace(query, since="all")
    if query.before and query.after:
        reading.notices.append("The cursor after was ignored, since before was given too.")
        query = replace(query, after=None)
    return ParsedAudit(query=_with_kind(query), notices=reading.said())


def audit_params(query: AuditQuery) -> dict[str, str]:
    """What `parse_audit` reads back as the same value."""
    params = {
        "who": query.who,
        "verb": query.verb,
        "kind": "" if query.kind == kind_of(query.object_id) else query.kind,
        "object": query.object_id,
        "since": "" if query.since == "all" else query.since,
        "from": iso(query.start),
        "to": iso(query.end),
        "before": query.before.hex if query.before else "",
        "after": query.after.hex if query.after else "",
    }
    return {name: text for name, text in params.items() if text}


def audit_url(query: AuditQuery) -> str:
    """The query string, with its question mark."""
    return "?" + urlencode(audit_params(query), safe=":")


def audit_chips(query: AuditQuery) -> list[tuple[str, AuditQuery]]:
    """Each filter in words, and the query without it."""
    first = query.first_page()
    chips = [
        (query.who, replace(first, who="")),
        (verb_words(query.verb), replace(first, verb="")),
        (query.object_id, replace(first, object_id="", kind="")),
        ("" if query.object_id else query.kind, replace(first, kind="")),
        (SINCE_WORDS[query.since] if query.since != "all" else "", replace(first, since="all")),
        (_range(query), replace(first, start=None, end=None)),
    ]
    return [(words, without) for words, without in chips if words]


def verb_words(verb: str) -> str:
    return verb.replace("_", " ").capitalize()


def kind_of(object_id: str) -> str:
    """What the id's prefix tells; empty: nothing."""
    return next((kind for kind, prefix in PREFIXES.items() if object_id.startswith(f"{prefix}_")), "")


def _with_kind(query: AuditQuery) -> AuditQuery:
    """The index begins with the kind."""
    return replace(query, kind=kind_of(query.object_id) or query.kind) if query.object_id else query


def _range(query: AuditQuery) -> str:
    said = [f"from {query.start:%Y-%m-%d %H:%M} UTC"] if query.start else []
    said += [f"to {query.end:%Y-%m-%d %H:%M} UTC"] if query.end else []
    return " ".join(said).capitalize()


def _text(text: str) -> str:
    if len(text) > MOST_LETTERS or not text.isprintable():
        raise ValueError(text)
    return text


def _since(text: str) -> str:
    SINCE[text]
    return text
