"""Makes any text fit to be stored and shown. It changes nothing in a text that is fit already."""


def storable(text: str, length: int) -> str:
    """At most `length` characters, without NUL (which PostgreSQL refuses) and half characters (which UTF-8 does)."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode()[:length]
