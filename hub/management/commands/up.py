"""The door to the whole hub on one machine: web server, cluster and, if asked, the demo."""

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hub import first_run, logs
from hub.supervisor import Program, Supervisor

logger = logging.getLogger(__name__)

_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - may be bound, not asked
MOST_PORT = 65_535


class Command(BaseCommand):
    help = "Starts the web server and the cluster, and keeps them running until Ctrl-C."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """Takes no word for --demo but that: a demo's folder is chosen before anything is parsed."""
        return super().create_parser(prog_name, subcommand, allow_abbrev=False, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default=settings.HUB_HOST)
        parser.add_argument("--port", default=settings.HUB_PORT)
        parser.add_argument("--demo", action="store_true", help="also runs three small services, in var/demo")
        parser.add_argument(
            "--loop", action="store_true", help="with --demo: two more, which go round in a circle"
        )

    def handle(self, *args: Any, host: str, port: str | int, demo: bool, loop: bool, **options: Any) -> None:
        port = _number(port)
        try:
            first_run.check_port(host, port)
            first_run.check_database()
        except first_run.Refused as refusal:
            raise CommandError(str(refusal)) from None
        first_run.migrate()
        address = _address(host, port)
        self._welcome()
        first_run.let_go()
        self._supervise(host, port, address, ["--loop"] if loop else [] if demo else None)

    def _welcome(self) -> None:
        if password := first_run.make_first_operator():
            told = f"The first operator is {first_run.OPERATOR}, password {password} (shown this once)."
            self.stdout.write(told)  # for a person's eyes, and never a line of the log
            self.stdout.flush()

    def _supervise(self, host: str, port: int, address: str, demo: list[str] | None) -> None:
        """`demo` holds what it is told; None: there is none."""
        os.environ |= {"HUB_HOST": host, "HUB_PORT": str(port), "PYTHONUNBUFFERED": "1"}
        if demo is not None:
            os.environ.setdefault("HUB_EGRESS_ALLOW", "127.0.0.0/8")
        supervisor = Supervisor(self._say)
        supervisor.listen()
        try:
            supervisor.start(web_server(host, port))
            supervisor.start_cluster(Program(name="cluster", command=_manage("cluster")))
            if supervisor.tend_until(lambda: _answers(address)):
                self._say(f"Weir is up at {address}/admin/ (Ctrl-C stops it).")
                if demo is not None:
                    supervisor.start(Program(name="demo", command=[sys.executable, "-m", "demo", *demo]))
                supervisor.tend_until(lambda: False)
        finally:
            self._say("Stopping.")
            supervisor.stop()
            self._say("Stopped.")

    def _say(self, sentence: str) -> None:
        """To the person who started it; where nobody sits at a terminal, as a line like all others."""
        if logs.is_json():
            logger.info(sentence)
        else:
            self.stdout.write(sentence)
            self.stdout.flush()


def _number(port: str | int) -> int:
    """By hand, since argparse would answer with its whole usage."""
    text = str(port)
    if len(text) <= len(str(MOST_PORT)) and text.isdecimal() and 0 < int(text) <= MOST_PORT:
        return int(text)
    raise CommandError(f"--port must be a whole number from 1 to {MOST_PORT}.")


def _manage(command: str) -> list[str]:
    return [sys.executable, str(settings.ROOT / "manage.py"), command]


def web_server(host: str, port: int) -> Program:
    """Empties the folder of its counters, so it is asked for when the web server is about to start."""
    # fmt: off
    command = [
        sys.executable, "-m", "granian", "--interface", "wsgi", "--host", host, "--port", str(port),
        "--workers", str(settings.HUB_WEB_WORKERS),
        "--blocking-threads", str(settings.HUB_WEB_THREADS),
        "--workers-kill-timeout", "5", "--no-ws", "--log-level", "warning",
        "hub.wsgi:application",
    ]
    # fmt: on
    counters = _emptied(settings.HUB_VAR / "metrics" / str(port))
    return Program(
        name="web server", command=command, environment={"PROMETHEUS_MULTIPROC_DIR": str(counters)}
    )


def _emptied(folder: Path) -> Path:
    """The counters of processes that are gone must not be added to those of the new ones."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _address(host: str, port: int) -> str:
    host = _ANYWHERE.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/livez", timeout=1):  # noqa: S310 - an http address made above
            return True
    except HTTPError as answer:
        return answer.code < 500  # a host name it does not know is refused, and still an answer
    except OSError:
        return False
