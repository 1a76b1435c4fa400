"""The first run makes keys and the first operator, once; whoever starts at the same time finds the same."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from socket import create_server

import pytest
from django.contrib.auth import authenticate, get_user_model
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from hub import first_run, keys


def test_keys_are_made_once_and_only_their_owner_may_read_them(tmp_path: Path) -> None:
    made = [keys.secret_key(tmp_path / "var"), keys.encryption_key(tmp_path / "var")]
    assert made == [keys.secret_key(tmp_path / "var"), keys.encryption_key(tmp_path / "var")]
    files = sorted((tmp_path / "var").iterdir())
    assert [file.name for file in files] == ["encryption_key", "secret_key"]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        made = set(pool.map(lambda _: keys.encryption_key(tmp_path), range(64)))
    assert len(made) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["encryption_key"]


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "is empty; restore it from a backup."), (b"\xff\xfe", "(not plain text).")]
)
def test_a_damaged_key_is_never_replaced(tmp_path: Path, content: bytes, why: str) -> None:
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(ImproperlyConfigured) as refusal:
        keys.secret_key(tmp_path)
    assert str(refusal.value).endswith(why)
    assert (tmp_path / "secret_key").read_bytes() == content


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ImproperlyConfigured) as refusal:
        keys.secret_key(tmp_path / "file")
    assert str(refusal.value) == (
        f"The key file {tmp_path}/file/secret_key cannot be read or made (File exists)."
    )


@pytest.mark.django_db
def test_the_first_operator_can_log_in_with_the_password_shown() -> None:
    password = first_run.make_first_operator()
    user = authenticate(username="operator", password=password)
    assert user is not None
    assert (user.is_staff, user.is_superuser) == (True, True)


@pytest.mark.django_db
def test_a_second_run_makes_no_operator() -> None:
    get_user_model().objects.create_user(username="ada")
    assert first_run.make_first_operator() is None
    assert [user.username for user in get_user_model().objects.all()] == ["ada"]


def test_a_free_port_is_fine_and_stays_free(free_port: int) -> None:
    first_run.check_port("127.0.0.1", free_port)
    create_server(("127.0.0.1", free_port)).close()


def test_a_taken_port_is_refused_even_from_one_who_would_share_it(free_port: int) -> None:
    with (
        create_server(("127.0.0.1", free_port), reuse_port=True),
        pytest.raises(first_run.Refused) as refusal,
    ):
        first_run.check_port("127.0.0.1", free_port)
    assert str(refusal.value) == (
        f"Port {free_port} on 127.0.0.1 is taken; stop what listens there, or choose another by HUB_PORT or --port."
    )


@pytest.mark.parametrize("port", ["0", "-1", "65536", "99999999999", "many", ""])
def test_a_port_that_is_none_is_refused_in_a_sentence(port: str) -> None:
    with pytest.raises(CommandError, match=r"^--port must be a whole number from 1 to 65535\.$"):
        call_command("up", port=port)


def test_a_host_that_is_not_here_is_refused() -> None:
    with pytest.raises(first_run.Refused) as refusal:
        first_run.check_port("192.0.2.1", 8000)
    assert str(refusal.value) == "Port 8000 on 192.0.2.1 cannot be opened (Cannot assign requested address)."
