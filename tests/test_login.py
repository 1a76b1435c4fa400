"""The door for people: it lets in who knows the password, soon tires of who guesses, and never tells a name."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings

from hub import login_limit
from hub.login_limit import PER_ADDRESS, PER_NAME, WINDOW, address_of
from hub.models import LoginTries
from tests import make

pytestmark = pytest.mark.django_db

RIGHT = "a long enough password"
DOOR = "/admin/login/"


@pytest.fixture
def ada() -> User:
    return User.objects.create_superuser("ada", password=RIGHT)


def knock(name: str = "ada", password: str = "wrong", address: str = "192.0.2.1", **more: Any) -> Any:
    return Client(REMOTE_ADDR=address, **more).post(DOOR, {"username": name, "password": password})


def tries() -> list[int]:
    return sorted(LoginTries.objects.values_list("tries", flat=True))


def test_who_knows_the_password_comes_in(ada: User) -> None:
    assert knock(password=RIGHT).status_code == 302


def test_a_wrong_password_and_an_unknown_name_are_answered_alike(ada: User) -> None:
    wrong, unknown = knock(), knock(name="bob")
    assert (wrong.status_code, unknown.status_code) == (200, 200)
    told = [answer.context["form"].non_field_errors() for answer in (wrong, unknown)]
    assert told[0] == told[1] and len(told[0]) == 1


def test_after_enough_tries_of_a_name_the_right_password_is_refused_too(ada: User) -> None:
    for number in range(PER_NAME):
        assert knock(address=f"192.0.2.{number}").status_code == 200
    answer = knock(password=RIGHT, address="198.51.100.7")
    assert answer.status_code == 429
    assert "There were too many tries; log in again in 15 minutes." in answer.content.decode()
    assert 890 <= int(answer["Retry-After"]) <= 900
    assert "_auth_user_id" not in answer.client.session


def test_a_name_that_nobody_has_is_locked_just_the_same(ada: User) -> None:
    for number in range(PER_NAME):
        knock(name="nobody", address=f"192.0.2.{number}")
    assert knock(name="nobody").status_code == 429


def test_a_name_is_one_however_it_is_spelled(ada: User) -> None:
    for name in ["ada", "Ada", " ADA ", "\uff41da"] * 3:  # the last one begins with a full-width a
        knock(name=name, address=f"192.0.2.{len(name)}")
    assert knock(password=RIGHT, address="198.51.100.7").status_code == 429


def test_an_address_that_tries_many_names_is_refused(ada: User) -> None:
    for number in range(PER_ADDRESS):
        assert knock(name=f"name {number}").status_code == 200
    assert knock(password=RIGHT).status_code == 429
    assert knock(password=RIGHT, address="198.51.100.7").status_code == 302


def test_a_refused_try_changes_nothing(ada: User) -> None:
    for number in range(PER_NAME):
        knock(address=f"192.0.2.{number}")
    before = sorted(LoginTries.objects.values_list())
    assert knock(address="198.51.100.7").status_code == 429
    assert sorted(LoginTries.objects.values_list()) == before
    ada.refresh_from_db()
    assert ada.last_login is None


def test_a_success_is_held_against_nobody(ada: User) -> None:
    knock()
    knock()
    assert tries() == [2, 2]
    knock(password=RIGHT)
    assert tries() == [2]  # the address's; the name begins anew


def test_looking_at_the_page_is_no_try(ada: User, client: Client) -> None:
    assert client.get(DOOR).status_code == 200
    assert tries() == []


def test_after_a_while_it_is_forgotten(ada: User) -> None:
    for number in range(PER_NAME):
        knock(address=f"192.0.2.{number}")
    LoginTries.objects.update(since=make.now() - WINDOW)
    assert knock(password=RIGHT).status_code == 302
    assert LoginTries.objects.count() == 1


def test_the_answer_says_when_the_later_of_two_limits_ends() -> None:
    now = make.now()
    for _ in range(PER_NAME):
        assert login_limit.take(name="ada", address="192.0.2.1", now=now) is None
    later = now + timedelta(minutes=5)
    assert login_limit.take(name="ada", address="192.0.2.2", now=later) == now + WINDOW


def test_neither_names_nor_addresses_are_kept_in_clear(ada: User) -> None:
    knock(name="hunter2")
    kept = str(list(LoginTries.objects.values_list()))
    assert "hunter2" not in kept and "192.0.2.1" not in kept


def test_an_address_is_a_site_in_the_new_internet(ada: User) -> None:
    for number in range(PER_ADDRESS):
        knock(name=f"name {number}", address=f"2001:db8:1:2::{number:x}")
    assert knock(address="2001:db8:1:2:ffff::1").status_code == 429
    assert knock(address="2001:db8:1:3::1").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_many_at_once_are_no_more_guesses_than_one_after_another(ada: User) -> None:
    now = make.now()

    def guess(number: int) -> bool:
        try:
            return login_limit.take(name="ada", address=f"192.0.2.{number}", now=now) is None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        allowed = list(pool.map(guess, range(24)))
    assert allowed.count(True) == PER_NAME


@pytest.mark.parametrize(
    ("remote", "forwarded", "told"),
    [
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "203.0.113.9", "192.0.2.1"),  # no proxy of ours said so
        ("10.0.0.2", "203.0.113.9", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1, 203.0.113.9", "203.0.113.9"),  # the first one anybody may write
        ("10.0.0.2", "203.0.113.9, 10.0.0.3", "203.0.113.9"),
        ("10.0.0.2", "nonsense", "nonsense"),
        ("10.0.0.2", "", "10.0.0.2"),
    ],
)
def test_behind_proxies_of_ours_it_is_the_address_they_saw(remote: str, forwarded: str, told: str) -> None:
    assert address_of(remote, forwarded, [ip_network("10.0.0.0/8")]) == told


@override_settings(HUB_TRUSTED_PROXIES=())
def test_without_them_a_forged_header_buys_no_try(ada: User) -> None:
    for number in range(PER_ADDRESS):
        knock(name=f"name {number}", HTTP_X_FORWARDED_FOR=f"203.0.113.{number}")
    assert knock(HTTP_X_FORWARDED_FOR="203.0.113.99").status_code == 429


def test_a_database_row_tells_what_it_counts() -> None:
    row = LoginTries(since=make.now(), tries=3)
    assert str(row).startswith("3 since ")
