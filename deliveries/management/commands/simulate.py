"""`manage.py simulate`: rehearses an outage under three policies, with the deciders that send in earnest."""

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import BaseCommand, CommandError

from deliveries.models import Subscription
from deliveries.services.defaults import circuit_rules_of, schedule_of, timeout_of
from deliveries.simulation import plot, report
from deliveries.simulation.lane import Pace
from deliveries.simulation.policies import POLICIES, Policy
from deliveries.simulation.rehearse import Figures, rehearse
from deliveries.simulation.scenario import PRESETS, Scenario, altered

N = TypeVar("N", int, float)


class Command(BaseCommand):
    help = (
        "Shows on a simulated clock what an outage does to endpoints, under this hub's settings and without."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("scenario", nargs="?", default="outage", help=f"{_either(PRESETS)}")
        parser.add_argument("--policy", action="append", help=f"{_either(POLICIES)}; may be repeated (all)")
        parser.add_argument("--deliveries", help="how many are owed in all")
        parser.add_argument("--endpoints", help="to how many they are owed")
        parser.add_argument("--outage-s", help="how long each outage lasts, in seconds")
        parser.add_argument("--seed", default="1", help="another one is another chance (1)")
        parser.add_argument("--png", metavar="FILE", help="also draws the load over time")
        parser.add_argument("--json", action="store_true", help="prints JSON instead of the table and charts")

    def handle(self, *args: Any, **options: Any) -> None:
        scenario, policies = _scenario(**options), _policies(options["policy"])
        seed, path = _number(int, options["seed"], "--seed") or 0, _picture(options["png"])
        results = [self._rehearse(scenario, policy, seed) for policy in policies]
        if options["json"]:
            self.stdout.write(_as_json(scenario, results, seed))
        else:
            self.stdout.write(report.text(scenario, results, seed=seed), ending="")
        if path:
            self._draw(scenario, results, path)

    def _rehearse(self, scenario: Scenario, policy: Policy, seed: int) -> Figures:
        empty = Subscription()  # has no word of its own, so the hub's holds
        pace = Pace(schedule=schedule_of(empty), rules=circuit_rules_of(empty))
        began_at = time.monotonic()
        figures = rehearse(scenario, policy=policy, pace=pace, seed=seed)
        took = f"{report.NAMES[policy]}: rehearsed in {time.monotonic() - began_at:.1f} s"
        self.stderr.write(took, style_func=str)
        return figures

    def _draw(self, scenario: Scenario, results: Sequence[Figures], path: Path) -> None:
        try:
            plot.draw(scenario, results, path)
        except OSError as error:
            raise CommandError(f"{path} cannot be written: {error.strerror}.") from None
        self.stderr.write(f"Drawn: {path}", style_func=str)


def _scenario(*, scenario: str, deliveries: Any, endpoints: Any, outage_s: Any, **_: Any) -> Scenario:
    if scenario not in PRESETS:
        raise CommandError(f"There is no scenario called {scenario}: choose {_either(PRESETS)}.")
    try:
        return altered(
            PRESETS[scenario],
            deliveries=_number(int, deliveries, "--deliveries"),
            endpoints=_number(int, endpoints, "--endpoints"),
            outage_s=_number(float, outage_s, "--outage-s"),
            timeout_s=timeout_of(Subscription()),
        )
    except ValueError as error:
        raise CommandError(str(error)) from None


def _policies(wished: list[str] | None) -> list[Policy]:
    for name in wished or ():
        if name not in POLICIES:
            raise CommandError(f"There is no policy called {name}: choose {_either(POLICIES)}.")
    return [policy for policy in POLICIES if not wished or policy in wished]


def _number(kind: Callable[[Any], N], text: Any, option: str) -> N | None:
    """By hand, since argparse would answer with its whole usage."""
    try:
        return None if text is None else kind(text)
    except ValueError:
        what = "a whole number" if kind is int else "a number"
        raise CommandError(f"{option} must be {what}, not {text}.") from None


def _picture(file: str | None) -> Path | None:
    """Refused before the rehearsal rather than after it, which may take minutes."""
    if file is None:
        return None
    if not plot.is_possible:
        raise CommandError("A picture needs matplotlib: install it with pip install -r requirements-dev.txt.")
    path = Path(file)
    if path.is_dir() or not path.parent.is_dir():
        raise CommandError(f"{file} is not a file that can be written.")
    return path


def _as_json(scenario: Scenario, results: Sequence[Figures], seed: int) -> str:
    shown_s = report.shown_s(results)
    return json.dumps(
        {
            "scenario": asdict(scenario) | {"down": scenario.down},
            "seed": seed,
            "policies": [
                asdict(each) | {"amplification": each.amplification, "load": each.load[:shown_s]}
                for each in results
            ],
        }
    )


def _either(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"
