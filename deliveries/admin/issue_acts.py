"""What a person does to issues on the console: moves them, sends one dead letter as a test, goes on to a replay."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from deliveries.deciders.issue_query import issues_url, parse_issues
from deliveries.deciders.issue_states import MOVES
from deliveries.models import Issue
from deliveries.selectors.issue_pages import newest_dead
from deliveries.services.issues import IssueVerdict, move_issue
from webhooks.history_admin import History, who
from webhooks.ids import parse_id

from .issue_list import PAGE, prepare_letters
from .single_replay import replay_at_a_click

TRIAGE: Final = "deliveries.triage_issue"
REPLAY_ONE: Final = "deliveries.replay_delivery"
REPLAY_MANY: Final = "deliveries.bulk_replay"
DISCARD: Final = "deliveries.discard_delivery"
PERMISSIONS: Final = dict.fromkeys(MOVES, TRIAGE) | {"try": REPLAY_ONE, "replay": REPLAY_MANY}


@dataclass(frozen=True, kw_only=True, slots=True)
class Chosen:
    """An issue, and the state in which the person saw it."""

    issue: UUID
    seen: str


class ActingOnIssues(History):
    """The one door of all acts on issues: a POST that names the act and the issues."""

    def act_view(self, request: HttpRequest, verb: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if verb not in PERMISSIONS:
            raise Http404("There is no such act.")
        if not request.user.has_perm(PERMISSIONS[verb]):
            raise PermissionDenied
        chosen = _chosen(request)
        if not chosen:
            self.message_user(request, "No issue was chosen.", messages.ERROR)
            return redirect(_back(request))
        if verb == "replay":
            return self._replay(request, chosen)
        if verb == "try":
            return self._try(request, chosen[0])
        self._move(request, verb, chosen)
        return redirect(_back(request))

    def _move(self, request: HttpRequest, verb: str, chosen: Iterable[Chosen]) -> None:
        now, verdicts = datetime.now(UTC), []
        for each in chosen:
            verdict = move_issue(issue_id=each.issue, verb=verb, seen=each.seen, now=now, **who(request))
            if verdict.is_done:
                self.log_change(request, Issue.objects.get(pk=each.issue), verdict.sentence)
            verdicts.append(verdict)
        self._tell(request, MOVES[verb].done, verdicts)

    def _tell(self, request: HttpRequest, done: str, verdicts: list[IssueVerdict]) -> None:
        number = sum(verdict.is_done for verdict in verdicts)
        if number:
            what = "the issue" if number == 1 else f"{number} issues"
            self.message_user(request, f"{done}: {what}.", messages.SUCCESS)
        refused = dict.fromkeys(verdict.sentence for verdict in verdicts if not verdict.is_done)
        if refused:
            left_out = f"Left out {len(verdicts) - number}. {' '.join(refused)}"
            self.message_user(request, left_out, messages.WARNING)

    def _try(self, request: HttpRequest, chosen: Chosen) -> HttpResponse:
        """Sends the newest dead letter, and shows what becomes of it."""
        issue = Issue.objects.filter(pk=chosen.issue).first()
        delivery = newest_dead(issue) if issue else None
        if issue is None or delivery is None:
            self.message_user(request, "No dead letter of it waits any more.", messages.WARNING)
            return redirect(_back(request))
        if replay_at_a_click(request, delivery, reason="One of an issue, to see whether it works."):
            self.log_change(request, issue, "Sent one dead letter again.")
        return redirect(reverse("admin:deliveries_delivery_change", args=[delivery]))

    def _replay(self, request: HttpRequest, chosen: Iterable[Chosen]) -> HttpResponse:
        """Several issues become one replay; nothing is sent before it was previewed."""
        issues = Issue.objects.filter(pk__in=[each.issue for each in chosen]).order_by("fingerprint")
        return redirect(prepare_letters(issues.values_list("fingerprint", flat=True)))


def may_act(request: HttpRequest) -> dict[str, Any]:
    """Which buttons this person gets; the doors check again."""
    names = {"triage": TRIAGE, "try": REPLAY_ONE, "replay": REPLAY_MANY, "discard": DISCARD}
    may = {name: request.user.has_perm(permission) for name, permission in names.items()}
    return may | {"discard": may["discard"] and may["replay"], "anything": any(may.values())}


def _chosen(request: HttpRequest) -> list[Chosen]:
    """Of a row's own button that row alone, whatever is ticked besides."""
    texts = request.POST.getlist("one")[:1] or request.POST.getlist("chosen")[:PAGE]
    found = []
    for text in texts:
        key, _, seen = text.partition(":")
        try:
            found.append(Chosen(issue=parse_id("issue", key), seen=seen[:12]))
        except ValueError:
            continue
    return found


def _back(request: HttpRequest) -> str:
    """The page that the form was sent from: one issue's, or the list as it was filtered."""
    try:
        return reverse("admin:deliveries_issue_change", args=[parse_id("issue", request.POST.get("of", ""))])
    except ValueError:
        kept = QueryDict(request.POST.get("kept", "").removeprefix("?")[:2_000])
        query = parse_issues(dict(kept.lists())).query
        return reverse("admin:deliveries_issue_changelist") + issues_url(query)
