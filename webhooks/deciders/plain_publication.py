"""Reads what most publications say, without a serializer, which would take as long as storing them.

It refuses nothing: what it returns is what the serializer would have made of it, and where it returns None the
serializer must look, which knows the words for what is wrong. It finds no source and makes no id.
"""

from typing import Final, NamedTuple

from .identify import MAX_ENTITY, MAX_ID, MAX_TYPE, MAX_VERSION
from .wording import is_storable

_NAMES: Final = frozenset({"source", "event_id", "event_type", "entity", "entity_version", "data"})


class Plain(NamedTuple):
    source: str  # as it was named
    event_id: str | None
    event_type: str
    data: object
    entity: str | None
    entity_version: int | None


def read(said: object) -> Plain | None:
    if not isinstance(said, dict) or not _NAMES.issuperset(said) or "data" not in said:
        return None
    source, event_type = said.get("source"), said.get("event_type")
    if not (isinstance(source, str) and isinstance(event_type, str) and _is_fit(event_type, MAX_TYPE)):
        return None
    if "event_id" in said and not _is_fit(said["event_id"], MAX_ID):
        return None
    if "entity" in said and not _is_fit(said["entity"], MAX_ENTITY):
        return None
    version = said.get("entity_version")
    if "entity_version" in said and not (type(version) is int and 0 <= version <= MAX_VERSION):
        return None
    return Plain(source, said.get("event_id"), event_type, said["data"], said.get("entity"), version)


def _is_fit(text: object, limit: int) -> bool:
    """Neither blank, nor too long, nor with blanks around that would have to go, nor with a NUL or half a character."""
    return isinstance(text, str) and 0 < len(text) <= limit and text == text.strip() and is_storable(text)
