"""Holds who wants what, in memory, never older than the last committed change of a subscription."""

from dataclasses import dataclass

from deliveries.deciders.matching import MatchTable, Wanted
from deliveries.models import Ordering, RouteRevision, Subscription
from webhooks.deciders.expressions import Expression, compile_expression

UNREADABLE = compile_expression("abs('this filter is not valid JMESPath')")  # fails on every event


@dataclass(slots=True)
class Routes:
    """One per dispatcher. `current()` costs one small read unless something changed."""

    _revision: int | None = None
    _table: MatchTable | None = None

    def current(self) -> MatchTable:
        """The table of all subscriptions; held ones too, since what they want is owed and waits."""
        revision = RouteRevision.objects.values_list("revision", flat=True).first() or 0
        if self._table is None or revision != self._revision:
            # The revision was read first: a change that commits in between is read twice, never missed.
            self._table, self._revision = _read(), revision
        return self._table

    def forget(self) -> None:
        """The next look reads everything: what is in memory may be what went wrong."""
        self._table = None


def _read() -> MatchTable:
    columns = ("id", "subscriber_id", "source_id", "event_types", "filter", "ordering", "latest_only")
    wanted = Subscription.objects.order_by("id")
    return MatchTable(
        Wanted(
            subscription_id=subscription,
            subscriber_id=subscriber,
            source_ids=frozenset([source] if source else []),
            patterns=tuple(patterns),
            filter=_filter(text) if text else None,
            is_ordered=ordering == Ordering.STRICT,
            latest_only=latest_only,
        )
        for subscription, subscriber, source, patterns, text, ordering, latest_only in wanted.values_list(
            *columns
        )
    )


def _filter(text: str) -> Expression:
    try:
        return compile_expression(text)
    except ValueError:
        return UNREADABLE  # written past the services, which refuse it; its events become dead letters
