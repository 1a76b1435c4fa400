"""API keys: made once, kept as digests, checked and revoked, by services, a terminal and the API's door."""

import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from tests import make
from webhooks.authentication import ApiKeyAuthentication, MayOperate, MayOwn, MayPublish, MayRead
from webhooks.ids import public_id
from webhooks.models import ApiKey, AuditEntry, Subscriber
from webhooks.services.keys import authenticate, create_api_key, revoke_api_key

pytestmark = pytest.mark.django_db


class Door(APIView):
    authentication_classes = (ApiKeyAuthentication,)

    def get(self, request: Any) -> Response:
        return Response(str(request.user))


def knock(header: str | None, may: Any = MayRead) -> Any:
    headers = {} if header is None else {"authorization": header}
    return Door.as_view(permission_classes=[may])(APIRequestFactory().get("/", headers=headers))


def command(*words: str) -> str:
    out = StringIO()
    call_command("api_key", *words, stdout=out)
    return out.getvalue()


def test_a_key_says_its_role_and_only_its_digest_is_kept() -> None:
    key, plain = create_api_key(role="operator", name="ci")
    assert re.fullmatch(r"weir_operator_[A-Za-z0-9_-]{43}", plain)
    assert key.shown_prefix == plain[:20]
    assert plain not in repr(ApiKey.objects.values().get())


def test_a_key_is_recorded_without_itself() -> None:
    key, plain = create_api_key(role="viewer", name="ci", actor="ada")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.verb, entry.object_id) == ("ada", "create", public_id("apikey", key.id))
    assert plain not in repr(AuditEntry.objects.values().get())


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("role", {"role": "god"}),
        ("expires_at", {"role": "viewer", "expires_at": timezone.now()}),
        ("subscriber", {"role": "subscriber"}),
        ("subscriber", {"role": "operator", "subscriber": "billing"}),
        ("sources", {"role": "viewer", "sources": ["shop"]}),
    ],
)
def test_a_key_that_could_not_serve_is_not_made(field: str, wrong: dict[str, Any]) -> None:
    if "subscriber" in wrong:
        wrong = {**wrong, "subscriber": make.subscriber(wrong["subscriber"])}
    if "sources" in wrong:
        wrong = {**wrong, "sources": [make.source(slug) for slug in wrong["sources"]]}
    with pytest.raises(ValidationError) as refused:
        create_api_key(**wrong)
    assert list(refused.value.message_dict) == [field]
    assert not ApiKey.objects.exists()


def test_whose_a_key_is_stands_in_the_audit() -> None:
    owner = make.subscriber()
    create_api_key(role="subscriber", subscriber=owner)
    create_api_key(role="publisher", sources=[make.source("shop")])
    first, second = AuditEntry.objects.order_by("pk").values_list("after", flat=True)
    assert first["subscriber"] == public_id("subscriber", owner.pk)
    assert second["sources"] == ["shop"]


def test_the_plain_key_opens_and_nothing_near_it_does() -> None:
    key, plain = create_api_key(role="viewer")
    assert authenticate(plain) == key
    for wrong in ("", plain[:-1], plain + "x", plain.upper(), key.digest, "\ud800", "\0"):
        assert authenticate(wrong) is None


def test_an_expired_key_does_not_open() -> None:
    key, plain = create_api_key(role="viewer", expires_at=timezone.now() + timedelta(hours=1))
    assert authenticate(plain) == key
    ApiKey.objects.update(expires_at=timezone.now())
    assert authenticate(plain) is None


def test_a_revoked_key_does_not_open_and_is_revoked_once() -> None:
    key, plain = create_api_key(role="viewer")
    assert [revoke_api_key(key_id=key.id, actor="ada") for _ in range(2)] == [True, False]
    assert authenticate(plain) is None
    assert AuditEntry.objects.filter(verb="revoke", actor="ada").count() == 1


def test_use_is_noted_at_most_once_a_minute(django_assert_num_queries: Any) -> None:
    _, plain = create_api_key(role="viewer")
    with django_assert_num_queries(2):
        authenticate(plain)
    noted = ApiKey.objects.get().last_used_at
    with django_assert_num_queries(1):
        authenticate(plain)
    assert ApiKey.objects.get().last_used_at == noted


