"""The door of replays: many deliveries sent again, or discarded, by one order that is previewed, paced and stopped.

The very services of the console: what it says by an address and a form, JSON says here.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.decorators import action
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.mixins import ListModelMixin
from rest_framework.request import Request
from rest_framework.response import Response

from deliveries.deciders.replay_choice import Choice
from deliveries.models import Replay
from deliveries.selectors import replay_estimate
from deliveries.selectors.never_attempted import TooMany
from deliveries.selectors.patience import TooSlow, patience
from deliveries.services import bulk_discards, replays
from webhooks.rest import Conflict, Door
from webhooks.serializers import Reason

from .replay_bodies import RateChange, ReplayFilters, ReplayOrder
from .replay_preview import Preview
from .replay_told import ReplayBody, ReplayProgress, ReplayTold

_TOLD_OR_PREVIEWED = PolymorphicProxySerializer(
    component_name="ReplayToldOrPreview", serializers=[ReplayTold, Preview], resource_type_field_name=None
)
LONGEST_S = 5.0  # a preview may look at hundreds of thousands, as on the console


class Slow(APIException):
    """A look at what is chosen was ended, and nothing was changed."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = (
        "To look at all that is chosen takes too long, so nothing was done. Narrow the time range."
    )
    default_code = "slow"


class ReplayDoor(ListModelMixin, Door[Replay]):
    owned_by = None  # one may send to any number of subscribers
    queryset = Replay.objects.all()
    serializer_class = ReplayBody
    filters = ReplayFilters
    kind = "replay"
    http_method_names = ("get", "post", "patch", "head", "options")

    def version_of(self, row: Replay) -> str:
        return replays.version_of(row)

    @extend_schema(request=ReplayOrder, responses={201: ReplayTold, 200: _TOLD_OR_PREVIEWED})
    def create(self, request: Request) -> Response:
        """Start a replay, or preview one. 201 when it has begun; 200 with the one that you ordered alike before.

        A dry run answers 200 with what would go, and makes nothing. 409 when another number would be frozen than
        `expected_count`, or none.
        """
        wanted = self.read(ReplayOrder)
        asked, now = wanted.validated_data, datetime.now(UTC)
        choice: Choice = asked["choice"]
        if asked["dry_run"]:
            with _bounded():
                found = replays.estimate(choice.frozen(now), now)
            context = {"until": choice.frozen(now).query.end, "most": replays.MOST_ITEMS}
            return Response(Preview(found, context=context).data)
        return self._start(choice, asked, now)

    @extend_schema(responses={200: ReplayProgress})
    def retrieve(self, request: Request, pk: str) -> Response:
        """Read one replay. It comes with how fast it goes, what failed again and what was skipped."""
        replay = self.get_object()
        context = {"progress": replays.progress(replay, datetime.now(UTC))}
        return Response(ReplayProgress(replay, context=context).data)

    @extend_schema(request=RateChange, responses={200: ReplayTold})
    def partial_update(self, request: Request, pk: str) -> Response:
        """Change the rate of a replay. It holds from the next turn on."""
        wanted = self.read(RateChange)
        asked = {"seen": self.seen, **wanted.validated_data}
        asked["may_exceed"] = asked.pop("exceed_limits")
        return self._turned(replays.set_rate(replay_id=self.get_object().pk, actor=self.actor, **asked))

    @extend_schema(request=Reason, responses={200: ReplayTold})
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str) -> Response:
        """Pause a replay. Nothing more is sent; what is under way goes on."""
        return self._turn(replays.pause)

    @extend_schema(request=Reason, responses={200: ReplayTold})
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str) -> Response:
        """Resume a replay. It goes on where it was paused, or where it stopped by itself."""
        return self._turn(replays.resume)

    @extend_schema(request=Reason, responses={200: ReplayTold})
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, pk: str) -> Response:
        """Cancel a replay. What still waits is given back; what is under way is sent all the same."""
        return self._turn(replays.cancel)

    def _start(self, choice: Choice, asked: dict[str, Any], now: datetime) -> Response:
        frozen, sends = choice.frozen(now), not choice.is_discard
        seen = asked.get("expected_count")
        if seen is None:
            with _bounded():
                seen = replay_estimate.count(frozen, now)
        order = replays.Order(
            choice=frozen,
            seen=seen,
            reason=asked["reason"].strip(),
            rate_per_s=asked.get("rate_per_s"),
            sends_one_first=sends and asked.get("send_one_first", True),
            stops_itself=sends and asked.get("stop_itself", True),
            may_exceed=asked.get("exceed_limits", False),
        )
        try:
            verdict = replays.start(order=order, asked=choice, actor=self.actor)
        except TooMany as said:
            raise _narrower(said) from None
        if verdict.replay_id is None:
            raise Conflict(verdict.sentence, code=verdict.answer)
        if verdict.is_done and choice.is_discard:
            bulk_discards.carry_out(verdict.replay_id, budget_s=bulk_discards.AT_ONCE_S)
        shown = ReplayBody(self.again(verdict.replay_id)).data
        is_new = status.HTTP_201_CREATED if verdict.is_done else status.HTTP_200_OK
        return Response({**shown, "detail": verdict.sentence}, status=is_new)

    def _turn(self, service: Callable[..., replays.Verdict]) -> Response:
        wanted = self.read(Reason)
        replay = self.get_object()
        return self._turned(service(replay_id=replay.pk, actor=self.actor, **wanted.validated_data))

    def _turned(self, verdict: replays.Verdict) -> Response:
        if not verdict.is_done:
            raise Conflict(verdict.sentence, code=verdict.answer)
        return Response({**ReplayBody(self.again(self.get_object().pk)).data, "detail": verdict.sentence})


@contextmanager
def _bounded() -> Iterator[None]:
    try:
        with patience(LONGEST_S):
            yield
    except TooSlow:
        raise Slow from None
    except TooMany as said:
        raise _narrower(said) from None


def _narrower(said: TooMany) -> ValidationError:
    return ValidationError({"filter": [str(said)]})
