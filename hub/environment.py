"""Reads typed values from the environment and refuses absurd ones in a sentence. It never repeats a secret.

Every name may also be given as `<NAME>_FILE`, the path of a file that holds the value. Each name is remembered
once it was asked for, so that one which nobody asks for can be told.
"""

import math
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network

from django.core.exceptions import ImproperlyConfigured
from environ import FileAwareEnv

env = FileAwareEnv()

Network = IPv4Network | IPv6Network

PREFIX = "HUB_"
_asked: set[str] = set()


def asked() -> frozenset[str]:
    """Every name that was read so far, which after the settings is every name there is."""
    return frozenset(_asked)


def unknown(names: Iterable[str]) -> dict[str, str]:
    """Those of ours that nobody asks for, each with the nearest one that somebody does; or with nothing."""
    known = sorted(_asked | {f"{name}_FILE" for name in _asked})
    strange = sorted(name for name in names if name.startswith(PREFIX) and name not in known)
    return {name: next(iter(get_close_matches(name, known, n=1)), "") for name in strange}


def text(name: str, default: str) -> str:
    """What all the others read by."""
    _asked.add(name)
    return str(env.str(name, default=default)).strip()


def template(name: str, *, must_hold: str) -> str:
    """An http or https address with this placeholder in it; or nothing."""
    value = text(name, "")
    if value and not (value.startswith(("http://", "https://")) and must_hold in value):
        raise ImproperlyConfigured(f"{name} must be an http or https address that holds {must_hold}.")
    return value


def words(name: str, default: Sequence[str] = ()) -> list[str]:
    """A comma-separated list, blanks dropped."""
    return [word.strip() for word in text(name, ",".join(default)).split(",") if word.strip()]


def flag(name: str, *, default: bool) -> bool:
    value = text(name, str(default)).lower()
    if value not in {"true", "false", "1", "0", "yes", "no", "on", "off"}:
        raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")
    return value in {"true", "1", "yes", "on"}


def choice(name: str, default: str, *, among: Sequence[str]) -> str:
    value = text(name, default)
    if value not in among:
        raise ImproperlyConfigured(f"{name} must be one of {', '.join(among)}, not {value!r}.")
    return value


def whole(name: str, default: int, *, least: int, most: int) -> int:
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit() or not least <= int(value[:20]) <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number, {least} to {most}, not {value[:40]!r}.")
    return int(value)


def number(name: str, default: float, *, least: float, most: float) -> float:
    return _number(name, text(name, str(default)), least=least, most=most)


def optional_number(name: str, *, least: float, most: float) -> float | None:
    """None when the variable is unset or empty."""
    value = text(name, "")
    return _number(name, value, least=least, most=most) if value else None


def optional_numbers(name: str, *, least: float, most: float) -> tuple[float, ...] | None:
    """A comma-separated list of numbers; None when the variable is unset or empty."""
    return tuple(_number(name, value, least=least, most=most) for value in words(name)) or None


def networks(name: str) -> tuple[Network, ...]:
    return tuple(_network(name, value) for value in words(name))


def _number(name: str, value: str, *, least: float, most: float) -> float:
    try:
        parsed = float(value)
    except ValueError:
        parsed = math.nan
    if not least <= parsed <= most:
        raise ImproperlyConfigured(f"{name} must be a number, {least:g} to {most:g}, not {value[:40]!r}.")
    return parsed


def _network(name: str, value: str) -> Network:
    try:
        return ip_network(value)
    except ValueError:
        raise ImproperlyConfigured(f"{name} lists networks such as 10.0.0.0/8, not {value[:60]!r}.") from None
