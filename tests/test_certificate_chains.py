"""A certificate from a provider's host is believed where its issuers lead to whom this system trusts."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509 import load_pem_x509_certificate

from tests import make
from tests.certificates import Authority, authority, rsa_key, trusting
from tests.test_pinned_certificates import (
    CERTIFIED,
    PROVIDERS,
    arrival_of,
    assert_refused,
    make_source,
    request,
    send,
)
from webhooks.deciders.chains import NOBODY, is_vouched_for
from webhooks.models import Event, Refusal
from webhooks.services import certificates, known_sources, trusted_roots
from webhooks.services.accept import Prospect, accept, try_again
from webhooks.services.rehearse import rehearse

UNTRUSTED = "The certificate's issuers lead to no authority that this system trusts."
each_certified = pytest.mark.parametrize("slug", CERTIFIED)


@dataclass(frozen=True, slots=True)
class World:
    """A root that is trusted, one that is not, and who was issued by whom."""

    root: Authority
    middle: Authority
    signer: Authority
    stranger: Authority
    their_middle: Authority
    their_signer: Authority
    mimic: Authority  # calls itself as the root does


@pytest.fixture(scope="module")
def world() -> World:
    root = authority(name="Root", is_issuer=True, begins_in_s=-60 * 86_400)
    middle = authority(name="Middle", by=root, is_issuer=True)
    stranger = authority(name="Stranger", is_issuer=True)
    their_middle = authority(name="Theirs", by=stranger, is_issuer=True)
    return World(
        root=root,
        middle=middle,
        signer=authority(rsa_key(), name="signer", by=middle),
        stranger=stranger,
        their_middle=their_middle,
        their_signer=authority(rsa_key(), name="signer", by=their_middle),
        mimic=authority(name="Root", is_issuer=True),
    )


@dataclass
class Host:
    """What the provider's host gives, and how often somebody came for it."""

    pem: str = ""
    asked: int = 0


@pytest.fixture
def host(world: World, monkeypatch: Any) -> Iterator[Host]:
    made = Host()

    def fetch(url: str) -> str:
        made.asked += 1
        return made.pem

    monkeypatch.setattr(certificates, "_fetch", fetch)
    monkeypatch.setattr(trusted_roots, "roots", lambda: trusting(world.root.certificate))
    monkeypatch.setattr(known_sources, "_known", {})
    certificates._kept.clear()
    yield made
    certificates._kept.clear()


def pem_of(*chain: Authority) -> str:
    return "".join(each.certificate for each in chain)


TRUSTED: dict[str, Callable[[World], str]] = {
    "with its issuer": lambda w: pem_of(w.signer, w.middle),
    "with its issuer and the root": lambda w: pem_of(w.signer, w.middle, w.root),
    "with its issuers in another order": lambda w: pem_of(w.signer, w.root, w.middle),
    "with issuers that are not its own beside": lambda w: pem_of(
        w.signer, w.stranger, w.their_middle, w.middle
    ),
    "with text around": lambda w: f"subject=CN = signer\n{pem_of(w.signer)}\nissuer:\n{pem_of(w.middle)}",
    "alone and issued by a root": lambda w: pem_of(authority(rsa_key(), name="signer", by=w.root)),
    "alone, as AWS publishes it": lambda w: pem_of(w.signer),
}
LEADING_NOWHERE: dict[str, Callable[[World], str]] = {
    "another root": lambda w: pem_of(w.their_signer, w.their_middle, w.stranger),
    "another root, left out": lambda w: pem_of(w.their_signer, w.their_middle),
    "an issuer of others": lambda w: pem_of(w.their_signer, w.middle),
    "a root alone, without who is between": lambda w: pem_of(w.signer, w.root),
    "the name of a root, by another key": lambda w: pem_of(
        authority(rsa_key(), name="signer", by=w.mimic), w.mimic
    ),
    "the name of a root, alone": lambda w: pem_of(authority(rsa_key(), name="signer", by=w.mimic)),
    "nobody but itself": lambda w: pem_of(authority(rsa_key(), name="signer")),
    "one that may issue nothing": lambda w: pem_of(*below(authority(name="leaf", by=w.middle)), w.middle),
    "an issuer that has expired": lambda w: pem_of(
        *below(authority(name="Old", by=w.root, is_issuer=True, begins_in_s=-120, ends_in_s=-60))
    ),
    "an issuer that is yet to begin": lambda w: pem_of(
        *below(authority(name="New", by=w.root, is_issuer=True, begins_in_s=3_600))
    ),
}


