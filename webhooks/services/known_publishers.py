"""Remembers API keys that published and the sources they named, so that publishing need not look them up again.

It lets nobody in. A copy may be out of date, the key revoked a moment ago: `store.store_proved` stores nothing where
any of them no longer holds, and whoever has anything else to answer than that it was stored looks them up first.
"""

from datetime import datetime

from webhooks.ids import public_id
from webhooks.models import ApiKey, Source

from .keys import USE_NOTED_EVERY, digest_of

_MOST = 10_000  # of each; past that, all are looked up anew

_keys: dict[str, ApiKey] = {}  # by digest
_sources: dict[str, Source] = {}  # by slug and by public id, which no slug can be


def recall_key(plain: str, now: datetime) -> ApiKey | None:
    """The copy in memory, if there is one and no use of the key need be noted."""
    key = _keys.get(digest_of(plain))
    if key is None or key.last_used_at is None or key.last_used_at < now - USE_NOTED_EVERY:
        return None
    return key


def recall_source(name: str) -> Source | None:
    return _sources.get(name)


def remember(key: ApiKey, source: Source) -> None:
    """A key that was looked up for this request, and the source it may publish to."""
    if len(_keys) >= _MOST or len(_sources) >= 2 * _MOST:
        _keys.clear()
        _sources.clear()
    _keys[key.digest] = key
    _sources[source.slug] = _sources[public_id("source", source.pk)] = source


def forget(key: ApiKey) -> None:
    _keys.pop(key.digest, None)
