"""Decides how a request is said as a curl command. What is masked becomes `$SECRET`, for the shell to fill in."""

from collections.abc import Iterable
from shlex import quote

from webhooks.deciders.redaction import MASK, is_sensitive

LONGEST_BODY = 16_384  # bytes; a shell takes more, a person does not


def curl(*, url: str, headers: Iterable[tuple[str, str]], body: bytes | None) -> str:
    """A body that is missing, long or no text is to be read from a file."""
    parts = [f"curl -X POST {quote(url)}"]
    parts += [f"-H {_header(name, value)}" for name, value in headers]
    parts.append(f"--data-binary {_body(body)}")
    return " \\\n  ".join(parts)


def _header(name: str, value: str) -> str:
    if value == MASK or is_sensitive(name):
        return quote(f"{name}: ") + '"$SECRET"'
    return quote(f"{name}: {value}")


def _body(body: bytes | None) -> str:
    if body is None or len(body) > LONGEST_BODY or b"\0" in body:
        return "@body"
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return "@body"
    # A text that begins with @ would be taken for a file's name.
    return "@body" if text.startswith("@") else quote(text)
