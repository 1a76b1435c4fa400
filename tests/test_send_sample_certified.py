"""`manage.py send_sample` where a provider signs by a certificate: the hub's own signs, believed once it is pinned."""

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from django.core.management import CommandError, call_command

from tests.certificates import authority
from tests.hubs import PROC, Hub, environment_of, running_hub
from webhooks.deciders.pinning import pinned
from webhooks.deciders.schemes import SCHEMES
from webhooks.models import AuditEntry, Event, Refusal, Source
from webhooks.services import certificates
from webhooks.services.sample_signer import sample_signer
from webhooks.services.sources import create_source, update_source

pytestmark = pytest.mark.django_db(transaction=True)

CERTIFIED = sorted(slug for slug, row in SCHEMES.items() if row.needs_certificate)
each_certified = pytest.mark.parametrize("slug", CERTIFIED)
ACCOUNT = "arn:aws:sns:us-east-1:123456789012:Topic"
ADVICE = (
    "To have it believed, pin this sample's certificate on its source: "
    "run this again with --pin, or paste it where the source is edited."
)


def send(*args: str) -> str:
    out = io.StringIO()
    call_command("send_sample", *args, stdout=out)
    return out.getvalue()


def fails(*args: str) -> tuple[str, str]:
    """What it printed, and the sentence that it ended with."""
    out = io.StringIO()
    with pytest.raises(CommandError) as caught:
        call_command("send_sample", *args, stdout=out)
    return out.getvalue(), str(caught.value)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.HUB_VAR = tmp_path
    return tmp_path


@pytest.fixture
def here(live_server: Any, settings: Any, monkeypatch: Any) -> str:
    """A hub at the port that its settings name, and no way out of it."""

    def fetch(url: str) -> str:
        pytest.fail(f"The hub asked for {url}")

    monkeypatch.setattr(certificates, "_fetch", fetch)
    settings.HUB_PORT = live_server.thread.port
    settings.HUB_PUBLIC_URL = ""
    return f"http://127.0.0.1:{settings.HUB_PORT}"


def make_source(slug: str, pinned: str = "") -> Source:
    options = {"account": ACCOUNT}
    return create_source(
        name="S", slug="shop", scheme=slug, options=options, pinned_certificate=pinned, actor="test"
    )


def now() -> datetime:
    return datetime.now(UTC)


class TestUnpinned:
    @each_certified
    def test_it_is_refused_and_told_how_to_pin_and_nothing_is_changed(self, here: str, slug: str) -> None:
        made = make_source(slug)
        printed, said = fails(slug)
        certificate = sample_signer(now()).certificate
        assert printed.startswith(f"{certificate}{ADVICE}\nPOST {here}/in/shop\n401 ")
        assert said == f"It was not taken. {ADVICE}"
        assert not Event.objects.exists()
        assert Refusal.objects.get().reason == "certificate-url"
        made.refresh_from_db()
        assert (made.pinned_certificate, made.revision) == ("", 1)

    @each_certified
    def test_what_it_printed_is_taken_where_a_certificate_is_pinned(self, here: str, slug: str) -> None:
        made = make_source(slug)
        printed, _ = fails(slug)
        update_source(source_id=made.pk, pinned_certificate=printed.partition(ADVICE)[0], actor="test")
        assert send(slug).startswith(f"POST {here}/in/shop\n202 ")

    def test_where_another_is_pinned_it_is_refused_and_stays_so(self, here: str) -> None:
        theirs = authority().certificate
        made = make_source("paypal", theirs)
        assert fails("paypal")[1] == f"It was not taken. {ADVICE}"
        assert Refusal.objects.get().reason == "signature-mismatch"
        made.refresh_from_db()
        assert made.pinned_certificate == theirs


