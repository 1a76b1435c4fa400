"""An address that keeps sending keys which do not open is told to wait; a good key opens all the while."""

from typing import Any

import pytest
from django.test import override_settings

from hub.bad_keys import PER_ADDRESS
from hub.models import LoginTries
from tests.callers import Caller, with_key

pytestmark = pytest.mark.django_db

DOOR = "/api/v1/sources"


def guess(caller: Caller, address: str = "192.0.2.1", **more: Any) -> Any:
    caller.credentials(HTTP_AUTHORIZATION="Bearer weir_operator_guess")
    return caller.get(DOOR, REMOTE_ADDR=address, **more)


def test_after_enough_bad_keys_an_address_is_told_when_to_come_again() -> None:
    answers = [guess(Caller()) for _ in range(PER_ADDRESS + 1)]
    assert [answer.status_code for answer in answers] == [401] * PER_ADDRESS + [429]
    assert answers[-1].json()["code"] == "too-many-failures"
    assert 890 <= int(answers[-1]["Retry-After"]) <= 900
    assert guess(Caller(), address="192.0.2.2").status_code == 401


def test_a_good_key_opens_from_the_same_address() -> None:
    for _ in range(PER_ADDRESS + 1):
        guess(Caller())
    assert with_key().get(DOOR, REMOTE_ADDR="192.0.2.1").status_code == 200


def test_who_sends_no_key_guesses_nothing_and_is_not_counted() -> None:
    assert Caller().get(DOOR).status_code == 401
    assert not LoginTries.objects.exists()


@override_settings(HUB_TRUSTED_PROXIES=())
def test_a_forged_header_buys_no_try() -> None:
    for number in range(PER_ADDRESS):
        guess(Caller(), HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert guess(Caller(), HTTP_X_FORWARDED_FOR="203.0.113.99").status_code == 429


def test_neither_key_nor_address_is_kept() -> None:
    guess(Caller())
    assert "192.0.2.1" not in repr(LoginTries.objects.values().get())
