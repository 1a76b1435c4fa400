"""Named ways in which a provider changes a body or an address before it signs it. They never change what is kept."""

import json
import re
from typing import Any

BODY_FORMS = ("raw", "didit-canonical")
URL_FORMS = ("as-configured", "hubspot-decoded")
_HUBSPOT_DECODES = re.compile(r"%(3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)", re.IGNORECASE)


def body_in(form: str, body: bytes) -> bytes | None:
    """None when the body cannot be brought into that form."""
    return _didit_canonical(body) if form == "didit-canonical" else body


def url_in(form: str, url: str) -> str:
    """HubSpot decodes the escapes of : / ? @ ! $ ' ( ) * , ; and leaves all others."""
    if form != "hubspot-decoded":
        return url
    return _HUBSPOT_DECODES.sub(lambda found: chr(int(found[1], 16)), url)


def _didit_canonical(body: bytes) -> bytes | None:
    """Keys sorted by code point, no white space, nothing escaped, 98.0 written as 98: as Python writes it."""
    try:
        document = json.loads(body.decode(), parse_constant=_refuse_constant)
        if not isinstance(document, dict):
            return None
        text = json.dumps(
            _with_integers(document),
            sort_keys=True,
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
        )
        return text.encode()
    except (ValueError, RecursionError):  # half a surrogate pair, 1E400 and 5,000 digits are among them
        return None


def _with_integers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _with_integers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_with_integers(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
