"""A person's order over a frozen set of deliveries, to send them again or to let them rest, and how far it is."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from webhooks.ids import uuid7
from webhooks.models import Event

from .delivery import Delivery
from .subscription import Subscription

RECENT = 50  # verdicts that a replay is judged by


class ReplayState(models.TextChoices):
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    STOPPED = "stopped", "Stopped by itself"
    CANCELLED = "cancelled", "Cancelled"
    FINISHED = "finished", "Finished"


class Verb(models.TextChoices):
    """What is to be done to the deliveries."""

    REPLAY = "replay", "Replay"
    DISCARD = "discard", "Discard"


class Replay(models.Model):
    """Its counts are those of its items, changed in the transactions that move them; they outlive the items."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    verb = models.CharField(max_length=10, choices=Verb, default=Verb.REPLAY)
    state = models.CharField(max_length=10, choices=ReplayState, default=ReplayState.RUNNING)
    ordered_by = models.CharField(max_length=200)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    reason = models.TextField(blank=True)
    criteria = models.JSONField(
        default=dict, blank=True, help_text="The deliveries query, with its bounds frozen."
    )
    preset = models.CharField(max_length=10, blank=True)
    newest_only = models.BooleanField(default=False, help_text="Of each entity only its newest event.")
    leaves_out_held = models.BooleanField(default=False, help_text="Nothing of lanes that do not move.")
    asked = models.CharField(
        max_length=64, blank=True, help_text="A digest of what was asked for, before its bounds were frozen."
    )
    summary = models.JSONField(
        default=dict, blank=True, help_text="The estimate, as it was when this started."
    )
    rate_per_s = models.FloatField(null=True, blank=True, help_text="To each subscription; empty: its own.")
    exceeds_limits = models.BooleanField(default=False, help_text="Above what a subscription allows.")
    sends_one_first = models.BooleanField(default=False)
    stops_itself = models.BooleanField(default=False)
    wave = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        help_text="How deep in its cascade it sends just now, of one that sends parents first; empty: of any other.",
    )
    total = models.PositiveIntegerField(default=0)
    admitted = models.PositiveIntegerField(default=0, help_text="Under way: pending, or in flight.")
    delivered = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    skipped = models.PositiveIntegerField(default=0)
    discarded = models.PositiveIntegerField(default=0)
    returned = models.PositiveIntegerField(default=0, help_text="Given back by cancelling.")
    recent = models.CharField(max_length=RECENT, blank=True, help_text="The last verdicts: . good, x failed.")
    stop_reason = models.CharField(max_length=300, blank=True)
    answers = models.JSONField(default=list, blank=True, help_text="The last answers before it stopped.")
    created_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state__in=ReplayState.values), name="replay_state_known"
            ),
            models.CheckConstraint(condition=models.Q(verb__in=Verb.values), name="replay_verb_known"),
            models.CheckConstraint(
                condition=models.Q(rate_per_s__isnull=True) | models.Q(rate_per_s__gt=0),
                name="replay_rate_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    total__gte=models.F("admitted")
                    + models.F("delivered")
                    + models.F("failed")
                    + models.F("skipped")
                    + models.F("discarded")
                    + models.F("returned")
                ),
                name="replay_counts_add_up",
            ),
        ]
        indexes = [
            # Serves "what is under way?": the side bar, the dispatchers, and whoever is about to start another.
            models.Index(
                fields=["asked"],
                name="replay_under_way_idx",
                condition=models.Q(state__in=["running", "paused", "stopped"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verb} by {self.ordered_by}"

    @property
    def done(self) -> int:
        return self.delivered + self.failed + self.skipped + self.discarded

    @property
    def waiting(self) -> int:
        return self.total - self.admitted - self.done - self.returned


class ReplayLane(models.Model):
    """The part of a replay that goes through one lane. Its owner looks here for what it may admit."""

    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="lanes", db_index=False)
    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="+", db_index=False)
    total = models.PositiveIntegerField(default=0)
    read_to = models.BigIntegerField(default=0, help_text="The last item that was read to be carried out.")
    is_proved = models.BooleanField(default=False, help_text="Its first delivery got a 2xx.")
    is_done = models.BooleanField(default=False, help_text="No item waits any more.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["replay", "subscription"], name="replay_lane_pair_unique"),
        ]
        indexes = [
            # Serves a lane's owner: which replays may have items for it?
            models.Index(
                fields=["subscription"], name="replay_lane_open_idx", condition=models.Q(is_done=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.total} of {self.replay_id} for {self.subscription_id}"


class ReplayPack(models.Model):
    """The next so many items of a replay in the form that they are frozen in: three ids for each, end to end.

    Two hundred thousand rows with their indexes take seconds to write, and their ids a fraction of one. Packs are made
    into items soon after, and before that by whoever has to know them; see services.replay_packs.
    """

    id = models.BigAutoField(primary_key=True)  # rises within a replay: the oldest events come first
    replay = models.ForeignKey(Replay, on_delete=models.CASCADE, related_name="packs", db_index=False)
    items = models.BinaryField()

    class Meta:
        default_permissions = ()
        indexes = [
            # Serves "which pack is next?"
            models.Index(fields=["replay", "id"], name="replay_pack_next_idx"),
        ]

    def __str__(self) -> str:
        return f"items of {self.replay_id}"


class ItemState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    ADMITTED = "admitted", "Admitted"  # its delivery is pending again
    DELIVERED = "delivered", "Delivered"
    FAILED = "failed", "Failed again"  # at its first attempt; its delivery goes on by its own schedule
    SKIPPED = "skipped", "Skipped"
    DISCARDED = "discarded", "Discarded"


class ReplayItem(models.Model):
    """One event owed to one subscription. In its lane its number rises with the event's id: the oldest come first.

    No constraint on what it names: two hundred thousand are written soon after one another, of rows that were just
    read, and four checks for each would be most of that time. Retention drops items after what they name.
    """

    id = models.BigAutoField(primary_key=True)
    replay = models.ForeignKey(
        Replay, on_delete=models.CASCADE, related_name="items", db_index=False, db_constraint=False
    )
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    subscription = models.ForeignKey(
        Subscription, on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    delivery = models.ForeignKey(
        Delivery,
        null=True,
        blank=True,
        on_delete=models.DO_NOTHING,
        related_name="+",
        db_index=False,
        db_constraint=False,
        help_text="Empty until it is made, where the event was never owed to the subscription.",
    )
    state = models.CharField(max_length=10, choices=ItemState, default=ItemState.WAITING)
    note = models.CharField(max_length=40, blank=True, help_text="Why it was skipped.")
    settled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            # One active replay per delivery; for what it reads it must name the states one by one.
            models.UniqueConstraint(
                fields=["event", "subscription"],
                name="replay_item_active_unique",
                condition=models.Q(state__in=["waiting", "admitted"]),
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=ItemState.values), name="replay_item_state_known"
            ),
        ]
        indexes = [
            # Serves admission: a lane's next items after the last one read; and the filter for one replay.
            models.Index(fields=["replay", "subscription", "id"], name="replay_item_order_idx"),
            # Serves settlement: was this delivery sent by a replay?
            models.Index(
                fields=["delivery"], name="replay_item_admitted_idx", condition=models.Q(state="admitted")
            ),
            # Serves admission's other question: how many of this lane are under way?
            models.Index(
                fields=["subscription"],
                name="replay_item_under_way_idx",
                condition=models.Q(state="admitted"),
            ),
            # Serves a delivery's timeline: which replays have sent it?
            models.Index(
                fields=["delivery"],
                name="replay_item_sent_idx",
                condition=models.Q(settled_at__isnull=False),
            ),
            # Serves the throughput of the last minute.
            models.Index(
                fields=["replay", "settled_at"],
                name="replay_item_settled_idx",
                condition=models.Q(settled_at__isnull=False),
            ),
            # Serves the live list of what failed again.
            models.Index(
                fields=["replay", "settled_at"],
                name="replay_item_failed_idx",
                condition=models.Q(state="failed"),
            ),
        ]

    def __str__(self) -> str:
        return self.state
