"""The made-up month: as large as asked for, true to the schema, and never poured over a hub that is in use."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.db.models import F, Max, Min, Sum
from django.utils import timezone

from deliveries.models import (
    Attempt,
    DeadLetter,
    Delivery,
    Exchange,
    Issue,
    Lane,
    Rollup,
    RollupFailure,
    Tally,
    TypeFailure,
    TypeRollup,
)
from deliveries.models.rollup import EVERY
from deliveries.services.folding import fold
from tests import make
from webhooks.models import Event, EventBody

pytestmark = pytest.mark.django_db(transaction=True)


def seed(deliveries: int = 3_000, **options: object) -> None:
    call_command("seed", deliveries=deliveries, subscriptions=40, verbosity=0, **options)


def test_it_makes_a_month_of_everything() -> None:
    seed(6_000)
    assert 6_000 <= Delivery.objects.count() <= 6_002  # an event goes to at most three
    assert Lane.objects.count() == 40
    states = set(Delivery.objects.values_list("state", flat=True).distinct())
    assert {"pending", "delivered", "dead"} <= states
    ages = Delivery.objects.aggregate(first=Min("created_at"), last=Max("created_at"))
    assert 29 <= (ages["last"] - ages["first"]).days <= 30
    assert ages["last"] <= timezone.now()
    assert 1.2 < Attempt.objects.count() / Delivery.objects.count() < 4
    assert Exchange.objects.exists() and EventBody.objects.count() <= Event.objects.count()


def test_what_it_makes_hangs_together() -> None:
    seed()
    for delivery in Delivery.objects.order_by("-pk")[:300]:
        tries = list(delivery.tries.order_by("number"))
        assert [each.number for each in tries] == list(range(1, delivery.attempts + 1))
        assert [each.outcome for each in tries][-1:] == [delivery.last_outcome] * bool(tries)
    dead = Delivery.objects.filter(state="dead")
    assert DeadLetter.objects.filter(resolved_at=None).count() == dead.count()
    assert set(Issue.objects.values_list("fingerprint", flat=True)) >= set(
        dead.values_list("fingerprint", flat=True)
    )


def test_its_slices_say_what_its_attempts_say() -> None:
    seed()
    tries, delivered = Attempt.objects.count(), Attempt.objects.filter(outcome="ok").count()
    deaths = DeadLetter.objects.count()
    for width_s in (3_600, 86_400):
        for which in (
            Rollup.objects.filter(subscription_id=EVERY),
            Rollup.objects.exclude(subscription_id=EVERY),
            TypeRollup.objects.all(),
        ):
            told = which.filter(width_s=width_s).aggregate(
                tries=Sum("attempts"), delivered=Sum(F("delivered_first") + F("delivered_retry")),
                dead=Sum("dead"), retried=Sum("retried"),
            )  # fmt: skip
            assert told == {
                "tries": tries, "delivered": delivered, "dead": deaths, "retried": tries - delivered - deaths
            }  # fmt: skip
        for failures in (
            RollupFailure.objects.filter(subscription_id=EVERY),
            TypeFailure.objects.all(),
        ):
            told = failures.filter(width_s=width_s).aggregate(sum=Sum("failures"))
            assert told == {"sum": tries - delivered}


def wide(model: type[Rollup] | type[TypeRollup] | type[TypeFailure]) -> set[tuple[object, ...]]:
    columns = [field.attname for field in model._meta.fields if field.name != "id"]
    return set(model.objects.filter(width_s__gte=3_600).values_list(*columns))


def test_its_slices_are_those_that_folding_makes() -> None:
    seed(400)
    made = [wide(model) for model in (Rollup, TypeRollup, TypeFailure)]
    for model in (Rollup, TypeRollup, TypeFailure):
        model.objects.all().delete()
    ids = [key.hex for key in Attempt.objects.values_list("pk", flat=True)]
    failed = [key.hex for key in Attempt.objects.exclude(outcome="ok").values_list("pk", flat=True)]
    deaths = [
        {
            "lane": lane.hex,
            "type": event_type,
            "second": int(at.timestamp()),
            "attempt": Attempt.objects.filter(delivery=of).latest("number").pk.hex,
        }
        for lane, event_type, at, of in DeadLetter.objects.values_list(
            "subscription_id", "delivery__event_type", "died_at", "delivery_id"
        )
    ]
    Tally.objects.create(
        settled_at=timezone.now(),
        attempts=json.dumps(ids),
        failed=json.dumps(failed),
        deaths=json.dumps(deaths),
        length=len(ids),
    )
    fold()
    assert [wide(model) for model in (Rollup, TypeRollup, TypeFailure)] == made


def test_a_hub_that_holds_events_is_left_alone_unless_forced() -> None:
    make.event()
    with pytest.raises(CommandError, match="This hub is not empty"):
        seed()
    assert (Event.objects.count(), Delivery.objects.count(), Lane.objects.count()) == (1, 0, 0)
    seed(200, force=True)
    seed(200, force=True, luck=2)
    assert 400 <= Delivery.objects.count() <= 404
    for slices in (Rollup.objects.filter(subscription_id=EVERY), TypeRollup.objects.all()):
        days = slices.filter(width_s=86_400)
        assert days.aggregate(tries=Sum("attempts"))["tries"] == Attempt.objects.count()


@pytest.mark.parametrize("wrong", [{"deliveries": 0}, {"deliveries": -5}])
def test_nothing_is_not_a_month(wrong: dict[str, int]) -> None:
    with pytest.raises(CommandError, match="at least one delivery"):
        seed(**wrong)
    assert not Lane.objects.exists()
