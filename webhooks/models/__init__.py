"""What the inbound side remembers: who may send, what came, what was refused, and who did what."""

from .audit import AuditEntry
from .event import Event, EventBody, EventKey, EventState, KeyKind
from .party import ApiKey, Role, Subscriber
from .refusal import Refusal
from .source import Source, SourceSecret

__all__ = [
    "ApiKey",
    "AuditEntry",
    "Event",
    "EventBody",
    "EventKey",
    "EventState",
    "KeyKind",
    "Refusal",
    "Role",
    "Source",
    "SourceSecret",
    "Subscriber",
]
