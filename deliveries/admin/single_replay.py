"""Sends one delivery again at one click, and offers the way back in what it says. Services do both."""

from datetime import UTC, datetime
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest
from django.template.loader import render_to_string

from deliveries.deciders.delivery_signs import shown_status
from deliveries.deciders.undoing import UNDO_FOR, offered
from deliveries.models import Delivery
from deliveries.selectors.delivery_filters import held_lanes
from deliveries.services.replay import replay_delivery
from webhooks.history_admin import who

TEMPLATE = "admin/deliveries/delivery/replayed.html"


def replay_at_a_click(request: HttpRequest, delivery_id: UUID, *, reason: str = "") -> bool:
    """False, and said why, where it cannot be sent again."""
    verdict = replay_delivery(delivery_id=delivery_id, reason=reason, wait=UNDO_FOR, **who(request))
    if verdict.is_done:
        messages.success(request, _with_undo(delivery_id, verdict.sentence))
    else:
        messages.warning(request, verdict.sentence)
    return verdict.is_done


def _with_undo(delivery_id: UUID, sentence: str) -> str:
    rows = Delivery.objects.select_related("subscription").defer("subscription__headers")
    delivery = rows.get(pk=delivery_id)
    is_held = delivery.subscription_id in held_lanes()
    status = shown_status(state=delivery.state, phase=delivery.phase, is_held=is_held)
    undo = offered(delivery, status=status, now=datetime.now(UTC))
    return render_to_string(TEMPLATE, {"delivery": delivery, "undo": undo, "sentence": sentence})
