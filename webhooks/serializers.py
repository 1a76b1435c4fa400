"""How the inbound side reads and writes itself as JSON. Secrets go in and never come out."""

import base64
from typing import Any

from django.db.models import Q, QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.fields import empty

from webhooks.authentication import KeyHolder
from webhooks.deciders.identify import MAX_ENTITY, MAX_VERSION
from webhooks.deciders.pinning import LONGEST, Pinned, pinned
from webhooks.deciders.schemes import choices
from webhooks.deciders.wording import is_storable
from webhooks.ids import parse_id
from webhooks.models import Event, Source, Subscriber
from webhooks.rest import ById, Json, PublicId, Strict, holder_of


class Reason(Strict):
    reason = serializers.CharField(
        required=False, allow_blank=True, max_length=500, help_text="Why; it is kept in the audit."
    )


class GivenReason(Strict):
    """Of an act that the console does not carry out without a reason, either."""

    reason = serializers.CharField(
        max_length=500,
        help_text="Why; it is kept in the audit. Needed.",
        error_messages=dict.fromkeys(("required", "blank", "null"), "Say why: a reason is needed."),
    )


class BySlug(ById):
    """A source, by its slug or its public id; shown as its slug."""

    def find(self, queryset: QuerySet[Any], text: str) -> Source | None:
        return find_source(queryset, text)

    def missing(self) -> str:
        holder = holder_of(self)
        is_bound = holder is not None and holder.source_ids
        return "There is no such source among those of this API key." if is_bound else super().missing()

    def within(self, queryset: QuerySet[Any], holder: KeyHolder) -> QuerySet[Any]:
        """A publisher's own, where it is bound to some; a subscriber's own, and those that are nobody's."""
        if holder.is_subscriber:
            return queryset.filter(Q(subscriber=None) | Q(subscriber=holder.subscriber_id))
        return queryset.filter(pk__in=holder.source_ids) if holder.source_ids else queryset

    def to_representation(self, value: Any) -> str:
        return str(value.slug)

    def use_pk_only_optimization(self) -> bool:
        return False


