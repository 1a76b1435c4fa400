"""Reads the parameters of a page's address one by one. It never raises: what it does not know, it says."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

MOST_NOTICES = 10
FIRST_YEAR, LAST_YEAR = 2000, 9999  # ids tell the time since 1970, and until long after
_AGO = re.compile(r"([1-9][0-9]{0,5})([mhd])", re.ASCII)
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

T = TypeVar("T")
Params = Mapping[str, Sequence[str]]


class Reading:
    """Remembers which names were asked for, and what to say of the rest."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.known: set[str] = set()
        self.notices: list[str] = []

    def one(self, name: str, read: Callable[[str], T], otherwise: T) -> T:
        self.known.add(name)
        texts = [text.strip() for text in self.params.get(name, ()) if text.strip()]
        if not texts:
            return otherwise
        if len(texts) > 1:
            self.notices.append(f"The filter {name} was given more than once; the first was used.")
        try:
            return read(texts[0])
        except (ValueError, KeyError, OverflowError):
            self.notices.append(f"The filter {name} does not know “{clip(texts[0])}”; it was ignored.")
            return otherwise

    def said(self) -> tuple[str, ...]:
        """All notices; call it once everything was asked for."""
        unknown = [clip(name) for name in self.params if name not in self.known][:MOST_NOTICES]
        return (*self.notices, *(f"There is no filter “{name}”; it was ignored." for name in unknown))


def moment(text: str) -> datetime:
    """ISO; UTC unless it says otherwise."""
    at = datetime.fromisoformat(text)
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    if not FIRST_YEAR <= at.year < LAST_YEAR:
        raise ValueError(text)
    return at


def moment_or_ago(text: str, now: datetime) -> datetime:
    """A moment, or how long before now: `15m`, `24h`, `7d`."""
    if not (ago := _AGO.fullmatch(text)):
        return moment(text)
    return moment((now - int(ago[1]) * _UNITS[ago[2]]).isoformat())


def iso(at: datetime | None) -> str:
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat()}Z" if at else ""


def clip(text: str) -> str:
    """Short enough, and printable, to be said back."""
    shown = "".join(each if each.isprintable() else "\ufffd" for each in text[:40])
    return shown + "…" if len(text) > 40 else shown
