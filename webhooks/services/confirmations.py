"""Opens the address by which a provider, in a signed handshake, asked to have something confirmed. It answers nobody.

Which address may be opened at all is decided in `deciders/handshakes.py`; nothing else ever stands in `follow_up`.
"""

import logging
from datetime import datetime, timedelta

from webhooks.models import Handshake

from . import provider_host

logger = logging.getLogger(__name__)

_TRIED_FOR = timedelta(hours=1)  # then a person is left to open it; the source's page shows it


def confirm_asked(*, now: datetime) -> list[Handshake]:
    """Those that are confirmed now. What cannot be reached is tried again when this is called next."""
    asked = Handshake.objects.filter(source__is_enabled=True, last_seen_at__gte=now - _TRIED_FOR)
    return [each for each in asked.exclude(follow_up="").select_related("source") if _is_confirmed(each)]


def _is_confirmed(asked: Handshake) -> bool:
    try:
        provider_host.get(asked.follow_up)
    except provider_host.FAULTS as error:
        logger.warning("A subscription for %s could not be confirmed: %s", asked.source.slug, error)
        return False
    # Where another one was asked for meanwhile, that one still has to be opened.
    return Handshake.objects.filter(pk=asked.pk, follow_up=asked.follow_up).update(follow_up="") == 1
