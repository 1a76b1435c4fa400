"""In a real browser: a secret is wrong, requests pile up, somebody mends it and takes them after all, once."""

import pytest
from django.test import Client
from playwright.sync_api import expect

from tests import make
from tests.browser import Console
from tests.certificates import authority
from webhooks.models import AuditEntry, Event, Refusal, Source, SourceSecret
from webhooks.services import rollups
from webhooks.services.sources import create_source

pytestmark = pytest.mark.ui


@pytest.fixture
def shop(transactional_db: None) -> Source:
    """Its sender has a new key that nobody told us of; what it sends is refused."""
    rollups.stop()
    made = create_source(
        name="Shop", slug="shop", scheme="api-key", secret="old-key", expected_every_s=60, actor="test"
    )
    Source.objects.filter(pk=made.pk).update(created_at=make.now().replace(year=2025))
    for number in range(4):
        key = "old-key" if number == 0 else "new-key"
        body = b'{"id":"%d","type":"order.paid","note":"<script>document.title = \'run\'</script>"}' % number
        Client().post("/in/shop", body, content_type="application/json", headers={"x-api-key": key})
    rollups.flush()
    return made


def test_a_mended_secret_lets_what_was_refused_in_once(console: Console, shop: Source) -> None:
    page = console.page
    console.open("/admin/webhooks/source/")
    console.check_access()
    page.get_by_role("link", name="3 refusals of Shop wait").click()
    expect(page.locator("#rows tr")).to_have_count(3)
    console.check_access()
    page.locator("#rows th a").first.click()
    expect(page.locator("h1")).to_contain_text("Token does not fit from Shop")
    expect(page.get_by_role("button", name="Accept after all")).to_have_count(0)
    assert page.title() != "run"
    console.check_access()

    page.get_by_role("link", name="its source").click()
    page.get_by_text("Add a secret, or end one").click()
    console.check_access()
    page.get_by_label("New secret").fill("new-key")
    page.locator("#why").fill("the sender rotated")
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("Added …-key")
    expect(page.locator(".secrets tbody tr")).to_have_count(2)
    assert SourceSecret.objects.order_by("pk")[0].expires_at is not None

    first = Refusal.objects.latest("pk")
    console.open(f"/admin/webhooks/refusal/{first.pk}/change/")
    expect(page.locator(".trial")).to_contain_text("It would be taken now by api-key …-key: 1 event.")
    page.get_by_role("button", name="Accept after all").dblclick()
    expect(page.locator("h1")).to_contain_text("Accepted after all")
    expect(page.locator(".banner")).to_contain_text("evt_")
    assert Event.objects.filter(external_id="3").count() == 1
    assert AuditEntry.objects.filter(verb="accept").count() == 1

    console.open("/admin/webhooks/refusal/?source=shop")
    page.get_by_role("button", name="Accept what waits of shop").click()
    expect(page.locator("h1")).to_have_text("Accept 2 requests after all?")
    console.check_access()
    page.get_by_label("Reason").fill("mended")
    page.get_by_role("button", name="Accept 2").click()
    expect(page.locator(".messagelist")).to_contain_text("Accepted 2.")
    expect(page.locator(".empty")).to_contain_text("No refusal matches these filters.")
    assert sorted(Event.objects.values_list("external_id", flat=True)) == ["0", "1", "2", "3"]


def test_a_sample_is_tried_with_places_that_are_not_saved(console: Console, shop: Source) -> None:
    page = console.page
    console.open(f"/admin/webhooks/source/{shop.pk}/change/")
    console.check_access()
    page.get_by_role("link", name="Try it on a sample").click()
    page.get_by_role("link", name="Fill in the latest refusal").click()
    page.get_by_label("Type").fill("note")
    page.get_by_role("button", name="Try").click()
    expect(page.locator(".diagnosis")).to_contain_text("It would be refused: token-mismatch")
    expect(page.locator("#found + .scrolls tbody tr")).to_contain_text("<script>document.title")
    page.get_by_label("Leave the signature out").check()
    page.get_by_role("button", name="Try").click()
    expect(page.locator(".diagnosis")).to_contain_text("Read without its signature")
    console.check_access()
    assert page.title() != "run" and Event.objects.count() == 1


def test_a_certificate_is_pinned_seen_with_its_warning_and_unpinned(
    console: Console, transactional_db: None
) -> None:
    source = create_source(name="Pay", slug="pay", scheme="paypal", options={"account": "WH-1"}, actor="test")
    signer, page = authority(name="for trying"), console.page
    console.open(f"/admin/webhooks/source/{source.pk}/change/")
    expect(page.get_by_role("region", name="Certificate")).to_contain_text("None is pinned")
    console.check_access()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("Certificate to pin").fill(signer.private)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("This holds a private key")).to_be_visible()
    expect(page.get_by_label("Certificate to pin")).to_have_value("")
    console.check_access()
    page.get_by_label("Certificate to pin").fill(signer.certificate)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".banner.warn").first).to_contain_text("only what its key signed is believed")
    expect(page.get_by_role("region", name="Certificate")).to_contain_text(signer.fingerprint)
    page.get_by_text("Unpin it").click()
    console.check_access()
    console.open("/admin/webhooks/source/")
    expect(page.locator("tbody .tag.warn")).to_have_text("pinned")
    console.check_access()

    console.open(f"/admin/webhooks/source/{source.pk}/change/")
    page.get_by_text("Unpin it").click()
    page.locator("#whyunpin").fill("tried enough")
    page.get_by_role("button", name="Unpin", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("Unpinned")
    expect(page.locator(".banner.warn").filter(has_text="pinned certificate")).to_have_count(0)
    assert Source.objects.get(pk=source.pk).pinned_certificate == ""