class TestPin:
    @each_certified
    def test_it_is_pinned_by_the_service_once_and_taken_each_time(self, here: str, slug: str) -> None:
        made = make_source(slug)
        told = [send(slug, "--pin"), send(slug, "--pin"), send(slug)]
        sentence = "Pinned on shop: until it is unpinned there, what the provider itself signs is refused.\n"
        assert [each.partition("POST")[0] for each in told] == [sentence, sentence, ""]
        assert Event.objects.count() == 3 and not Refusal.objects.exists()
        known = pinned(sample_signer(now()).certificate)
        assert known is not None
        assert set(Event.objects.values_list("verified_by", flat=True)) == {f"{slug} pinned {known.hint}"}
        entry = AuditEntry.objects.get(verb="update")
        assert (entry.actor, entry.reason) == ("manage.py", "send_sample --pin")
        assert known.fingerprint in entry.after["pinned_certificate"]
        made.refresh_from_db()
        assert made.revision == 2

    def test_it_replaces_another_one_only_when_told_to(self, here: str) -> None:
        make_source("paypal", authority().certificate)
        assert "202" in send("paypal", "--pin")
        assert Source.objects.get(slug="shop").pinned_certificate == sample_signer(now()).certificate

    def test_a_sample_that_no_certificate_signs_pins_and_unpins_nothing(self, here: str) -> None:
        create_source(name="G", slug="g", scheme="github", secret="s", actor="test")
        made = make_source("paypal", authority().certificate)
        for args in (("github",), ("paypal", "--secret", authority().private)):
            _, said = fails(*args, "--pin")
            assert said == "No certificate of this hub's own signs this sample, so there is none to pin."
        made.refresh_from_db()
        assert (made.pinned_certificate != "", made.revision) == (True, 1)
        assert not Event.objects.exists() and not Refusal.objects.exists()

    def test_a_source_of_another_hub_cannot_be_pinned_from_here(self, here: str) -> None:
        make_source("paypal")
        _, said = fails("paypal", "--url", f"{here}/in/shop", "--account", ACCOUNT, "--pin")
        assert said.startswith("Only a source of this hub can be pinned from here")
        assert not Source.objects.exclude(pinned_certificate="").exists() and not Refusal.objects.exists()


class TestAnotherHub:
    def test_it_is_reached_by_its_address_and_account(self, here: str) -> None:
        make_source("aws-sns", sample_signer(now()).certificate)
        Source.objects.update(scheme="aws-sns")
        assert "\n202 " in send("aws-sns", "--url", f"{here}/in/shop", "--account", ACCOUNT)
        _, said = fails("aws-sns", "--url", f"{here}/in/shop", "--account", "arn:other")
        assert "paste it where the source is edited" in said and "--pin" not in said
        assert Refusal.objects.get().reason == "account-mismatch"

    def test_a_key_of_one_s_own_signs_where_its_certificate_is_pinned(self, here: str) -> None:
        own = authority()
        make_source("paypal", own.certificate)
        assert send("paypal", "--secret", own.private).startswith(f"POST {here}/in/shop\n202 ")

    @pytest.mark.parametrize("secret", ["no key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n"])
    def test_what_is_no_key_is_said_without_repeating_it(self, here: str, secret: str) -> None:
        make_source("paypal")
        _, said = fails("paypal", "--secret", secret)
        assert said == "The secret must be an RSA private key in PEM, and not encrypted."


