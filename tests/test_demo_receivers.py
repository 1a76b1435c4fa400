"""The demo's receivers keep their word: only the genuine is heard, and what is told twice is done once."""

import http.client
import json
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from email.message import Message
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from demo import goods, moods
from demo.billing import Billing
from demo.books import transaction
from demo.doors import Event, Trace
from demo.line import Stopped
from demo.outbox import Outbox
from demo.receiver import do_once
from demo.shipping import Declined, Shipping
from demo.station import Station

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + "c2l4dGVlbiBieXRlcyBhbmQgc29tZSBtb3Jl"
ROOT = Path(__file__).resolve().parent.parent


def keep(database: sqlite3.Connection, headers: Message, body: bytes) -> None:
    database.execute("CREATE TABLE IF NOT EXISTS effects (body BLOB)")
    database.execute("INSERT INTO effects VALUES (?)", [body])


def signed(body: bytes, *, message_id: str = "dlv_1", age_s: int = 0, secret: str = SECRET) -> dict[str, str]:
    """As the specification's own library signs."""
    at = int(time.time()) - age_s
    signature = Webhook(secret).sign(message_id, datetime.fromtimestamp(at, UTC), body.decode())
    return {"webhook-id": message_id, "webhook-timestamp": str(at), "webhook-signature": signature}


def a_signature() -> str:
    return signed(b"{}")["webhook-signature"]


def told(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, str]:
    with closing(
        http.client.HTTPConnection(url.removeprefix("http://").rstrip("/"), timeout=5)
    ) as connection:
        connection.request("POST", "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode()


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master")]
        return database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] if table in tables else 0


@pytest.fixture
def books(tmp_path: Path) -> Path:
    return tmp_path / "received.sqlite3"


@pytest.fixture
def url(books: Path) -> Iterator[str]:
    station = Station(ports=[0], secret=SECRET, path=books, effect=keep)
    station.open()
    yield station.url
    station.shut()


def test_a_genuine_message_is_received_and_has_its_effect(url: str, books: Path) -> None:
    assert told(url, b'{"n":1}', signed(b'{"n":1}')) == (200, "done")
    assert (rows(books, "received"), rows(books, "effects")) == (1, 1)


def test_a_message_told_twice_is_done_once_and_answered_200_both_times(url: str, books: Path) -> None:
    first, second = (told(url, b"{}", signed(b"{}", age_s=age)) for age in (60, 0))
    assert (first, second) == ((200, "done"), (200, "known: it was done before"))
    assert (rows(books, "received"), rows(books, "effects")) == (1, 1)


def test_a_message_told_by_many_at_once_is_done_once(url: str, books: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: told(url, b"{}", signed(b"{}")), range(8)))
    assert sorted(answers) == [(200, "done")] + [(200, "known: it was done before")] * 7
    assert (rows(books, "received"), rows(books, "effects")) == (1, 1)


# Made when asked for, since they carry the time.
NOT_GENUINE: dict[str, Callable[[], dict[str, str]]] = {
    "another's secret": lambda: signed(b"{}", secret=OTHER),
    "another body": lambda: signed(b"[]"),
    "another id": lambda: signed(b"{}") | {"webhook-id": "dlv_2"},
    "another time": lambda: signed(b"{}", age_s=5) | {"webhook-timestamp": str(int(time.time()))},
    "too old": lambda: signed(b"{}", age_s=302),
    "from the future": lambda: signed(b"{}", age_s=-330),
    "no signature": lambda: signed(b"{}") | {"webhook-signature": ""},
    "another version": lambda: signed(b"{}") | {"webhook-signature": f"v2{a_signature()[2:]}"},
    "bytes above ASCII": lambda: signed(b"{}") | {"webhook-signature": "v1,é v1,ÿ"},
    "a time that is none": lambda: signed(b"{}") | {"webhook-timestamp": "soon"},
    "a time of 5,000 digits": lambda: signed(b"{}") | {"webhook-timestamp": "9" * 5000},
    "nothing at all": dict,
}


