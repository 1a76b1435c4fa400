"""What holds for every resource of the API alike: who may, what is not there, pages by key, constant questions."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from deliveries.models import DeadLetter, Delivery, Issue, Replay
from tests import make
from tests.callers import Caller, with_key
from tests.replaying import dead
from webhooks.ids import public_id, uuid7
from webhooks.models import ApiKey, AuditEntry, Refusal
from webhooks.services.keys import create_api_key

pytestmark = pytest.mark.django_db

OPEN = ["dead-letters", "issues", "replays", "refusals", "stats"]  # keys are for operators alone


def letters(count: int) -> None:
    dead(make.subscription(name=f"s{uuid7()}"), count)


def issues(count: int) -> None:
    for number in range(count):
        dead(make.subscription(name=f"s{uuid7()}"), fingerprint=f"v1:{number}")


def replays(count: int) -> None:
    Replay.objects.bulk_create(Replay(ordered_by="ada", preset="failed") for _ in range(count))


def refusals(count: int) -> None:
    source = make.source()
    Refusal.objects.bulk_create(
        Refusal(source=source, reason="signature-mismatch", headers=[], body=b"x") for _ in range(count)
    )


def api_keys(count: int) -> None:
    for _ in range(count):
        create_api_key(role="viewer")


def deliveries(count: int) -> None:
    make.deliveries(make.subscription(name=f"s{uuid7()}"), count)


MAKERS: dict[str, Callable[[int], None]] = {
    "dead-letters": letters,
    "issues": issues,
    "replays": replays,
    "refusals": refusals,
    "api-keys": api_keys,
    "deliveries": deliveries,
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_list_of_200_asks_as_much_as_one_of_10(name: str) -> None:
    caller = with_key()
    counts, sizes = [], []
    for more in (10, 190):
        MAKERS[name](more)
        with CaptureQueriesContext(connection) as asked:
            answer = caller.get(f"/api/v1/{name}?limit=250")
        sizes.append(len(answer.json()["results"]))
        counts.append(len(asked))
    own = int(name == "api-keys")  # the one that asks
    assert sizes == [10 + own, 200 + own]
    assert counts[0] == counts[1] <= 6, counts


@pytest.mark.parametrize("name", MAKERS)
def test_lists_page_by_key_newest_first_and_show_each_once(name: str) -> None:
    MAKERS[name](8)
    caller, pages = with_key(), []
    address: Any = f"/api/v1/{name}?limit=3"
    while address:
        page = caller.get(address).json()
        pages.append([row["id"] for row in page["results"]])
        address = page["next"]
    seen = sum(pages, [])
    assert [len(page) for page in pages] == [3, 3, 3 if name == "api-keys" else 2]
    assert seen == sorted(set(seen), reverse=True)


@pytest.mark.parametrize("name", OPEN)
@pytest.mark.parametrize(
    ("role", "status"), [("operator", 200), ("viewer", 200), ("publisher", 403), ("", 401)]
)
def test_who_may_read_a_list(name: str, role: str, status: int) -> None:
    caller = with_key(role) if role else Caller()
    assert caller.get(f"/api/v1/{name}").status_code == status


@pytest.fixture
def things() -> dict[str, str]:
    """One of each, by the place it has in an address."""
    (delivery,) = dead(make.subscription())
    pending = make.delivery(delivery.subscription)
    replays(1)
    refusals(1)
    return {
        "dead-letter": public_id("deadletter", DeadLetter.objects.get().pk),
        "delivery": public_id("delivery", pending.pk),
        "event": public_id("event", delivery.event_id),
        "issue": public_id("issue", Issue.objects.get().pk),
        "replay": public_id("replay", Replay.objects.get().pk),
        "refusal": public_id("refusal", Refusal.objects.get().pk),
        "subscription": public_id("subscription", delivery.subscription_id),
    }


READS = [
    "deliveries/{delivery}/attempts",
    "dead-letters/{dead-letter}",
    "issues/{issue}",
    "replays/{replay}",
    "refusals/{refusal}",
    "subscriptions/{subscription}/health",
    "subscriptions/{subscription}/secrets",
    "events/{event}/raw",
    "events/{event}/cascade",
]
ACTS = [
    "deliveries/{delivery}/cancel",
    "dead-letters/{dead-letter}/replay",
    "dead-letters/{dead-letter}/discard",
    "issues/{issue}/acknowledge",
    "issues/{issue}/ignore",
    "issues/{issue}/reopen",
    "replays",
    "replays/{replay}/pause",
    "replays/{replay}/resume",
    "replays/{replay}/cancel",
    "refusals/{refusal}/accept",
    "subscriptions/{subscription}/pause",
    "subscriptions/{subscription}/secrets/expire",
]


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize(
    ("role", "status"), [("operator", 200), ("viewer", 200), ("publisher", 403), ("", 401)]
)
def test_who_may_read_one(things: dict[str, str], path: str, role: str, status: int) -> None:
    caller = with_key(role) if role else Caller()
    assert caller.get(f"/api/v1/{path.format_map(things)}").status_code == status


@pytest.mark.parametrize("path", ACTS)
@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("publisher", 403), ("", 401)])
def test_who_may_not_act_changes_nothing(things: dict[str, str], path: str, role: str, status: int) -> None:
    caller = with_key(role) if role else Caller()
    before = everything()
    assert caller.post(f"/api/v1/{path.format_map(things)}", {"reason": "x"}).status_code == status
    assert everything() == before


def test_a_rate_is_changed_by_operators_alone(things: dict[str, str]) -> None:
    home = f"/api/v1/replays/{things['replay']}"
    answers = [with_key(role).patch(home, {"rate_per_s": 5}) for role in ("viewer", "publisher")]
    assert [each.status_code for each in answers] == [403, 403]
    assert Replay.objects.get().rate_per_s is None


def everything() -> dict[str, Any]:
    """What an act could change."""
    models = (Delivery, DeadLetter, Issue, Replay)
    kept: dict[str, Any] = {model.__name__: list(model.objects.order_by("pk").values()) for model in models}
    return kept | {
        "acts": AuditEntry.objects.count(),
        "holds": list(Delivery.objects.values_list("subscription__lane__hold", flat=True)),
        "accepted": list(Refusal.objects.values_list("accepted_at", flat=True)),
        "keys": ApiKey.objects.filter(revoked_at=None).count(),
    }


@pytest.mark.parametrize("path", [*READS, *(each for each in ACTS if "{" in each)])
@pytest.mark.parametrize("name", ["x", "00000000-0000-7000-8000-000000000000", "a%00b"])
def test_what_does_not_exist_is_404(path: str, name: str) -> None:
    before, _, after = path.partition("{")
    address = f"/api/v1/{before}{name}{after.partition('}')[2]}"
    caller = with_key()
    answer = caller.get(address) if path in READS else caller.post(address, {"reason": "x"})
    assert answer.status_code == 404


# -- subscribers: what is theirs, and nothing else --------------------------------------------------------


@pytest.mark.parametrize("name", ["issues", "replays", "refusals", "stats", "api-keys"])
def test_what_belongs_to_nobody_is_shut_to_subscribers(name: str) -> None:
    caller = with_key("subscriber", subscriber=make.subscriber())
    assert caller.get(f"/api/v1/{name}").status_code == 403


def test_a_subscriber_looks_after_what_is_its_own(things: dict[str, str]) -> None:
    caller = with_key("subscriber", subscriber=make.subscriber())
    own = ("deliveries/{delivery}/attempts", "dead-letters", "dead-letters/{dead-letter}",
           "subscriptions/{subscription}/health", "subscriptions/{subscription}/secrets")  # fmt: skip
    answers = [caller.get(f"/api/v1/{path.format_map(things)}") for path in own]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert [row["id"] for row in answers[1].json()["results"]] == [things["dead-letter"]]
    letter, delivery = (
        f"/api/v1/dead-letters/{things['dead-letter']}",
        f"/api/v1/deliveries/{things['delivery']}",
    )
    before = everything()
    for path in (f"{letter}/discard", f"{delivery}/cancel"):
        assert caller.post(path, {"reason": "x"}).status_code == 403
    assert everything() == before
    assert caller.post(f"{letter}/replay").status_code == 202