class TestSigner:
    def test_nobody_else_may_read_the_key_and_nothing_prints_it(self, here: str, folder: Path) -> None:
        make_source("paypal")
        printed, said = fails("paypal")
        (file,) = folder.iterdir()
        assert (file.name, oct(file.stat().st_mode & 0o777)) == ("sample_signer.pem", "0o600")
        line = file.read_text().splitlines()[3]
        assert line not in printed + said + repr(sample_signer(now()))
        assert "PRIVATE KEY" in file.read_text() and "PRIVATE" not in printed + said

    def test_the_same_one_is_used_until_it_is_about_to_end(self, folder: Path) -> None:
        first = sample_signer(now())
        known = pinned(first.certificate)
        assert known is not None
        assert timedelta(days=89) < known.expires_at - now() <= timedelta(days=90)
        assert sample_signer(known.expires_at - timedelta(days=1)) == first
        second = sample_signer(known.expires_at - timedelta(hours=23))
        assert second.certificate != first.certificate and second.private_key != first.private_key
        (file,) = folder.iterdir()
        assert oct(file.stat().st_mode & 0o777) == "0o600"

    def test_a_file_that_others_may_read_is_not_trusted(self, here: str, folder: Path) -> None:
        make_source("paypal")
        sample_signer(now())
        (file,) = folder.iterdir()
        file.chmod(0o640)
        _, said = fails("paypal", "--pin")
        assert said == f"Others may read the key in {file}: remove the file, and a new one is made."
        assert not AuditEntry.objects.filter(verb="update").exists() and not Refusal.objects.exists()

    @pytest.mark.parametrize("flaw", ["empty", "no key", "no certificate", "another's certificate", "noise"])
    def test_a_damaged_file_is_told_and_left_alone(self, folder: Path, flaw: str) -> None:
        make_source("paypal")
        signer, file = sample_signer(now()), folder / "sample_signer.pem"
        text = {
            "empty": "",
            "no key": signer.certificate,
            "no certificate": signer.private_key,
            "another's certificate": signer.private_key + authority().certificate,
            "noise": "\x80\xff",
        }[flaw]
        file.write_text(text, encoding="latin-1")
        _, said = fails("paypal")
        assert said == f"The file {file} holds no key and its certificate: remove it, and a new one is made."
        assert file.read_text(encoding="latin-1") == text

    def test_a_folder_that_cannot_be_written_to_is_told(self, settings: Any, folder: Path) -> None:
        make_source("paypal")
        (folder / "a-file").write_text("")
        settings.HUB_VAR = folder / "a-file" / "var"
        _, said = fails("paypal")
        assert said.startswith(f"The file {settings.HUB_VAR / 'sample_signer.pem'} cannot be read or made: ")


@pytest.mark.skipif(not PROC.exists(), reason="finds processes in /proc")
class TestARealHub:
    @pytest.fixture
    def hub(self, tmp_path: Path, free_port: int) -> Iterator[Hub]:
        environment = environment_of(tmp_path) | {"HUB_PORT": str(free_port)}
        with running_hub(tmp_path, free_port, environment) as hub:
            hub.until(lambda: hub.answers("/readyz"))
            yield hub

    def command(self, hub: Hub, *args: str) -> tuple[int, str]:
        environment = environment_of(hub.log.parent) | {"HUB_PORT": hub.address.rpartition(":")[2]}
        done = subprocess.run(
            [sys.executable, "manage.py", *args], env=environment, capture_output=True, text=True, timeout=60
        )
        return done.returncode, done.stdout + done.stderr

    def test_it_refuses_what_is_not_pinned_and_takes_what_is(self, hub: Hub) -> None:
        _, key = self.command(hub, "api_key", "create", "--role", "operator")
        for slug in CERTIFIED:
            body = {"name": slug, "slug": slug, "scheme": slug, "options": {"account": ACCOUNT}}
            self.ask(hub, key, "sources", body)
            failed, told = self.command(hub, "send_sample", slug)
            assert failed == 1 and "\n401 " in told and f"It was not taken. {ADVICE}" in told, told
            done, told = self.command(hub, "send_sample", slug, "--pin")
            assert done == 0 and "\n202 " in told and "accepted" in told, told
            assert self.ask(hub, key, f"sources/{slug}")["pinned"]["subject"].startswith("CN=Weir samples")
        events = self.ask(hub, key, "events")["results"]
        assert {each["source"] for each in events} == set(CERTIFIED)
        assert os.stat(hub.log.parent / "sample_signer.pem").st_mode & 0o777 == 0o600

    def ask(self, hub: Hub, key: str, path: str, body: dict[str, Any] | None = None) -> Any:
        plain = re.search(r"\S+", key)
        assert plain is not None
        headers = {"Authorization": f"Bearer {plain[0]}", "Content-Type": "application/json"}
        data = json.dumps(body).encode() if body else None
        with urlopen(Request(f"{hub.address}/api/v1/{path}", data=data, headers=headers)) as answer:
            return json.load(answer)
