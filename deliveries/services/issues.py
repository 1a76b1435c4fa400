"""Moves an issue because a person said so, or because its time of being ignored is over. It touches no dead letter."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, OuterRef

from deliveries.deciders.issue_states import IGNORE_FOR, MOVES, Move, shown_state, why_not
from deliveries.models import DeadLetter, Issue
from deliveries.models.dead_letter import IssueState
from webhooks.services import audit


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueVerdict:
    is_done: bool
    sentence: str


def move_issue(
    *,
    issue_id: UUID,
    verb: str,
    actor: str,
    now: datetime,
    seen: str = "",
    reason: str = "",
    user: User | None = None,
) -> IssueVerdict:
    """Acknowledges, ignores or reopens. `seen` is the state that the person saw: another one by now, and it is told."""
    move = MOVES[verb]
    issue = Issue.objects.filter(pk=issue_id).first()
    if issue is None:
        return IssueVerdict(is_done=False, sentence="There is no such issue.")
    state = shown_state(state=issue.state, ignored_until=issue.ignored_until, now=now)
    if (
        state not in move.starts
        or (seen and seen != state)
        or not _write(issue, move, actor, now, user, reason)
    ):
        return _refused(issue_id, move, now)
    return IssueVerdict(is_done=True, sentence=f"{move.done}.")


def end_ignoring(*, now: datetime) -> int:
    """Opens what was ignored until now, or resolves it where no dead letter waits; says how many it moved."""
    over = Issue.objects.filter(state=IssueState.IGNORED, ignored_until__lte=now)
    return sum(_come_back(issue, now) for issue in over.order_by("pk").values_list("pk", flat=True))


def _write(issue: Issue, move: Move, actor: str, now: datetime, user: User | None, reason: str) -> bool:
    """One conditional update, so that of two people at once one is first."""
    until = now + IGNORE_FOR if move.to == IssueState.IGNORED else None
    with transaction.atomic():
        as_read = Issue.objects.filter(
            pk=issue.pk, state=issue.state, state_at=issue.state_at, ignored_until=issue.ignored_until
        )
        if not as_read.update(state=move.to, state_at=now, state_by=actor[:200], ignored_until=until):
            return False
        audit.record(
            actor=actor, user=user, verb=move.verb, object_kind="issue", object_id=issue.pk, reason=reason,
            before={"state": issue.state},
            after={"state": move.to} | ({"ignored_until": until.isoformat()} if until else {}),
        )  # fmt: skip
    return True


def _refused(issue_id: UUID, move: Move, now: datetime) -> IssueVerdict:
    issue = Issue.objects.get(pk=issue_id)
    state = shown_state(state=issue.state, ignored_until=issue.ignored_until, now=now)
    sentence = why_not(move=move, state=state, state_by=issue.state_by if state == issue.state else "")
    return IssueVerdict(is_done=False, sentence=sentence)


def _come_back(issue_id: UUID, now: datetime) -> bool:
    with transaction.atomic():
        # Locked first: a settlement that adds a letter to it must come wholly before or after the look.
        over = Issue.objects.filter(pk=issue_id, state=IssueState.IGNORED, ignored_until__lte=now)
        if over.select_for_update().first() is None:
            return False
        waiting = DeadLetter.objects.filter(issue_id=OuterRef("pk"), resolved_at=None)
        moved = {"state_at": now, "state_by": "", "ignored_until": None}
        opened = over.filter(Exists(waiting)).update(state=IssueState.OPEN, **moved)
        return bool(opened or over.update(state=IssueState.RESOLVED, **moved))
