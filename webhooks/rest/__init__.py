"""What REST doors are made of: the front of a small package. It knows no resource.

`door` lets in, narrows and pages; `bodies` reads; `problems` refuses.
"""

from .bodies import Body, ById, Filters, PublicId, Strict, holder_of
from .door import LOOKS, Door, Pages
from .problems import BodyTooLarge, Busy, Changed, Conflict

__all__ = [
    "LOOKS",
    "Body",
    "BodyTooLarge",
    "Busy",
    "ById",
    "Changed",
    "Conflict",
    "Door",
    "Filters",
    "Pages",
    "PublicId",
    "Strict",
    "holder_of",
]
