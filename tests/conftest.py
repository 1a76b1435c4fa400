"""What all tests share: which of them belong to the database at hand, and where processes may listen."""

import socket
from collections.abc import Generator, Iterator

import pytest
from django.db import connection

from deliveries.dispatcher import seats
from tests import make
from tests.browser import chief, chromium, console, visitor  # noqa: F401 - fixtures
from webhooks import wake

_MARKS = {"postgresql", "sqlite"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    foreign = _MARKS - {connection.vendor}
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in foreign)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture
def free_port() -> int:
    """A port of loopback that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def holding() -> seats.Holding:
    """A dispatcher's seat, for a test that takes a dispatcher's turns by hand."""
    return make.seat()


@pytest.fixture(autouse=True)
def quiet_bell() -> Iterator[None]:
    """A test's rings go out on a connection that must not outlive its database."""
    yield
    wake.hang_up()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Lets a browser's fixture know that its test failed, so that it takes a picture."""
    report = yield
    if report.when == "call":
        item.has_failed = report.failed  # type: ignore[attr-defined]
    return report
