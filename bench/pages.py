"""How long each page of the console takes to be made, over a made-up month of a million deliveries.

Each is asked for through the hub's own WSGI application, as an operator who is logged in, with nothing remembered from
the time before: what a page caches, it has to find anew.
"""

import secrets
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client

from bench import freeze
from bench.asking import ask
from bench.extent import Extent
from bench.figures import Figure
from bench.visit import Page, addresses
from deliveries.models import Delivery
from deliveries.services.depths import sample

DELIVERIES, QUICK = 1_000_000, 50_000
SEED_S = 300
LARGEST_KB = 120
TIMES = 5  # in one round
ROLE = "Lead"  # sees everything an operator works with


def run(extent: Extent) -> Iterator[Figure]:
    count = extent.size(DELIVERIES, quick=QUICK)
    if not Delivery.objects.order_by("pk").values_list("pk", flat=True)[:1]:
        yield seeded(count)
    sample(datetime.now(UTC))
    user = _somebody()
    try:
        yield from _measured(extent, _cookie(user))
        yield from freeze.run(extent.rounds)
    finally:
        user.delete()


def seeded(count: int, bench: str = "pages") -> Figure:
    began_at = time.monotonic()
    call_command("seed", deliveries=count, stdout=sys.stderr)
    what = f"making a month of {count:,} deliveries"
    return Figure(bench=bench, what=what, values=(time.monotonic() - began_at,), unit="s", at_most=SEED_S)


def _measured(extent: Extent, cookie: str) -> Iterator[Figure]:
    sizes: dict[str, float] = {}
    visits = list(addresses())
    times: dict[Page, list[float]] = {page: [] for page, _ in visits}
    for page, address in visits:  # once unmeasured: templates are read, and connections made
        sizes[page.what] = len(ask(address, HTTP_COOKIE=cookie)[1]) / 1_000
    for _ in extent.each_round("pages"):
        for page, address in visits:
            times[page] += [ask(address, HTTP_COOKIE=cookie)[0] for _ in range(TIMES)]
    for page, values in times.items():
        yield Figure(bench="pages", what=page.what, values=tuple(values), unit="ms", at_most=page.at_most)
    largest = max(sizes, key=sizes.__getitem__)
    what = f"the largest page as HTML ({largest})"
    yield Figure(bench="pages", what=what, values=(sizes[largest],), unit="KB", at_most=LARGEST_KB)


def _somebody() -> User:
    user = User.objects.create_user(f"bench-{secrets.token_hex(4)}", is_staff=True)
    user.groups.set(Group.objects.filter(name=ROLE))
    return user


def _cookie(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"
