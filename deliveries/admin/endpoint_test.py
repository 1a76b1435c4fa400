"""Where a person sends an endpoint one test and sees, beside the form, all that went out and came back."""

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern

from deliveries.deciders.delivery_signs import duration, response_tag
from deliveries.models import Subscription
from deliveries.selectors.subscription_story import known_types, last_payload
from deliveries.services import ping, subscriptions
from deliveries.services.ping import PingAnswer
from webhooks.deciders.shown_body import show
from webhooks.history_admin import may_see_payloads, reason_in, who
from webhooks.services import audit

from .subscription_doors import TEST, SubscriptionDoors, page_of

LONGEST_TYPE: Final = 200


class TestingEndpoints(SubscriptionDoors):
    test_template = "admin/deliveries/subscription/test.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("<path:object_id>/test/", self.test_view, "test"),
            *super().get_urls(),
        ]

    def test_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.must(request, TEST)
        subscription = self._one(request, object_id)
        answer = self._send(request, subscription) if request.method == "POST" else None
        context: dict[str, Any] = {
            "title": f"Send a test to {subscription.name}",
            "subscription": subscription,
            "types": known_types(subscription),
            "sample_type": ping.SAMPLE_TYPE,
            "may_see_payload": may_see_payloads(request),
            "asked": request.POST,
            "answer": answer,
            "back": page_of(subscription),
            "now": datetime.now(UTC),
        }
        return self.render(request, self.test_template, context | (_shown(answer) if answer else {}))

    def _send(self, request: HttpRequest, subscription: Subscription) -> PingAnswer | None:
        """Nothing when it could not be sent; then a message says why."""
        event_type = request.POST.get("type", "").strip()[:LONGEST_TYPE] or ping.SAMPLE_TYPE
        payload = None
        if request.POST.get("body") == "last":
            payload = self._real(request, subscription, event_type)
            if payload is None:
                return None
        try:
            answer = ping.ping_endpoint(
                subscription_id=subscription.pk,
                event_type=event_type,
                payload=payload,
                reason=reason_in(request),
                **who(request),
            )
        except (subscriptions.Refused, ping.Busy) as refusal:
            self.message_user(request, str(refusal), messages.WARNING)
            return None
        self.log_change(request, subscription, f"Sent a test: {answer.outcome}.")
        return answer

    def _real(self, request: HttpRequest, subscription: Subscription, event_type: str) -> ping.Payload | None:
        """Seen on the page afterwards, so it takes the permission, and opening it is recorded."""
        self.must(request, "webhooks.view_payload")
        payload = last_payload(subscription.pk, event_type)
        if payload is None:
            said = f"None of its newest deliveries is of the type {event_type} and has its body still."
            self.message_user(request, said, messages.WARNING)
            return None
        audit.record_opening("delivery", payload.delivery_id, **who(request))
        return payload


def _shown(answer: PingAnswer) -> dict[str, Any]:
    tag, tone = response_tag(answer.outcome, answer.status)
    return {
        "tag": tag,
        "tone": tone or "good",
        "took": duration(answer.duration_ms),
        "sent": show(answer.request_body),
        "got": show(answer.response_body),
    }