class OwnSubscriber(ById):
    """A subscriber by its public id. Who holds a subscriber's key can name that one alone, and need not."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("subscriber", **kwargs)

    def within(self, queryset: QuerySet[Any], holder: KeyHolder) -> QuerySet[Any]:
        return queryset.filter(pk=holder.subscriber_id) if holder.is_subscriber else queryset

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        holder = holder_of(self)
        if data is empty and holder is not None and holder.is_subscriber:
            return True, self._nameable().get()
        return super().validate_empty_values(data)


def find_source(sources: QuerySet[Source], text: str) -> Source | None:
    """The slug is tried first, since 32 hex digits can be one. What cannot be stored names nothing."""
    if not is_storable(text):
        return None
    found = sources.filter(slug=text).first()
    if found is None:
        try:
            return sources.filter(pk=parse_id("source", text)).first()
        except ValueError:
            return None
    return found


class SecretHint(serializers.Serializer[Any]):
    """A secret as it may be shown: its last four characters, and until when it is live."""

    hint = serializers.CharField(read_only=True)
    created_at = serializers.DateTimeField(read_only=True)
    expires_at = serializers.DateTimeField(read_only=True, allow_null=True)


class SourceSecretHint(SecretHint):
    """With what it is for, and when it was last of use."""

    purpose = serializers.CharField(read_only=True)
    matches = serializers.IntegerField(read_only=True)
    last_matched_at = serializers.DateTimeField(read_only=True, allow_null=True)


class PinnedBody(serializers.Serializer[Pinned]):
    """A pinned certificate, as people know it again."""

    subject = serializers.CharField(help_text="Whom the certificate names.")
    fingerprint = serializers.CharField(help_text="The SHA-256 of the certificate.")
    expires_at = serializers.DateTimeField(help_text="When it ends; from then on, everything is refused.")


class SourceBody(Strict):
    id = PublicId("source", read_only=True)
    name = serializers.CharField(max_length=200)
    slug = serializers.CharField(max_length=63)
    scheme = serializers.ChoiceField(choices=choices(), default="none")
    secret = serializers.CharField(write_only=True, required=False, max_length=5_000)
    handshake_token = serializers.CharField(write_only=True, required=False, max_length=500)
    is_enabled = serializers.BooleanField(required=False)
    subscriber = ById("subscriber", queryset=Subscriber.objects.all(), required=False, allow_null=True)
    id_from = serializers.CharField(required=False, allow_blank=True, max_length=500)
    type_from = serializers.CharField(required=False, allow_blank=True, max_length=500)
    options = Json(required=False)
    expected_every_s = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=2_147_483_647
    )
    pinned_certificate = serializers.CharField(required=False, allow_blank=True, max_length=LONGEST)
    pinned = serializers.SerializerMethodField()
    business_keys = Json(required=False)
    secrets = SourceSecretHint(many=True, read_only=True)
    last_event_at = serializers.DateTimeField(read_only=True, allow_null=True)
    created_at = serializers.DateTimeField(read_only=True)

    @extend_schema_field(PinnedBody(allow_null=True))
    def get_pinned(self, source: Source) -> Any:
        known = pinned(source.pinned_certificate)
        return PinnedBody(known).data if known else None


class SubscriberBody(Strict):
    id = PublicId("subscriber", read_only=True)
    name = serializers.CharField(max_length=200)
    created_at = serializers.DateTimeField(read_only=True)


class EventBrief(serializers.Serializer[Event]):
    id = PublicId("event")
    event_id = serializers.CharField(source="external_id")
    event_type = serializers.CharField()
    source = BySlug("source", read_only=True)  # type: ignore[assignment]
    state = serializers.CharField()
    received_at = serializers.DateTimeField()
    occurred_at = serializers.DateTimeField(allow_null=True)
    subscriber = PublicId(
        "subscriber", source="target_id", allow_null=True, help_text="The one subscriber it is for, if it is."
    )
    deliver_at = serializers.DateTimeField(
        allow_null=True, help_text="When it is to be routed, if it was published for later."
    )
    size = serializers.IntegerField()


class EventWhole(EventBrief):
    """With the body as text, or in base64 where it is no UTF-8; both are null once retention dropped it."""

    entity = serializers.CharField()
    entity_version = serializers.IntegerField(allow_null=True)
    verified_by = serializers.CharField()
    content_type = serializers.SerializerMethodField()
    body = serializers.SerializerMethodField()
    body_base64 = serializers.SerializerMethodField()

    def get_content_type(self, event: Event) -> str | None:
        return event.content.content_type if hasattr(event, "content") else None

    def get_body(self, event: Event) -> str | None:
        try:
            return _bytes(event).decode() if hasattr(event, "content") else None
        except UnicodeDecodeError:
            return None

    def get_body_base64(self, event: Event) -> str | None:
        if not hasattr(event, "content") or self.get_body(event) is not None:
            return None
        return base64.b64encode(_bytes(event)).decode()


class Publication(Strict):
    """What a publisher says happened."""

    source = BySlug("source", queryset=Source.objects.all())  # type: ignore[assignment]
    event_id = serializers.CharField(required=False, max_length=500)
    event_type = serializers.CharField(max_length=200)
    entity = serializers.CharField(required=False, max_length=MAX_ENTITY)
    entity_version = serializers.IntegerField(required=False, min_value=0, max_value=MAX_VERSION)
    data = serializers.JSONField(allow_null=True)  # type: ignore[assignment]
    subscriber = OwnSubscriber(
        queryset=Subscriber.objects.all(),
        source="target",
        required=False,
        help_text="The one subscriber it is for; left out: everybody whose subscriptions want it.",
    )
    deliver_at = serializers.DateTimeField(
        required=False,
        help_text="When it is routed, at most 30 days ahead, to those who want it then; past or left out: now. "
        "Until then it can be cancelled.",
    )


class Published(serializers.Serializer[Any]):
    """What became of a publication."""

    id = serializers.CharField(help_text="The event's id, whichever publication made it.")
    event_id = serializers.CharField()
    status = serializers.ChoiceField(
        choices=["accepted", "duplicate"],
        help_text="`duplicate`: it was published before, with the same data.",
    )
    cancelled = serializers.BooleanField(
        required=False, help_text="True, and there, where it is a duplicate that was cancelled since."
    )
    deprecated = serializers.ListField(
        child=serializers.CharField(),
        required=False,
        help_text="What was used and is on its way out, a sentence each; there when there is any.",
    )


def _bytes(event: Event) -> bytes:
    return bytes(event.content.body)
