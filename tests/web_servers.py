"""Runs the hub's web server beside a test, on the test's own database, as a process of its own."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from django.conf import settings
from django.db import connection

from hub.management.commands.up import web_server
from tests.hubs import environment_of
from tests.running import until


@contextmanager
def web_server_beside(folder: Path, port: int, answers: str) -> Iterator[str]:
    """Its address, once the path `answers` is answered there."""
    program = web_server("127.0.0.1", port)
    own = {"DATABASE_URL": _address(), "HUB_ENCRYPTION_KEYS": ",".join(settings.HUB_ENCRYPTION_KEYS)}
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(
            program.command,
            env=environment_of(folder) | own | dict(program.environment),
            stdout=log,
            stderr=log,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _is_up(f"{address}{answers}"), within_s=30)
        yield address
    finally:
        process.terminate()
        process.wait()


def _address() -> str:
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    who = f"{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}"
    return f"postgres://{who}/{database['NAME']}"


def _is_up(address: str) -> bool:
    try:
        with urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
