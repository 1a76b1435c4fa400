"""What django-q2 runs for the outbound side: thin doors, which never raise, since a failed task is no plan."""

import asyncio
import gc
import logging
import os
import resource
import time
from datetime import UTC, datetime

from django.conf import settings
from django.db import Error, connections
from django_q.tasks import async_task

from deliveries.dispatcher import seats, stopping
from deliveries.dispatcher.loop import Dispatcher
from deliveries.services import (
    alert_outbox,
    alerting,
    bulk_discards,
    proving,
    replay_packs,
    retention,
    sender_news,
)
from deliveries.services.endurance import contain_failing
from deliveries.services.issues import end_ignoring
from webhooks import spans

log = logging.getLogger(__name__)

# Name, function, minutes between two runs. Dispatchers queue their own successors; the schedule is for when
# one could not. A function that stands here twice is run at even distances: the shortest period is a minute.
SCHEDULES = (
    ("weir: dispatch", "deliveries.tasks.dispatch", 1),
    ("weir: contain", "deliveries.tasks.contain", 1),
    ("weir: prove", "deliveries.tasks.prove", 1),
    ("weir: confirm", "deliveries.tasks.confirm", 1),
    ("weir: discard", "deliveries.tasks.discard", 1),
    ("weir: unpack", "deliveries.tasks.unpack", 1),
    ("weir: watch", "deliveries.tasks.watch", 1),
    ("weir: watch, half a minute on", "deliveries.tasks.watch", 1),
    ("weir: retain", "deliveries.tasks.retain", 60),
)


def dispatch() -> None:
    """Dispatches for one slice, or ends at once when every seat is taken."""
    taken_at, parent = time.monotonic(), os.getppid()
    _allow_many_sockets()
    _collect_rarely()
    try:
        holding = seats.sit()
        if holding is None:
            return
        dispatcher = Dispatcher(
            holding=holding,
            taken_at=taken_at,
            should_stop=lambda: stopping.should_stop(parent),
            slice_s=settings.HUB_SLICE_S,
        )
        asyncio.run(dispatcher.run())
    except Error as error:
        log.warning("A dispatcher could not begin: %s", str(error).strip())
    finally:
        connections.close_all()
        spans.flush()


def _allow_many_sockets() -> None:
    """A thousand requests in flight need more files than a shell's usual 1,024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _collect_rarely() -> None:
    """Requests in flight are thousands of objects that all live a while; looking through them for cycles again
    and again took a third of a dispatcher's time (measured: 560 to 690 µs a delivery, not 365 to 410)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


def contain() -> None:
    """Warns of lanes that fail for too long, and disables them; opens issues that were ignored until now."""
    now = datetime.now(UTC)
    try:
        looked = contain_failing(now=now)
        end_ignoring(now=now)
    except Error as error:
        log.warning("The look at failing lanes was cut short: %s", str(error).strip())
    else:
        if looked.warned or looked.disabled:
            log.info(
                "Of lanes that keep failing %d were warned of, %d disabled.", looked.warned, looked.disabled
            )


def prove() -> None:
    """Pings the endpoints that wait for their proof."""
    try:
        proving.prove_waiting(now=datetime.now(UTC))
    except Error as error:
        log.warning("The proving of endpoints was cut short: %s", str(error).strip())


def confirm() -> None:
    """Opens what senders asked to have opened, and tells people of it."""
    try:
        sender_news.tell_of_handshakes(now=datetime.now(UTC))
    except Error as error:
        log.warning("The confirming of subscriptions was cut short: %s", str(error).strip())


def discard() -> None:
    """Goes on with the bulk discards that are not done yet."""
    try:
        for replay_id in bulk_discards.unfinished():
            bulk_discards.carry_out(replay_id)
    except Error as error:
        log.warning("A bulk discard was cut short: %s", str(error).strip())


def unpack() -> None:
    """Makes into items what replays have frozen and no dispatcher has asked for yet."""
    try:
        replay_packs.unpack()
    except Error as error:
        log.warning("The unpacking of replays was cut short: %s", str(error).strip())


def watch() -> None:
    """Looks at the alert rules, and has what is due to channels sent by a task of its own."""
    now = datetime.now(UTC)
    try:
        looked = alerting.look(now=now)
        if alert_outbox.is_waiting(now=now):
            async_task("deliveries.tasks.tell", save=False)
    except Error as error:
        log.warning("The look at the alert rules was cut short: %s", str(error).strip())
    else:
        if looked.opened or looked.closed:
            log.info("Alerts: %d opened, %d closed.", looked.opened, looked.closed)


def tell() -> None:
    """Sends what is due to channels."""
    try:
        sent = alert_outbox.send_due()
    except Error as error:
        log.warning("Telling the channels was cut short: %s", str(error).strip())
    else:
        if sent.failed:
            log.warning("Of the messages to channels %d failed; their pages say why.", sent.failed)


def retain() -> None:
    """Drops what is past its retention."""
    try:
        dropped = retention.drop_expired(now=datetime.now(UTC))
    except Error as error:
        log.warning("Retention was cut short: %s", str(error).strip())
    else:
        if gone := {name: count for name, count in dropped.items() if count}:
            log.info("Retention dropped %s.", gone)
