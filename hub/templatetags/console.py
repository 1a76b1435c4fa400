"""What the console's templates say again and again: icons, times, ids, pages. It asks the database nothing."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from django import template
from django.contrib.admin.views.main import PAGE_VAR, ChangeList
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hub import ages
from webhooks.ids import public_id

register = template.Library()

# Icon and tone of every state we show; what is as it should be is drawn quiet, so that trouble stands out.
SHAPES = {
    "delivered": ("check", "quiet"),
    "dead": ("cross", "bad"),
    "pending": ("clock", "quiet"),
    "sending": ("arrow", "info"),
    "retrying": ("replay", "warn"),
    "held": ("pause", "held"),
    "paused": ("pause", "held"),
    "disabled": ("pause", "held"),
    "unproved": ("shield", "held"),
    "discarded": ("minus", "quiet"),
    "superseded": ("minus", "quiet"),
    "active": ("check", "quiet"),
    "closed": ("check", "good"),
    "open": ("cross", "bad"),
    "half_open": ("replay", "warn"),
    "recovering": ("replay", "warn"),
    "working": ("check", "good"),
    "draining": ("clock", "quiet"),
    "free": ("minus", "quiet"),
    "lost": ("cross", "bad"),
    "late": ("clock", "bad"),
    "receiving": ("check", "good"),
    "awaited": ("clock", "quiet"),
    "silent": ("clock", "bad"),
    "refused": ("cross", "bad"),
    "conflict": ("alert", "warn"),
    "live": ("check", "good"),
    "ending": ("clock", "warn"),
    "ended": ("minus", "quiet"),
    "regressed": ("replay", "bad"),
    "resolved": ("check", "quiet"),
    "acknowledged": ("check", "info"),
    "ignored": ("pause", "quiet"),
    "answering": ("check", "good"),
    "unsteady": ("replay", "warn"),
    "failing": ("cross", "bad"),
    "no_traffic": ("minus", "quiet"),
    "scheduled": ("clock", "quiet"),
    "received": ("clock", "quiet"),
    "routed": ("check", "quiet"),
    "unmatched": ("minus", "warn"),
    "quarantined": ("shield", "held"),
    "running": ("arrow", "info"),
    "stopped": ("cross", "bad"),
    "cancelled": ("minus", "quiet"),
    "finished": ("check", "good"),
    "critical": ("alert", "bad"),
    "warning": ("alert", "warn"),
    "info": ("bell", "info"),
    "muted": ("mute", "held"),
    "over": ("check", "quiet"),
    "sent": ("check", "quiet"),
    "given_up": ("cross", "bad"),
    "enabled": ("check", "good"),
}
_UNKNOWN = ("minus", "quiet")


# A page has hundreds of these. As templates of their own they were half of the time that a list takes (measured).


@register.simple_tag
@lru_cache(maxsize=256)
def icon(name: str) -> SafeString:
    """A line drawing of 16 × 16; words beside it say what it means."""
    drawing = '<svg class="icon" aria-hidden="true"><use href="{}#{}"/></svg>'
    return format_html(drawing, static("hub/icons.svg"), name)


@register.simple_tag
def moment(at: datetime | None, now: datetime | None = None) -> SafeString:
    """Relative, with the exact time in its title."""
    if at is None:
        return SafeString("–")
    told, exact = ages.told(at, now or datetime.now(UTC)), at.astimezone(UTC)
    stamp, title = f"{exact:%Y-%m-%dT%H:%M:%SZ}", f"{exact:%Y-%m-%d %H:%M:%S} UTC"
    return SafeString(f'<time datetime="{stamp}" title="{title}">{told}</time>')


@register.simple_tag
def state(value: str, text: str) -> SafeString:
    """A state as shape, word and colour; `value` picks shape and colour."""
    return _shaped("state", value, text)


@register.simple_tag
def mood(value: str, text: str) -> SafeString:
    """A state as above, without a ground of its own: for columns that hold one in every row."""
    return _shaped("mood", value, text)


@register.simple_tag
def tally(value: str, number: int, words: str) -> SafeString:
    """How many are in a state, by its shape and colour; the words are in its title."""
    name, tone = SHAPES.get(value, _UNKNOWN)
    counted = '<span class="tally {}" title="{} {}">{}{}</span>'
    return format_html(counted, tone, number, words.lower(), icon(name), grouped(number))


@lru_cache(maxsize=1_024)
def _shaped(kind: str, value: str, text: str) -> SafeString:
    name, tone = SHAPES.get(value, _UNKNOWN)
    return format_html('<span class="{} {}">{}{}</span>', kind, tone, icon(name), text)


@register.filter
def public(value: UUID, kind: str) -> str:
    """`{{ delivery.pk|public:"delivery" }}` → `dlv_…`."""
    return public_id(kind, value)


@register.filter
def lasting(seconds: float | None) -> str:
    """`39 s`, `2 h 10 min`; what cannot be told is a dash."""
    return "–" if seconds is None else ages.span(max(1, seconds)) if seconds else "no time"


@register.filter
def short(value: str) -> str:
    """An id with its middle left out; the whole one belongs in a title."""
    return value if len(value) <= 20 else f"{value[:12]}…{value[-6:]}"


@register.simple_tag
def page_address(cl: ChangeList, by: int) -> str:
    """The address of the page that lies `by` pages on."""
    return cl.get_query_string({PAGE_VAR: cl.page_num + by})


@register.filter
def grouped(number: int) -> str:
    """Thousands set apart by a thin space that doesn't break: `20 874`."""
    return f"{number:,}".replace(",", "\u202f")


@register.filter
def span(seconds: float) -> str:
    """`90` → `1 min`, as ages are told."""
    return ages.span(seconds)


@register.filter
def at(counts: Mapping[str, int], name: str) -> int:
    """How many there are under a name."""
    return counts.get(name, 0)
