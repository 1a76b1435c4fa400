"""Makes ready what the processes need before they start: port, database, first operator. It starts nothing.

What cannot be had is a Refused with one sentence.
"""

import errno
import os
import secrets
import socket
from pathlib import Path

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import Error, connection, connections

OPERATOR = "operator"


class Refused(Exception):
    """Weir cannot start; the sentence says what to change."""


def check_port(host: str, port: int) -> None:
    # Without SO_REUSEPORT, which the web server sets: with it, two hubs would share a port and its requests.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise Refused(_port_sentence(host, port, error)) from None


def check_database() -> None:
    database = connection.settings_dict
    try:
        if connection.vendor == "sqlite":
            Path(database["NAME"]).parent.mkdir(parents=True, exist_ok=True)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (Error, OSError) as error:
        place = database["NAME"] if connection.vendor == "sqlite" else "that DATABASE_URL names"
        raise Refused(f"The database {place} cannot be reached: {_first_line(error)}.") from None


def migrate() -> None:
    call_command("migrate", interactive=False, verbosity=0)


def make_first_operator() -> str | None:
    """The new operator's password, stored nowhere in clear; None when somebody can log in already."""
    users = get_user_model().objects
    if users.exists():
        return None
    password = secrets.token_urlsafe(15)
    users.create_superuser(username=OPERATOR, password=password)
    return password


def let_go() -> None:
    """Closes what was opened, since other processes are about to be started."""
    connections.close_all()


def _port_sentence(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} on {host} is taken; stop what listens there, or choose another by HUB_PORT or --port."
    return f"Port {port} on {host} cannot be opened ({os.strerror(error.errno or 0)})."


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
