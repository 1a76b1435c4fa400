"""The page before a bulk replay or discard: what it takes in, what not, and how it goes. A GET changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from deliveries.deciders import replaying
from deliveries.deciders.delivery_address import to_params, to_url
from deliveries.deciders.delivery_words import SINCE_WORDS, chips
from deliveries.deciders.list_query import SINCE
from deliveries.deciders.replay_choice import LEFT_OUT, PRESET_WORDS, WHOLE, Choice, Preset, options_of, read
from deliveries.models import Replay
from deliveries.models.replay import Verb
from deliveries.selectors.never_attempted import TooMany, without_subscription
from deliveries.selectors.patience import TooSlow, patience
from deliveries.selectors.replay_estimate import Estimate
from deliveries.services import bulk_discards, replays
from webhooks.history_admin import History, reason_in, who

from .delivery_list import subscriptions
from .replay_words import failures_of, noun, title

SEEN_FOR: Final = timedelta(hours=1)  # a form older than that is asked again
MAY: Final = {Verb.REPLAY: "deliveries.bulk_replay", Verb.DISCARD: "deliveries.discard_delivery"}
MAY_EXCEED: Final = "deliveries.exceed_rate"
LONGEST_S: Final = 5.0  # a preview may look at hundreds of thousands
SHOWN_SUBSCRIPTIONS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """One way to go: a rate, how long that takes, and what to say of it."""

    value: str
    words: str
    note: str
    lasts_s: float | None
    is_chosen: bool


class Preparing(History):
    """The door at which a set is looked at and started."""

    prepare_template = "admin/deliveries/replay/prepare.html"

    def prepare_view(self, request: HttpRequest) -> HttpResponse:
        """GET shows, POST starts."""
        asked = read(dict(request.GET.lists()))
        if not request.user.has_perm(MAY[Verb(asked.choice.verb)]):
            raise PermissionDenied
        if request.method == "POST":
            return self._start(request, asked.choice)
        return self._preview(request, asked.choice, asked.notices)

    def _preview(
        self, request: HttpRequest, choice: Choice, notices: tuple[str, ...] = (), problem: str = ""
    ) -> HttpResponse:
        now = datetime.now(UTC)
        found, trouble = self._estimate(choice, now)
        same = replays.running_already(digest=choice.digest(), actor=who(request)["actor"])
        may_exceed = request.user.has_perm(MAY_EXCEED)
        context = {
            "title": title(choice, found) if not trouble else "Replay",
            "choice": choice,
            "found": found,
            "trouble": trouble,
            "problem": problem,
            "notices": notices,
            "same": same,
            "noun": noun(choice, found),
            "until": int(now.timestamp() * 1000),
            "failures": failures_of(found.failures)[:SHOWN_SUBSCRIPTIONS],
            "subscriptions_shown": found.subscriptions[:SHOWN_SUBSCRIPTIONS],
            "subscriptions_more": max(0, len(found.subscriptions) - SHOWN_SUBSCRIPTIONS),
            "left_out": [(LEFT_OUT[each.reason], each) for each in found.left_out],
            "troubled": [each for each in found.subscriptions if each.trouble],
            "rates": _rates(found, request.POST, may_exceed) if found.count else [],
            "needs_typing": found.count > replays.TYPED_ABOVE,
            "is_too_many": found.count > replays.MOST_ITEMS,
            "most": replays.MOST_ITEMS,
            "given": request.POST,
            "is_fresh": request.method != "POST",
            "now": now,
            **_addresses(choice),
        }
        return self.render(request, self.prepare_template, context)

    def _estimate(self, choice: Choice, now: datetime) -> tuple[Estimate, str]:
        """What is found, or why nothing can be said."""
        if without_subscription(choice):
            return Estimate(), "Choose a subscription first: it is asked what that one was never sent."
        try:
            with patience(LONGEST_S):
                return replays.estimate(choice.frozen(now), now), ""
        except TooSlow:
            return Estimate(), "The database took too long, so this was stopped. Narrow the time range."
        except TooMany as said:
            return Estimate(), str(said)

    def _start(self, request: HttpRequest, choice: Choice) -> HttpResponse:
        until = _moment(request.POST.get("until", ""))
        seen = _number(request.POST.get("seen", ""))
        if until is None or seen is None:
            return self._preview(request, choice, problem="That form was too old; this is how it stands now.")
        if seen > replays.TYPED_ABOVE and _number(request.POST.get("typed", "")) != seen:
            return self._preview(request, choice, problem=f"Type {seen} to confirm that many.")
        rate, sentence = _rate(request.POST)
        if sentence:
            return self._preview(request, choice, problem=sentence)
        order = replays.Order(
            choice=choice.frozen(until),
            seen=seen,
            reason=reason_in(request),
            rate_per_s=None if choice.is_discard else rate,
            sends_one_first=bool(request.POST.get("first")) and not choice.is_discard,
            stops_itself=bool(request.POST.get("stops")) and not choice.is_discard,
            may_exceed=request.user.has_perm(MAY_EXCEED),
        )
        try:
            verdict = replays.start(order=order, asked=choice, **who(request))
        except TooMany as said:
            return self._preview(request, choice, problem=str(said))
        if verdict.replay_id is None:
            return self._preview(request, choice, problem=verdict.sentence)
        if verdict.is_done and choice.is_discard:
            bulk_discards.carry_out(verdict.replay_id, budget_s=bulk_discards.AT_ONCE_S)
        if verdict.is_done:
            self.log_addition(request, Replay.objects.get(pk=verdict.replay_id), verdict.sentence)
        level = messages.SUCCESS if verdict.is_done else messages.WARNING
        self.message_user(request, verdict.sentence, level)
        return redirect(reverse("admin:deliveries_replay_change", args=[verdict.replay_id]))


def prepare_address(choice: Choice) -> str:
    """Where a choice is prepared."""
    params = to_params(choice.query.first_page()) | {
        name: [value] for name, value in options_of(choice).items()
    }
    query = urlencode(params, doseq=True, safe=",:*>=")
    return f"{reverse('admin:deliveries_replay_prepare')}?{query}"


def _addresses(choice: Choice) -> dict[str, Any]:
    """Where each change of the choice leads."""
    query = choice.query.first_page()
    names = {key: name for key, name, _ in subscriptions()}
    presets = ["", Preset.FAILED, *([] if choice.is_discard else [Preset.NEVER])]
    if query.fingerprints:
        presets.append(Preset.ISSUE)
    is_whole = choice.wanted == WHOLE
    branch = replace(query, statuses=() if is_whole else WHOLE)
    return {
        "here": prepare_address(choice),
        "is_whole": is_whole,
        "branch": prepare_address(replace(choice, query=branch)),
        "list": reverse("admin:deliveries_delivery_changelist") + to_url(query),
        "chips": [
            (chip.words, prepare_address(replace(choice, query=chip.without)))
            for chip in chips(query, names=names)
        ],
        "presets": [
            (
                PRESET_WORDS[preset] or "By the filters",
                prepare_address(replace(choice, preset=preset)),
                choice.preset == preset,
            )
            for preset in presets
        ],
        "spans": [
            (
                SINCE_WORDS[since],
                prepare_address(replace(choice, query=replace(query, since=since, start=None, end=None))),
                query.since == since and not (query.start or query.end),
            )
            for since in SINCE
        ],
        "newest": prepare_address(replace(choice, newest_only=not choice.newest_only)),
        "moving": prepare_address(replace(choice, leaves_out_held=not choice.leaves_out_held)),
    }


def _rates(found: Estimate, given: Mapping[str, str], may_exceed: bool) -> list[Rate]:
    limits = [each.rate_per_s for each in found.subscriptions]
    own = min((limit for limit in limits if limit is not None), default=None)
    offered = replaying.offered_rates(limits)
    middle = f"{offered[1]:g}"
    chosen = given.get("rate", middle)
    rates = []
    for rate in offered:
        is_above = own is not None and rate > own
        if is_above and not may_exceed:
            continue
        paces: dict[float | None, int] = {}
        for each in found.subscriptions:
            pace = replaying.pace(rate, each.rate_per_s, exceeds=is_above)
            paces[pace] = max(paces.get(pace, 0), each.count)
        rates.append(
            Rate(
                value=f"{rate:g}",
                words=f"{rate:g} per second",
                note=_note(rate, own, several=len(limits) > 1),
                lasts_s=replaying.lasts_s(paces),
                is_chosen=chosen == f"{rate:g}",
            )
        )
    return rates


def _note(rate: float, own: float | None, *, several: bool) -> str:
    to_each = " to each subscription" if several else ""
    if own is None:
        return to_each.strip()
    if rate > own:
        return f"above its limit of {own:g}" if not several else f"above a limit of {own:g}"
    if rate == own:
        return "the lowest of their own limits" if several else "this subscription's own limit"
    return to_each.strip()


def _rate(given: Mapping[str, str]) -> tuple[float | None, str]:
    """What was chosen or written; a sentence when that is no rate."""
    text = given.get("other", "").strip() if given.get("rate") == "other" else given.get("rate", "")
    if not text:
        return None, ""
    try:
        rate = float(text)
    except ValueError:
        return None, f"“{text[:40]}” is no rate; write a number, such as 20."
    return rate, "" if 0 < rate <= replays.HIGHEST_RATE_PER_S else "Choose a rate of more than 0."


def _moment(text: str) -> datetime | None:
    number = _number(text)
    if number is None:
        return None
    now = datetime.now(UTC)
    try:
        at = datetime.fromtimestamp(number / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None
    return at if now - SEEN_FOR <= at <= now else None


def _number(text: str) -> int | None:
    text = text.strip().replace(",", "").replace("\u202f", "").replace(" ", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None
