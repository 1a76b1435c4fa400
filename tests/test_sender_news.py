"""What a provider asks for beside its answer: a subscription is confirmed behind it, and people hear when one ended."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import Error

from deliveries import tasks
from deliveries.models import Notice
from deliveries.services.sender_news import tell_of_handshakes
from tests import make
from tests.callers import browser
from webhooks.models import Event, Handshake, Source
from webhooks.services import handshakes, provider_host

pytestmark = pytest.mark.django_db

URL = "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f"


class Amazon:
    """Remembers what was opened; while it is down, nothing can be."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.is_down = False

    def get(self, url: str) -> bytes:
        self.opened.append(url)
        if self.is_down:
            raise OSError("no route")
        return b"<ConfirmSubscriptionResponse/>"


@pytest.fixture
def amazon(monkeypatch: Any) -> Amazon:
    amazon = Amazon()
    monkeypatch.setattr(provider_host, "get", amazon.get)
    return amazon


def asked(
    source: Source, name: str = "sns", *, ago: timedelta = timedelta(), follow_up: str = URL
) -> Handshake:
    at = make.now() - ago
    handshakes.record(source_id=source.pk, name=name, at=at, status=200, follow_up=follow_up)
    return Handshake.objects.get(source=source, name=name)


def told() -> list[tuple[str, str]]:
    return list(Notice.objects.order_by("pk").values_list("kind", "text"))


def test_a_subscription_is_confirmed_once_and_told(amazon: Amazon) -> None:
    shake = asked(make.source("topic"))
    for _ in range(2):
        tell_of_handshakes(now=make.now())
    shake.refresh_from_db()
    assert (amazon.opened, shake.follow_up) == ([URL], "")
    assert told() == [
        ("sender-confirmed", f"{shake.source.name} asked to have its subscription confirmed, and it is.")
    ]
    assert not Event.objects.exists()


def test_what_cannot_be_reached_is_tried_again_and_stays_for_a_person_to_see(amazon: Amazon) -> None:
    source, amazon.is_down = make.source("topic"), True
    asked(source)
    tell_of_handshakes(now=make.now())
    assert told() == []
    page = browser(is_superuser=True).get(f"/admin/webhooks/source/{source.pk}/change/")
    assert "Action=ConfirmSubscription" in page.content.decode()
    amazon.is_down = False
    tell_of_handshakes(now=make.now())
    assert (amazon.opened, len(told())) == ([URL, URL], 1)


def test_after_an_hour_it_is_left_to_people(amazon: Amazon) -> None:
    asked(make.source("topic"), ago=timedelta(minutes=61))
    tell_of_handshakes(now=make.now())
    assert (amazon.opened, told()) == ([], [])


def test_a_source_that_was_disabled_confirms_nothing(amazon: Amazon) -> None:
    asked(make.source("topic"))
    Source.objects.update(is_enabled=False)
    tell_of_handshakes(now=make.now())
    assert amazon.opened == []


def test_another_address_that_came_meanwhile_is_still_to_be_opened(monkeypatch: Any) -> None:
    source = make.source("topic")
    asked(source)
    monkeypatch.setattr(provider_host, "get", lambda url: asked(source, follow_up=f"{URL}9") and b"")
    tell_of_handshakes(now=make.now())
    assert (Handshake.objects.get().follow_up, told()) == (f"{URL}9", [])


def test_the_end_of_a_subscription_is_told_once_each_time_and_nothing_is_opened(amazon: Amazon) -> None:
    source = make.source("topic")
    asked(source, "sns-unsubscribed", follow_up="")
    for _ in range(2):
        tell_of_handshakes(now=make.now())
    assert [kind for kind, _ in told()] == ["sender-unsubscribed"]
    asked(source, "sns-unsubscribed", follow_up="")
    tell_of_handshakes(now=make.now())
    assert ([kind for kind, _ in told()], amazon.opened) == (["sender-unsubscribed"] * 2, [])


def test_the_schedule_looks_and_survives_a_database_that_is_away(amazon: Amazon, monkeypatch: Any) -> None:
    assert ("weir: confirm", "deliveries.tasks.confirm", 1) in tasks.SCHEDULES
    asked(make.source("topic"))
    tasks.confirm()
    assert amazon.opened == [URL]

    def away(**asked: Any) -> None:
        raise Error("gone")

    monkeypatch.setattr("deliveries.tasks.sender_news.tell_of_handshakes", away)
    tasks.confirm()
