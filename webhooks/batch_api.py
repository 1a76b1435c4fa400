"""The door where many events are published at once: all of them are checked first, and then all or none are stored."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4, uuid5

from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from webhooks import store
from webhooks.deciders import plain_publication
from webhooks.deprecation import deprecation
from webhooks.ids import public_id
from webhooks.models import Event, Source
from webhooks.publish_at_once import origin_of
from webhooks.rest import Door, Strict
from webhooks.serializers import Publication
from webhooks.services import event_types, publish, scheduled
from webhooks.services.publications import Said, said_plainly
from webhooks.services.publish import MOST_AT_ONCE


class _Unread(serializers.ListField):
    """A list whose items are read later, by whoever does so faster."""

    def run_child_validation(self, data: list[Any]) -> list[Any]:
        return data


class Batch(Strict):
    """What a publisher says happened, many times over, in order."""

    events = _Unread(
        child=Publication(),
        min_length=1,
        max_length=MOST_AT_ONCE,
        help_text=f"1 to {MOST_AT_ONCE:,} events, each as it would be published alone; stored in this order.",
    )


class EventVerdict(serializers.Serializer[Any]):
    """What became of one event of a batch."""

    id = serializers.CharField(help_text="The event it is, or the one that took its event_id first.")
    event_id = serializers.CharField(help_text="The id it was published by; made here where none was given.")
    status = serializers.ChoiceField(
        choices=("accepted", "duplicate", "conflict"),
        help_text="accepted: stored now; duplicate: it was already; conflict: its event_id means something else.",
    )
    cancelled = serializers.BooleanField(
        required=False, help_text="True, and there, where it is a duplicate that was cancelled since."
    )


class BatchVerdict(serializers.Serializer[Any]):
    """One verdict for each event, in the order they came."""

    events = EventVerdict(many=True, help_text="As many as were sent, in their order.")
    accepted = serializers.IntegerField(help_text="How many are new.")
    duplicates = serializers.IntegerField(help_text="How many were published before, just so.")
    conflicts = serializers.IntegerField(help_text="How many are kept as refusals, since their id was taken.")
    deprecated = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="What was used and is on its way out, a sentence each; there when there is any.",
    )


class EventBatchDoor(Door[Event]):
    """An event that cannot be one stops the whole batch; a duplicate or a conflict stops nothing."""

    owned_by = None
    queryset = Event.objects.none()
    serializer_class = Batch
    kind = "event"
    publishers_may = frozenset({"create"})

    @extend_schema(request=Batch, responses={201: BatchVerdict, 200: BatchVerdict})
    def create(self, request: Request) -> Response:
        """Publish up to 1,000 events at once. All are checked first, and then all or none are stored, in their order.

        201 when any of them is new, else 200; 400 with every problem, by place and field, and nothing stored.
        """
        wanted = self.read(Batch)
        reading = _Reading(self.get_serializer_context(), self.claim.id if self.claim else uuid4())
        readable = reading.read(wanted.validated_data["events"])
        said = list(readable.values())
        catalogue = event_types.look_up({each.event_type for each in said})
        if reading.problems:
            raise _refusal(reading.problems | publish.problems_of(readable, catalogue))
        try:
            verdicts = publish.publish_many(batch=said, catalogue=catalogue, origin=origin_of(request))
        except publish.BatchInvalid as invalid:
            raise _refusal(invalid.problems) from None
        answer = _answer(said, verdicts)
        code = status.HTTP_201_CREATED if answer["accepted"] else status.HTTP_200_OK
        words, headers = deprecation(catalogue)
        return Response(answer | words, status=code, headers=headers)


class _Reading:
    """Reads the events of one batch; of each source it asks the database once.

    `made` begins the ids of those that came without one: the same when the same request is repeated.
    """

    def __init__(self, context: Mapping[str, Any], made: UUID) -> None:
        self._context = dict(context)
        self._made = made
        self._source_field = Publication(context=self._context).fields["source"]
        self._sources: dict[str, Source | None] = {}
        self.problems: dict[int, Any] = {}  # of what could not be read, by place

    def read(self, events: Sequence[Any]) -> dict[int, Said]:
        """Those that can be read, by place."""
        said: dict[int, Said] = {}
        for place, event in enumerate(events):
            plain = self._plain(place, event)
            if plain is not None:
                said[place] = plain
                continue
            careful = Publication(data=event, context=self._context)
            if careful.is_valid():
                said[place] = Said(**{"event_id": self._id(place), **careful.validated_data})
            else:
                self.problems[place] = careful.errors
        return said

    def _id(self, place: int) -> str:
        return uuid5(self._made, str(place)).hex

    def _plain(self, place: int, event: Any) -> Said | None:
        """None where a serializer must look."""
        plain = plain_publication.read(event)
        source = self._source(plain.source) if plain else None
        if plain is None or source is None:
            return None
        return said_plainly(plain, source, self._id(place) if plain.event_id is None else plain.event_id)

    def _source(self, slug: str) -> Source | None:
        """As the key's holder may name it."""
        if slug not in self._sources:
            try:
                self._sources[slug] = self._source_field.to_internal_value(slug)
            except serializers.ValidationError:
                self._sources[slug] = None
        return self._sources[slug]


def _refusal(problems: Mapping[int, Any]) -> serializers.ValidationError:
    return serializers.ValidationError(
        {"events": {str(place): problems[place] for place in sorted(problems)}}
    )


def _answer(said: Sequence[Said], verdicts: Sequence[publish.Verdict]) -> dict[str, Any]:
    repeats = {verdict.event_id for verdict in verdicts if isinstance(verdict, store.Duplicate)}
    cancelled = scheduled.cancelled_among(repeats)
    told: list[dict[str, Any]] = [
        {"id": _name(verdict.event_id), "event_id": each.event_id, "status": publish.WORDS[type(verdict)]}
        for each, verdict in zip(said, verdicts, strict=True)
    ]
    for answer, verdict in zip(told, verdicts, strict=True):
        if isinstance(verdict, store.Duplicate) and verdict.event_id in cancelled:
            answer["cancelled"] = True
    words = [each["status"] for each in told]
    return {
        "events": told,
        "accepted": words.count("accepted"),
        "duplicates": words.count("duplicate"),
        "conflicts": words.count("conflict"),
    }


def _name(event_id: UUID) -> str:
    return public_id("event", event_id)
