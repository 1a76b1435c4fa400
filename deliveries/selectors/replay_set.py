"""Says what a replay would take in, as one statement: the preview counts it, the start freezes it.

So what was previewed is what is sent. What fits and is left out is in it too, each with the first reason that holds, so
that one pass tells both. It changes nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db.models import Case, CharField, Exists, Q, QuerySet, Value, When

from deliveries.deciders.replay_choice import Choice
from deliveries.models import Delivery, Hold, Lane, Subscription
from deliveries.services.rearming import has_body, is_chosen, is_outdated

from .cascade_below import MOST_BELOW, is_followed_whole
from .delivery_filters import filters_of, held_lanes
from .never_attempted import TooMany, never_attempted

COLUMNS: Final = ("event_id", "subscription_id", "delivery_id", "event_type", "last_outcome", "last_status")
_FIELDS: Final = ("event_id", "subscription_id", "id", "event_type", "last_outcome", "last_status")
_ENTITY: Final = ("source_id", "event__entity", "event__entity_version")
_TOO_LARGE: Final = (
    f"A cascade is followed through {MOST_BELOW:,} events and deliveries, and this one has more: "
    "choose by subscription and time instead."
)
_RANKED: Final = """,
ranked AS (SELECT *, row_number() OVER (
    PARTITION BY subscription_id, source_id, CASE WHEN entity = '' THEN CAST(event_id AS text) ELSE '=' || entity END
    ORDER BY COALESCE(entity_version, 0) DESC, event_id DESC) AS place FROM found WHERE why IS NULL)"""

Condition = Q | Exists


@dataclass(frozen=True, kw_only=True, slots=True)
class Statement:
    """`WITH … told AS (…), chosen AS (…)`, to be followed by what is asked of it.

    `chosen` is what would be sent; its columns are COLUMNS. `told` is all that fits, with `why` it is left out.
    """

    sql: str
    values: tuple[Any, ...]


def statement(choice: Choice, now: datetime, *, overtaken: bool = False) -> Statement | None:
    """What would be sent, or with `overtaken` what the option of the newest only would leave out; None: nothing."""
    ranks = choice.newest_only or overtaken
    parts: list[str] = []
    values: list[Any] = []
    for rows in _parts(choice, now, ranks):
        try:
            sql, given = rows.query.sql_with_params()
        except EmptyResultSet:
            continue
        parts.append(sql)
        values += given
    if not parts:
        return None
    names = [*COLUMNS, "why", *(("source_id", "entity", "entity_version") if ranks else ())]
    found = f"WITH found({', '.join(names)}) AS ({' UNION ALL '.join(parts)})"
    columns = ", ".join(COLUMNS)
    told = f"SELECT {columns}, why FROM found"  # noqa: S608 (names of our own, here and below)
    if overtaken:
        told = f"SELECT {columns}, CASE WHEN place = 1 THEN 'newest' END AS why FROM ranked"  # noqa: S608
    elif ranks:
        ranked = f"SELECT {columns}, CASE WHEN place > 1 THEN 'overtaken' END AS why FROM ranked"  # noqa: S608
        told = f"{ranked} UNION ALL {told} WHERE why IS NOT NULL"
    chosen = f", told AS ({told}), chosen AS (SELECT {columns} FROM told WHERE why IS NULL)"  # noqa: S608
    return Statement(sql=found + (_RANKED if ranks else "") + chosen, values=tuple(values))


def _parts(choice: Choice, now: datetime, ranks: bool) -> list[QuerySet[Any, Any]]:
    fields = (*_FIELDS, "why", *(_ENTITY if ranks else ()))
    reasons = [When(Q(condition), then=Value(name)) for name, condition in left_out(choice).items()]
    fitting = asked_for(choice, now).annotate(why=Case(*reasons, output_field=CharField()))
    parts: list[QuerySet[Any, Any]] = [fitting.values_list(*fields)]
    if choice.takes_missing:
        parts += never_attempted(choice, now, ranks=ranks)
    return parts


def asked_for(choice: Choice, now: datetime) -> QuerySet[Delivery]:
    """The deliveries that fit, whether or not they can be acted on. Raises TooMany: a branch is not followed whole."""
    if not choice.wanted:
        return Delivery.objects.none()
    if choice.query.below and not is_followed_whole(choice.query.below):
        raise TooMany(_TOO_LARGE)
    fitting = Delivery.objects.filter(filters_of(choice.acted_on(), now).whole())
    return fitting.filter(attempts=0) if choice.takes_missing else fitting


def left_out(choice: Choice) -> dict[str, Condition]:
    """Why a delivery that fits is left out, the first reason that holds."""
    reasons: dict[str, Condition] = {"chosen": is_chosen()}
    if choice.is_discard:
        return reasons
    if disabled := _lanes(hold=Hold.DISABLED):
        reasons["disabled"] = Q(subscription_id__in=disabled)
    if choice.leaves_out_held and (held := held_lanes()):
        reasons["held"] = Q(subscription_id__in=sorted(held))
    if latest := list(Subscription.objects.filter(latest_only=True).values_list("pk", flat=True)):
        reasons["outdated"] = Q(subscription_id__in=latest) & is_outdated()
    reasons["empty"] = ~has_body()
    return reasons


def _lanes(**options: Any) -> list[UUID]:
    return list(Lane.objects.filter(**options).order_by("pk").values_list("pk", flat=True))