@pytest.mark.parametrize("forge", NOT_GENUINE.values(), ids=NOT_GENUINE.keys())
def test_what_is_not_genuine_is_refused_and_leaves_nothing(
    url: str, books: Path, forge: Callable[[], dict[str, str]]
) -> None:
    assert told(url, b"{}", forge())[0] == 401
    assert (rows(books, "received"), rows(books, "effects")) == (0, 0)


def test_one_of_two_signatures_is_enough_while_the_sender_changes_its_secret(url: str, books: Path) -> None:
    old, new = signed(b"{}", secret=OTHER), signed(b"{}")
    both = new | {"webhook-signature": f"{old['webhook-signature']} {new['webhook-signature']}"}
    assert told(url, b"{}", both) == (200, "done")


@pytest.mark.parametrize("length", ["1000000", "-1", "many", "", "9" * 5000])
def test_a_length_that_is_none_or_too_much_is_refused_unread(url: str, books: Path, length: str) -> None:
    assert told(url, b"", signed(b"") | {"content-length": length})[0] == 413
    assert rows(books, "received") == 0


def test_an_effect_that_fails_leaves_neither_id_nor_half_of_itself(books: Path) -> None:
    def fail(database: sqlite3.Connection, headers: Message, body: bytes) -> None:
        keep(database, headers, body)
        raise ZeroDivisionError

    headers = Message()
    headers["webhook-id"] = "dlv_1"
    with pytest.raises(ZeroDivisionError):
        do_once(str(books), headers, b"{}", fail)
    assert (rows(books, "received"), rows(books, "effects")) == (0, 0)
    assert do_once(str(books), headers, b"{}", keep) is True
    assert (rows(books, "received"), rows(books, "effects")) == (1, 1)


CRASH = """
import os, sys
from email.message import Message
from demo.receiver import do_once
from tests.test_demo_receivers import keep

def crash(database, headers, body):
    keep(database, headers, body)
    os._exit(9)

headers = Message()
headers["webhook-id"] = "dlv_1"
do_once(sys.argv[1], headers, b"{}", crash)
"""


def test_a_crash_between_effect_and_answer_leaves_nothing_and_the_next_telling_does_it(
    books: Path, url: str
) -> None:
    crashed = subprocess.run([sys.executable, "-c", CRASH, str(books)], cwd=ROOT, check=False)
    assert crashed.returncode == 9
    assert (rows(books, "received"), rows(books, "effects")) == (0, 0)
    assert told(url, b"{}", signed(b"{}")) == (200, "done")
    assert (rows(books, "received"), rows(books, "effects")) == (1, 1)


def test_the_receiver_is_short_enough_to_print() -> None:
    assert len((ROOT / "demo" / "receiver.py").read_text().splitlines()) <= 60


@pytest.mark.parametrize(
    ("elapsed_s", "is_down"),
    [
        (0, False),
        (39.9, False),
        (40, True),
        (99.9, True),
        (100, False),
        (339.9, False),
        (340, True),
        (400, False),
    ],
)
def test_c_is_down_for_a_minute_in_five(elapsed_s: float, is_down: bool) -> None:
    assert moods.is_down(elapsed_s) is is_down


@pytest.mark.parametrize(
    ("back_for_s", "pause_s"), [(None, 0.0), (0.0, 1.0), (19.9, 1.0), (20.0, 0.0), (1e6, 0.0)]
)
def test_c_is_slow_for_a_while_after_an_outage_and_never_before(
    back_for_s: float | None, pause_s: float
) -> None:
    assert moods.pause_s(back_for_s) == pause_s


def test_a_slow_station_makes_each_caller_wait_but_none_for_another(tmp_path: Path) -> None:
    path = tmp_path / "books.sqlite3"
    station = Station(ports=[0], secret=SECRET, path=path, effect=keep, pause_s=lambda: 0.5)
    station.open()
    began_at = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda n: told(station.url, b"{}", signed(b"{}", message_id=f"dlv_{n}")), range(8))
        )
    took_s = time.monotonic() - began_at
    station.shut()
    assert answers == [(200, "done")] * 8
    assert 0.5 <= took_s < 3  # one after the other would take 4 s


