"""Makes any text fit to be stored and shown, or says whether it is, and puts an article before a noun.

It changes nothing in a text that is fit already.
"""

from typing import Final

UNSTORABLE: Final = "This holds a NUL or half a character, which cannot be stored."


def storable(text: str, length: int) -> str:
    """At most `length` characters, without NUL (which PostgreSQL refuses) and half characters (which UTF-8 does)."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:length]


def with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in tuple('aeiou') else 'a'} {noun}"


def is_storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= each <= "\udfff" for each in text))


def is_storable_json(document: object) -> bool:
    """Of every text in it, and every name."""
    pending = [document]
    while pending:
        node = pending.pop()
        if isinstance(node, str) and not is_storable(node):
            return False
        if isinstance(node, dict):
            pending.extend(node)
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return True
