"""`manage.py seed --deliveries 1000000`: fills an empty hub with a made-up month, to look at and to measure."""

import time
from argparse import ArgumentParser
from random import Random
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from deliveries.seeding.history import History
from deliveries.seeding.slices import sum_up
from deliveries.seeding.world import make_world
from webhooks.models import Event, Source


class Command(BaseCommand):
    help = "Fills an empty hub with a made-up month of events, deliveries, attempts and dead letters."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--deliveries", type=int, default=100_000)
        parser.add_argument("--subscriptions", type=int, default=500)
        parser.add_argument("--luck", type=int, default=1, help="The same number makes the same month again.")
        parser.add_argument("--force", action="store_true", help="Even if the hub holds events already.")

    def handle(self, *, deliveries: int, subscriptions: int, luck: int, force: bool, **options: Any) -> None:
        if deliveries < 1 or subscriptions < 1:
            raise CommandError("Ask for at least one delivery and one subscription.")
        if not force and (Event.objects.exists() or Source.objects.exists()):
            raise CommandError("This hub is not empty; --force adds the made-up month to what it holds.")
        started, now, chance = time.monotonic(), time.time(), Random(luck)  # noqa: S311 (a story, not a secret)
        with transaction.atomic():
            senders = make_world(chance, subscriptions=subscriptions, now=now)
            History(chance, senders, now=now).write(deliveries)
            consumers = {each.subscription.pk for sender in senders for each in sender.consumers}
            sum_up(sorted(consumers), now=now)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")
        self.stdout.write(f"Made {deliveries:,} deliveries in {time.monotonic() - started:.0f} s.")