@pytest.mark.parametrize(
    ("order", "attempt", "age_s", "status"),
    [
        (1, 1, 0, 200),
        (49, 1, 0, 200),
        (50, 1, 0, 422),
        (50, 3, 179.9, 422),
        (50, 4, 180, 200),  # C has a new map by now, so a replay arrives
        (51, 1, 0, 200),
        (100, 1, 0, 422),
        (7, 1, 0, 503),
        (7, 2, 0, 200),
        (27, 1, 0, 503),
        (20, 1, 0, 200),
    ],
)
def test_c_answers_by_order_number_attempt_and_age(
    order: int, attempt: int, age_s: float, status: int
) -> None:
    assert moods.answer(order=order, attempt=attempt, age_s=age_s) == status


def test_c_refuses_one_order_in_fifty() -> None:
    refused = [order for order in range(1, 201) if moods.answer(order=order, attempt=2, age_s=1) == 422]
    assert refused == [50, 100, 150, 200]


def invoice(number: int) -> bytes:
    event = {"timestamp": datetime.now(UTC).isoformat(), "data": {"order": goods.order_id(number)}}
    return json.dumps(event).encode()


def test_an_order_that_c_refuses_is_not_received_so_a_replay_can_ship_it(tmp_path: Path) -> None:
    shipping = Shipping(folder=tmp_path, ports=[0], secret=SECRET, stop=threading.Event())
    shipping.station.open()
    body, path = invoice(50), tmp_path / "shipping.sqlite3"
    assert told(shipping.station.url, body, signed(body))[0] == 422
    assert (rows(path, "received"), rows(path, "shipments")) == (0, 0)
    assert shipping.news.get_nowait() == Declined(delivery="dlv_1", order="ORD-0000050", status=422)
    shipping.station.shut()


def test_c_ships_once_what_it_is_told_twice(tmp_path: Path) -> None:
    shipping = Shipping(folder=tmp_path, ports=[0], secret=SECRET, stop=threading.Event())
    shipping.station.open()
    body = invoice(1)
    assert [told(shipping.station.url, body, signed(body))[0] for _ in range(2)] == [200, 200]
    assert rows(tmp_path / "shipping.sqlite3", "shipments") == 1
    shipping.station.shut()


def test_b_writes_invoice_and_event_in_one_go_and_passes_the_trace_on(tmp_path: Path) -> None:
    stop = threading.Event()
    billing = Billing(folder=tmp_path, ports=[0], secret=SECRET, stop=stop)
    billing.station.open()
    body = json.dumps({"data": goods.make_order(3, is_street_unmapped=False)}).encode()
    trace = {"traceparent": "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "tracestate": "weir=dlv_1"}
    for _ in range(2):
        assert told(billing.station.url, body, signed(body) | trace)[0] == 200
    assert billing.count_invoices("dlv_1") == 1
    heard: list[tuple[str, object]] = []
    billing.outbox.empty(lambda event, given: heard.append((event["data"]["order"], given)))
    assert heard == [("ORD-0000003", trace)]
    assert rows(tmp_path / "billing.sqlite3", "outbox") == 0
    billing.station.shut()


def test_an_event_whose_answer_was_lost_is_told_again_under_the_same_id(tmp_path: Path) -> None:
    path, ids = tmp_path / "books.sqlite3", []
    outbox = Outbox(path=path, owner="B", stop=threading.Event())
    with transaction(path) as database:
        outbox.add(database, "invoice.issued", {"invoice": "INV-1"}, trace={})

    def lose(event: Event, trace: Trace) -> None:
        ids.append(event["event_id"])
        raise Stopped

    with pytest.raises(Stopped):
        outbox.empty(lose)
    outbox.empty(lambda event, trace: ids.append(event["event_id"]))
    assert len(ids) == 2 and ids[0] == ids[1]
    assert rows(path, "outbox") == 0


def test_a_shut_station_refuses_connections_and_opens_again_where_it_was(tmp_path: Path) -> None:
    station = Station(ports=[0], secret=SECRET, path=tmp_path / "books.sqlite3", effect=keep)
    station.open()
    url = station.url
    station.shut()
    with pytest.raises(ConnectionRefusedError):
        told(url, b"{}", signed(b"{}"))
    station.open()
    assert (station.url, told(url, b"{}", signed(b"{}"))[0]) == (url, 200)
    station.shut()
