"""A request as it came in, and its body read as JSON or as a form. It judges nothing and never raises."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qs

_MOST_FIELDS = 1_000  # of a form; an honest one has dozens
# Numbers stay the text they were sent as: exact for ids, and safe with 5,000 digits.
_JSON = re.compile(r"(application|text)/([^;]*\+)?json\s*(;|\Z)", re.IGNORECASE)
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=lambda name: None)


class _Doubled(Exception):  # noqa: N818  # it names what was found
    """An object names a field twice."""


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) < len(pairs):
        raise _Doubled


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """The names of its headers are in lower case."""

    method: str
    headers: Mapping[str, str]
    body: bytes
    query: str
    remote_address: str
    received_at: datetime

    @cached_property
    def document(self) -> Any:
        """The body as JSON, parsed once and only if somebody asks; None when it is no JSON."""
        try:
            return _DECODER.decode(self.body.decode(json.detect_encoding(self.body)))
        except (ValueError, RecursionError):
            return None

    @cached_property
    def is_ambiguous(self) -> bool:
        """Whether an object in its JSON names a field twice: one reader takes the first of them, another the last."""
        try:
            json.loads(self.body, parse_int=str, parse_float=str, object_pairs_hook=_refuse_doubled)
        except _Doubled:
            return True
        except (ValueError, RecursionError):
            pass  # no JSON that anybody reads
        return False

    @property
    def is_torn(self) -> bool:
        """Whether its end was lost on the way, as far as that can be told: it came without a length, and is half JSON.

        When a sender hangs up in the middle of a chunked body, the server hands over what came as if it were all.
        """
        headers = self.headers
        if headers.get("content-length") or not (self.body or "transfer-encoding" in headers):
            return False
        if not (self.body[:1] == b"{" or _JSON.match(headers.get("content-type", ""))):
            return False
        try:
            _DECODER.raw_decode(self.body.decode(json.detect_encoding(self.body)).lstrip())
        except ValueError:
            return True
        except RecursionError:
            pass  # too deep to look for its end
        return False

    @cached_property
    def form(self) -> Mapping[str, list[str]]:
        """The body's fields, each with its values in their order; none when it is no form."""
        return _fields(self.body.decode("utf-8", "replace"))

    @cached_property
    def parameters(self) -> Mapping[str, list[str]]:
        """The query string's, likewise."""
        return _fields(self.query)


def _fields(text: str) -> Mapping[str, list[str]]:
    try:
        return parse_qs(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
