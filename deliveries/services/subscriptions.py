"""Changes what a subscriber wants: each change is checked, recorded, and seen by every router and lane.

The front of all that is done to a subscription; `holds`, `proof`, `signing_keys`, `defaults` and
`subscription_rules` stand behind it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from deliveries.models import Lane, Subscription, SubscriptionSecret
from webhooks.models import Source, Subscriber
from webhooks.services import audit
from webhooks.services.versions import Seen, check_seen

from . import proof, signing_keys, subscription_rules
from .defaults import headers_of, schedule_of
from .holds import Refused, disable, disable_gone, enable, pause, resume
from .lanes import ring_on_commit, wake_sleeping
from .signing_keys import Keys

__all__ = [
    "MAX_OVERLAP",
    "Created",
    "Options",
    "Refused",
    "create_subscription",
    "disable",
    "disable_gone",
    "enable",
    "end_overlap",
    "newest_secret",
    "pause",
    "resume",
    "rotate_secret",
    "schedule_of",
    "update_subscription",
    "version_of",
]

OVERLAP = timedelta(days=1)  # how long a replaced secret still signs, unless asked otherwise
MAX_OVERLAP = timedelta(days=30)  # doors refuse more
CHANGED = "Somebody changed this subscription since you opened it; look again, then decide."
ROTATED = "Somebody rotated the secret since you opened this page, so nothing was done."
MAX_LIVE_SECRETS = 5  # each one adds a signature to every request

_record = partial(audit.record_change, "subscription")


class Options(TypedDict, total=False):
    """What may be set when a subscription is made, and changed afterwards. None: the hub's default."""

    name: str
    url: str
    source: Source | None
    event_types: Sequence[str]
    filter: str
    transform: str
    format: str
    prove: bool
    headers: Mapping[str, str]
    timeout_s: float | None
    retry_first_s: float | None
    retry_factor: float | None
    retry_cap_s: float | None
    retry_max_attempts: int | None
    retry_delays_s: Sequence[float] | None
    retry_jitter: float | None
    retry_max_age_s: float | None
    client_errors: str
    window: int | None
    rate_per_s: float | None
    ordering: str
    latest_only: bool
    circuit_failure_rate: float | None
    circuit_min_volume: int | None
    circuit_window_s: float | None
    circuit_cooldown_s: float | None
    circuit_cooldown_cap_s: float | None
    disable_after_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Created:
    subscription: Subscription
    secret: str  # in the clear, for the one time it is shown; empty where a public key alone is needed
    public_key: str = ""


def create_subscription(
    *,
    subscriber: Subscriber,
    actor: str,
    user: User | None = None,
    secret: str = "",
    signing: str = "",
    **options: Unpack[Options],
) -> Created:
    """Makes the subscription, its lane and its first signing keys together. Raises ValidationError.

    A secret that is given decides how it signs: a `whsk_…` signs v1a.
    """
    keys = signing_keys.make(secret=secret, signing=signing)
    subscription = Subscription(subscriber=subscriber, signing=keys.signing)
    changes = _apply(subscription, options)
    subscription_rules.check(subscription, changed=changes.after)
    with transaction.atomic():
        subscription.save(force_insert=True)
        Lane.objects.create(
            subscription=subscription, subscriber=subscriber, **proof.first_hold(subscription)
        )
        signing_keys.add(subscription, keys)
        _touch_routes()
        _record(
            "create", subscription.pk, actor, user, after={"subscriber": subscriber.name, **changes.after}
        )
    return Created(subscription=subscription, secret=keys.secret, public_key=keys.public_key)


def update_subscription(
    *,
    subscription_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    seen_at: datetime | None = None,
    seen: Seen = None,
    **options: Unpack[Options],
) -> Subscription:
    """Changes the given settings alone; deliveries already owed follow them. Raises ValidationError.

    `seen_at` is its `updated_at` when it was read: raises Refused when it has been changed since. `seen` are
    versions: raises Changed when it is none of them.
    """
    with transaction.atomic():
        subscription = Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
        check_seen(seen, version_of(subscription))
        if seen_at is not None and subscription.updated_at != seen_at:
            raise Refused(CHANGED)
        changes = _apply(subscription, options)
        if changes.after:
            subscription_rules.check(subscription, changed=changes.after)
            if "url" in changes.after:
                subscription.proved_at = None
            subscription.save(update_fields=[*changes.after, "proved_at", "updated_at"])
            _touch(subscription_id)
            if {"url", "prove"} & changes.after.keys():
                proof.follow(subscription)
            if "ordering" in changes.after:
                # A lane that slept until its head was due may owe others that are due now.
                wake_sleeping([subscription_id], timezone.now())
                ring_on_commit()
            _record("update", subscription_id, actor, user, reason, changes.before, changes.after)
    return subscription


