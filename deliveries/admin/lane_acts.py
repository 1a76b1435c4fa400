"""What a person does to lanes: hold them, let them go, order their circuits; one or those that were ticked.

Looking changes nothing. Each act calls one service for each lane and says what came of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern

from deliveries.models import Circuit, Hold, Lane, Subscription
from deliveries.services import circuits, proving, subscriptions
from deliveries.services.circuits import OrderVerdict
from webhooks.history_admin import reason_in, who
from webhooks.ids import parse_id

from .subscription_doors import CIRCUIT, HOLD, TEST, SubscriptionDoors, list_address, page_of

AT_ONCE: Final = 100  # lanes acted on from the list
PAUSES: Final[dict[str, str]] = {
    "": "until somebody resumes it",
    "900": "for 15 minutes",
    "3600": "for an hour",
    "14400": "for 4 hours",
    "86400": "for a day",
    "604800": "for a week",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    name: str
    label: str
    service: Callable[..., bool | OrderVerdict]
    done: str  # what a log entry says
    permission: str
    effect: str  # what will happen, told before it is done
    icon: str = "arrow"
    needs_reason: bool = False
    asks: bool = True  # otherwise its button does it at once
    is_drastic: bool = False

    def carry_out(self, **asked: Any) -> OrderVerdict:
        came = self.service(**asked)
        if isinstance(came, OrderVerdict):
            return came
        sentence = f"{self.done}." if came else f"It was {self.done.lower()} already."
        return OrderVerdict(is_ordered=came, sentence=sentence)


_KEPT = (
    "Events that arrive go on being stored; their deliveries wait, with their bodies, and nothing is dropped."
)
_LIST = (
    Act(
        name="pause", label="Pause", service=subscriptions.pause, done="Paused", permission=HOLD, icon="pause",
        effect=f"Nothing more is sent, and no attempt is spent. {_KEPT} What is in flight comes to its end.",
    ),
    Act(
        name="resume", label="Resume", service=subscriptions.resume, done="Resumed", permission=HOLD, asks=False,
        effect="What waits is sent at the lane's own pace: its rate, its window and its circuit hold as ever.",
    ),
    Act(
        name="disable", label="Disable", service=subscriptions.disable, done="Disabled", permission=HOLD,
        needs_reason=True, is_drastic=True, icon="minus",
        effect=f"Nothing more is sent until somebody enables it. {_KEPT}",
    ),
    Act(
        name="enable", label="Enable", service=subscriptions.enable, done="Enabled", permission=HOLD, asks=False,
        effect="What waits is sent at the lane's own pace, and a fresh term of failing begins.",
    ),
    Act(
        name="prove", label="Prove now", service=proving.prove, done="Proved its endpoint", permission=TEST,
        asks=False, icon="shield", effect="One signed ping is sent; a 2xx lets what waits go out.",
    ),
    Act(
        name="trip", label="Trip circuit", service=circuits.trip, done="Tripped its circuit", permission=CIRCUIT,
        effect="Its circuit opens for a first cool-down and what is due is parked; then one delivery is a probe.",
    ),
    Act(
        name="reset", label="Force close", service=circuits.reset, done="Reset its circuit", permission=CIRCUIT,
        needs_reason=True, is_drastic=True, icon="check",
        effect="Its circuit closes without a ramp: all that waits goes out at the full window at once. "
        "An endpoint that has only just come back may fall again.",
    ),
    Act(
        name="probe", label="Probe now", service=circuits.probe_now, done="Ordered a probe", permission=CIRCUIT,
        asks=False, effect="Its cool-down ends, and one delivery that is due is sent as a probe.",
    ),
)  # fmt: skip
ACTS: Final[dict[str, Act]] = {act.name: act for act in _LIST}
ON_MANY: Final = ("pause", "resume")
_OF_HOLD = {
    Hold.NONE: ["pause", "disable"],
    Hold.PAUSED: ["resume", "disable"],
    Hold.DISABLED: ["enable"],
    Hold.UNPROVED: ["prove", "pause", "disable"],
}
_OF_CIRCUIT = {
    Circuit.CLOSED: ["trip"],
    Circuit.OPEN: ["probe", "reset"],
    Circuit.HALF_OPEN: ["trip", "reset"],
    Circuit.RECOVERING: ["trip", "reset"],
}


def offered(lane: Lane) -> list[str]:
    """The acts that would change something, by what the lane is now."""
    ordered = _OF_CIRCUIT[Circuit(lane.circuit)] if lane.hold != Hold.DISABLED else []
    return [*_OF_HOLD[Hold(lane.hold)], *(act for act in ordered if act != "probe" or not lane.hold)]


@dataclass(slots=True)
class Told:
    """What came of an act on several lanes; each sentence once."""

    done: int = 0
    left_out: list[str] = field(default_factory=list)
    sentences: list[str] = field(default_factory=list)


class ActingOnLanes(SubscriptionDoors):
    ask_template = "admin/deliveries/subscription/ask.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("act/", self.act_on_many_view, "act_on_many"),
            self.door("<path:object_id>/do/<slug:name>/", self.act_view, "act"),
            *super().get_urls(),
        ]

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Asks, then does it; what needs no answer is done by its button."""
        act = _act(name)
        self.must(request, act.permission)
        subscription = self._one(request, object_id)
        if not self._is_answered(request, act):
            return self._ask(request, act, [subscription], back=page_of(subscription))
        self._tell(request, act, self._do(request, act, [subscription]), is_one=True)
        return redirect(page_of(subscription))

    def act_on_many_view(self, request: HttpRequest) -> HttpResponse:
        act = _act(request.POST.get("name", ""), among=ON_MANY)
        self.must(request, act.permission)
        chosen = self._chosen(request)
        if not 1 <= len(chosen) <= AT_ONCE:
            said = (
                f"Choose at most {AT_ONCE} subscriptions at once."
                if chosen
                else "No subscription was chosen."
            )
            self.message_user(request, said, messages.ERROR)
            return redirect(list_address())
        if not self._is_answered(request, act):
            return self._ask(request, act, chosen, back=list_address(), is_list=True)
        self._tell(request, act, self._do(request, act, chosen))
        return redirect(list_address())

    def _chosen(self, request: HttpRequest) -> list[Subscription]:
        ids = []
        for text in request.POST.getlist("chosen")[: AT_ONCE + 1]:
            try:
                ids.append(parse_id("subscription", text))
            except ValueError:
                continue
        return list(self._rows().filter(pk__in=ids).order_by("name", "pk"))

    def _is_answered(self, request: HttpRequest, act: Act) -> bool:
        if request.method != "POST" or not request.POST.get("post"):
            return False
        if act.needs_reason and not reason_in(request):
            self.message_user(request, "Say why: a reason is needed.", messages.ERROR)
            return False
        return True

    def _ask(
        self,
        request: HttpRequest,
        act: Act,
        chosen: Sequence[Subscription],
        *,
        back: str,
        is_list: bool = False,
    ) -> HttpResponse:
        named = chosen[0].name if len(chosen) == 1 else f"{len(chosen)} subscriptions"
        context = {
            "title": f"{act.label}: {named}?",
            "act": act,
            "subscriptions": chosen,
            "pauses": PAUSES.items() if act.name == "pause" else (),
            "asked": request.POST,
            "keep_rows_days": settings.HUB_KEEP_ROWS_DAYS,
            "back": back,
            "is_list": is_list,
        }
        return self.render(request, self.ask_template, context)

    def _do(self, request: HttpRequest, act: Act, chosen: Iterable[Subscription]) -> Told:
        told = Told()
        try:
            more = {"until": _until(request, datetime.now(UTC))} if act.name == "pause" else {}
        except ValueError as error:
            return Told(left_out=[str(error)])
        for subscription in chosen:
            try:
                verdict = act.carry_out(
                    subscription_id=subscription.pk, reason=reason_in(request), **who(request), **more
                )
            except subscriptions.Refused as refusal:
                told.left_out.append(f"{subscription.name}: {refusal}")
                continue
            if verdict.is_ordered:
                self.log_change(request, subscription, f"{act.done}.")
                told.done += 1
                told.sentences.append(verdict.sentence)
            else:
                told.left_out.append(f"{subscription.name}: {verdict.sentence}")
        return told

    def _tell(self, request: HttpRequest, act: Act, told: Told, *, is_one: bool = False) -> None:
        if told.done:
            said = told.sentences[0] if is_one else f"{act.done} {told.done}."
            self.message_user(request, said, messages.SUCCESS)
        for sentence in told.left_out:
            self.message_user(request, sentence, messages.WARNING)


def _act(name: str, among: Iterable[str] = tuple(ACTS)) -> Act:
    if name not in among:
        raise Http404("There is no such act.")
    return ACTS[name]


def _until(request: HttpRequest, now: datetime) -> datetime | None:
    """When a pause ends: a moment in UTC, or so long from now. Raises ValueError with one sentence."""
    moment, seconds = request.POST.get("until", "").strip(), request.POST.get("for", "")
    if moment:
        try:
            return datetime.fromisoformat(moment).replace(tzinfo=UTC)
        except ValueError:
            raise ValueError(
                "Write when the pause ends as a date and a time, such as 2026-12-24T18:00."
            ) from None
    if seconds not in PAUSES:
        raise ValueError("Choose how long the pause lasts.")
    return now + timedelta(seconds=int(seconds)) if seconds else None
