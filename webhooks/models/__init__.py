"""What the inbound side remembers: who may send, what came, what was refused, and who did what."""

from .audit import AuditEntry
from .business_key import BusinessKey
from .event import Event, EventBody, EventKey, EventState, KeyKind
from .event_type import EventType, EventTypeState
from .handshake import Handshake
from .kept_answer import KeptAnswer
from .party import ApiKey, Role, Subscriber
from .refusal import Refusal
from .rollup import NO_SOURCE, ReceiptRollup, ReceiptTotal
from .source import SecretPurpose, Source, SourceSecret
from .usage import ApiUsage

__all__ = [
    "NO_SOURCE",
    "ApiKey",
    "ApiUsage",
    "AuditEntry",
    "BusinessKey",
    "Event",
    "EventBody",
    "EventKey",
    "EventState",
    "EventType",
    "EventTypeState",
    "Handshake",
    "KeptAnswer",
    "KeyKind",
    "ReceiptRollup",
    "ReceiptTotal",
    "Refusal",
    "Role",
    "SecretPurpose",
    "Source",
    "SourceSecret",
    "Subscriber",
]
