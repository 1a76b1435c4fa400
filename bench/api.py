"""How long every list of the REST API takes, first page and deep, over a made-up month of a million deliveries.

With --seeded they are looked at in a database that stays. Nothing is remembered from one to the next.
"""

from collections.abc import Iterable, Iterator, Mapping
from statistics import median

from bench.asking import ask
from bench.extent import Extent
from bench.figures import Figure
from bench.lists import addresses
from bench.pages import DELIVERIES, QUICK, TIMES, seeded
from deliveries.models import Delivery
from webhooks.services.keys import create_api_key, revoke_api_key

LIST_MS = 100
DEEP_DAYS = 25


def run(extent: Extent) -> Iterator[Figure]:
    if not Delivery.objects.order_by("pk").values_list("pk", flat=True)[:1]:
        yield seeded(extent.size(DELIVERIES, quick=QUICK), "api")
    row, key = create_api_key(role="viewer", name="bench")
    try:
        yield from _lists(extent, key)
    finally:
        revoke_api_key(key_id=row.pk, actor="bench")


def _lists(extent: Extent, key: str) -> Iterator[Figure]:
    """First pages, and pages that begin weeks ago."""
    first = [(each.what, address) for each, address in addresses()]
    deep = [(f"{each.what}, {DEEP_DAYS} days deep", address) for each, address in addresses(deep=DEEP_DAYS)]
    visits = [*first, *deep]
    headers = {"HTTP_AUTHORIZATION": f"Bearer {key}"}
    times: dict[str, list[float]] = {what: [] for what, _ in visits}
    for _, address in visits:  # once unmeasured: connections are made
        ask(address, **headers)
    for _ in extent.each_round("api, lists"):
        for what, address in visits:
            times[what] += [ask(address, **headers)[0] for _ in range(TIMES)]
    for what, values in times.items():
        yield _figure(what, values)
    yield _slowest(f"of {len(first)} lists by their filters, the slowest first page", first, times)
    yield _slowest(f"of {len(deep)}, the slowest page {DEEP_DAYS} days deep", deep, times)


def _slowest(what: str, visits: Iterable[tuple[str, str]], times: Mapping[str, list[float]]) -> Figure:
    found = max((name for name, _ in visits), key=lambda name: median(times[name]))
    return _figure(f"{what}: {found}", times[found])


def _figure(what: str, values: list[float]) -> Figure:
    return Figure(bench="api", what=what, values=tuple(values), unit="ms", at_most=LIST_MS)
