"""Says in sentences what an operator should know of a scheme. It decides nothing."""

from collections.abc import Iterator

from .options import known_options
from .scheme_columns import Kind, Scheme


def facts(row: Scheme) -> Iterator[str]:
    if row.weakness:
        yield f"Weakness: {row.weakness}"
    if row.tolerance_s:
        yield f"A request may be {row.tolerance_s:g} s old, or ahead, unless tolerance_s says otherwise."
    if row.sender_deadline_s:
        yield f"The sender waits {row.sender_deadline_s:g} s for an answer."
    if row.sender_retries:
        yield f"The sender's retries: {row.sender_retries}."
    if row.handshakes:
        yield f"Handshakes answered: {', '.join(row.handshakes)}."
    yield f"Options: {', '.join(known_options(row))}."
    if row.docs_url:
        yield f"Its documentation: {row.docs_url}"


_PROOFS = {
    Kind.NONE: "nothing: anyone may send",
    Kind.STANDARD_WEBHOOKS: "an HMAC-SHA256 or ed25519 over id, time and body",
    Kind.TOKEN: "a token in a header",
    Kind.ITEM_TOKENS: "a token in every item",
    Kind.ED25519: "an ed25519 signature over time and body",
    Kind.ECDSA_P256: "an ECDSA P-256 signature over time and body",
    Kind.TWILIO: "an HMAC over the address and the form",
    Kind.ADYEN: "an HMAC over eight fields of each item",
    Kind.SNS: "a signature by a certificate of AWS",
    Kind.PAYPAL: "a signature by a certificate of PayPal",
}


def proof(row: Scheme) -> str:
    """By what a request proves who sent it."""
    return _PROOFS.get(row.kind) or f"an HMAC-{row.algorithm.upper()} over {row.signed}"
