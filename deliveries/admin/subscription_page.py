"""What one subscription's page shows: how it stands, fared, is set and was treated. It changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings

from deliveries.deciders import endurance, retry
from deliveries.deciders.delivery_address import to_url
from deliveries.deciders.delivery_query import DeliveryQuery, Status
from deliveries.deciders.delivery_signs import duration
from deliveries.deciders.subscription_query import STATE_WORDS, standing
from deliveries.models import Circuit, CircuitChange, ClientErrors, DepthSample, Hold, Lane, Subscription
from deliveries.selectors import subscription_story as story
from deliveries.selectors.blast_radius import radius_in_trouble
from deliveries.selectors.delivery_filters import held_lanes
from deliveries.selectors.endpoints import endpoints_now
from deliveries.services import circuits
from deliveries.services.defaults import (
    circuit_rules_of,
    client_errors_of,
    disable_after_of,
    schedule_of,
    timeout_of,
    window_of,
)
from deliveries.services.subscription_rules import CIRCUIT_FIELDS, RETRY_FIELDS

from .delivery_list import shown_rows

SPANS: Final = {"1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
USUAL_SPAN: Final = "24h"
MOST_WAITS: Final = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the address asks to see."""

    span: str
    notices: Sequence[str]

    @classmethod
    def read(cls, params: Mapping[str, str]) -> "Wish":
        notices = [
            f"There is no filter “{name[:40]}”; it was ignored." for name in params if name not in _KNOWN
        ]
        span = params.get("w", USUAL_SPAN)
        if span not in SPANS:
            notices.append(f"There is no window “{span[:40]}”; {SPANS[USUAL_SPAN]} are shown.")
            span = USUAL_SPAN
        return cls(span=span, notices=notices)


_KNOWN: Final = ("w", "_changelist_filters")


def page_context(subscription: Subscription, wish: Wish, now: datetime) -> dict[str, Any]:
    """Everything but the shell and the buttons, in as many questions however much it was sent."""
    lane, depth = subscription.lane, DepthSample.objects.filter(pk=subscription.pk).first()
    changes, secrets = story.circuit_changes(subscription.pk), story.live_secrets(subscription.pk, now)
    state = standing(hold=lane.hold, circuit=lane.circuit)
    return {
        "subscription": subscription,
        "lane": lane,
        "state": state,
        "state_words": STATE_WORDS[state],
        "depth": depth,
        "dead": depth.dead if depth else 0,
        "waiting": depth.pending if depth else 0,
        "waiting_order": circuits.waiting_order(lane),
        "last_change": _tipping(lane, changes),
        "endpoint_now": _endpoint_now(subscription, now),
        "disabled_at": _disabled_at(subscription, lane),
        "changes": changes,
        "secrets": secrets,
        "replaced": [each for each in secrets if each.expires_at],
        "radius": radius_in_trouble(lane),
        "notices_about": story.notices_about(subscription.pk),
        "acts_upon": story.acts_upon(subscription.pk),
        "latest": shown_rows(story.latest(subscription.pk), held_lanes(), DeliveryQuery(), now),
        "addresses": _addresses(subscription),
        "keep_bodies_days": settings.HUB_KEEP_BODIES_DAYS,
        "notices": wish.notices,
        "now": now,
        **_course(subscription, wish.span, now),
        **_settings(subscription, lane),
    }


def _course(subscription: Subscription, span: str, now: datetime) -> dict[str, Any]:
    course = story.course(subscription.pk, span, now)
    p50, p95 = (course.total.latency(share) for share in (0.5, 0.95))
    rate = course.total.success_rate
    return {
        "span": span,
        "span_words": SPANS[span],
        "spans": SPANS.items(),
        "total": course.total,
        "ended": course.total.delivered + course.total.dead,
        "success": None if rate is None else f"{_floored(rate):.1f}",
        "p50": duration(None if p50 is None else round(p50)),
        "p95": duration(None if p95 is None else round(p95)),
        "steps": course.steps,
    }


def _floored(rate: float) -> float:
    """Percent, never told better than it is: one failure in a million is not 100."""
    return int(rate * 1000) / 10


def _tipping(lane: Lane, changes: Sequence[CircuitChange]) -> CircuitChange | None:
    """The change that brought the circuit to where it is now."""
    return changes[0] if changes and changes[0].after == lane.circuit else None


def _endpoint_now(subscription: Subscription, now: datetime) -> str:
    """Told where there is trouble; looked for nowhere else."""
    lane = subscription.lane
    if lane.circuit == Circuit.CLOSED and lane.failing_since is None:
        return ""
    return endpoints_now([lane], now)[lane.pk].sentence


def _disabled_at(subscription: Subscription, lane: Lane) -> datetime | None:
    """When it will be disabled by itself, unless an attempt succeeds before; told once a notice has warned of it."""
    after_s = disable_after_of(subscription)
    if lane.failing_since is None or lane.warned_at is None or lane.hold != Hold.NONE or not after_s:
        return None
    term_from = endurance.begun(failing_since=lane.failing_since, moving_since=lane.held_at)
    return endurance.ends_at(term_from=term_from, disable_after_s=after_s, warned_at=lane.warned_at)


def _addresses(subscription: Subscription) -> dict[str, str]:
    """Where its deliveries are listed."""
    mine = (subscription.pk,)
    held = (Status.PENDING, Status.RETRYING, Status.HELD)
    return {
        "all": to_url(DeliveryQuery(subscriptions=mine)),
        "dead": to_url(DeliveryQuery(subscriptions=mine, statuses=(Status.DEAD,), since="all")),
        "waiting": to_url(DeliveryQuery(subscriptions=mine, statuses=held, since="all")),
    }


def _settings(subscription: Subscription, lane: Lane) -> dict[str, Any]:
    """Each as it holds, and whether that is the subscription's own word or the hub's."""
    schedule, rules = schedule_of(subscription), circuit_rules_of(subscription)
    waits = retry.waits(schedule, MOST_WAITS)
    return {
        "timeout_s": timeout_of(subscription),
        "window_now": circuits.window_now(lane, cap=window_of(subscription)),
        "window_cap": window_of(subscription),
        "client_errors": ClientErrors(client_errors_of(subscription)).label,
        "waits": waits,
        "more_waits": max(schedule.attempts - 1 - len(waits), 0),
        "schedule": retry.describe(schedule),
        "failure_rate": f"{rules.failure_rate:.0%}",
        "rules": rules,
        "disable_after_h": f"{disable_after_of(subscription) / 3_600:.3g}",
        "has_own_schedule": _is_own(subscription, RETRY_FIELDS),
        "has_own_thresholds": _is_own(subscription, CIRCUIT_FIELDS),
    }


def _is_own(subscription: Subscription, fields: Sequence[str]) -> bool:
    return any(getattr(subscription, name) is not None for name in fields)
