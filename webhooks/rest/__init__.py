"""What REST doors are made of: the front of a small package. It knows no resource.

`door` lets in, narrows and pages; `bodies` reads; `problems` refuses.
"""

from .addresses import address_for
from .bodies import Body, ById, Filters, Json, PublicId, Strict, holder_of
from .door import LOOKS, UNCACHED, Door
from .pages import Cursor, Pages, Rows, by_key
from .params import MadeBetween, Read, Several, Since, When
from .problems import BodyTooLarge, Busy, Changed, Conflict

__all__ = [
    "LOOKS",
    "UNCACHED",
    "Body",
    "BodyTooLarge",
    "Busy",
    "ById",
    "Changed",
    "Conflict",
    "Cursor",
    "Door",
    "Filters",
    "Json",
    "MadeBetween",
    "Pages",
    "PublicId",
    "Read",
    "Rows",
    "Several",
    "Since",
    "Strict",
    "When",
    "address_for",
    "by_key",
    "holder_of",
]
