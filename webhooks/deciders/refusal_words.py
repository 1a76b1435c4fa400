"""Says in words why a request was refused, what usually causes it and what mends it. It decides nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Words:
    label: str
    cause: str


_OTHER_KEY = (
    "Usually the sender signs with a secret that this source does not hold: "
    "compare its last four characters, and add it."
)
_UNSIGNED = (
    "Either this was no request of the provider's, "
    "or the provider sends without the signature that this scheme expects."
)
_CLOCK = (
    "It was sent again late, played back by somebody, or one of the two clocks is wrong. "
    "The hub's clock is shown below."
)
_SHAPE = "The source's scheme may be another one than the sender follows, or something on the way changes the request."

WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "signature-missing": Words("No signature", _UNSIGNED),
        "signature-malformed": Words("Unreadable signature", _SHAPE),
        "signature-mismatch": Words(
            "Signature does not fit",
            f"{_OTHER_KEY} It also happens when something on the way changes the body, "
            "or when the address is signed and public_url is not what the sender calls. "
            "While a certificate is pinned on the source, what is signed with another is refused so, too.",
        ),
        "signature-version": Words(
            "Signature of another version",
            "The sender signs by a version or an algorithm that is weaker than this source accepts, or newer.",
        ),
        "timestamp-missing": Words("No timestamp", _UNSIGNED),
        "timestamp-malformed": Words("Unreadable timestamp", _SHAPE),
        "timestamp-stale": Words("Too old", _CLOCK),
        "timestamp-future": Words("From the future", _CLOCK),
        "timestamp-disagrees": Words(
            "Two timestamps that disagree",
            "The one in the header is not signed, and is not the one in the body: "
            "a sign of a request that was played back.",
        ),
        "token-missing": Words("No token", _UNSIGNED),
        "token-mismatch": Words("Token does not fit", _OTHER_KEY),
        "body-unreadable": Words("Unreadable body", _SHAPE),
        "body-incomplete": Words(
            "Broken off",
            "The sender, or something on the way, hung up before the whole body was here. It may come again by itself.",
        ),
        "body-compressed": Words(
            "Compressed",
            "Its Content-Encoding says so. Who got it from here would not know; ask the sender to send it as it is.",
        ),
        "body-ambiguous": Words(
            "A field said twice",
            "No provider sends that. Somebody may have put a second value beside the one that is signed.",
        ),
        "body-mismatch": Words(
            "Body is not what was signed", "Something on the way changed the body, or somebody forged it."
        ),
        "url-unknown": Words(
            "Address unknown", "The scheme signs the address: set public_url among the source's options."
        ),
        "account-mismatch": Words(
            "Another account",
            "The signature is the provider's, but it speaks for somebody else's account: compare the option account.",
        ),
        "certificate-url": Words(
            "Certificate from elsewhere",
            "It names a certificate that is not at the provider's own address. "
            "A sample sent for trying does so, too: its certificate must be pinned on the source first.",
        ),
        "certificate-missing": Words("No certificate", "The provider's certificate was not at hand."),
        "certificate-invalid": Words(
            "Invalid certificate",
            "The certificate cannot be read, or was not valid when the request came. "
            "One that is pinned on the source may have expired.",
        ),
        "certificate-untrusted": Words(
            "Untrusted certificate",
            "It came from the provider's own host, but whoever issued it is not trusted by this system, or was not "
            "when the request came: compare the provider's news, bring the system's root certificates up to date, "
            "start this hub again, and accept the request after all.",
        ),
        "secret-missing": Words(
            "No live secret", "Every secret of this source has expired: add the one that the sender uses."
        ),
        "secret-unusable": Words(
            "Unusable secret", "A stored secret cannot serve this scheme: replace it by one that can."
        ),
        "identity-invalid": Words(
            "Unusable id",
            "It is genuine, but its id, type or version cannot be kept. "
            "Another place may hold a better one: see the source's settings.",
        ),
        "id-conflict": Words(
            "Same id, another body",
            "The sender used one id for two facts, or changed what it said. "
            "The first one is an event; this one waits for a person.",
        ),
        # Counted and never kept, so that there is nothing to accept.
        "too-large": Words("Too large", "Its body is larger than HUB_MAX_BODY."),
        "unreadable": Words(
            "Broken off, or of no length", "The body ended before its Content-Length, or that was no number."
        ),
        "unavailable": Words(
            "Hub unavailable", "It could not be stored; the sender was asked to send it again."
        ),
        "unknown-source": Words("No such source", "No enabled source has this slug."),
        "method-not-allowed": Words("Another method", "It came by a method that this source does not take."),
    }
)


def words_of(reason: str) -> Words:
    return WORDS.get(reason) or Words(reason.replace("-", " ").capitalize() or "Refused", "")
