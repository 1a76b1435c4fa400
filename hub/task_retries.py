"""Has a task of ours that failed run again, because a person asked. It runs nothing itself and knows no other task."""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django_q.models import Task
from django_q.tasks import async_task

from deliveries.tasks import SCHEDULES
from webhooks.services import audit

DAY = timedelta(days=1)
OURS = frozenset(function for _, function, _ in SCHEDULES)


class Refused(Exception):
    """Says why in one sentence."""


def run_again(*, function: str, now: datetime, actor: str, user: User | None = None) -> int:
    """Queues the function once for all its failures of a day, and takes these away; says how many there were.

    Ours take no argument and do all there is to do, so once is enough; who asks a second time finds none.
    """
    if function not in OURS:
        raise Refused("Only the hub's own tasks are run again from here.")
    with transaction.atomic():
        failed = Task.objects.filter(success=False, func=function, stopped__gt=now - DAY)
        count = int(failed.delete()[0])
        if count:
            async_task(function, save=False)
            audit.record(
                actor=actor, user=user, verb="run-again", object_kind="task", object_id=function, count=count
            )
    return count
