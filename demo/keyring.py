"""Keeps the demo's secrets from start to start, in a file only its owner can read. It never shows them."""

import json
import os
import secrets
import threading
from base64 import b64encode
from pathlib import Path


class Keyring:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: dict[str, str] = self._read()

    def get(self, name: str) -> str:
        """Empty when there is none."""
        return self._kept.get(name, "")

    def keep(self, name: str, value: str) -> None:
        with self._lock:
            self._kept[name] = value
            self._write()

    def secret(self, name: str) -> str:
        """A signing secret as Standard Webhooks writes it, made when first asked for."""
        if name not in self._kept:
            self.keep(name, f"whsec_{b64encode(secrets.token_bytes(32)).decode()}")
        return self._kept[name]

    def _read(self) -> dict[str, str]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}  # nothing is lost: the wiring gives Weir new ones
        return kept if isinstance(kept, dict) else {}

    def _write(self) -> None:
        draft = self._path.with_suffix(".draft")
        draft.unlink(missing_ok=True)
        with os.fdopen(
            os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            json.dump(self._kept, file, indent=1)
        draft.replace(self._path)
