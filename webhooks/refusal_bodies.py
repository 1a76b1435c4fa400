"""How refused requests are told as JSON, credentials masked, and by what their list narrows. It changes nothing."""

import base64
from typing import Any, TypeVar, cast

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from webhooks.deciders.redaction import mask_body
from webhooks.deciders.refusal_query import Kept, RefusalQuery
from webhooks.deciders.refusal_words import words_of
from webhooks.ids import first_id_at
from webhooks.models import Refusal, Source
from webhooks.rest import MadeBetween, PublicId
from webhooks.selectors.refusals import matching
from webhooks.serializers import BySlug, Reason
from webhooks.services.accept import Trial

M = TypeVar("M", bound=Model)


class RefusalBrief(serializers.Serializer[Refusal]):
    id = PublicId("refusal", help_text="The refusal's id.")
    source = BySlug("source", read_only=True, help_text="The source it came to, by its slug.")  # type: ignore[assignment]
    reason = serializers.CharField(help_text="Why it was refused, such as `signature-mismatch`.")
    detail = serializers.CharField(help_text="The same in a sentence.")
    claimed_id = serializers.CharField(
        help_text="The sender's id, as the request has it; nothing vouches for it."
    )
    received_at = serializers.DateTimeField(help_text="When it came.")
    remote_address = serializers.CharField(allow_null=True, help_text="From where it came.")
    method = serializers.CharField(help_text="By which method.")
    size = serializers.IntegerField(help_text="Bytes that are kept of it, its body and headers.")
    accepted_at = serializers.DateTimeField(allow_null=True, help_text="When it was accepted after all.")
    event = PublicId(
        "event",
        source="event_id",
        allow_null=True,
        help_text="The event it became, or the one whose id it came with.",
    )


class TrialBody(serializers.Serializer[Trial]):
    """What would come of accepting it now."""

    prospect = serializers.CharField(
        help_text="`new` (it becomes an event), `duplicate` (its event is here), `stale` or `conflict` (it becomes one "
        "when that is waived), `refused`, or `handshake` (it only asked)."
    )
    sentence = serializers.CharField(help_text="The same in words, with what is in the way.")
    needs_reason = serializers.BooleanField(help_text="Whether something has to be waived, with a reason.")


class RefusalWhole(RefusalBrief):
    """`trial` of the context is what would come of accepting it now, or None."""

    cause = serializers.SerializerMethodField(help_text="What usually causes this, and what mends it.")
    query = serializers.CharField(help_text="The query string; sensitive values are masked.")
    headers = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()),
        help_text="Pairs of name and value; credentials are masked.",
    )
    body = serializers.SerializerMethodField(
        help_text="The body as text, secrets that a provider keeps in it masked; null where it is no UTF-8."
    )
    body_base64 = serializers.SerializerMethodField(help_text="The same in base64, where it is no UTF-8.")
    trial = serializers.SerializerMethodField(
        help_text="What would come of accepting it now. For operators; null once it was accepted."
    )

    def get_cause(self, refusal: Refusal) -> str:
        return words_of(refusal.reason).cause

    def get_body(self, refusal: Refusal) -> str | None:
        try:
            return mask_body(bytes(refusal.body)).decode()
        except UnicodeDecodeError:
            return None

    def get_body_base64(self, refusal: Refusal) -> str | None:
        if self.get_body(refusal) is not None:
            return None
        return base64.b64encode(mask_body(bytes(refusal.body))).decode()

    @extend_schema_field(TrialBody(allow_null=True))
    def get_trial(self, refusal: Refusal) -> dict[str, Any] | None:
        trial: Trial | None = self.context["trial"]
        return dict(TrialBody(trial).data) if trial else None


class RefusalAccepted(RefusalWhole):
    detail = serializers.CharField(help_text="What was made of it, in a sentence.")


class RefusalFilters(MadeBetween):
    state = serializers.ChoiceField(
        choices=[each.value for each in Kept],
        default=Kept.ALL.value,
        help_text="`waiting` for a person, `accepted` after all, or `all`.",
    )
    source = BySlug(  # type: ignore[assignment]
        "source",
        queryset=Source.objects.all(),
        required=False,
        help_text="Only of this source: its slug or id.",
    )
    reason = serializers.CharField(required=False, max_length=40, help_text="Only refused for this.")
    claimed_id = serializers.CharField(
        required=False,
        max_length=500,
        help_text="Only with this sender's id: did it arrive, and was refused?",
    )

    def narrow(self, queryset: QuerySet[M, Any]) -> QuerySet[M, Any]:
        asked = self.validated_data
        start, end = asked.get("since"), asked.get("until")
        query = RefusalQuery(
            kept=Kept(asked["state"]),
            sources=(asked["source"].slug,) if "source" in asked else (),
            reasons=(asked["reason"],) if "reason" in asked else (),
        )
        found = matching(query, cast(QuerySet[Refusal], queryset))
        if "claimed_id" in asked:
            found = found.filter(claimed_id=asked["claimed_id"])
        found = found.filter(pk__gte=first_id_at(start)) if start else found
        found = found.filter(pk__lt=first_id_at(end)) if end else found
        return cast(QuerySet[M, Any], found)


class Acceptance(Reason):
    any_age = serializers.BooleanField(
        default=False, help_text="Waives that it was too old, or too new, when it came. Needs a reason."
    )
    as_own = serializers.BooleanField(
        default=False,
        help_text="Makes it an event of its own, though its id came before with another body. Needs a reason.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["any_age"] or attrs["as_own"]) and not attrs.get("reason", "").strip():
            raise ValidationError({"reason": ["Say why: a waiver needs a reason."]})
        return attrs
