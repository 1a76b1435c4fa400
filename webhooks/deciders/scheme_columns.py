"""The columns of the table of signature schemes, and what each may hold. The rows are in `schemes.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from .key_forms import KeyForm


class Kind(StrEnum):
    """Which primitive checks a row; `verify.py` has one function for each."""

    NONE = "none"  # anyone may send
    STANDARD_WEBHOOKS = "standard-webhooks"  # HMAC-SHA256 or ed25519 over id, timestamp and body
    HMAC = "hmac"
    TOKEN = "token"  # noqa: S105  # what is presented equals the secret; nothing is signed
    ITEM_TOKENS = "item-tokens"  # likewise, in every item of the body
    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"
    TWILIO = "twilio"
    ADYEN = "adyen"  # every item carries the signature of eight of its fields
    SNS = "sns"
    PAYPAL = "paypal"


class Unit(StrEnum):
    SECONDS = "s"
    MILLISECONDS = "ms"
    ISO = "iso"


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a provider wants to read when its request was taken."""

    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    body: str = ""
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Scheme:
    slug: str
    label: str
    kind: Kind
    docs_url: str = ""

    # Where the signature is and how it is written.
    signature: str = ""  # a place
    separator: str = ""  # of a list of name=value, of which `pick` names the signatures
    pick: str = ""
    prefix: str = ""
    encoding: str = "hex"  # hex, base64 or text
    algorithm: str = "sha256"
    key_form: KeyForm = KeyForm.UTF8

    # What is signed. Placeholders: {body} {ts} {url} {method} {header:<name>} {json:<path>}
    signed: str = "{body}"
    body_form: str = "raw"
    url_form: str = "as-configured"

    # When it was signed.
    id_header: str = ""  # Standard Webhooks signs it
    timestamp: str = ""  # a place, or field:<name> in the signature's list
    timestamp_unit: Unit = Unit.SECONDS
    tolerance_s: float = 0  # 0: any age; then only the sender's id protects against a repeat
    timestamp_must_equal: str = ""  # a second place, which nobody signed

    # Which fact it reports. The first place that holds something wins.
    id_sources: tuple[str, ...] = ()  # when none does, the body's fingerprint
    type_sources: tuple[str, ...] = ()
    time_sources: tuple[str, ...] = ()
    operation_sources: tuple[str, ...] = ()
    entity_sources: tuple[str, ...] = ()
    version_sources: tuple[str, ...] = ()
    cause_sources: tuple[
        str, ...
    ] = ()  # the webhook-id of the delivery it follows from, where the body says it
    may_be_ours: bool = False  # another Weir may send what was published to it, entity and version included
    batch: tuple[str, ...] = ()  # paths of lists, each item of which is an event; from the outside in
    batch_type: str = ""  # only bodies whose content type begins so are batches
    volatile: tuple[str, ...] = ()  # paths in the body that change with every try of one event
    may_rename: bool = False  # the vendor does not promise that one fact keeps one id: its likes are shown
    attempt_source: str = ""  # the sender's own count

    # How to answer.
    methods: tuple[str, ...] = ("POST",)
    handshakes: tuple[str, ...] = ()  # names in `handshakes.py`
    reply: Reply | None = None  # None: 202 or 200, with our own words in JSON
    also: tuple[str, ...] = ()  # slugs of rows that are tried when this one does not match

    # What an operator fills in.
    options: tuple[str, ...] = ()
    public_url: str = ""  # as the sender knows it, without its query string
    account: str = ""  # whom the provider speaks for: a topic, a webhook id
    least_version: str = ""  # of a signature whose version the sender chooses; older ones are refused
    pinned_certificate: str = ""  # PEM; believed instead of the one that a request names, never beside it

    # Shown to operators.
    weakness: str = ""
    sender_deadline_s: float = 0
    sender_retries: str = ""

    @property
    def needs_secret(self) -> bool:
        return self.kind not in (Kind.NONE, Kind.SNS, Kind.PAYPAL)

    @property
    def covers_body(self) -> bool:
        """Whether a body that lost its end does not verify, be it for the signature or for what is read in it."""
        return self.kind not in (Kind.NONE, Kind.TOKEN)

    @property
    def signs_fields(self) -> bool:
        """Whether it signs what fields of the body say, and not the body."""
        return self.kind in (Kind.ADYEN, Kind.SNS) or "{body}" not in self.signed

    @property
    def guards_id(self) -> bool:
        """Whether what is signed holds the id, so that nobody can send a genuine body under another."""
        first = next(iter(self.id_sources), "")
        is_signed = self.kind is Kind.STANDARD_WEBHOOKS or f"{{{first}}}" in self.signed
        return is_signed or not first.startswith("header:")

    @property
    def needs_certificate(self) -> bool:
        return self.kind in (Kind.SNS, Kind.PAYPAL)