def version_of(subscription: Subscription) -> str:
    """Of its settings; a hold and a secret are not among them."""
    return f"u{round(subscription.updated_at.timestamp() * 1_000_000)}"


def rotate_secret(
    *,
    subscription_id: UUID,
    actor: str,
    user: User | None = None,
    reason: str = "",
    secret: str = "",
    signing: str = "",
    overlap: timedelta = OVERLAP,
    instead_of: UUID | None = None,
) -> Keys:
    """Adds signing keys, lets the others sign on for `overlap`, and returns the new ones in the clear.

    It signs as it did, unless a secret or `signing` says otherwise. `instead_of` is the newest secret when it was
    read: raises Refused when there is a newer one.
    """
    present = Subscription.objects.values_list("signing", flat=True).get(pk=subscription_id)
    keys = signing_keys.make(secret=secret, signing=signing or ("" if secret else present))
    now = timezone.now()
    with transaction.atomic():
        subscription = Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
        live = subscription.secrets.filter(Q(expires_at=None) | Q(expires_at__gt=now))
        before: dict[str, Any] = {"hints": _hints(live)}
        if instead_of is not None and _newest(subscription) != instead_of:
            raise Refused(ROTATED)
        live.filter(Q(expires_at=None) | Q(expires_at__gt=now + overlap)).update(expires_at=now + overlap)
        if subscription.secrets.filter(expires_at__gt=now).count() + keys.count > MAX_LIVE_SECRETS:
            raise Refused(
                f"{MAX_LIVE_SECRETS} secrets sign already; wait for one to expire, or overlap less."
            )
        hints = signing_keys.add(subscription, keys)
        Subscription.objects.filter(pk=subscription_id).update(signing=keys.signing)
        _touch(subscription_id)
        after: dict[str, Any] = {"hint": hints[-1], "overlap_s": overlap.total_seconds()}
        if keys.signing != present:
            before["signing"], after["signing"] = present, keys.signing
        _record("rotate-secret", subscription_id, actor, user, reason, before, after)
    return keys


def end_overlap(*, subscription_id: UUID, actor: str, user: User | None = None, reason: str = "") -> int:
    """Lets the secrets that were replaced sign no more, from now on; says how many did until now."""
    now = timezone.now()
    with transaction.atomic():
        subscription = Subscription.objects.select_for_update(no_key=True).get(pk=subscription_id)
        replaced = subscription.secrets.filter(expires_at__gt=now)
        before, ended = {"hints": _hints(replaced)}, replaced.update(expires_at=now)
        if ended:
            _touch(subscription_id)
            _record("end-overlap", subscription_id, actor, user, reason, before, {"hints": []})
    return ended


def newest_secret(subscription: Subscription) -> SubscriptionSecret | None:
    """The one that replaces the others, without its sealed text."""
    return subscription.secrets.defer("sealed").order_by("-created_at", "-id").first()


def _newest(subscription: Subscription) -> UUID | None:
    newest = newest_secret(subscription)
    return newest.pk if newest else None


def _hints(secrets: QuerySet[SubscriptionSecret]) -> list[str]:
    return list(secrets.order_by("created_at", "id").values_list("hint", flat=True))


@dataclass(frozen=True, kw_only=True, slots=True)
class _Changes:
    before: dict[str, Any]
    after: dict[str, Any]


def _apply(subscription: Subscription, options: Options) -> _Changes:
    """Sets what differs, and says so in words fit for the audit: of headers the names alone."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for field, value in options.items():
        old, new = getattr(subscription, field), _stored(field, value)
        if old == new:
            continue
        before[field] = _shown(subscription, field)
        setattr(subscription, field, new)
        after[field] = _shown(subscription, field)
    return _Changes(before=before, after=after)


def _stored(field: str, value: Any) -> Any:
    if field == "headers":
        return json.dumps(value) if value else ""
    if field in ("event_types", "retry_delays_s") and value is not None:
        return list(value)
    return value


def _shown(subscription: Subscription, field: str) -> Any:
    if field == "headers":
        return sorted(headers_of(subscription))
    value = getattr(subscription, field)
    return value.slug if isinstance(value, Source) else value


def _touch(subscription_id: UUID) -> None:
    """Makes the lane's owner and every router read the subscription again."""
    Lane.objects.filter(pk=subscription_id).update(revision=F("revision") + 1)
    _touch_routes()


def _touch_routes() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO deliveries_routerevision (id, revision) VALUES (1, 2)"
            " ON CONFLICT (id) DO UPDATE SET revision = deliveries_routerevision.revision + 1"
        )
