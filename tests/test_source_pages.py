"""Sources on the console: how each does at a glance, what its provider expects, and secrets that are rotated safely."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from tests import make
from tests.callers import browser, with_key
from webhooks.models import AuditEntry, Event, Source, SourceSecret
from webhooks.services import rollups
from webhooks.services.sources import create_source, update_source

pytestmark = pytest.mark.django_db

LIST = "/admin/webhooks/source/"


@pytest.fixture
def chief() -> Client:
    return browser(is_superuser=True)


@pytest.fixture
def shop() -> Source:
    rollups.stop()
    return create_source(name="Shop", slug="shop", scheme="api-key", secret="old-key", actor="test")


def send(key: str = "old-key", body: bytes = make.BODY) -> None:
    Client().post("/in/shop", body, content_type="text/plain", headers={"x-api-key": key})


def act(client: Client, source: Source, verb: str, **fields: Any) -> Any:
    return client.post(reverse(f"admin:webhooks_source_{verb}", args=[source.pk]), fields, follow=True)


def text_of(client: Client, source: Source) -> str:
    return client.get(reverse("admin:webhooks_source_change", args=[source.pk])).content.decode()


def said(answer: Any) -> list[str]:
    return [str(message) for message in answer.context["messages"]]


class TestList:
    def test_each_is_told_with_its_last_event_its_day_and_what_waits(
        self, chief: Client, shop: Source
    ) -> None:
        send()
        send()
        send("wrong")
        rollups.flush()
        (row,) = chief.get(LIST).context["rows"]
        assert (row.state, row.source.last_event_at) == ("receiving", Event.objects.get().received_at)
        assert (row.day.of("accepted"), row.day.of("duplicate"), row.day.of("refused")) == (1, 1, 1)
        assert (row.waiting, row.waiting_address) == (1, "?source=shop")

    def test_silent_disabled_and_new_ones_are_told_apart(self, chief: Client) -> None:
        make.source("a")
        off = create_source(name="b", slug="b", is_enabled=False, actor="test")
        late = create_source(name="c", slug="c", expected_every_s=60, actor="test")
        Source.objects.filter(pk=late.pk).update(created_at=make.now() - timedelta(hours=1))
        states = [(row.source.slug, row.state) for row in chief.get(LIST).context["rows"]]
        assert states == [("a", "awaited"), ("b", "disabled"), ("c", "silent")]
        assert off.is_enabled is False

    def test_pages_go_by_name_both_ways(self, chief: Client) -> None:
        for number in range(120):
            make.source(f"s{number:03}")
        seen, address = [], LIST
        for _ in range(3):
            shown = chief.get(address).context
            seen += [row.source.slug for row in shown["rows"]]
            address = LIST + shown["next"]
        assert seen == [f"s{number:03}" for number in range(120)] and shown["next"] == ""
        back = chief.get(LIST + shown["previous"]).context["rows"]
        assert [row.source.slug for row in back] == seen[50:100]

    @pytest.mark.parametrize("term", ["shop", "Shop"])
    def test_one_is_found_by_slug_or_whole_name(self, chief: Client, shop: Source, term: str) -> None:
        make.source("other")
        assert [row.source for row in chief.get(LIST, {"q": term}).context["rows"]] == [shop]

    def test_what_nobody_understands_is_told(self, chief: Client) -> None:
        assert len(chief.get(f"{LIST}?colour=red&after=x").context["notices"]) == 2


class TestOne:
    def test_it_tells_what_the_provider_expects_and_where_it_sends(
        self, chief: Client, settings: Any
    ) -> None:
        settings.HUB_PUBLIC_URL = "https://hub.example"
        made = create_source(name="Z", slug="z", scheme="zoom", secret="s3cret-token", actor="test")
        text = text_of(chief, made)
        assert "https://hub.example/in/z" in text
        assert "3 s for an answer" in text and "a few; the address is validated anew every 72 h" in text
        assert "5 min, either way" in text and "zoom: none came yet" in text
        assert "s3cret" not in text and "…oken" in text

    @pytest.mark.parametrize(
        ("scheme", "sentence"),
        [
            ("gitlab-token", "The body is not signed: who knows the token can say anything."),
            ("square", "nobody said what it is: set the option public_url"),
        ],
    )
    def test_its_weakness_is_told(self, chief: Client, scheme: str, sentence: str) -> None:
        made = create_source(name="Z", slug="z", scheme=scheme, secret="s", actor="test")
        assert sentence in text_of(chief, made)

    def test_silence_is_told_with_since_when(self, chief: Client) -> None:
        made = create_source(name="Z", slug="z", expected_every_s=3_600, actor="test")
        Source.objects.filter(pk=made.pk).update(created_at=make.now() - timedelta(hours=3))
        text = text_of(chief, made)
        assert "Silent: an event was due" in text and "expected at least every 1 h" in text

    def test_refusals_and_latest_events_lead_to_their_pages(self, chief: Client, shop: Source) -> None:
        send()
        send("wrong")
        rollups.flush()
        text = text_of(chief, shop)
        assert "?source=shop&amp;reason=token-mismatch" in text
        assert reverse("admin:webhooks_event_change", args=[Event.objects.get().pk]) in text

    def test_overrides_are_marked_as_set_here(self, chief: Client) -> None:
        made = create_source(
            name="Z", slug="z", id_from="data.id", options={"entity_from": "a.b"}, actor="test"
        )
        text = text_of(chief, made)
        assert text.count("set here") == 2 and "<code>data.id</code>" in text

    def test_without_a_live_secret_it_says_that_all_is_refused(self, chief: Client, shop: Source) -> None:
        SourceSecret.objects.update(expires_at=make.now() - timedelta(seconds=1))
        assert "It has no live secret" in text_of(chief, shop)

    def test_a_viewer_looks_and_is_offered_no_act(self, shop: Source) -> None:
        viewer = browser("webhooks.view_source")
        text = text_of(viewer, shop)
        assert "Disable" not in text and "New secret" not in text and ">Edit<" not in text


class TestActs:
    def test_a_secret_is_added_with_an_overlap_and_the_old_one_ends_by_itself(
        self, chief: Client, shop: Source
    ) -> None:
        told = act(chief, shop, "add_secret", secret="new-key", others="86400", reason="yearly")
        assert said(told) == ["Added …-key; it is live from now on."]
        old, new = SourceSecret.objects.order_by("pk")
        assert new.expires_at is None
        assert timedelta(hours=23.9) < old.expires_at - make.now() <= timedelta(hours=24)
        entry = AuditEntry.objects.get(verb="add-secret")
        assert (entry.reason, entry.actor) == ("yearly", "ada") and "new-key" not in str(entry.after)

    def test_pressed_twice_one_secret_is_added_and_the_second_press_is_told(
        self, chief: Client, shop: Source
    ) -> None:
        fields = {"secret": "new-key", "others": "86400", "reason": "yearly"}
        said_each = [said(act(chief, shop, "add_secret", **fields)) for _ in range(2)]
        assert said_each[1] == ["The source holds this secret already, and it is live."]
        assert SourceSecret.objects.count() == 2

    @pytest.mark.parametrize(("others", "lives"), [("0", False), ("None", True)])
    def test_the_others_end_at_once_or_not_at_all(
        self, chief: Client, shop: Source, others: str, lives: bool
    ) -> None:
        act(chief, shop, "add_secret", secret="new-key", others=others, reason="leaked")
        send()
        assert Event.objects.exists() is lives

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"secret": "new", "others": "86400"}, "Say why: a reason is needed."),
            ({"secret": "new", "others": "5", "reason": "x"}, "Choose how long the others live."),
            ({"secret": "", "others": "0", "reason": "x"}, "The secret is empty."),
            (
                {"secret": "a", "others": "0", "purpose": "x", "reason": "x"},
                "'x' is not a valid SecretPurpose",
            ),
        ],
    )
    def test_what_cannot_be_is_said_and_nothing_changes(
        self, chief: Client, shop: Source, fields: dict[str, str], sentence: str
    ) -> None:
        assert said(act(chief, shop, "add_secret", **fields)) == [sentence]
        assert SourceSecret.objects.get().expires_at is None

    def test_a_secret_is_ended_once(self, chief: Client, shop: Source) -> None:
        pk = SourceSecret.objects.get().pk.hex
        assert said(act(chief, shop, "end_secret", secret=pk, reason="leaked")) == [
            "Ended …-key: what it signs is refused from now on."
        ]
        send()
        assert not Event.objects.exists()
        assert said(act(chief, shop, "end_secret", secret=pk, reason="leaked")) == [
            "…-key had ended already."
        ]
        assert AuditEntry.objects.filter(verb="expire-secret").count() == 1

    def test_a_secret_of_another_source_is_none_of_this_one_s(self, chief: Client, shop: Source) -> None:
        other = create_source(name="O", slug="o", scheme="api-key", secret="k", actor="test")
        told = act(chief, shop, "end_secret", secret=other.secrets.get().pk.hex, reason="x")
        assert said(told) == ["The source has no such secret."]
        assert other.secrets.get().expires_at is None

    def test_it_is_switched_off_and_on_and_a_stale_press_is_told(self, chief: Client, shop: Source) -> None:
        said_each = [said(act(chief, shop, "switch", to=to)) for to in ("disabled", "disabled", "enabled")]
        assert said_each == [
            ["Disabled: what is sent to it is answered with 404."], ["It was disabled already."], ["Enabled."],
        ]  # fmt: skip
        assert AuditEntry.objects.filter(verb="update").count() == 2

    @pytest.mark.parametrize("name", ["switch", "add_secret", "end_secret"])
    def test_who_may_not_change_it_is_refused(self, shop: Source, name: str) -> None:
        viewer = browser("webhooks.view_source")
        assert act(viewer, shop, name, to="disabled", secret="x", others="0", reason="x").status_code == 403
        address = reverse(f"admin:webhooks_source_{name}", args=[shop.pk])
        assert browser(is_superuser=True, name="bo").get(address).status_code == 405
        shop.refresh_from_db()
        assert shop.is_enabled and SourceSecret.objects.count() == 1

    def test_how_often_events_are_expected_is_set_in_the_form(self, chief: Client, shop: Source) -> None:
        form = {"name": "Shop", "slug": "shop", "scheme": "api-key", "is_enabled": "on"}
        answer = act(chief, shop, "edit", expected_every_s="900", **form)
        assert answer.redirect_chain == [(reverse("admin:webhooks_source_change", args=[shop.pk]), 302)]
        shop.refresh_from_db()
        assert shop.expected_every_s == 900


class TestSample:
    def form(self, **more: Any) -> dict[str, Any]:
        return {"method": "POST", "headers": "X-Api-Key: old-key", "body": '{"id": "a", "kind": "t"}', **more}

    def test_a_pasted_request_is_judged_and_read_and_nothing_is_kept(
        self, chief: Client, shop: Source
    ) -> None:
        told = act(chief, shop, "sample", **self.form(type_from="kind")).context["told"]
        assert (told.verdict, told.sentence) == ("verified", "Verified by api-key …-key.")
        assert (told.events[0].fact.external_id, told.events[0].fact.event_type) == ("a", "t")
        assert not Event.objects.exists()
        shop.refresh_from_db()
        assert shop.type_from == ""

    def test_why_it_would_be_refused_is_told(self, chief: Client, shop: Source) -> None:
        answer = act(chief, shop, "sample", **self.form(headers="x-api-key: no"))
        assert "It would be refused: token-mismatch" in answer.content.decode()

    def test_a_flaw_is_told_at_its_field(self, chief: Client, shop: Source) -> None:
        answer = act(chief, shop, "sample", **self.form(version_from="a.["))
        assert list(answer.context["form"].errors) == ["version_from"] and "told" not in answer.context

    @pytest.mark.parametrize("what", ["event", "refusal"])
    def test_the_latest_request_is_filled_in_for_who_may_see_it(self, shop: Source, what: str) -> None:
        send("old-key" if what == "event" else "wrong")
        address = reverse("admin:webhooks_source_sample", args=[shop.pk]) + f"?of={what}"
        seeing = browser("webhooks.view_source", "webhooks.view_payload", name="cy")
        filled = seeing.get(address).context["form"].initial
        assert filled["body"] == make.BODY.decode() and "x-api-key: ••••••" in filled["headers"]
        blind = browser("webhooks.view_source", name="bo").get(address)
        assert blind.context["form"].initial == {}

    def test_line_ends_of_a_form_are_those_of_a_sender(self, chief: Client) -> None:
        made = create_source(name="S", slug="s", actor="test")
        told = act(chief, made, "sample", method="POST", body='{\r\n"id": "a"}').context["told"]
        assert told.events[0].fact.body == b'{\n"id": "a"}'


def test_the_api_tells_silence_and_matches_too() -> None:
    caller = with_key()
    wanted = {"name": "S", "slug": "s", "scheme": "api-key", "secret": "k1", "expected_every_s": 60}
    made = caller.post("/api/v1/sources", wanted).json()
    assert (made["expected_every_s"], made["last_event_at"]) == (60, None)
    assert (made["secrets"][0]["matches"], made["secrets"][0]["last_matched_at"]) == (0, None)
    assert caller.patch("/api/v1/sources/s", {"expected_every_s": 0}).status_code == 400
    event = make.event(source=Source.objects.get())
    shown = caller.get("/api/v1/sources/s").json()["last_event_at"]
    assert shown == event.received_at.isoformat().replace("+00:00", "Z")
    update_source(source_id=Source.objects.get().pk, expected_every_s=None, actor="test")
    assert caller.get("/api/v1/sources/s").json()["expected_every_s"] is None
