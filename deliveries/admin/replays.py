"""Replays on the console: the list, one's progress, what may be done to one. It starts none: `replay_prepare` does."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import URLPattern, reverse

from deliveries.deciders.delivery_signs import duration, response_tag
from deliveries.deciders.replay_choice import LEFT_OUT
from deliveries.models import Delivery, Replay
from deliveries.models.replay import ReplayState, Verb
from deliveries.selectors.replay_progress import Progress, lanes_of
from deliveries.services import replays
from webhooks.history_admin import fresh, reason_in, who
from webhooks.ids import parse_id, public_id

from .delivery_list import subscriptions
from .replay_prepare import MAY, MAY_EXCEED, Preparing
from .replay_words import criteria_words, failure_words, short_title

PAGE = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    label: str
    service: Callable[..., replays.Verdict]
    states: tuple[str, ...]
    icon: str


ACTS = {
    "pause": Act(label="Pause", service=replays.pause, states=(ReplayState.RUNNING,), icon="pause"),
    "resume": Act(
        label="Resume",
        service=replays.resume,
        states=(ReplayState.PAUSED, ReplayState.STOPPED),
        icon="arrow",
    ),
    "cancel": Act(
        label="Cancel",
        service=replays.cancel,
        states=(ReplayState.RUNNING, ReplayState.PAUSED, ReplayState.STOPPED),
        icon="cross",
    ),
}


@admin.register(Replay)
class ReplayAdmin(Preparing):
    list_template = "admin/deliveries/replay/list.html"
    page_template = "admin/deliveries/replay/page.html"

    def get_urls(self) -> list[URLPattern]:
        """Only ours: Django's pages would list and show the columns."""

        return [
            self.door("", self.changelist_view, "changelist"),
            self.door("add/", self.add_view, "add"),  # which says that nobody may
            self.door("prepare/", self.prepare_view, "prepare"),
            self.door("<path:object_id>/state/", self.state_view, "state"),
            self.door("<path:object_id>/do/<slug:name>/", self.act_view, "act"),
            self.door("<path:object_id>/delete/", self.delete_view, "delete"),  # nor this
            self.door("<path:object_id>/", self.progress_view, "change"),
        ]

    # -- the list ---------------------------------------------------------------------------------------

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        self.must_view(request)
        rows = Replay.objects.order_by("-pk")
        if before := _cursor(request.GET.get("before", "")):
            rows = rows.filter(pk__lt=before)
        found = list(rows[: PAGE + 1])
        names = {key: name for key, name, _ in subscriptions()}
        now = datetime.now(UTC)
        context = {
            "title": "Replays",
            "rows": [_row(each, names, now) for each in found[:PAGE]],
            "older": public_id("replay", found[PAGE - 1].pk) if len(found) > PAGE else "",
            "is_first": before is None,
            "may": request.user.has_perm(MAY[Verb.REPLAY]),
            "now": now,
        }
        return self.render(request, self.list_template, context)

    # -- one --------------------------------------------------------------------------------------------

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.must_view(request)
        if request.method not in ("GET", "HEAD"):
            raise PermissionDenied
        if object_id.endswith("/change"):  # where Django would have it
            return redirect(reverse("admin:deliveries_replay_change", args=[object_id[:-7]]))
        replay = self._one(object_id)
        now = datetime.now(UTC)
        names = {key: name for key, name, _ in subscriptions()}
        may = request.user.has_perm(MAY[Verb(replay.verb)])
        found = replays.progress(replay, now)
        context = {
            "title": short_title(replay, names),
            "replay": replay,
            "words": criteria_words(replay, names),
            "lanes": lanes_of(replay.pk),
            "left_out": [
                (LEFT_OUT.get(reason, reason), count, more)
                for reason, count, more in replay.summary.get("left_out", [])
            ],
            "answers": list(_answers(replay.answers)),
            "acts": [(name, act) for name, act in ACTS.items() if may and replay.state in act.states],
            "may_pace": may and replay.verb == Verb.REPLAY and replay.state in ACTS["cancel"].states,
            "limit": replays.limit_of(replay.pk),
            "sent": _sent_address(replay),
            "is_live": not _is_over(replay),
            "live": _live(found),
            **_fragments(found),
            "now": now,
        }
        return self.render(request, self.page_template, context)

    def state_view(self, request: HttpRequest, object_id: str) -> JsonResponse:
        """What the page asks every other second."""
        self.must_view(request)
        found = replays.progress(self._one(object_id), datetime.now(UTC))
        html = {
            name: render_to_string(f"admin/deliveries/replay/{name}.html", _fragments(found))
            for name in ("chart", "failures")
        }
        content = _live(found) | html | {"done": _is_over(found.replay), "state": found.replay.state}
        return fresh(content)

    def act_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        replay = self._one(object_id)
        if not request.user.has_perm(MAY[Verb(replay.verb)]):
            raise PermissionDenied
        asked: dict[str, Any] = {
            "replay_id": replay.pk,
            "reason": reason_in(request),
            **who(request),
        }
        if name == "rate":
            verdict = self._set_rate(request, asked)
        elif name in ACTS:
            verdict = ACTS[name].service(**asked)
        else:
            raise Http404("There is no such act.")
        if verdict.is_done:
            self.log_change(request, replay, verdict.sentence)
        self.message_user(
            request, verdict.sentence, messages.SUCCESS if verdict.is_done else messages.WARNING
        )
        return redirect(reverse("admin:deliveries_replay_change", args=[replay.pk]))

    def _set_rate(self, request: HttpRequest, asked: dict[str, Any]) -> replays.Verdict:
        try:
            rate = float(request.POST.get("rate", ""))
        except ValueError:
            rate = 0.0
        return replays.set_rate(**asked, rate_per_s=rate, may_exceed=request.user.has_perm(MAY_EXCEED))

    # -- who may, and what is there -----------------------------------------------------------------------

    def _one(self, object_id: str) -> Replay:
        replay = Replay.objects.filter(pk=self.named(object_id)).first()
        if replay is None:
            raise Http404("There is no such replay.")
        return replay


