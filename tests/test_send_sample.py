"""`manage.py send_sample`: a signed sample goes to a running hub; where something is missing, a sentence says what."""

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests import make
from tests.callers import with_key
from webhooks.deciders.schemes import SCHEMES, scheme
from webhooks.deciders.signing import new_pair
from webhooks.models import Event, Refusal, Source
from webhooks.services.samples import _seed
from webhooks.services.sources import create_source

pytestmark = pytest.mark.django_db(transaction=True)


def send(*args: str) -> str:
    out = io.StringIO()
    call_command("send_sample", *args, stdout=out)
    return out.getvalue()


@pytest.fixture
def here(live_server: Any, settings: Any) -> str:
    """A hub that answers on this machine, at the port that its settings name."""
    settings.HUB_PORT = live_server.thread.port
    settings.HUB_PUBLIC_URL = ""
    return f"http://127.0.0.1:{settings.HUB_PORT}"


def test_with_no_options_it_goes_to_this_hub_signed_by_the_source_s_own_secret(here: str) -> None:
    create_source(name="Pay", slug="pay", scheme="stripe", secret="whsec_of_stripe", actor="test")
    told = send("stripe")
    event = Event.objects.get()
    assert told.startswith(f"POST {here}/in/pay\n202 ") and "accepted" in told
    assert (event.event_type, event.verified_by) == ("payment_intent.succeeded", "stripe …ripe")


def test_a_key_pair_for_trying_is_known_again(here: str) -> None:
    public, _ = new_pair(scheme("discord"), _seed(scheme("discord")))
    create_source(name="D", slug="d", scheme="discord", secret=public, actor="test")
    assert "204" in send("discord")
    assert Event.objects.get().event_type == "APPLICATION_AUTHORIZED"


def test_another_hub_is_reached_by_its_address_and_secret(here: str) -> None:
    create_source(name="H", slug="h", scheme="github", secret="hub-secret", actor="test")
    assert "202" in send("github", "--url", f"{here}/in/h", "--secret", "hub-secret", "--id", "abc")
    assert Event.objects.get().external_id == "abc"


def test_sent_twice_the_second_is_a_duplicate(here: str) -> None:
    create_source(name="H", slug="h", scheme="github", secret="hub-secret", actor="test")
    first, second = send("github", "--times", "2").splitlines()[1::2]
    assert (first[:3], "accepted" in first) == ("202", True)
    assert (second[:3], "duplicate" in second) == ("200", True)
    assert Event.objects.count() == 1


def test_what_is_not_taken_is_an_error(here: str) -> None:
    create_source(name="H", slug="h", scheme="github", secret="hub-secret", actor="test")
    with pytest.raises(CommandError, match="It was not taken"):
        send("github", "--secret", "another")
    assert Refusal.objects.get().reason == "signature-mismatch"


@pytest.mark.parametrize("slug", sorted(SCHEMES))
def test_of_every_provider_one_is_taken_by_a_source_that_was_made_as_it_says(here: str, slug: str) -> None:
    with pytest.raises(CommandError, match="or, to try it, with an operator's API key") as caught:
        send(slug)
    wanted = json.loads(str(caught.value).partition(" -d '")[2].removesuffix("'"))
    assert with_key().post("/api/v1/sources", wanted).status_code == 201
    told = send(slug)
    event = Event.objects.get()
    assert told.startswith(f"POST {here}/in/{slug}\n2") and event.verified_by.startswith(slug)
    assert not Refusal.objects.exists()


def test_without_a_source_it_says_how_to_make_one_and_makes_none(here: str) -> None:
    with pytest.raises(CommandError) as caught:
        send("twilio")
    told = str(caught.value)
    assert told.startswith("No enabled source takes Twilio. Make one in the console, or, to try it")
    assert f'"public_url": "{here}/in/twilio"' in told and '"scheme": "twilio"' in told
    assert not Source.objects.exists()


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (("nobody",), "There is no provider 'nobody'."),
        (("stripe", "--account", "x"), "Stripe names no account; leave --account out."),
        (("none", "--url", "ftp://x"), "--url must begin with http"),
        (("none", "--source", "else"), "No enabled source takes None (anyone may send) with the slug else."),
    ],
)
def test_what_is_missing_is_one_sentence(args: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as caught:
        send(*args)
    assert str(caught.value).startswith(sentence)


def test_a_public_key_of_somebody_s_signs_nothing() -> None:
    public, _ = new_pair(scheme("discord"), b"theirs")
    create_source(name="D", slug="d", scheme="discord", secret=public, actor="test")
    with pytest.raises(CommandError, match="holds a public key only"):
        send("discord")


def test_where_nobody_answers_it_says_so(free_port: int, settings: Any) -> None:
    settings.HUB_PORT = free_port
    make.source()
    with pytest.raises(CommandError, match="Nobody answered at .* Is the hub running"):
        send("none")
