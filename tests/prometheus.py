"""Where this machine's Prometheus is, for the tests and for the runner, which says if there is none; and runs it."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

PROMETHEUS, PROMTOOL = shutil.which("prometheus"), shutil.which("promtool")
IS_REQUIRED = os.environ.get("CI", "").lower() in {"true", "1"}
RULES = Path(__file__).resolve().parent.parent / "ops" / "prometheus"
EVERY_S = 0.5  # a busy machine takes a while to answer a scrape
PATIENCE_S = 15.0


def need() -> None:
    """Skips where there is no Prometheus, and fails where it is required."""
    if not (PROMETHEUS and PROMTOOL):
        (pytest.fail if IS_REQUIRED else pytest.skip)("There is no Prometheus.")


def promtool(*arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
    need()
    return subprocess.run([str(PROMTOOL), *arguments], input=given, capture_output=True, text=True)


@dataclass(frozen=True, slots=True)
class Prometheus:
    address: str

    def ask(self, path: str) -> Any:
        with urlopen(f"{self.address}/api/v1/{path}", timeout=5) as answer:
            return json.load(answer)["data"]

    def query(self, expression: str) -> list[Any]:
        return list(self.ask(f"query?query={quote(expression)}")["result"])

    def number(self, expression: str) -> float:
        """Of one series; nought where there is none."""
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else 0.0

    def until(self, expression: str, least: float) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while self.number(expression) < least:
            assert time.monotonic() < deadline, f"{expression} did not become {least}"
            time.sleep(EVERY_S / 2)


@contextmanager
def running(folder: Path, port: int, targets: Sequence[str]) -> Iterator[Prometheus]:
    """With our own rules, on a port of its own."""
    need()
    config = {
        "global": {"scrape_interval": f"{EVERY_S * 1000:.0f}ms", "evaluation_interval": "500ms"},
        "rule_files": [str(RULES / "alerts.yml")],
        "scrape_configs": [
            {
                "job_name": "weir",
                "scrape_timeout": f"{EVERY_S * 1000:.0f}ms",
                "static_configs": [{"targets": list(targets)}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [
        str(PROMETHEUS), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()
