"""What may come of checking who sent a request. It holds values and sentences, and checks nothing."""

from dataclasses import dataclass, field
from uuid import UUID


@dataclass(frozen=True, kw_only=True, slots=True)
class LiveSecret:
    text: str = field(repr=False)
    hint: str
    id: UUID | None = None  # of its row, by which its matches are counted


@dataclass(frozen=True, kw_only=True, slots=True)
class Verified:
    secret_hint: str = ""  # says which secret matched, so that people see when an old one is unused
    position: int = field(default=0, compare=False)  # of that secret among those tried
    scheme: str = ""  # the row that matched, when it was not the source's own but one beside it
    body: bytes | None = None  # what was signed, when that is not the body as it came
    pin_hint: str = ""  # of the pinned certificate that vouched for it in the provider's stead


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    reason: str  # a slug
    detail: str  # one sentence for an operator, never for the sender


_DETAILS = {
    "signature-missing": "The signature header is missing.",
    "signature-malformed": "The signature header cannot be read.",
    "signature-mismatch": "The signature fits none of this source's live secrets.",
    "signature-version": "The signature's version or algorithm is not one that this source accepts.",
    "timestamp-missing": "The timestamp header is missing.",
    "timestamp-malformed": "The timestamp header is not a number of seconds.",
    "timestamp-stale": "The timestamp is {age:.0f} s behind this hub's clock; {tolerance:g} s are allowed.",
    "timestamp-future": "The timestamp is {age:.0f} s ahead of this hub's clock; {tolerance:g} s are allowed.",
    "timestamp-disagrees": "The timestamp in the header is not the one in the body.",
    "token-missing": "The token is missing.",
    "token-mismatch": "The token is none of this source's live secrets.",
    "body-unreadable": "The body is not what this scheme signs, so nothing can be checked.",
    "body-incomplete": "The body came without its length, and ended in the middle of its JSON.",
    "body-compressed": "The body is compressed, and nothing here unpacks it: send it without a Content-Encoding.",
    "body-ambiguous": "Fields of the body are signed, and it names one of its fields twice.",
    "body-mismatch": "The body's digest is not the one that was signed.",
    "url-unknown": "The scheme signs the address; set this source's public_url, or HUB_PUBLIC_URL.",
    "account-mismatch": "The sender's account is not the one this source is set up for.",
    "certificate-url": "The certificate's address is not one of the provider's.",
    "certificate-missing": "The certificate to verify with is not at hand.",
    "certificate-invalid": "The certificate is unreadable, or not valid at this time.",
    "certificate-untrusted": "The certificate's issuers lead to no authority that this system trusts.",
}


def refused(reason: str, *, age_s: float = 0, tolerance_s: float = 0) -> Refused:
    return Refused(reason=reason, detail=_DETAILS[reason].format(age=abs(age_s), tolerance=tolerance_s))
