"""How API keys are told as JSON: never themselves, but the once when one is made. It changes nothing."""

from django.utils import timezone
from rest_framework import serializers

from webhooks.models import ApiKey, Role, Source, Subscriber
from webhooks.rest import MadeBetween, PublicId, Strict
from webhooks.serializers import BySlug, OwnSubscriber


class KeyBody(Strict):
    id = PublicId("apikey", read_only=True, help_text="The key's id; it opens nothing.")
    name = serializers.CharField(
        required=False, allow_blank=True, max_length=200, help_text="Whose it is, or what for."
    )
    role = serializers.ChoiceField(choices=Role.choices, help_text="What it may.")
    subscriber = OwnSubscriber(
        queryset=Subscriber.objects.all(),
        required=False,
        allow_null=True,
        help_text="Whose it is; for the role subscriber alone, which needs one.",
    )
    sources = BySlug(
        "source",
        queryset=Source.objects.all(),
        many=True,
        required=False,
        help_text="Where it may publish; for the role publisher alone. None: everywhere.",
    )
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="From when on it opens nothing; null: it never expires."
    )
    begins_with = serializers.CharField(
        source="shown_prefix", read_only=True, help_text="Its first characters, to recognise it by."
    )
    state = serializers.SerializerMethodField(help_text="`live`, `expired` or `revoked`.")
    created_at = serializers.DateTimeField(read_only=True, help_text="When it was made.")
    last_used_at = serializers.DateTimeField(
        read_only=True, allow_null=True, help_text="When it was last used, to the minute."
    )
    revoked_at = serializers.DateTimeField(read_only=True, allow_null=True, help_text="When it was revoked.")

    def get_state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return "revoked"
        return "expired" if key.expires_at and key.expires_at <= timezone.now() else "live"


class KeyMade(KeyBody):
    key = serializers.CharField(read_only=True, help_text="The key itself. It is not shown again.")


class KeyFilters(MadeBetween):
    role = serializers.ChoiceField(choices=Role.choices, required=False, help_text="Only of this role.")
    revoked = serializers.BooleanField(
        source="revoked_at__isnull", required=False, help_text="Whether it was revoked."
    )

    def validate_revoked(self, is_revoked: bool) -> bool:
        return not is_revoked  # as the lookup has it
