"""Wires the services through Weir: sources, subscribers, subscriptions. What is there already is used.

It goes through the REST API like any integrator, and changes nothing that is not the demo's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from demo.api import Api
from demo.keyring import Keyring
from demo.line import Refused

MARK = "(demo)"  # ends the name of all that is the demo's
# Sooner than the hub's defaults, for whoever watches C fall has less patience than a hub should have.
CIRCUIT_OF_C = {"circuit_cooldown_s": 2, "circuit_cooldown_cap_s": 8}


class NotOurs(Exception):
    """A source of that slug belongs to somebody else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wiring:
    """The subscriptions through which B and C hear."""

    to_billing: str
    to_shipping: str


def wire(api: Api, keyring: Keyring, *, billing_url: str, shipping_url: str) -> Wiring:
    _source(api, slug="orders", name="Orders", secret=keyring.secret("source orders"))
    _source(api, slug="billing", name="Invoices", secret=keyring.secret("source billing"))
    to_billing = _subscription(
        api,
        subscriber=_subscriber(api, name="B, billing"),
        name="Orders to invoice",
        wants={"source": "orders", "event_types": ["order.placed"]},
        url=billing_url,
        secret=keyring.secret("to billing"),
    )
    to_shipping = _subscription(
        api,
        subscriber=_subscriber(api, name="C, shipping"),
        name="Invoices to ship",
        wants={"source": "billing", "event_types": ["invoice.issued"]},
        url=shipping_url,
        secret=keyring.secret("to shipping"),
        circuit=CIRCUIT_OF_C,
    )
    return Wiring(to_billing=to_billing, to_shipping=to_shipping)


def wire_loop(api: Api, keyring: Keyring, *, ping_url: str, pong_url: str) -> None:
    """What each of the two says, the other hears."""
    for name, other, url in (("ping", "pong", ping_url), ("pong", "ping", pong_url)):
        _source(api, slug=name, name=name.capitalize(), secret=keyring.secret(f"source {name}"))
        _source(api, slug=other, name=other.capitalize(), secret=keyring.secret(f"source {other}"))
        _subscription(
            api,
            subscriber=_subscriber(api, name=name.capitalize()),
            name=f"What {other} says",
            wants={"source": other, "event_types": [f"{other}.said"]},
            url=url,
            secret=keyring.secret(f"to {name}"),
        )


def _source(api: Api, *, slug: str, name: str, secret: str) -> None:
    source = _source_of(api, slug)
    if source is None:
        wanted = {"slug": slug, "name": f"{name} {MARK}", "scheme": "standard-webhooks", "secret": secret}
        api.post("sources", wanted)
    elif not source["name"].endswith(MARK):
        raise NotOurs(f"The source {slug} is not the demo's; give the demo a hub with an empty database.")
    elif not _is_live(secret, source):
        api.patch(f"sources/{slug}", {"secret": secret})


def _source_of(api: Api, slug: str) -> dict[str, Any] | None:
    try:
        return dict(api.get(f"sources/{slug}"))
    except Refused as refusal:
        if refusal.status == 404:
            return None
        raise


def _subscriber(api: Api, *, name: str) -> str:
    marked = f"{name} {MARK}"
    found = next((known for known in api.every("subscribers") if known["name"] == marked), None)
    return str((found or api.post("subscribers", {"name": marked}))["id"])


def _subscription(
    api: Api,
    *,
    subscriber: str,
    name: str,
    wants: dict[str, Any],
    url: str,
    secret: str,
    circuit: Mapping[str, float] = {},
) -> str:
    """Its id. Its address follows the service, which may have found another port free this time."""
    manner = {"url": url, **circuit}
    known = api.every("subscriptions", subscriber=subscriber)
    found = next((subscription for subscription in known if subscription["name"] == name), None)
    if found is None:
        wanted = {"subscriber": subscriber, "name": name, "secret": secret, **manner, **wants}
        return str(api.post("subscriptions", wanted)["id"])
    path = f"subscriptions/{found['id']}"
    if any(found[name] != value for name, value in manner.items()):
        api.patch(path, manner)
    if not _is_live(secret, found):
        reason = "The demo's service has another secret now."
        api.post(f"{path}/rotate-secret", {"reason": reason, "secret": secret, "overlap_s": 0})
    return str(found["id"])


def _is_live(secret: str, owner: dict[str, Any]) -> bool:
    """Of a secret Weir shows its last four characters, enough to recognise our own."""
    return any(secret.endswith(kept["hint"]) and not kept["expires_at"] for kept in owner["secrets"])
