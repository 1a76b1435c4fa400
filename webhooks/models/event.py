"""What came in: the event, its exact bytes, and the keys that keep it from being taken twice."""

from uuid import uuid4

from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7

from .party import Subscriber
from .source import Source


class EventState(models.TextChoices):
    SCHEDULED = "scheduled", "Scheduled"  # published for later; no router sees it before its time
    RECEIVED = "received", "Received"  # stored; waits for a router
    ROUTED = "routed", "Routed"  # at least one delivery is owed
    UNMATCHED = "unmatched", "Unmatched"  # no subscription wanted it; kept, so a later one can ask for it
    QUARANTINED = "quarantined", "Quarantined"  # set aside for a person: a cascade guard, or routing failed
    DISCARDED = "discarded", "Discarded"  # by a person, out of quarantine; it was never routed
    CANCELLED = "cancelled", "Cancelled"  # taken back before its time had come; it was never routed


class Event(models.Model):
    """One fact, stored once per source and sender's id."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    # No constraint here, nor at the key and the body: a receipt is one statement, which reads the source it
    # names, and three checks more on one busy row would be a tenth of its time.
    source = models.ForeignKey(
        Source, on_delete=models.PROTECT, related_name="events", db_index=False, db_constraint=False
    )
    external_id = models.CharField(max_length=500, help_text="The sender's id, or the body's fingerprint.")
    event_type = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=12, choices=EventState, default=EventState.RECEIVED)
    received_at = models.DateTimeField(default=timezone.now)
    routed_at = models.DateTimeField(null=True, blank=True)
    occurred_at = models.DateTimeField(null=True, blank=True)
    size = models.PositiveIntegerField(help_text="Bytes of the body.")
    verified_by = models.CharField(
        max_length=100, blank=True, help_text="Scheme, and the hint of the secret that matched."
    )
    operation_id = models.CharField(max_length=500, blank=True)
    entity = models.CharField(max_length=500, blank=True)
    entity_version = models.BigIntegerField(null=True, blank=True)
    trace_id = models.UUIDField(default=uuid4, help_text="Names the cascade this event belongs to.")
    cause_id = models.UUIDField(null=True, blank=True, help_text="The delivery that caused this event.")
    depth = models.PositiveSmallIntegerField(default=0, help_text="Hops from the cascade's first event.")
    target = models.ForeignKey(
        Subscriber,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text="The one subscriber it is for; empty: whoever wants it.",
    )
    deliver_at = models.DateTimeField(
        null=True, blank=True, help_text="When it is to be routed; empty: at once."
    )

    class Meta:
        permissions = [
            ("view_payload", "Can view payloads: bodies and header values"),
            ("route_event_again", "Can route events again"),
            ("cancel_event", "Can cancel events published for later"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(state__in=EventState.values), name="event_state_known"),
            models.CheckConstraint(
                condition=models.Q(
                    routed_at__isnull=True,
                    state__in=["scheduled", "received", "quarantined", "discarded", "cancelled"],
                )
                | models.Q(routed_at__isnull=False, state__in=["routed", "unmatched"]),
                name="event_routed_at_once_routed",
            ),
        ]
        indexes = [
            # Serves the router's sweep: WHERE state = 'received' ORDER BY id.
            models.Index(fields=["id"], name="event_unrouted_idx", condition=models.Q(state="received")),
            # Serves "whose time has come?", which is asked each second.
            models.Index(
                fields=["deliver_at"], name="event_scheduled_idx", condition=models.Q(state="scheduled")
            ),
            # Serves "this source's latest events".
            models.Index(fields=["source", "id"], name="event_source_idx"),
            # Serves a pasted sender's id.
            models.Index(fields=["external_id"], name="event_external_id_idx"),
            # Serves "what was told of this order?"; most events name no entity.
            models.Index(fields=["entity", "id"], name="event_entity_idx", condition=~models.Q(entity="")),
            # Serve the console's filters by type, and by the states that are rare.
            models.Index(fields=["event_type", "id"], name="event_type_idx"),
            models.Index(
                fields=["state", "id"],
                name="event_aside_idx",
                condition=models.Q(state__in=["unmatched", "quarantined"]),
            ),
            models.Index(
                fields=["state", "id"],
                name="event_let_go_idx",
                condition=models.Q(state__in=["discarded", "cancelled"]),
            ),
            # Serves "the events of this cascade", all but its first.
            models.Index(
                fields=["trace_id", "id"], name="event_caused_idx", condition=models.Q(cause_id__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return self.external_id


class EventBody(models.Model):
    """The exact bytes that came. Apart from the event, since dropping it must not rewrite that row."""

    event = models.OneToOneField(
        Event, on_delete=models.CASCADE, primary_key=True, related_name="content", db_constraint=False
    )
    body = models.BinaryField()
    content_type = models.CharField(max_length=200)
    headers = models.JSONField(help_text="Pairs of name and value; sensitive values are masked.")
    # Beside the bytes, since it is read with them, once for each delivery.
    tracestate = models.CharField(
        max_length=512,
        blank=True,
        default="",
        db_default="",
        help_text="Other vendors' entries, which go out again with its deliveries.",
    )

    class Meta:
        verbose_name_plural = "event bodies"

    def __str__(self) -> str:
        return str(self.event_id)


class KeyKind(models.TextChoices):
    ID = "id", "Event id"
    OPERATION = "operation", "Operation id"
    FINGERPRINT = "fingerprint", "Body fingerprint"


class EventKey(models.Model):
    """Remembers that an id was taken. It outlives the event, so that a late repeat is still known.

    An event's own key is found by its digest, and retention reads ids, which tell the time.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    source = models.ForeignKey(
        Source, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=12, choices=KeyKind)
    digest = models.BinaryField(max_length=32, help_text="SHA-256 of the id.")
    event_id = models.UUIDField(help_text="No foreign key: the key outlives the event.")
    body_digest = models.BinaryField(max_length=32, help_text="Tells a repeat from a conflict.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    duplicates = models.PositiveIntegerField(default=0)
    conflicts = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["source", "kind", "digest"], name="event_source_key_unique"),
            models.CheckConstraint(condition=models.Q(kind__in=KeyKind.values), name="event_key_kind_known"),
        ]
        indexes = [
            # Serve "which events came more than once?", and with another body; a first receipt writes in neither.
            models.Index(
                fields=["event_id"], name="event_key_repeated_idx", condition=models.Q(duplicates__gt=0)
            ),
            models.Index(
                fields=["event_id"], name="event_key_conflict_idx", condition=models.Q(conflicts__gt=0)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {bytes(self.digest).hex()[:12]}"
