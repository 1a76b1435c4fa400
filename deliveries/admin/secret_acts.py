"""Where a signing secret is rotated and the overlap with the old one ended. A new secret is shown once, here.

It is answered, not redirected to, so that it is kept nowhere; asked for again, the form is stale and refused.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern

from deliveries.models import Signing, Subscription
from deliveries.selectors.subscription_story import live_secrets
from deliveries.services import subscriptions
from deliveries.services.signing_keys import Keys
from webhooks.history_admin import reason_in, who
from webhooks.ids import parse_uuid

from .subscription_doors import ROTATE, SubscriptionDoors, page_of

OVERLAPS: Final[dict[str, str]] = {
    "0": "not at all: only the new one signs, from now on",
    "3600": "for an hour",
    "86400": "for a day",
    "604800": "for a week",
    "2592000": "for 30 days",
}
USUAL: Final = "86400"


class RotatingSecrets(SubscriptionDoors):
    rotate_template = "admin/deliveries/subscription/rotate.html"
    end_template = "admin/deliveries/subscription/end_overlap.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            self.door("<path:object_id>/rotate/", self.rotate_view, "rotate"),
            self.door("<path:object_id>/end-overlap/", self.end_overlap_view, "end_overlap"),
            *super().get_urls(),
        ]

    def rotate_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.must(request, ROTATE)
        subscription = self._one(request, object_id)
        if request.method != "POST":
            return self._rotation(request, subscription, {})
        problems = _problems(request.POST)
        if problems:
            return self._rotation(request, subscription, problems)
        try:
            keys = subscriptions.rotate_secret(
                subscription_id=subscription.pk,
                reason=reason_in(request),
                secret=request.POST.get("secret", "").strip(),
                signing=request.POST.get("signing", ""),
                overlap=timedelta(seconds=int(request.POST["overlap"])),
                instead_of=_seen(request.POST),
                **who(request),
            )
        except ValidationError as error:
            field = next(iter(error.message_dict))
            return self._rotation(request, subscription, {field: error.messages[0]})
        except subscriptions.Refused as refusal:
            self.message_user(request, str(refusal), messages.WARNING)
            return redirect(page_of(subscription))
        self.log_change(request, subscription, "Rotated its secret.")
        return self._rotation(request, subscription, {}, keys=keys)

    def end_overlap_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        self.must(request, ROTATE)
        subscription = self._one(request, object_id)
        replaced = [each for each in live_secrets(subscription.pk, datetime.now(UTC)) if each.expires_at]
        if request.method == "POST" and reason_in(request):
            ended = subscriptions.end_overlap(
                subscription_id=subscription.pk, reason=reason_in(request), **who(request)
            )
            if ended:
                self.log_change(request, subscription, "Ended the overlap of its secrets.")
            said = (
                "Only the newest secret signs from now on." if ended else "No older secret signed any more."
            )
            self.message_user(request, said, messages.SUCCESS if ended else messages.WARNING)
            return redirect(page_of(subscription))
        if request.method == "POST":
            self.message_user(request, "Say why: a reason is needed.", messages.ERROR)
        context = {
            "title": f"End the overlap of {subscription.name}'s secrets?",
            "subscription": subscription,
            "replaced": replaced,
            "back": page_of(subscription),
            "now": datetime.now(UTC),
        }
        return self.render(request, self.end_template, context)

    def _rotation(
        self,
        request: HttpRequest,
        subscription: Subscription,
        problems: Mapping[str, str],
        keys: Keys | None = None,
    ) -> HttpResponse:
        newest = subscriptions.newest_secret(subscription)
        context: dict[str, Any] = {
            "title": f"New secret of {subscription.name}"
            if keys
            else f"Rotate the secret of {subscription.name}?",
            "subscription": subscription,
            "secrets": live_secrets(subscription.pk, datetime.now(UTC)),
            "instead_of": newest.pk.hex if newest else "",
            "overlaps": OVERLAPS.items(),
            "chosen": request.POST.get("overlap", USUAL),
            "asked": request.POST,
            "problems": problems,
            "keys": keys,
            "plain": keys.secret if keys else "",
            "signings": Signing.choices,
            "signing": request.POST.get("signing", subscription.signing),
            "back": page_of(subscription),
            "now": datetime.now(UTC),
        }
        return self.render(request, self.rotate_template, context, status=400 if problems else 200)


def _problems(asked: Mapping[str, str]) -> dict[str, str]:
    problems = {}
    if not asked.get("reason", "").strip():
        problems["reason"] = "Say why: a reason is needed."
    if asked.get("overlap") not in OVERLAPS:
        problems["overlap"] = "Choose how long the old secret signs on."
    return problems


def _seen(asked: Mapping[str, str]) -> UUID:
    """The newest secret when the form was drawn; a form without one is as stale as can be."""
    try:
        return parse_uuid(asked.get("instead_of", ""))
    except ValueError:
        return UUID(int=0)
