"""Keeps the catalogue of event types, and holds what is published to it. It publishes nothing itself."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Final, TypedDict, Unpack
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from webhooks.deciders.own import OWN_PREFIX
from webhooks.deciders.schemas import Schema, read_kept_schema, read_schema
from webhooks.deciders.wording import UNSTORABLE, is_storable_json
from webhooks.models import EventType, EventTypeState

from . import audit
from .uniqueness import unless_taken
from .versions import Seen, check_seen

NAMES: Final = "letters (a-z, A-Z), digits and _, with single dots, colons or hyphens between them"
_OURS: Final = f"Types that begin with {OWN_PREFIX} are Weir's own."
_TAKEN: Final = "There is an event type of this name already."
_NAME: Final = re.compile(r"[A-Za-z0-9_]+(?:[.:-][A-Za-z0-9_]+)*", re.ASCII)
_KEPT_NAME: Final = re.compile(
    r"[A-Za-z0-9_]+(?:[.:/-][A-Za-z0-9_]+)*", re.ASCII
)  # earlier versions took a / too
_MOST_READ: Final = 1_000  # schemas kept in memory
_MOST_KNOWN: Final = 10_000  # names; past that, all are looked up anew
_VERBS: Final = {
    EventTypeState.ACTIVE: "activate",
    EventTypeState.DEPRECATED: "deprecate",
    EventTypeState.ARCHIVED: "archive",
}
_record = partial(audit.record_change, "eventtype")


class Changes(TypedDict, total=False):
    """What may be changed. A `schema` or an `example` of None is none."""

    name: str  # as it is: it is settled for good
    description: str
    schema: dict[str, Any] | None
    example: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownType:
    """A type as it is when something is to be published under it."""

    name: str
    state: str
    deprecated_at: datetime | None
    changed_at: datetime
    schema: Schema | None


Catalogue = Mapping[str, KnownType]

_known: dict[str, KnownType | None] = {}  # what was found when last looked, if only that there is none


def look_up(names: Collection[str]) -> Catalogue:
    """Those of the names that are in the catalogue: one small read, and a larger one where a schema is new to us."""
    rows = EventType.objects.filter(name__in={name for name in names if _KEPT_NAME.fullmatch(name)})
    found = rows.values_list("pk", "name", "state", "deprecated_at", "updated_at")
    catalogue = {
        name: KnownType(
            name=name, state=state, deprecated_at=since, changed_at=changed, schema=_schema_of(pk, changed)
        )
        for pk, name, state, since, changed in found
    }
    if len(_known) > _MOST_KNOWN:
        _known.clear()
    _known.update({name: catalogue.get(name) for name in names})
    return catalogue


def recall(name: str) -> Catalogue | None:
    """The copy in memory, if there is one; free, and perhaps out of date. `store.store_proved` asks whether it is."""
    try:
        known = _known[name]
    except KeyError:
        return None
    return {} if known is None else {name: known}


def problems(catalogue: Catalogue, event_type: str, data: object) -> dict[str, list[str]]:
    """Why this cannot be published under that type, by field; empty when it can."""
    known = catalogue.get(event_type)
    if event_type.startswith(OWN_PREFIX):
        return {"event_type": [_OURS]}
    if known is None:
        if settings.HUB_KNOWN_TYPES_ONLY:
            return {"event_type": ["There is no such event type in the catalogue."]}
        return {}
    if known.state == EventTypeState.ARCHIVED:
        return {"event_type": ["This event type is archived: nothing is published under it any more."]}
    flaws = known.schema.flaws(data) if known.schema else []
    return {"data": flaws} if flaws else {}


def deprecated_since(catalogue: Catalogue) -> dict[str, datetime]:
    """When each of these types was deprecated, of those that are."""
    return {
        each.name: each.deprecated_at
        for each in catalogue.values()
        if each.state == EventTypeState.DEPRECATED and each.deprecated_at
    }


def create_event_type(*, actor: str, user: User | None = None, **given: Unpack[Changes]) -> EventType:
    """Raises ValidationError, by field."""
    row = EventType(**given)
    name = row.name
    check_name(name)
    check(schema=row.schema, example=row.example)
    with transaction.atomic():
        with unless_taken(EventType.objects.filter(name=name), "name", _TAKEN):
            row.save(force_insert=True)
        _record("create", row.pk, actor, user, after={"name": name, **_shown(row)})
    return row


def update_event_type(
    *,
    event_type_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    seen: Seen = None,
    **changes: Unpack[Changes],
) -> EventType:
    """Raises ValidationError, by field, and Changed where it is none of the versions seen.

    What was published before is not held to a new schema.
    """
    with transaction.atomic():
        row = EventType.objects.select_for_update(no_key=True).get(pk=event_type_id)
        check_seen(seen, version_of(row))
        before = _shown(row)
        if changes.pop("name", row.name) != row.name:
            raise ValidationError({"name": ["A name is settled for good: events bear it."]})
        for name, value in changes.items():
            setattr(row, name, value)
        check(schema=row.schema, example=row.example)
        if _shown(row) != before:
            row.save(update_fields=[*changes, "updated_at"])
            _record("update", row.pk, actor, user, reason, before, _shown(row))
    return row


def version_of(row: EventType) -> str:
    return f"u{round(row.updated_at.timestamp() * 1_000_000)}"


def check_name(name: str) -> None:
    """Whether a new type may be called so. Raises ValidationError, by field."""
    if len(name) > 200 or not _NAME.fullmatch(name):
        raise ValidationError({"name": [f"Use {NAMES}, such as order.placed; at most 200 characters."]})
    if name.startswith(OWN_PREFIX):
        raise ValidationError({"name": [_OURS]})


def check(*, schema: object, example: object) -> None:
    """Whether data of a type may be described so. Raises ValidationError, by field."""
    for field, value in (("schema", schema), ("example", example)):
        if not is_storable_json(value):
            raise ValidationError({field: [UNSTORABLE]})
    if schema is None:
        return
    try:
        read = read_schema(schema)
    except ValueError as error:
        raise ValidationError({"schema": [str(error)]}) from None
    if example is not None and (flaws := read.flaws(example)):
        raise ValidationError({"example": [f"It does not fit the schema. {flaw}" for flaw in flaws]})


def deprecate(*, event_type_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Publishers are told from now on. False when it was so already."""
    return _move(EventTypeState.DEPRECATED, event_type_id, actor, user, reason)


