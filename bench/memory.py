"""The peak memory of each of the hub's processes while a hundred thousand deliveries are due and being sent."""

from collections.abc import Iterator

from bench import fill
from bench.extent import Extent
from bench.figures import Figure
from bench.processes import PROC, family
from bench.stage import BenchFailed, hub, sink, until
from deliveries.models import Delivery, DeliveryState

LANES = 1000
DUE = 100_000
GOAL_MB = 200
SENT_WITHIN_S = 900.0


def run(extent: Extent) -> Iterator[Figure]:
    if not PROC.exists():
        raise BenchFailed("Peak memory is read from /proc, which this system does not have.")
    due = extent.size(DUE, quick=20_000)
    peaks: dict[str, float] = {}
    with sink() as subscriber:
        fill.backlog(fill.world(lanes=LANES, url=subscriber.url()), deliveries=due)
        with hub() as (_, process):
            until(lambda: _is_over(process.pid, peaks), "all is sent", seconds=SENT_WITHIN_S, every_s=0.5)
    for part, peak in peaks.items():
        what = f"peak of the largest {part} process, {due:,} deliveries due"
        yield Figure(bench="memory", what=what, values=(peak,), unit="MB", at_most=GOAL_MB)


def _is_over(root: int, peaks: dict[str, float]) -> bool:
    for seen in family(root):
        peaks[seen.part] = max(seen.peak_mb, peaks.get(seen.part, 0.0))
    return not Delivery.objects.filter(state=DeliveryState.PENDING).exists()
