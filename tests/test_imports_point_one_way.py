"""Imports point from the hub to deliveries to webhooks; deciders know no Django, no clock and no socket."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = {"webhooks": {"deliveries", "hub"}, "deliveries": {"hub"}}
IMPURE = {"django", "rest_framework", "django_q", "aiohttp", "socket", "random", "time"}
EDGES = {"aiohttp", "socket", "requests", "urllib3", "httpx"}
# The one module that opens outbound sockets, the one that asks a provider's own host, for a certificate while a request
# waits or to confirm a subscription, and the one that asks for this host's name.
OPENS = {
    "deliveries/dispatcher/client.py",
    "webhooks/services/provider_host.py",
    "deliveries/dispatcher/seats.py",
}
PURE = ["deliveries/dispatcher/turns.py"]


def modules(*patterns: str) -> list[str]:
    found = [path for pattern in patterns for path in ROOT.glob(pattern)]
    return sorted(str(path.relative_to(ROOT)) for path in found)


def imported(module: str) -> Iterator[str]:
    """Full names; a relative import counts as one of its own app."""
    for node in ast.walk(ast.parse((ROOT / module).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module if node.module and not node.level else module.split("/")[0]


def roots(module: str) -> set[str]:
    return {name.split(".")[0] for name in imported(module)}


@pytest.mark.parametrize("app", FORBIDDEN)
def test_no_arrow_points_back(app: str) -> None:
    arrows = {module: roots(module) & FORBIDDEN[app] for module in modules(f"{app}/**/*.py")}
    assert {module: names for module, names in arrows.items() if names} == {}
    assert len(arrows) > 10  # it looked somewhere


def test_deciders_are_pure() -> None:
    pure = modules("webhooks/deciders/*.py", "deliveries/deciders/*.py") + PURE
    impure = {module: roots(module) & IMPURE for module in pure}
    assert {module: names for module, names in impure.items() if names} == {}


def test_one_module_opens_outbound_sockets() -> None:
    openers = {each for each in modules("webhooks/**/*.py", "deliveries/**/*.py") if roots(each) & EDGES}
    assert openers == OPENS


def test_nothing_is_imported_inside_a_function() -> None:
    late = [
        f"{module}:{node.lineno}"
        for module in modules("hub/**/*.py", "webhooks/**/*.py", "deliveries/**/*.py")
        for function in ast.walk(ast.parse((ROOT / module).read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert late == []
