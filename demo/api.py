"""Weir's REST API as the demo uses it. It knows no path by heart: whoever calls says what they want."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from demo.line import Line, Refused

ROOT = "/api/v1/"


class Api:
    def __init__(self, line: Line, key: str) -> None:
        self._line = line
        self._key = key

    def takes_our_key(self) -> bool:
        try:
            self.get("sources", limit=1)
        except Refused as refusal:
            if refusal.status in {401, 403}:
                return False
            raise
        return True

    def get(self, path: str, **query: object) -> Any:
        return self._ask("GET", f"{path}?{urlencode(query)}" if query else path)

    def every(self, path: str, **query: object) -> Iterator[Any]:
        """The items of a list, page after page."""
        page = self.get(path, limit=250, **query)
        while True:
            yield from page["results"]
            if not page["next"]:
                return
            page = self.get(f"{path}?{urlsplit(page['next']).query}")

    def post(self, path: str, body: Mapping[str, object], trace: Mapping[str, str] | None = None) -> Any:
        return self._ask("POST", path, body, trace)

    def patch(self, path: str, body: Mapping[str, object]) -> Any:
        return self._ask("PATCH", path, body)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        trace: Mapping[str, str] | None = None,
    ) -> Any:
        headers = {
            **(trace or {}),
            "authorization": f"Bearer {self._key}",
            "content-type": "application/json",
        }
        content = None if body is None else json.dumps(body).encode()
        return self._line.ask(method, ROOT + path, headers=lambda: headers, body=content)
