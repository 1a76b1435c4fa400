"""What a person does to what was set aside: asked first, done by a service, told and logged."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from deliveries.models import Cascade
from deliveries.services import quarantine
from deliveries.services.quarantine import QuarantineVerdict
from webhooks.history_admin import History, reason_in, who
from webhooks.models import Event

MAY_LET_GO: Final = "deliveries.release_quarantine"


@dataclass(frozen=True, kw_only=True, slots=True)
class LetGo:
    """A way out of quarantine; the service takes the thing by this name."""

    label: str
    effect: str
    service: Callable[..., QuarantineVerdict]
    named: str
    done: str
    is_drastic: bool = False


_RELEASED = "It is routed as if it had come now, and its cascade has a fresh budget from then on."
_DISCARDED = "It stays to be read, and is never routed."
RELEASE: Final = LetGo(
    label="Release", effect=_RELEASED, service=quarantine.release_event, named="event_id", done="Released"
)
DISCARD: Final = LetGo(
    label="Discard",
    effect=_DISCARDED,
    service=quarantine.discard_event,
    named="event_id",
    done="Discarded",
    is_drastic=True,
)
RELEASE_CASCADE: Final = LetGo(
    label="Release",
    effect="They are routed as if they had come now, and the cascade has a fresh budget from then on. If it is a loop "
    "that nobody has mended, it goes round again until it meets the limit.",
    service=quarantine.release_cascade,
    named="trace_id",
    done="Released",
)
DISCARD_CASCADE: Final = LetGo(
    label="Discard",
    effect="They stay to be read, and are never routed.",
    service=quarantine.discard_cascade,
    named="trace_id",
    done="Discarded",
    is_drastic=True,
)


class LettingGo(History):
    ask_let_go_template = "admin/deliveries/cascade/let_go.html"

    def let_go(
        self, request: HttpRequest, act: LetGo, what: Cascade | Event, *, named: str, count: int, back: str
    ) -> HttpResponse:
        """Asks for a reason, then does it."""
        reason = reason_in(request)
        if request.method == "POST" and reason:
            given: dict[str, Any] = {act.named: what.pk}
            verdict = act.service(**given, reason=reason, **who(request))
            if verdict.is_done:
                self.log_change(request, what, f"{act.done} {count:,}.")
            level = messages.SUCCESS if verdict.is_done else messages.WARNING
            self.message_user(request, verdict.sentence, level)
            return redirect(back)
        if request.method == "POST":
            self.message_user(request, "Say why: a reason is needed.", messages.ERROR)
        context = {
            "title": f"{act.label} {count:,} of {named}?"
            if isinstance(what, Cascade)
            else f"{act.label} {named}?",
            "act": act,
            "count": count,
            "back": back,
        }
        return self.render(request, self.ask_let_go_template, context)
