"""The audit on the console: what people did, by who, verb, object and time; on a page, and as CSV. It changes nothing.

The outbound side registers it, since that side knows how criteria are said.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib.admin.utils import unquote
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import URLPattern, reverse

from webhooks.csv_cells import harmless, line_writer
from webhooks.deciders.audit_query import (
    SINCE_WORDS,
    AuditQuery,
    ParsedAudit,
    audit_chips,
    audit_params,
    audit_url,
    parse_audit,
    verb_words,
)
from webhooks.deciders.times import zulu
from webhooks.history_admin import History, csv_file, who
from webhooks.ids import parse_id, parse_uuid
from webhooks.models import AuditEntry
from webhooks.selectors.audit_pages import AuditPage, audit_choices, audit_page, each_audit_page
from webhooks.services import audit

PAGE = 50
CSV_PAGE = 2_000
MOST_ROWS = 100_000
HEAD = ("at", "who", "verb", "kind", "object", "count", "reason", "criteria", "before", "after")


@dataclass(frozen=True, kw_only=True, slots=True)
class AuditRow:
    entry: AuditEntry
    verb: str
    object_address: str  # empty: it has no page, or is gone from the site
    criteria: str


class AuditEntryAdmin(History):
    list_template = "admin/webhooks/auditentry/list.html"
    page_template = "admin/webhooks/auditentry/page.html"

    def get_urls(self) -> list[URLPattern]:
        return [self.door("export/", self.export_view, "export"), *super().get_urls()]

    def criteria_words(self, entries: Sequence[AuditEntry]) -> dict[UUID, str]:
        """How each one's criteria are said, where it has any."""
        return {
            entry.pk: ", ".join(f"{name} {_plain(value)}" for name, value in entry.criteria.items())
            for entry in entries
            if entry.criteria
        }

    def criteria_address(self, entry: AuditEntry) -> str:
        """Where what matched is listed, if anywhere."""
        return ""

    # -- the list --------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_look(request)
        parsed, now = parse_audit(dict(request.GET.lists())), datetime.now(UTC)
        found = audit_page(parsed.query, now, PAGE)
        context = {"title": "Audit log", "rows": self._rows(found.entries), "now": now}
        return self.render(request, self.list_template, context | _around(parsed, found))

    def export_view(self, request: HttpRequest) -> StreamingHttpResponse:
        """Everything that fits, as it was when asked for; recorded before the first byte."""
        self.must_look(request)
        now = datetime.now(UTC)
        query = parse_audit(dict(request.GET.lists())).query.frozen(now)
        audit.record(
            **who(request),
            verb="export",
            object_kind="auditentry",
            object_id="",
            criteria=audit_params(query),
        )
        return csv_file("audit", _csv_lines(query, now), now)

    # -- one entry -------------------------------------------------------------------------------------

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        self.must_look(request)
        try:
            entry = AuditEntry.objects.filter(pk=parse_uuid(unquote(object_id))).first()
        except ValueError:
            entry = None
        if entry is None:
            raise Http404("There is no such entry.")
        (row,) = self._rows([entry])
        context = {
            "title": f"{row.verb} by {entry.actor}",
            "row": row,
            "changes": _changes(entry),
            "matching": self.criteria_address(entry) if entry.criteria else "",
            "same_object": audit_url(AuditQuery(kind=entry.object_kind, object_id=entry.object_id)),
            "now": datetime.now(UTC),
        }
        return self.render(request, self.page_template, context)

    def _rows(self, entries: Sequence[AuditEntry]) -> list[AuditRow]:
        said = self.criteria_words(entries)
        return [
            AuditRow(
                entry=entry,
                verb=verb_words(entry.verb),
                object_address=self._address(entry),
                criteria=said.get(entry.pk, ""),
            )
            for entry in entries
        ]

    def _address(self, entry: AuditEntry) -> str:
        for model in self.admin_site._registry:
            if model._meta.model_name == entry.object_kind:
                try:
                    key = parse_id(entry.object_kind, entry.object_id)
                except (ValueError, KeyError):
                    return ""
                return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_change", args=[key])
        return ""


def _around(parsed: ParsedAudit, found: AuditPage) -> dict[str, Any]:
    """Filters, chips and neighbours of a page."""
    query = parsed.query
    first = query.first_page()
    older = newer = ""
    if found.entries:
        older = audit_url(replace(first, before=found.entries[-1].pk)) if found.has_older else ""
        newer = audit_url(replace(first, after=found.entries[0].pk)) if found.has_newer else ""
    chosen = {"who": query.who, "verb": query.verb, "kind": query.kind}
    labels = {"who": "Who", "verb": "What", "kind": "On what"}
    return {
        "query": query,
        "notices": parsed.notices,
        "chips": [(words, audit_url(without)) for words, without in audit_chips(query)],
        "filters": [
            (labels[name], chosen[name], [_choice(first, name, value, chosen[name]) for value in values])
            for name, values in audit_choices().items()
        ],
        "spans": [
            (words, audit_url(replace(first, since=since, start=None, end=None)), query.since == since)
            for since, words in SINCE_WORDS.items()
        ],
        "kept_time": _kept(first, "since", "from", "to"),
        "kept_object": _kept(first, "object", "kind"),
        "here": audit_url(first),
        "older": older,
        "newer": newer,
    }


def _choice(query: AuditQuery, name: str, value: str, chosen: str) -> tuple[str, str, bool]:
    changed: dict[str, Any] = {name: "" if value == chosen else value}
    words = verb_words(value) if name == "verb" else value
    return words, audit_url(replace(query, **changed)), value == chosen


def _kept(query: AuditQuery, *but: str) -> list[tuple[str, str]]:
    """What a small form sends along, so that it changes its own filter and no other."""
    return [pair for pair in audit_params(query).items() if pair[0] not in but]


def _changes(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """What it was and what it became, name by name."""
    names = dict.fromkeys([*entry.before, *entry.after])
    return [(name, _plain(entry.before.get(name)), _plain(entry.after.get(name))) for name in names]


def _plain(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _csv_lines(query: AuditQuery, now: datetime) -> Iterator[str]:
    write, left = line_writer(), MOST_ROWS
    yield write(HEAD)
    for entries in each_audit_page(query, now, CSV_PAGE):
        yield "".join(write(_cells(entry)) for entry in entries[:left])
        left -= len(entries)
        if left <= 0:
            return


def _cells(entry: AuditEntry) -> list[str]:
    at = zulu(entry.at)
    kept = (
        json.dumps(value, ensure_ascii=False) if value else ""
        for value in (entry.criteria, entry.before, entry.after)
    )
    plain = (entry.actor, entry.verb, entry.object_kind, entry.object_id, str(entry.count), entry.reason)
    return [harmless(cell) for cell in (at, *plain, *kept)]
