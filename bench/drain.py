"""How fast some lanes get through their backlog, whatever happens in the lanes beside them."""

from collections.abc import Sequence

from bench.stage import BenchFailed, Process, Sink, until
from deliveries.models import Delivery, DeliveryState, Subscription

RECORDED_WITHIN_S = 30.0  # after the last request; then something is stuck


def recorded_per_s(subscriber: Sink, lanes: Sequence[Subscription], count: int, *, sender: Process) -> float:
    """From the first byte of the first request to the row of the last: starting up is not on the clock."""
    pending = Delivery.objects.filter(
        state=DeliveryState.PENDING, subscription_id__in=[lane.pk for lane in lanes]
    )
    subscriber.wait(count, of=sender)
    recorded_at = until(lambda: not pending.exists(), "all is recorded", seconds=RECORDED_WITHIN_S)
    arrivals = subscriber.arrivals()
    if len(arrivals) != count or len({delivery for _, delivery in arrivals}) != count:
        raise BenchFailed(f"{len(arrivals):,} requests came for {count:,} deliveries.")
    return count / (recorded_at - min(at for at, _ in arrivals))
