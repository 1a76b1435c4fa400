"""Says in sentences what an operator should know of a scheme. It decides nothing."""

from collections.abc import Iterator

from .options import known_options
from .scheme_columns import Scheme


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