@pytest.mark.parametrize(
    ("role", "may", "status"),
    [
        ("viewer", MayRead, 200),
        ("viewer", MayOperate, 403),
        ("viewer", MayPublish, 403),
        ("subscriber", MayRead, 403),
        ("subscriber", MayOperate, 403),
        ("subscriber", MayPublish, 403),
        ("subscriber", MayOwn, 200),
        ("operator", MayOwn, 403),
        ("publisher", MayRead, 403),
        ("publisher", MayOperate, 403),
        ("publisher", MayPublish, 200),
        ("operator", MayRead, 200),
        ("operator", MayOperate, 200),
        ("operator", MayPublish, 200),
    ],
)
def test_a_role_may_what_it_may(role: str, may: Any, status: int) -> None:
    owner = make.subscriber() if role == "subscriber" else None
    _, plain = create_api_key(role=role, subscriber=owner)
    assert knock(f"Bearer {plain}", may).status_code == status


def test_the_holder_is_named_by_the_key() -> None:
    _, plain = create_api_key(role="viewer", name="grafana")
    assert knock(f"bearer {plain}").data == f"grafana ({plain[:18]}…)"


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer x", "Bearer \xff", "Basic YTpi", "Bearer a b"]
)
def test_without_a_good_key_the_answer_is_401_and_says_how_to_knock(header: str | None) -> None:
    answer = knock(header)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="weir"')


def test_the_command_prints_a_key_and_nothing_else() -> None:
    plain = command("create", "--role", "operator", "--name", "ci", "--expires", "30d")
    key = authenticate(plain.rstrip("\n"))
    assert key is not None
    assert (key.role, key.name) == ("operator", "ci")
    assert key.expires_at is not None
    assert abs(key.expires_at - timezone.now() - timedelta(days=30)) < timedelta(minutes=1)


def test_the_command_lists_and_revokes() -> None:
    key, plain = create_api_key(role="viewer", name="grafana")
    name = public_id("apikey", key.id)
    assert command("list") == f"{name}  viewer      live     grafana ({plain[:18]}…)\n"
    assert command("revoke", name) == "Revoked.\n"
    assert command("list") == f"{name}  viewer      revoked  grafana ({plain[:18]}…)\n"


@pytest.mark.parametrize("form", ["id", "name"])
def test_the_command_makes_a_subscribers_key_by_id_or_name(form: str) -> None:
    owner = make.subscriber("Billing")
    named = public_id("subscriber", owner.pk) if form == "id" else "Billing"
    key = authenticate(command("create", "--role", "subscriber", "--subscriber", named).rstrip())
    assert key is not None and key.subscriber == owner
    assert command("list").rstrip().endswith(" of Billing")


def test_the_command_binds_a_publisher_to_sources() -> None:
    for slug in ("shop", "till"):
        make.source(slug)
    key = authenticate(
        command("create", "--role", "publisher", "--source", "shop", "--source", "till").rstrip()
    )
    assert key is not None and {source.slug for source in key.sources.all()} == {"shop", "till"}
    assert command("list").rstrip().endswith(" to shop, till")


def test_a_name_that_two_subscribers_have_is_refused() -> None:
    Subscriber.objects.bulk_create([Subscriber(name="Billing"), Subscriber(name="Billing")])
    with pytest.raises(CommandError, match="Several subscribers"):
        command("create", "--role", "subscriber", "--subscriber", "Billing")


@pytest.mark.parametrize(
    "words",
    [
        ("create", "--role", "subscriber"),
        ("create", "--role", "subscriber", "--subscriber", "nobody"),
        ("create", "--role", "publisher", "--source", "nowhere"),
        ("create",),
        ("create", "--role", "god"),
        ("create", "--role", "viewer", "--expires", "soon"),
        ("create", "--role", "viewer", "--expires", "0d"),
        ("revoke", "nonsense"),
        ("revoke", "0" * 32),
    ],
)
def test_the_command_refuses_what_it_does_not_understand(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        command(*words)
    assert not ApiKey.objects.exists()