def below(issuer: Authority) -> tuple[Authority, Authority]:
    return authority(rsa_key(), name="signer", by=issuer), issuer


def by_signer(slug: str, world: World) -> Any:
    """The same key signs, whoever issued its certificate."""
    return request(slug, world.signer, url=PROVIDERS[slug])


@pytest.mark.django_db
@each_certified
class TestAtTheDoor:
    @pytest.mark.parametrize("how", TRUSTED)
    def test_what_a_certificate_signed_that_is_vouched_for_is_taken(
        self, slug: str, how: str, world: World, host: Host
    ) -> None:
        make_source(slug)
        host.pem = TRUSTED[how](world)
        assert send(by_signer(slug, world)).status_code == 202
        assert Event.objects.get().verified_by == slug

    @pytest.mark.parametrize("whom", LEADING_NOWHERE)
    def test_what_one_signed_whose_issuers_lead_elsewhere_is_refused(
        self, slug: str, whom: str, world: World, host: Host
    ) -> None:
        make_source(slug)
        host.pem = LEADING_NOWHERE[whom](world)
        assert_refused(send(by_signer(slug, world)), "certificate-untrusted", UNTRUSTED)

    def test_where_nobody_is_trusted_nobody_vouches(
        self, slug: str, world: World, host: Host, monkeypatch: Any
    ) -> None:
        monkeypatch.setattr(trusted_roots, "roots", lambda: NOBODY)
        make_source(slug)
        host.pem = TRUSTED["with its issuer and the root"](world)
        assert_refused(send(by_signer(slug, world)), "certificate-untrusted", UNTRUSTED)

    def test_a_chain_makes_no_signature_fit(self, slug: str, world: World, host: Host) -> None:
        make_source(slug)
        host.pem = pem_of(world.signer, world.middle)
        assert_refused(
            send(request(slug, world.their_middle, url=PROVIDERS[slug])), "signature-mismatch", "signature"
        )

    def test_one_that_ended_is_told_from_one_that_nobody_vouches_for(
        self, slug: str, world: World, host: Host
    ) -> None:
        make_source(slug)
        host.pem = pem_of(authority(rsa_key(), name="signer", by=world.middle, ends_in_s=-1), world.middle)
        assert_refused(
            send(by_signer(slug, world)), "certificate-invalid", "unreadable, or not valid at this time"
        )

    def test_a_part_of_the_chain_that_cannot_be_read_spoils_it(
        self, slug: str, world: World, host: Host
    ) -> None:
        make_source(slug)
        host.pem = world.signer.certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
        assert_refused(send(by_signer(slug, world)), "certificate-invalid", "unreadable")


