"""What is so bad, or so new, that it stands above everything else. It decides, and asks nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.urls import reverse

from deliveries.models import Severity
from deliveries.selectors.overview import MOST_ALERTS, Overview, Running
from hub import ages, workers

from .links import subscription

OLD_S: Final = 300  # what has been due for longer, in a lane that moves, should have been sent
LATE_S: Final = 60  # slices are at most seconds behind what was settled


@dataclass(frozen=True, kw_only=True, slots=True)
class Banner:
    """`tone` is info, warn or bad. `links` are (words, address)."""

    tone: str
    icon: str
    head: str
    words: str
    links: Sequence[tuple[str, str]] = ()


def banners(told: Overview, seats: Sequence[workers.SeatRow], now: datetime) -> Iterator[Banner]:
    """Only what is so; the worst first.

    That nobody dispatches is asked here and now, besides the rule on it: a cluster that is down looks at no rule.
    """
    queue, oldest = reverse("admin:queue"), told.waiting.oldest_due_at
    if not any(seat.state == "working" for seat in seats):
        yield Banner(
            tone="bad", icon="alert", head="No dispatcher is at work.",
            words="Nothing is sent until one is. " + _last_seen(seats, now), links=[("Queue and workers", queue)],
        )  # fmt: skip
    elif oldest is not None and (now - oldest).total_seconds() > OLD_S:
        yield Banner(
            tone="warn", icon="clock", head=f"Work waits: the oldest delivery was due {ages.told(oldest, now)}.",
            words="Its lane may be slower than what it is owed.", links=[("Queue and workers", queue)],
        )  # fmt: skip
    if (now - told.folded_until).total_seconds() > LATE_S:
        words = f"What was settled since {told.folded_until:%H:%M:%S} UTC is not in them yet."
        yield Banner(tone="warn", icon="clock", head="The figures are late.", words=words)
    if told.alerts:
        yield _alerts(told)
    if told.opened:
        names = [(name, subscription(key)) for key, name in told.opened[:3]]
        more = len(told.opened) - len(names)
        head = "A circuit" if len(told.opened) == 1 else f"{len(told.opened)} circuits"
        yield Banner(
            tone="bad", icon="plug", head=f"{head} opened in the last 15 minutes.",
            words=f"{more} more are listed below." if more else "", links=names,
        )  # fmt: skip
    yield from (_replay(each) for each in told.replays)


def _last_seen(seats: Sequence[workers.SeatRow], now: datetime) -> str:
    seen = max((seat.seen_at for seat in seats if seat.seen_at), default=None)
    return f"One was last seen {ages.told(seen, now)}." if seen else ""


def _alerts(told: Overview) -> Banner:
    """The worst in words; the rest is a click away."""
    number = f"{MOST_ALERTS}+" if told.open_alerts > MOST_ALERTS else str(told.open_alerts)
    is_critical = told.alerts[0].severity == Severity.CRITICAL
    return Banner(
        tone="bad" if is_critical else "warn",
        icon="bell",
        head="An alert is open." if told.open_alerts == 1 else f"{number} alerts are open.",
        words=" ".join(alert.summary for alert in told.alerts),
        links=[("Alerts", reverse("admin:deliveries_alert_changelist"))],
    )


def _replay(running: Running) -> Banner:
    replay = running.replay
    rate = f" at {replay.rate_per_s:g}/s" if replay.rate_per_s else ""
    reason = f" {replay.reason}" if replay.reason else ""
    return Banner(
        tone="info",
        icon="replay",
        head="Replay in progress." if replay.state == "running" else "A replay is paused.",
        words=f"{running.done:,} of {running.total:,}{rate}, started by {replay.ordered_by}.{reason}",
        links=[("Open replay", reverse("admin:deliveries_replay_change", args=[replay.pk]))],
    )
