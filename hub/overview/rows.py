"""Lines of the cards below: who does worst, what is held, which issues, which causes, what waits. It asks nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.urls import reverse

from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_signs import response_tag
from deliveries.deciders.delivery_words import OUTCOME_WORDS
from deliveries.deciders.outcome import Outcome
from deliveries.models import Circuit, Hold, Issue
from deliveries.selectors.overview import Endpoint, OpenIssue, Overview, Trouble
from deliveries.selectors.rollups import Cause
from hub import ages, workers
from hub.charts import Gauge, Strip, gauge, strip

from .links import Links, subscription
from .words import finished, grouped, told_ms

CAUSES: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class WorstRow:
    endpoint: Endpoint
    finished: int
    address: str
    all: str
    dead: str
    success: str
    p95: str
    strip: Strip
    state: str
    state_words: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TroubleRow:
    name: str
    address: str
    state: str
    state_words: str
    words: str
    more: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueRow:
    issue: Issue
    tag: str
    tone: str
    words: str
    dead: int
    address: str
    all: str
    strip: Strip
    seen: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CauseRow:
    tag: str
    words: str
    failures: int
    address: str
    gauge: Gauge


def worst_row(endpoint: Endpoint, links: Links) -> WorstRow:
    figures, state = endpoint.figures, endpoint.hold or endpoint.circuit
    rate = figures.success_rate
    return WorstRow(
        endpoint=endpoint,
        finished=finished(figures),
        address=subscription(endpoint.id),
        all=links.here(subscriptions=(endpoint.id,)),
        dead=links.here(subscriptions=(endpoint.id,), statuses=(Status.DEAD,)),
        success="–" if rate is None else f"{_floor(100 * rate):.1f} %",
        p95=told_ms(figures.latency(0.95)),
        strip=strip(title=f"{figures.failed:,} failed attempts over time", values=endpoint.strip),
        state=state,
        state_words=_state_words(endpoint.hold, endpoint.circuit),
    )


def _floor(percent: float) -> float:
    return 100.0 if percent == 100 else min(99.9, percent)


def _state_words(hold: str, circuit: str) -> str:
    return str(Hold(hold).label if hold else Circuit(circuit).label)


def trouble_row(trouble: Trouble, now: datetime) -> TroubleRow:
    return TroubleRow(
        name=trouble.name,
        address=subscription(trouble.id),
        state=trouble.hold or trouble.circuit,
        state_words=_state_words(trouble.hold, trouble.circuit),
        words=_held_words(trouble, now) if trouble.hold else _circuit_words(trouble, now),
        more=trouble.held_why if trouble.hold else trouble.why,
    )


def _held_words(trouble: Trouble, now: datetime) -> str:
    by = f" by {trouble.held_by}" if trouble.held_by else ""
    return f"{Hold(trouble.hold).label.lower()}{by}, {ages.told(trouble.since, now)}"


def _circuit_words(trouble: Trouble, now: datetime) -> str:
    opened = f"opened {ages.told(trouble.opened_at or trouble.since, now)}"
    if trouble.circuit == Circuit.HALF_OPEN:
        return f"{opened}, one probe is out"
    if trouble.circuit == Circuit.RECOVERING:
        passed, cap = (trouble.window or 1), trouble.cap or settings.HUB_WINDOW
        return f"{opened}, recovering: {passed} of {cap} passed"
    until = trouble.cooldown_until
    probes = f", probed {ages.told(until, now)}" if until and until > now else ", to be probed next"
    return opened + probes


def issue_row(each: OpenIssue, links: Links) -> IssueRow:
    issue = each.issue
    tag, tone = _issue_tag(issue.reason, issue.status)
    return IssueRow(
        issue=issue,
        tag=tag,
        tone=tone,
        words=issue.error or _words(issue.reason),
        dead=each.dead,
        address=reverse("admin:deliveries_issue_change", args=[issue.pk]),
        all=links.to(DeliveryQuery(since="all", fingerprints=(issue.fingerprint,), statuses=(Status.DEAD,))),
        strip=strip(title="Failures of this kind over time", values=each.strip, width=96),
        seen=issue.last_seen_at,
    )


def _issue_tag(reason: str, status: int | None) -> tuple[str, str]:
    if status is not None:
        return str(status), "warn" if 300 <= status < 500 else "bad"
    return response_tag(reason, None) if _words(reason) else ("none", "bad")


def _words(outcome: str) -> str:
    """Nothing for a reason that is no outcome."""
    return {str(each): words for each, words in OUTCOME_WORDS.items()}.get(outcome, "")


def cause_rows(causes: Sequence[Cause], links: Links) -> list[CauseRow]:
    most = max((each.failures for each in causes), default=0)
    return [_cause(each, most, links) for each in causes[:CAUSES]]


def _cause(cause: Cause, most: int, links: Links) -> CauseRow:
    _, tone = response_tag(cause.outcome, cause.status or None)
    filters: dict[str, Any] = {"outcomes": (Outcome(cause.outcome),)}
    if cause.status:
        filters = {"codes": (str(cause.status),)}
    return CauseRow(
        tag=str(cause.status) if cause.status else "",
        words=_words(cause.outcome) or cause.outcome,
        failures=cause.failures,
        address=links.here(**filters),
        gauge=gauge(title=f"{cause.failures:,}", value=cause.failures, most=most, tone=tone or "bad"),
    )


def waiting_rows(told: Overview, tasks: workers.TaskQueue, links: Links) -> list[tuple[str, str, str]]:
    waits, queue = told.waiting, reverse("admin:queue")
    deep = f"{grouped(tasks.waiting)}{'+' if tasks.is_cut else ''}"
    return [
        ("Due now", grouped(waits.due), queue),
        ("Retry within 5 min", grouped(waits.retry_5m), links.ever(statuses=(Status.RETRYING,))),
        ("Retry within 1 h", grouped(waits.retry_1h), links.ever(statuses=(Status.RETRYING,))),
        ("Held by circuit or pause", grouped(waits.held), links.ever(statuses=(Status.HELD,))),
        ("Task queue (django-q2)", deep, queue),
    ]


def news(told: Overview) -> list[tuple[str, str, datetime, str]]:
    """Icon, words, when and where; alerts stand above everything else, in a banner."""
    notices = reverse("admin:deliveries_notice_changelist")
    return [("log", notice.text, notice.created_at, notices) for notice in told.notices]
