"""Keeps the keys that Weir makes for itself at first run. It never prints, logs or replaces one."""

import os
import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import NamedTemporaryFile

from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured


def secret_key(folder: Path) -> str:
    return _read_or_make(folder / "secret_key", lambda: secrets.token_urlsafe(50))


def encryption_key(folder: Path) -> str:
    return _read_or_make(folder / "encryption_key", lambda: Fernet.generate_key().decode())


def _read_or_make(path: Path, make: Callable[[], str]) -> str:
    try:
        if not path.exists():
            _make_once(path, make())
        key = path.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise ImproperlyConfigured(f"The key file {path} cannot be read or made ({_why(error)}).") from None
    if not key:
        raise ImproperlyConfigured(f"The key file {path} is empty; restore it from a backup.")
    return key


def _make_once(path: Path, key: str) -> None:
    # Two processes may start at once: a link to a taken name fails, so the first key stays and both read it.
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with NamedTemporaryFile(  # made with mode 0600
        "w", encoding="ascii", dir=path.parent, prefix=f".{path.name}-"
    ) as fresh:
        fresh.write(f"{key}\n")
        fresh.flush()
        os.fsync(fresh.fileno())
        try:
            os.link(fresh.name, path)
        except FileExistsError:
            return


def _why(error: Exception) -> str:
    # A decoding error quotes the bytes it choked on, and these are a key's.
    return os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "not plain text"
