"""`manage.py up` starts everything, mends what dies and leaves nothing behind; told by real processes."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from socket import create_server

import pytest

from hub.supervisor import restart_delay_s
from tests.hubs import PATIENCE_S, PROC, Hub, environment_of, running_hub

# The processes have a database of their own, so one run tells it all.
pytestmark = [pytest.mark.sqlite, pytest.mark.skipif(not PROC.exists(), reason="finds processes in /proc")]


@pytest.fixture
def environment(tmp_path: Path) -> Mapping[str, str]:
    return environment_of(tmp_path)


@pytest.fixture
def hub(tmp_path: Path, free_port: int, environment: Mapping[str, str]) -> Iterator[Hub]:
    with running_hub(tmp_path, free_port, environment) as hub:
        yield hub


def up(environment: Mapping[str, str], port: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "up", "--port", str(port)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE_S)


def test_ctrl_c_ends_everything_within_ten_seconds(hub: Hub) -> None:
    hub.until(lambda: hub.answers("/readyz"))
    assert hub.answers("/static/admin/css/base.css")
    password = re.findall(r"password (\S+) \(shown this once\)", hub.log.read_text())
    assert len(password) == 1
    os.killpg(hub.process.pid, signal.SIGINT)
    assert hub.process.wait(timeout=10) == 0
    assert hub.processes() == []
    assert "Traceback" not in hub.log.read_text()


def test_a_web_server_that_was_killed_is_started_again(hub: Hub) -> None:
    killed = hub.first_of("granian")
    left = {each.pid for each in hub.find("granian")}
    os.kill(killed.pid, signal.SIGKILL)
    hub.until(lambda: hub.said("The web server was ended by SIGKILL; starting it again in 1 s."))
    hub.until(lambda: hub.answers("/livez"))
    assert left.isdisjoint(each.pid for each in hub.find("granian"))


def test_a_web_worker_that_was_killed_is_replaced(hub: Hub) -> None:
    worker = hub.children_of(hub.first_of("granian").pid)[-1]
    os.kill(worker.pid, signal.SIGKILL)
    hub.until(lambda: hub.said("The web server ended with exit code"))
    hub.until(lambda: hub.answers("/livez"))


def test_a_killed_sentinel_takes_its_workers_along_and_a_new_cluster_dispatches(hub: Hub) -> None:
    hub.until(lambda: hub.answers("/readyz"))
    sentinel = hub.sentinel()
    orphans = {each.pid for each in hub.children_of(sentinel.pid)}
    os.kill(sentinel.pid, signal.SIGKILL)
    hub.until(lambda: hub.said("The cluster ended with exit code 1; starting it again in 1 s."))
    hub.until(lambda: hub.answers("/readyz"))
    assert orphans
    assert orphans.isdisjoint(each.pid for each in hub.processes())


def test_a_killed_idle_worker_makes_a_new_cluster_since_it_may_hold_the_queues_lock(hub: Hub) -> None:
    hub.until(lambda: hub.answers("/readyz"))
    sentinel = hub.sentinel()
    workers = sorted(each.pid for each in hub.children_of(sentinel.pid))[:4]  # they are forked first
    idle = next(pid for pid in workers if pid not in hub.dispatchers())
    os.kill(idle, signal.SIGKILL)
    hub.until(lambda: hub.said("An idle worker was killed and may have locked the task queue."))
    hub.until(lambda: hub.answers("/readyz"))


def test_a_killed_supervisor_takes_everything_along(hub: Hub) -> None:
    os.kill(hub.process.pid, signal.SIGKILL)
    hub.process.wait()
    hub.until(lambda: hub.processes() == [], within_s=12)


def test_a_second_hub_on_the_same_port_is_refused_in_one_sentence(
    free_port: int, environment: Mapping[str, str], tmp_path: Path
) -> None:
    with create_server(("127.0.0.1", free_port)):
        told = up(environment, free_port)
    assert told.returncode == 1
    assert told.stderr == (
        f"CommandError: Port {free_port} on 127.0.0.1 is taken;"
        " stop what listens there, or choose another by HUB_PORT or --port.\n"
    )
    assert not (tmp_path / "weir.sqlite3").exists()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        (
            "postgres://ada:hunter2@127.0.0.1:1/weir",
            "The database that DATABASE_URL names cannot be reached: ",
        ),
        ("sqlite:////proc/weir.sqlite3", "The database /proc/weir.sqlite3 cannot be reached: "),
    ],
)
def test_a_database_out_of_reach_is_refused_in_one_sentence(
    free_port: int, environment: Mapping[str, str], url: str, sentence: str
) -> None:
    told = up({**environment, "DATABASE_URL": url}, free_port)
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"CommandError: {sentence}")
    assert told.stderr.count("\n") == 1
    assert "hunter2" not in told.stderr


def test_a_cluster_waits_for_its_database_and_says_so(environment: Mapping[str, str]) -> None:
    nowhere = {"DATABASE_URL": "postgres://ada:hunter2@127.0.0.1:1/weir"}
    command = [sys.executable, "manage.py", "cluster"]
    with subprocess.Popen(command, env={**environment, **nowhere}, stderr=subprocess.PIPE) as cluster:
        assert cluster.stderr
        said = cluster.stderr.readline()
        cluster.terminate()
        assert cluster.wait(timeout=10) == 0
        assert cluster.stderr.read() == b""
    assert b"The database does not answer (" in said
    assert b"hunter2" not in said


@pytest.mark.parametrize(("deaths", "delay_s"), [(1, 1), (2, 2), (3, 4), (5, 16), (6, 30), (10_000, 30)])
def test_the_delay_grows_with_each_death_in_a_row(deaths: int, delay_s: float) -> None:
    assert restart_delay_s(deaths) == delay_s
