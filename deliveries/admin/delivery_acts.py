"""What a person does to deliveries on the console, done by a service to each, told and logged.

One is replayed at a click, which can be undone; before anything else is done to them it is asked.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import BadRequest, PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse

from deliveries.deciders.delivery_address import parse, to_url
from deliveries.deciders.delivery_query import DeliveryQuery
from deliveries.models import Delivery
from deliveries.services.replay import ReplayVerdict, discard_delivery, replay_delivery
from deliveries.services.replay_undo import undo_replay
from webhooks.history_admin import History, who
from webhooks.ids import parse_id

from .single_replay import replay_at_a_click

AT_ONCE = 100  # deliveries acted on from a list; more are a bulk replay, which is previewed and paced


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """What a person may do to deliveries; the service does it to one."""

    verb: str
    done: str
    service: Callable[..., ReplayVerdict]
    needs_reason: bool  # for one that was ticked alone; for several it is always asked

    @property
    def permission(self) -> str:
        return f"deliveries.{self.verb}_delivery"


ACTS = {
    "replay": Act(verb="replay", done="Replayed", service=replay_delivery, needs_reason=False),
    "discard": Act(verb="discard", done="Discarded", service=discard_delivery, needs_reason=True),
}


class ActingOnDeliveries(History):
    """The doors at which deliveries are replayed and discarded, one or those that were ticked."""

    ask_template = "admin/deliveries/delivery/ask.html"

    def replay_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One click, which another undoes."""
        delivery = self.clicked(request, object_id)
        if replay_at_a_click(request, delivery.pk):
            self.log_change(request, delivery, "Replayed.")
        return redirect(_from_where(request, delivery))

    def undo_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """The replay that the button was drawn for, and no later one."""
        delivery = self.clicked(request, object_id)
        verdict = undo_replay(delivery_id=delivery.pk, replayed_at=_replayed_at(request), **who(request))
        if verdict.is_done:
            self.log_change(request, delivery, "Replay undone.")
            self.message_user(request, f"Undone. {verdict.sentence}", messages.SUCCESS)
        else:
            self.message_user(request, verdict.sentence, messages.WARNING)
        return redirect(_from_where(request, delivery))

    def clicked(self, request: HttpRequest, object_id: str) -> Delivery:
        """By who may replay: for what is done at once."""
        if request.method != "POST":
            raise PermissionDenied
        self.must(request, ACTS["replay"].permission)
        return self._one(request, object_id)

    def discard_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Asks, then does it."""
        act = ACTS["discard"]
        self.must(request, act.permission)
        delivery = self._one(request, object_id)
        there = reverse("admin:deliveries_delivery_change", args=[delivery.pk])
        if not self._is_answered(request, act, [delivery]):
            return self._ask(request, act, [delivery], back=there)
        self._tell(request, act, self._do(request, act, [delivery]))
        return redirect(there)

    # -- those that were ticked ------------------------------------------------------------------------

    def act_view(self, request: HttpRequest) -> HttpResponse:
        """Asks, then does it to each that was ticked; what cannot be done to one is said."""
        act = ACTS.get(request.POST.get("verb", ""))
        if act is None or request.method != "POST":
            raise PermissionDenied
        self.must(request, act.permission)
        query = parse(_back(request)).query
        there = reverse("admin:deliveries_delivery_changelist") + to_url(query)
        chosen = self._chosen(request)
        if not 1 <= len(chosen) <= AT_ONCE:
            said = f"Choose at most {AT_ONCE} deliveries at once." if chosen else "No delivery was chosen."
            self.message_user(request, said, messages.ERROR)
            return redirect(there)
        if not self._is_answered(request, act, chosen):
            return self._ask(request, act, chosen, back=there, is_list=True, query=query)
        self._tell(request, act, self._do(request, act, chosen))
        return redirect(there)

    def _chosen(self, request: HttpRequest) -> list[Delivery]:
        ids = []
        for text in request.POST.getlist("chosen")[: AT_ONCE + 1]:
            try:
                ids.append(parse_id("delivery", text))
            except ValueError:
                continue
        return list(self._rows(request).filter(pk__in=ids).order_by("-pk"))

    def _is_answered(self, request: HttpRequest, act: Act, deliveries: list[Delivery]) -> bool:
        if request.method != "POST" or not request.POST.get("post"):
            return False
        if _needs_reason(act, deliveries) and not request.POST.get("reason", "").strip():
            self.message_user(request, "Say why: a reason is needed.", messages.ERROR)
            return False
        return True

    def _ask(
        self,
        request: HttpRequest,
        act: Act,
        deliveries: list[Delivery],
        *,
        back: str,
        is_list: bool = False,
        query: DeliveryQuery | None = None,
    ) -> HttpResponse:
        number = f"{len(deliveries)} deliver{'y' if len(deliveries) == 1 else 'ies'}"
        context = {
            "title": f"{act.verb.capitalize()} {number}?",
            "act": act,
            "deliveries": deliveries,
            "needs_reason": _needs_reason(act, deliveries),
            "back": back,
            "is_list": is_list,
            "kept": to_url(query).removeprefix("?") if query else "",
        }
        return self.render(request, self.ask_template, context)

    def _do(self, request: HttpRequest, act: Act, deliveries: Iterable[Delivery]) -> list[ReplayVerdict]:
        verdicts = []
        for delivery in deliveries:
            verdict = act.service(
                delivery_id=delivery.pk, **who(request), reason=request.POST.get("reason", "").strip()[:500]
            )
            if verdict.is_done:
                self.log_change(request, delivery, f"{act.done}.")
            verdicts.append(verdict)
        return verdicts

    def _tell(self, request: HttpRequest, act: Act, verdicts: list[ReplayVerdict]) -> None:
        done = sum(verdict.is_done for verdict in verdicts)
        if done:
            said = f"{act.done} {done}. {_sentences(verdicts, is_done=True)}"
            self.message_user(request, said, messages.SUCCESS)
        if done < len(verdicts):
            left_out = f"Left out {len(verdicts) - done}. {_sentences(verdicts, is_done=False)}"
            self.message_user(request, left_out, messages.WARNING)

    # -- who may, and what is there --------------------------------------------------------------------

    def _one(self, request: HttpRequest, object_id: str) -> Delivery:
        return self._found(request, self.named(object_id))

    def _found(self, request: HttpRequest, key: UUID) -> Delivery:
        delivery = self._rows(request).select_related("event", "source").filter(pk=key).first()
        if delivery is None:
            raise Http404("There is no such delivery.")
        return delivery

    def _rows(self, request: HttpRequest) -> QuerySet[Delivery]:
        # A subscription's headers are sealed, and unsealing them for every row is slow and for nothing.
        rows: QuerySet[Delivery] = super().get_queryset(request)
        return rows.select_related("subscription__lane", "subscription__subscriber").defer(
            "subscription__headers"
        )


def applies(act: Act, delivery: Delivery) -> bool:
    """Whether offering it makes sense; the service has the last word."""
    is_open = delivery.state in ("pending", "dead")
    return delivery.state != "pending" if act.verb == "replay" else is_open


def _needs_reason(act: Act, deliveries: list[Delivery]) -> bool:
    return act.needs_reason or len(deliveries) > 1


def _replayed_at(request: HttpRequest) -> datetime:
    try:
        return datetime.fromisoformat(request.POST.get("replayed_at", "")[:40])
    except ValueError as error:
        raise BadRequest("Which replay?") from error


def _from_where(request: HttpRequest, delivery: Delivery) -> str:
    """The list as it was filtered, or the delivery's page."""
    if "kept" in request.POST:
        return reverse("admin:deliveries_delivery_changelist") + to_url(parse(_back(request)).query)
    return reverse("admin:deliveries_delivery_change", args=[delivery.pk])


def _back(request: HttpRequest) -> dict[str, list[str]]:
    """The list's address that the form was sent from."""
    return dict(QueryDict(request.POST.get("kept", "")[:4_000]).lists())


def _sentences(verdicts: Iterable[ReplayVerdict], *, is_done: bool) -> str:
    """Each once, in the order they were met."""
    return " ".join(dict.fromkeys(verdict.sentence for verdict in verdicts if verdict.is_done is is_done))
