"""Tells people of handshakes that ask for more than an answer: a subscription confirmed, or ended. Once for each."""

from datetime import datetime, timedelta

from deliveries.models import Notice
from webhooks.ids import public_id
from webhooks.models import Handshake
from webhooks.services.confirmations import confirm_asked

from .notices import notify

CONFIRMED, UNSUBSCRIBED = "sender-confirmed", "sender-unsubscribed"
_LOOKED_BACK = timedelta(hours=24)  # for those that came while no task ran


def tell_of_handshakes(*, now: datetime) -> None:
    for asked in confirm_asked(now=now):
        text = f"{asked.source.name} asked to have its subscription confirmed, and it is."
        notify(kind=CONFIRMED, object_kind="source", object_id=asked.source_id, text=text)
    ended = Handshake.objects.filter(name="sns-unsubscribed", last_seen_at__gte=now - _LOOKED_BACK)
    for each in ended.select_related("source"):
        if not _is_told(each):
            text = f"{each.source.name} says that its subscription has ended: nothing more will come of it."
            notify(kind=UNSUBSCRIBED, object_kind="source", object_id=each.source_id, text=text)


def _is_told(ended: Handshake) -> bool:
    about = Notice.objects.filter(object_kind="source", object_id=public_id("source", ended.source_id))
    return about.filter(kind=UNSUBSCRIBED, created_at__gte=ended.last_seen_at).exists()
