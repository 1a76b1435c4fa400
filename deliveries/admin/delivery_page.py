"""What one delivery's page shows: what happened, why, and what was sent and answered. It changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from deliveries.deciders.curl import curl
from deliveries.deciders.delivery_address import to_url
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_signs import duration, response_tag, shown_status, waited
from deliveries.deciders.delivery_words import STATUS_WORDS
from deliveries.deciders.diagnosis import Diagnosis, diagnose
from deliveries.deciders.undoing import offered
from deliveries.models import Attempt, Delivery, Exchange, Phase, Replay
from deliveries.selectors import delivery_story as story
from deliveries.selectors.delivery_filters import held_lanes
from deliveries.selectors.endpoints import endpoints_now
from deliveries.selectors.event_story import cascade_of
from deliveries.services.defaults import schedule_of
from webhooks.deciders.shown_body import ShownBody, show

from .delivery_list import shown_rows
from .issue_list import prepare_letters
from .replay_words import short_title


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One attempt in the timeline; `waited` since the one before, or since the delivery was made."""

    attempt: Attempt
    tag: str
    tone: str
    took: str
    waited: str
    address: str
    is_chosen: bool
    trigger: str
    replay: Replay | None  # of many, that ordered it
    replay_title: str
    key: str  # that leads to it on the keyboard


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the address asks to see."""

    attempt: int | None = None
    raw: bool = False
    whole: bool = False

    @classmethod
    def read(cls, params: Any) -> "tuple[Wish, list[str]]":
        notices = [
            f"There is no filter “{name[:40]}”; it was ignored." for name in params if name not in _KNOWN
        ]
        number = params.get("attempt", "")
        is_number = number.isascii() and number.isdigit() and len(number) < 8
        if number and not is_number:
            notices.append(f"There is no attempt “{number[:40]}”; the last one is shown.")
        flags = {name: params.get(name) == "1" for name in ("raw", "whole")}
        return cls(attempt=int(number) if is_number else None, **flags), notices

    def address(self, attempt: int, **changed: bool) -> str:
        flags = {"raw": self.raw, "whole": self.whole} | changed
        return "?" + urlencode({"attempt": attempt} | {name: 1 for name, is_set in flags.items() if is_set})


REFUSES_US = (401, 403)
THROTTLES = 429
JUST_REPLAYED = timedelta(seconds=10)  # the page looks again so long by itself

_KNOWN = ("attempt", "raw", "whole", "_changelist_filters")


def page_context(delivery: Delivery, wish: Wish, now: datetime, *, may_see_payload: bool) -> dict[str, Any]:
    """Everything but the shell, in as many questions however often it was tried."""
    held, attempts = held_lanes(), story.attempts_of(delivery.pk)
    chosen, notices = _chosen(delivery, attempts, wish)
    status = shown_status(
        state=delivery.state, phase=delivery.phase, is_held=delivery.subscription_id in held
    )
    tag, tone = response_tag(delivery.last_outcome, delivery.last_status)
    lane, undo = delivery.subscription.lane, offered(delivery, status=status, now=now)
    return {
        "delivery": delivery,
        "lane": lane,
        "status": status,
        "status_words": STATUS_WORDS[status],
        "tag": tag,
        "tone": tone,
        "latency": duration(delivery.last_latency_ms),
        "most_attempts": delivery.budget_from + _budget(delivery),
        "steps": _steps(delivery, attempts, chosen, wish),
        "hidden_attempts": max(delivery.attempts - len(attempts), 0),
        "siblings": shown_rows(story.siblings_of(delivery), held, DeliveryQuery(), now),
        "most_siblings": story.MOST_SIBLINGS,
        "cascade": cascade_of(delivery.event.trace_id),
        "notices": notices,
        "now": now,
        "is_watched": bool(delivery.due_at)
        and delivery.phase == Phase.REPLAY
        and delivery.budget_at > now - JUST_REPLAYED,
        "undo": undo,
        "may_come_sooner": not undo
        and bool(delivery.due_at and delivery.due_at > now and delivery.phase > Phase.FIRST),
        **_trouble(delivery, status, now),
        **_shown_attempt(delivery, chosen, wish, may_see_payload=may_see_payload),
    }


def _chosen(delivery: Delivery, attempts: Sequence[Attempt], wish: Wish) -> tuple[Attempt | None, list[str]]:
    """The one asked for, else the last."""
    if wish.attempt is not None:
        shown = next((each for each in attempts if each.number == wish.attempt), None)
        shown = shown or story.attempt_of(delivery.pk, wish.attempt)
        if shown is not None:
            return shown, []
    last = attempts[-1] if attempts else None
    missing = f"There is no attempt {wish.attempt}; the last one is shown."
    return last, [missing] if wish.attempt is not None else []


def _steps(delivery: Delivery, attempts: Sequence[Attempt], chosen: Attempt | None, wish: Wish) -> list[Step]:
    steps, before = [], delivery.created_at
    acts, sent = story.replays_of(delivery.pk), _sent_by_replays(delivery, attempts)
    keys = {chosen.number - 1: "[", chosen.number + 1: "]"} if chosen else {}
    for attempt in attempts:
        tag, tone = response_tag(attempt.outcome, attempt.status)
        steps.append(
            Step(
                attempt=attempt,
                tag=tag,
                tone=tone or "good",
                took=duration(attempt.duration_ms),
                waited=waited((attempt.started_at - before).total_seconds()),
                address=wish.address(attempt.number),
                is_chosen=attempt == chosen,
                trigger="by a replay" if attempt.pk in sent else _trigger(attempt, acts),
                replay=sent.get(attempt.pk),
                replay_title=short_title(sent[attempt.pk], {}) if attempt.pk in sent else "",
                key=keys.get(attempt.number, ""),
            )
        )
        before = attempt.started_at
    return steps


def _sent_by_replays(delivery: Delivery, attempts: Sequence[Attempt]) -> dict[UUID, Replay]:
    """Which replay of many ordered which attempt: an item is settled with the first that it brings about."""
    sent = [each for each in reversed(attempts) if each.phase == Phase.REPLAY]
    if not sent:
        return {}
    found: dict[UUID, Replay] = {}
    for item in story.sent_by_replays(delivery.pk):
        first = next((each for each in sent if item.settled_at and each.started_at <= item.settled_at), None)
        if first is not None:
            found[first.pk] = item.replay
    return found


def _trigger(attempt: Attempt, acts: Sequence[tuple[datetime, str]]) -> str:
    """A replay's retries are scheduled; its first attempt follows somebody's word."""
    if attempt.phase != Phase.REPLAY:
        return "scheduled"
    who = next((actor for at, actor in acts if at <= attempt.started_at), "")
    return f"replayed by {who}" if who else "replayed"


def _budget(delivery: Delivery) -> int:
    schedule = schedule_of(delivery.subscription)
    return len(schedule.delays_s) + 1 if schedule.delays_s else schedule.max_attempts


def _trouble(delivery: Delivery, status: Status, now: datetime) -> dict[str, Any]:
    found = diagnose(outcome=delivery.last_outcome, status=delivery.last_status, error=delivery.last_error)
    if found is None or delivery.state not in (Status.DEAD, Status.PENDING):
        return {"diagnosis": None}
    same = story.same_failure(delivery.fingerprint)
    return {
        "diagnosis": found,
        "endpoint_now": _endpoint_now(delivery, found, now),
        "besides": _besides(delivery),
        "same_failure": same,
        "same_failure_words": f"{story.SAME_FAILURE:,}+" if same > story.SAME_FAILURE else f"{same:,}",
        "replay_all_address": prepare_letters([delivery.fingerprint]),
        "same_failure_address": to_url(
            DeliveryQuery(statuses=(Status.DEAD,), fingerprints=(delivery.fingerprint,), since="all")
        ),
    }


def _endpoint_now(delivery: Delivery, found: Diagnosis, now: datetime) -> str:
    if not found.concerns_endpoint:
        return ""
    lane = delivery.subscription.lane
    return endpoints_now([lane], now)[lane.pk].sentence


def _besides(delivery: Delivery) -> str:
    """What of our own settings may have to do with such an answer."""
    if delivery.last_status in REFUSES_US:
        at = story.newest_secret_at(delivery.subscription_id)
        return f"Its newest secret is of {at:%Y-%m-%d %H:%M} UTC." if at else "It has no secret."
    if delivery.last_status == THROTTLES:
        rate = delivery.subscription.rate_per_s
        return f"We send at most {rate:g} a second." if rate is not None else "We send as fast as it lets us."
    return ""


def _shown_attempt(
    delivery: Delivery, chosen: Attempt | None, wish: Wish, *, may_see_payload: bool
) -> dict[str, Any]:
    """Without the permission neither bodies nor the values of headers are even read."""
    number = chosen.number if chosen else 0
    shown: dict[str, Any] = {
        "chosen": chosen,
        "may_see_payload": may_see_payload,
        "raw": wish.raw,
        "toggled": wish.address(number, raw=not wish.raw),
        "whole_address": wish.address(number, whole=True),
    }
    if not may_see_payload:
        return shown
    sent, exchange = story.sent_body(delivery), story.exchange_of(chosen) if chosen else None
    body = sent[0] if sent else None
    shown |= {
        "sent": None if body is None else show(body, whole=wish.whole, raw=wish.raw),
        "content_type": sent[1] if sent else "",
        "exchange": exchange,
    }
    return shown | (_answer(exchange, wish, body) if exchange else {})


def _answer(exchange: Exchange, wish: Wish, body: bytes | None) -> dict[str, Any]:
    request = story.pairs_of(exchange.request_headers)
    got: ShownBody = show(bytes(exchange.response_body), whole=wish.whole, raw=wish.raw)
    return {
        "request_headers": request,
        "response_headers": story.pairs_of(exchange.response_headers),
        "got": got,
        "curl": curl(url=exchange.url, headers=request, body=body),
    }
