"""What the lists of deliveries and of events ask of their columns, split so that indexes serve it. It reads no list.

A list is read in the order of ids, newest first. One index gives that order for one value of a column, not
for several; so a question for several values (`status=dead,held`, `type=order.*`) is split into branches of one
value each, every branch is read in order by its own index, and the page is the best of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

from django.db.models import Model, Q

from deliveries.deciders.list_query import ListQuery
from deliveries.models import Delivery
from webhooks.ids import first_id_at
from webhooks.models import Source
from webhooks.selectors.distinct import MOST_DISTINCT, distinct

MOST_VALUES = 50  # of one filter; more are asked for at once
MOST_BRANCHES = 24  # of several columns together; past that, a column is asked for all its values at once
MOST_ALTERNATIVES = 32  # of one column


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """One column's filter: what a row must fulfil, and the same as alternatives that an index serves in order.

    `leads`: it leaves so few rows that they are read once, whatever else is asked of them. `narrows`: it leaves
    few, so that columns which leave many are only looked at in those. `beside`: the alternatives to use beside
    another column that an index serves.
    """

    whole: Q
    alternatives: Sequence[Q] = ()
    beside: Sequence[Q] = ()
    leads: bool = False
    narrows: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Filters:
    """All that a query asks, except its cursor and order."""

    columns: Sequence[Column] = ()
    held: frozenset[UUID] = field(default=frozenset())

    def whole(self) -> Q:
        return reduce(lambda all_of, column: all_of & column.whole, self.columns, Q())

    @property
    def counting_order(self) -> str:
        """A range of ids alone is read by the key only in its order; else from the table's oldest page on."""
        return "-pk" if len(self.columns) <= 1 else ""

    def branches(self) -> list[Q]:
        """Conditions of which each is read in order, and which hold together exactly when `whole` does."""
        branches = [Q()]
        for column in self.columns:
            several = self._alternatives(column)
            if len(branches) > 1 and len(several) * len(branches) > MOST_BRANCHES:
                several = [column.whole]
            branches = [branch & one for branch in branches for one in several]
        return branches

    def _alternatives(self, column: Column) -> Sequence[Q]:
        served = [each for each in self.columns if each.alternatives]
        if any(each.leads for each in served) and not column.leads:
            return [column.whole]
        if any(each.narrows for each in served) and not (column.narrows or column.leads):
            return [column.whole]
        several = column.alternatives if len(served) == 1 else column.beside or column.alternatives
        return several or [column.whole]


def known_types(model: type[Model] = Delivery) -> list[str]:
    """Every event type there is, in the database's order: one look into the index for each, at most so many."""
    return [str(each) for each in distinct(model._meta.db_table, "event_type", "event_type <> ''")]


def time_range(query: ListQuery, now: datetime) -> Column | None:
    """Ids tell when they were made, so that no index on a time is needed."""
    begins, whole = query.begins(now), Q()
    if begins is not None:
        whole &= Q(pk__gte=first_id_at(begins))
    if query.end is not None:
        whole &= Q(pk__lt=first_id_at(query.end))
    return Column(whole=whole) if whole else None


def equal(name: str, values: Sequence[UUID], *, leads: bool = False) -> Column | None:
    if not values:
        return None
    several = [Q((name, value)) for value in values] if len(values) <= MOST_VALUES else []
    return Column(whole=Q((f"{name}__in", values)), alternatives=several, leads=leads)


def source_ids(slugs: Iterable[str]) -> list[UUID]:
    """Of a source that does not exist, an id that nothing has."""
    return list(Source.objects.filter(slug__in=slugs).values_list("pk", flat=True)) or [UUID(int=0)]


def types_of(patterns: Sequence[str], model: type[Model]) -> Column | None:
    if not patterns:
        return None
    whole = reduce(or_, (_type(pattern) for pattern in patterns))
    fitting = [Q(event_type=each) for each in _fitting(patterns, model)]
    return Column(whole=whole, alternatives=fitting if len(fitting) <= MOST_ALTERNATIVES else ())


def _type(pattern: str) -> Q:
    return Q(event_type__startswith=pattern[:-1]) if pattern.endswith(".*") else Q(event_type=pattern)


def _fitting(patterns: Sequence[str], model: type[Model]) -> list[str]:
    """The types themselves; for patterns those of the types there are. Empty: too many to name."""
    if not any(pattern.endswith(".*") for pattern in patterns):
        return list(patterns)
    known = known_types(model)
    if len(known) >= MOST_DISTINCT:
        return []
    stems = tuple(pattern[:-1] for pattern in patterns if pattern.endswith(".*"))
    fitting = {each for each in known if each.startswith(stems)} | {
        each for each in patterns if each in known
    }
    return sorted(fitting) or list(patterns[:1])