def archive(*, event_type_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """From now on publishing under it is refused. False when it was so already."""
    return _move(EventTypeState.ARCHIVED, event_type_id, actor, user, reason)


def activate(*, event_type_id: UUID, actor: str, user: User | None = None, reason: str = "") -> bool:
    """Takes back that it was deprecated or archived. False when it was neither."""
    return _move(EventTypeState.ACTIVE, event_type_id, actor, user, reason)


def _move(after: EventTypeState, pk: UUID, actor: str, user: User | None, reason: str) -> bool:
    now = timezone.now()
    with transaction.atomic():
        row = EventType.objects.select_for_update(no_key=True).get(pk=pk)
        before = row.state
        if before == after:
            return False
        row.state = after
        row.archived_at = now if after == EventTypeState.ARCHIVED else None
        if after == EventTypeState.ACTIVE:
            row.deprecated_at = None
        elif row.deprecated_at is None:
            row.deprecated_at = now
        row.save(update_fields=["state", "deprecated_at", "archived_at", "updated_at"])
        _record(_VERBS[after], row.pk, actor, user, reason, {"state": before}, {"state": after.value})
    return True


@lru_cache(maxsize=_MOST_READ)
def _schema_of(pk: UUID, changed: datetime) -> Schema | None:
    """Kept by the time of the last change, too, so that no change is ever missed."""
    document = EventType.objects.values_list("schema", flat=True).get(pk=pk)
    return None if document is None else read_kept_schema(document)


def _shown(row: EventType) -> dict[str, Any]:
    return {"description": row.description, "schema": row.schema, "example": row.example}