@pytest.mark.django_db
@each_certified
class TestLater:
    def test_once_the_root_is_trusted_what_was_refused_can_be_accepted(
        self, slug: str, world: World, host: Host, monkeypatch: Any
    ) -> None:
        make_source(slug)
        host.pem = pem_of(authority(rsa_key(), name="signer", by=world.their_middle), world.their_middle)
        assert_refused(send(by_signer(slug, world)), "certificate-untrusted", UNTRUSTED)
        refusal = Refusal.objects.get()
        assert try_again(refusal, now=make.now()).sentence == f"It would be refused again: {UNTRUSTED}"
        monkeypatch.setattr(trusted_roots, "roots", lambda: trusting(world.stranger.certificate))
        assert try_again(refusal, now=make.now()).prospect == Prospect.NEW
        assert accept(refusal_id=refusal.pk, actor="test").is_done
        assert Event.objects.get().verified_by == slug

    def test_the_chain_is_judged_at_the_time_of_the_request(
        self, slug: str, world: World, host: Host
    ) -> None:
        made, day = make_source(slug), 86_400
        ended = authority(
            name="Ended", by=world.root, is_issuer=True, begins_in_s=-30 * day, ends_in_s=-2 * day
        )
        host.pem = pem_of(authority(rsa_key(), name="signer", by=ended, begins_in_s=-30 * day), ended)
        now = arrival_of(by_signer(slug, world))
        then = replace(now, received_at=now.received_at - timedelta(days=10))
        verdicts = [rehearse(source=made, arrival=each, now=make.now()) for each in (then, now)]
        assert [each.sentence for each in verdicts] == [f"Verified by {slug}.", UNTRUSTED]

    def test_what_leads_nowhere_is_asked_for_again_after_half_a_minute_and_no_sooner(
        self, slug: str, world: World, host: Host, monkeypatch: Any
    ) -> None:
        clock = [1_000.0]
        monkeypatch.setattr("webhooks.services.certificates.time.monotonic", lambda: clock[0])
        host.pem = pem_of(world.their_signer, world.their_middle)
        for clock[0] in (1_000.0, 1_029.0):
            assert certificates.certificate_at(PROVIDERS[slug]) == host.pem
        assert host.asked == 1
        host.pem = pem_of(world.signer, world.middle)
        for clock[0] in (1_030.0, 1_060.0, 1e9):
            assert certificates.certificate_at(PROVIDERS[slug]) == host.pem
        assert host.asked == 2


class TestWhomThisSystemTrusts:
    @pytest.fixture(autouse=True)
    def system(self, tmp_path: Path, monkeypatch: Any) -> Iterator[Path]:
        """One whose TLS trusts what is put in this folder."""
        (tmp_path / "folder").mkdir()
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
        monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "folder"))
        trusted_roots.roots.cache_clear()
        yield tmp_path
        trusted_roots.roots.cache_clear()

    def test_it_is_those_in_the_file_and_in_the_folder_that_tls_reads(
        self, system: Path, world: World
    ) -> None:
        (system / "roots.pem").write_text(pem_of(world.root, world.stranger))
        other = authority(name="Other", is_issuer=True)
        (system / "folder" / "0a1b2c3d.0").write_text(pem_of(other))
        (system / "folder" / "0a1b2c3d.1").write_text("no certificate")
        (system / "folder" / "0a1b2c3d.2").mkdir()
        (system / "folder" / "notes.pem").write_text(pem_of(authority(name="Unhashed", is_issuer=True)))
        names = sorted(each.rfc4514_string() for each in trusted_roots.roots().names)
        assert names == ["CN=Other", "CN=Root", "CN=Stranger"]

    def test_it_is_nobody_where_tls_trusts_nobody(self, system: Path) -> None:
        assert trusted_roots.roots() == NOBODY

    @pytest.mark.parametrize("is_trusted", [True, False])
    def test_it_agrees_with_a_handshake_of_tls(self, system: Path, world: World, is_trusted: bool) -> None:
        (system / "roots.pem").write_text(pem_of(world.root if is_trusted else world.stranger))
        (system / "chain.pem").write_text(world.signer.private + pem_of(world.signer, world.middle))
        chain = [
            load_pem_x509_certificate(each.certificate.encode()) for each in (world.signer, world.middle)
        ]
        assert is_vouched_for(chain, trusted_roots.roots(), make.now()) is is_trusted
        assert (handshake_with(system / "chain.pem") == "") is is_trusted


def handshake_with(chain: Path) -> str:
    """What TLS has against a server with this chain."""
    serves, asks = socket.socketpair()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)

    def serve() -> None:
        try:
            context.wrap_socket(serves, server_side=True).close()
        except OSError:
            serves.close()

    thread = threading.Thread(target=serve)
    thread.start()
    client = ssl.create_default_context()
    client.check_hostname = False
    try:
        client.wrap_socket(asks).close()
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    finally:
        asks.close()
        thread.join()
    return ""
