"""Where this machine's Prometheus is, for the tests and for the runner, which says if there is none; and runs it."""

import json
import os
import re
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
# The first scrape of a process imports its pages: on a machine with more to do than it has cores, that is seconds.
EVERY_S = 2
# Prometheus looks for its first targets after 5 s, and a scrape that comes too late costs another EVERY_S.
PATIENCE_S = 60.0


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
    log: Path

    def ask(self, path: str) -> Any:
        with urlopen(f"{self.address}/api/v1/{path}", timeout=PATIENCE_S) as answer:
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
            if time.monotonic() > deadline:
                pytest.fail(f"{expression} did not become {least}.\n{self._told()}")
            time.sleep(0.1)

    def _told(self) -> str:
        """Why a scrape failed, if one did, and what Prometheus says of itself."""
        scrapes = [
            f"{each['scrapeUrl']}: {each['health']}, {each['lastScrapeDuration']:.3f} s {each['lastError']}"
            for each in self.ask("targets")["activeTargets"]
        ]
        return "\n".join([*(scrapes or ["There is no target yet."]), self.log.read_text()])


@contextmanager
def running(folder: Path, targets: Sequence[str]) -> Iterator[Prometheus]:
    """With our own rules, on a port that it takes from the system, and ready to be asked."""
    need()
    config = {
        "global": {"scrape_interval": f"{EVERY_S}s", "evaluation_interval": "500ms"},
        "rule_files": [str(RULES / "alerts.yml")],
        "scrape_configs": [
            {
                "job_name": "weir",
                "scrape_timeout": f"{EVERY_S}s",
                "static_configs": [{"targets": list(targets)}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    command = [
        str(PROMETHEUS), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        "--web.listen-address=127.0.0.1:0",
    ]  # fmt: skip
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield Prometheus(f"http://{_listens_on(folder / 'log', process)}", folder / "log")
    finally:
        process.kill()
        process.wait()


def _listens_on(log: Path, process: "subprocess.Popen[bytes]") -> str:
    """Its address, once it is ready: before, it answers 503."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        is_over, told = process.poll() is not None, log.read_text()
        found = re.search(r'msg="Listening on".* address=(\S+)', told)
        if found and "Server is ready" in told and not is_over:
            return found[1]
        if is_over or time.monotonic() > deadline:
            pytest.fail(f"Prometheus did not start.\n{told}")
        time.sleep(0.05)
