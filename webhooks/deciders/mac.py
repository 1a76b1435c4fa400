"""Computes an HMAC without giving up the interpreter. It compares nothing and keeps no key."""

import hmac


def mac(key: bytes, content: bytes, algorithm: str) -> bytes:
    """RFC 2104. `algorithm` is a name that hashlib knows.

    `hmac.digest` lets other threads run meanwhile, however short the content; in a busy process it then waits for
    its turn a thousand times as long as it computes, and it is the slower one by itself.
    """
    return hmac.new(key, content, algorithm).digest()
