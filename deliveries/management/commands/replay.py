"""`manage.py replay`: sends named deliveries again, or all that are dead in one subscription."""

import os
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from deliveries.models import Delivery, DeliveryState
from deliveries.services.replay import replay_delivery
from webhooks.ids import parse_id, public_id

BATCH = 500  # ids read at a time, so that a million dead letters never lie in memory


class Command(BaseCommand):
    help = "Sends deliveries again: those named, or with --dead all dead ones of a subscription."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("delivery", nargs="*", help="dlv_… or a UUID")
        parser.add_argument("--dead", action="store_true", help="every dead delivery of --subscription")
        parser.add_argument("--subscription", help="sub_… or a UUID")
        parser.add_argument("--reason", default="", help="kept in the audit")

    def handle(self, *args: Any, **options: Any) -> None:
        done = left_out = 0
        actor = f"{os.environ.get('USER') or f'uid {os.getuid()}'} (manage.py)"
        for delivery_id in _chosen(**options):
            verdict = replay_delivery(delivery_id=delivery_id, actor=actor, reason=options["reason"])
            self.stdout.write(f"{public_id('delivery', delivery_id)}  {verdict.sentence}")
            done += verdict.is_done
            left_out += not verdict.is_done
        self.stdout.write(f"{done} replayed, {left_out} left out.")
        if left_out and not done:
            raise CommandError("Nothing was replayed.")


def _chosen(*, delivery: list[str], dead: bool, subscription: str | None, **_: Any) -> Iterable[UUID]:
    if bool(delivery) == dead or dead != bool(subscription):
        raise CommandError("Name deliveries, or give --dead with --subscription.")
    try:
        if subscription:
            return _dead_of(parse_id("subscription", subscription))
        return [parse_id("delivery", text) for text in delivery]
    except ValueError as error:
        raise CommandError(str(error)) from None


def _dead_of(subscription_id: UUID) -> Iterator[UUID]:
    """Oldest first, by pages; one that dies again meanwhile is not met twice."""
    rows = Delivery.objects.filter(subscription_id=subscription_id, state=DeliveryState.DEAD).order_by("pk")
    after: UUID | None = None
    while page := list((rows.filter(pk__gt=after) if after else rows).values_list("pk", flat=True)[:BATCH]):
        yield from page
        after = page[-1]