def _row(replay: Replay, names: Mapping[UUID, str], now: datetime) -> dict[str, Any]:
    return {
        "replay": replay,
        "words": criteria_words(replay, names),
        "lasted_s": ((replay.finished_at or now) - replay.created_at).total_seconds(),
    }


def _live(found: Progress) -> dict[str, Any]:
    """The texts that change while one looks on."""
    replay = found.replay
    return {
        "headline": f"{replay.done:,} of {replay.total:,}",
        "bar": replay.done,
        "pace": _pace(found),
        "delivered": f"{replay.delivered:,}",
        "failed": f"{replay.failed:,}",
        "skipped": f"{replay.skipped:,}",
        "discarded": f"{replay.discarded:,}",
        "admitted": f"{replay.admitted:,}",
        "waiting": f"{replay.waiting:,}",
        "returned": f"{replay.returned:,}",
    }


def _pace(found: Progress) -> str:
    if found.replay.state != ReplayState.RUNNING:
        return ""
    left = f", {_about(found.left_s)} left" if found.left_s is not None else ""
    return f"{found.rate_now:.1f}/s{left}"


def _about(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02} min"


def _fragments(found: Progress) -> dict[str, Any]:
    return {
        "per_second": found.per_second,
        "failures": [
            {
                "delivery": each.delivery,
                "at": each.at,
                "tag": response_tag(each.delivery.last_outcome, each.delivery.last_status),
                "latency": duration(each.delivery.last_latency_ms),
            }
            for each in found.failures
        ],
        "skips": found.skipped,
        "now": datetime.now(UTC),
    }


def _answers(answers: Iterable[Mapping[str, Any]]) -> Iterable[dict[str, Any]]:
    """The last ones first; of deliveries that are still there with a link."""
    there = Delivery.objects.in_bulk([UUID(each["delivery"]) for each in answers])
    for each in reversed(list(answers)):
        tag, tone = response_tag(each["outcome"], each["status"])
        yield {
            "delivery": there.get(UUID(each["delivery"])),
            "tag": tag,
            "tone": tone,
            "words": each["error"] or failure_words(each["outcome"], each["status"]),
            "at": datetime.fromisoformat(each["at"]),
        }


def _sent_address(replay: Replay) -> str:
    query = f"?replay={public_id('replay', replay.pk)}"
    return reverse("admin:deliveries_delivery_changelist") + query


def _is_over(replay: Replay) -> bool:
    """Nothing more will change."""
    return replay.state in (ReplayState.FINISHED, ReplayState.CANCELLED) and not replay.admitted


def _cursor(text: str) -> UUID | None:
    try:
        return parse_id("replay", text) if text else None
    except ValueError:
        return None
