"""Which refusals are asked for: from an address, and back into one. It reads no tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlencode
from uuid import UUID

from webhooks.ids import parse_id, public_id

MOST_VALUES = 20  # of one filter
LONGEST = 63  # characters of a slug or a reason


class Kept(StrEnum):
    WAITING = "waiting"  # for a person
    ACCEPTED = "accepted"  # after all
    ALL = "all"


@dataclass(frozen=True, kw_only=True, slots=True)
class RefusalQuery:
    """`before` and `after` mean older and newer: the newest come first."""

    kept: Kept = Kept.WAITING
    sources: tuple[str, ...] = ()  # slugs
    reasons: tuple[str, ...] = ()
    before: UUID | None = None
    after: UUID | None = None

    def first_page(self) -> "RefusalQuery":
        return replace(self, before=None, after=None)

    def toggled(self, name: str, value: str) -> "RefusalQuery":
        chosen: tuple[str, ...] = getattr(self, name)
        changed = tuple(sorted(set(chosen) ^ {value}))
        return replace(self.first_page(), **{name: changed})  # type: ignore[arg-type]


def parse(params: Mapping[str, Sequence[str]]) -> tuple[RefusalQuery, list[str]]:
    """What is not understood is ignored, and said in a sentence each."""
    query, notices = RefusalQuery(), []
    for name, values in params.items():
        text = values[-1] if values else ""
        try:
            query = _with(query, name, text)
        except ValueError as error:
            notices.append(f"{error} It was ignored.")
    return query, notices


def to_url(query: RefusalQuery) -> str:
    params = {
        "state": "" if query.kept is Kept.WAITING else query.kept.value,
        "source": ",".join(query.sources),
        "reason": ",".join(query.reasons),
        "before": public_id("refusal", query.before) if query.before else "",
        "after": public_id("refusal", query.after) if query.after else "",
    }
    return "?" + urlencode({name: value for name, value in params.items() if value}, safe=",")


def _with(query: RefusalQuery, name: str, text: str) -> RefusalQuery:
    match name:
        case "state":
            if text not in tuple(Kept):
                raise ValueError(f"There is no state “{text[:40]}”.")
            return replace(query, kept=Kept(text))
        case "source":
            return replace(query, sources=_words(text))
        case "reason":
            return replace(query, reasons=_words(text))
        case "before":
            return replace(query, before=parse_id("refusal", text), after=None)
        case "after":
            return replace(query, after=parse_id("refusal", text), before=None)
    raise ValueError(f"There is no filter “{name[:40]}”.")


def _words(text: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(word for word in text.split(",") if word))
    if len(found) > MOST_VALUES or any(len(word) > LONGEST or "\0" in word for word in found):
        raise ValueError("A filter has too many values, or too long ones.")
    return found
