"""Mutated requests of every row: what its scheme covers never verifies once changed, and nothing ever raises."""

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.certificates import trusting
from tests.test_signature_vectors import ROWS, VECTORS
from webhooks.deciders import handshakes
from webhooks.deciders.batches import bodies_of
from webhooks.deciders.chains import NOBODY
from webhooks.deciders.identify import identify
from webhooks.deciders.options import with_options
from webhooks.deciders.sameness import digest_of
from webhooks.deciders.scheme_columns import Kind, Scheme
from webhooks.deciders.schemes import SCHEMES, scheme
from webhooks.deciders.verify import Arrival, LiveSecret, Refused, Verified, verify

TOPIC = "arn:aws:sns:us-east-1:123456789012:MyTopic"
GRAPH = b'{"value":[{"id":"a","clientState":"state","changeType":"created"}]}'
BYTES = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class Case:
    """A valid request of one row."""

    def __init__(self, row: Scheme, arrival: Arrival, secret: str, certificate: str = "") -> None:
        self.row, self.arrival, self.certificate = row, arrival, certificate
        self.roots = trusting(certificate) if certificate else NOBODY
        self.secrets = [LiveSecret(text=secret, hint="hint")] if row.needs_secret else []

    def verify(self, arrival: Arrival) -> Verified | Refused:
        now = self.arrival.received_at
        return verify(
            scheme=self.row,
            secrets=self.secrets,
            arrival=arrival,
            now=now,
            certificate=self.certificate,
            roots=self.roots,
        )


def from_vector(vector: dict[str, Any]) -> Case:
    slug = ROWS.get((vector["provider"], vector["scheme"]), vector["provider"])
    options = {"public_url": vector["url"].partition("?")[0], "account": vector.get("webhook_id", TOPIC)}
    body = base64.b64decode(vector["body_b64"]) if "body_b64" in vector else vector["body"].encode()
    arrival = Arrival(
        method=vector["method"],
        headers={name.lower(): value for name, value in vector["headers"].items()},
        body=body,
        query=urlsplit(vector["url"]).query,
        remote_address="",
        received_at=datetime.fromtimestamp(vector["now"], UTC),
    )
    secret = (vector.get("secrets") or [vector["secret"]])[-1]
    row = with_options(scheme(slug), options)
    return Case(row, arrival, secret, secret if row.needs_certificate else "")


def by_hand(slug: str, secret: str, body: bytes = b"{}", **headers: str) -> Case:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    at = datetime.fromtimestamp(1767225600, UTC)
    arrival = Arrival(method="POST", headers=named, body=body, query="", remote_address="", received_at=at)
    return Case(scheme(slug), arrival, secret)


def tampered(name: str, body: Callable[[str], str]) -> Case:
    """The valid request that a vector was made from by changing it."""
    vector = next(each for each in VECTORS if each["id"] == name)
    return from_vector(vector | {"body": body(vector["body"])})


def cases() -> dict[str, Case]:
    found = {
        "microsoft-graph": by_hand("microsoft-graph", "state", GRAPH),
        "api-key": by_hand("api-key", "k-1", x_api_key="k-1"),
        "basic": by_hand(
            "basic", "ada:pass", authorization="Basic " + base64.b64encode(b"ada:pass").decode()
        ),
        "cloudevents": by_hand("cloudevents", "k-1", authorization="Bearer k-1"),
        "adyen-platform": tampered("adyen-payload-tampered", str.strip),
    }
    for vector in VECTORS:
        if vector["expect"] == "valid" and vector.get("kind") != "handshake":
            case = from_vector(vector)
            found.setdefault(case.row.slug + ("-v1a" if vector["secret"].startswith("whpk_") else ""), case)
    return found


CASES = cases()
# Of the same family as another row: equal but for names.
ALIKE = {"shopify-events": "shopify", "generic-hmac": "linear", "didit-v2": "didit", "discord-interactions": "discord",
         "meta": "github", "none": "", "hubspot": "hubspot"}  # fmt: skip


def covered(case: Case, arrival: Arrival) -> object:
    """What the signature covers of a body; two bodies with the same are the same to the scheme."""
    row = case.row
    if row.kind is Kind.TOKEN:
        return None
    try:
        if row.kind is Kind.TWILIO and "bodySHA256" not in arrival.query:
            form = parse_qs(arrival.body.decode("utf-8", "replace"), keep_blank_values=True)
            return "".join(name + value for name in sorted(form) for value in sorted(set(form[name])))
        if row.slug in ("didit", "didit-v2") and "x-signature-v2" in arrival.headers:
            return json.loads(arrival.body)
        document = json.loads(arrival.body, parse_int=str, parse_float=str)
        if row.slug == "didit-simple":
            return [document.get(name, "") for name in ("timestamp", "session_id", "status", "webhook_type")]
        if row.slug == "mailgun":
            return document["signature"]
        if row.kind is Kind.ADYEN:
            items = [each["NotificationRequestItem"] for each in document["notificationItems"]]
            names = (
                "pspReference",
                "merchantAccountCode",
                "merchantReference",
                "amount",
                "eventCode",
                "success",
            )
            return [[item[name] for name in names] for item in items]
        if row.kind is Kind.SNS:
            return {
                name: value
                for name, value in document.items()
                if name not in ("UnsubscribeURL", "SigningCertURL")
            }
        if row.kind is Kind.ITEM_TOKENS:
            return {item["clientState"] for item in document["value"]}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return arrival.body
    return arrival.body


def everything_about(case: Case, arrival: Arrival) -> Verified | Refused:
    """All that the door would decide; none of it may raise."""
    found = case.verify(arrival)
    for is_signed in (True, False):
        asked = handshakes.find(case.row.handshakes, arrival, is_signed=is_signed)
        if asked:
            asked.reply(arrival, handshakes.Keys())
            asked.follow_up(arrival)
    for body in bodies_of(case.row, arrival):
        digest_of(case.row, body)
        identify(scheme=case.row, id_from="", type_from="", arrival=replace(arrival, body=body))
    return found


def mutations(body: bytes) -> st.SearchStrategy[bytes]:
    position = st.integers(0, max(0, len(body) - 1))
    return st.one_of(
        st.tuples(position, st.integers(1, 255)).map(
            lambda at: body[: at[0]] + bytes([body[at[0]] ^ at[1]]) + body[at[0] + 1 :] if body else b"x"
        ),
        st.tuples(position, st.binary(min_size=1, max_size=4)).map(
            lambda at: body[: at[0]] + at[1] + body[at[0] :]
        ),
        position.map(lambda at: body[:at] + body[at + 1 :]),
        st.binary(max_size=3).map(lambda more: body + more),
        st.binary(max_size=64),
    )


@pytest.mark.parametrize("name", CASES)
def test_the_case_is_valid_before_it_is_changed(name: str) -> None:
    assert isinstance(CASES[name].verify(CASES[name].arrival), Verified)


def test_every_row_has_a_case_or_is_like_one_that_has() -> None:
    assert set(SCHEMES) - set(CASES) <= set(ALIKE)


@pytest.mark.parametrize("name", CASES)
@BYTES
@given(data=st.data())
def test_no_changed_body_verifies_unless_the_change_is_not_covered(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    changed = replace(case.arrival, body=data.draw(mutations(case.arrival.body)))
    found = everything_about(case, changed)
    if isinstance(found, Verified) and changed.body != case.arrival.body:
        assert covered(case, changed) == covered(case, case.arrival)


def is_signature(case: Case, header: str) -> bool:
    return f"header:{header}" in (case.row.signature, "header:x-signature-v2")


@pytest.mark.parametrize("name", [name for name in CASES if CASES[name].row.signature.startswith("header:")])
@BYTES
@given(data=st.data())
def test_no_changed_signature_verifies(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    header = next(each for each in case.arrival.headers if is_signature(case, each))
    good = case.arrival.headers[header]
    latin = st.characters(max_codepoint=255)
    position = data.draw(st.integers(0, len(good) - 1))
    bad = data.draw(
        st.one_of(
            latin.map(lambda each: good[:position] + each + good[position + 1 :]),
            latin.map(lambda each: good[:position] + each + good[position:]),
            st.just(good[:position] + good[position + 1 :]),
            st.just(f"{good},{good}"),
            st.just(f"{good}, {good}"),
            st.text(latin, max_size=40),
        )
    )
    found = everything_about(case, replace(case.arrival, headers=case.arrival.headers | {header: bad}))
    if isinstance(found, Verified):
        assert meaning(case, bad) & meaning(case, good)


def meaning(case: Case, signature: str) -> set[tuple[str, str | bytes]]:
    """The signatures in a header, any one of which is enough, with the time they are for."""
    row = case.row
    if row.kind is Kind.STANDARD_WEBHOOKS:
        parts = [part.partition(",") for part in signature.split()]
        return {(version, unslack(text)) for version, _, text in parts if version in ("v1", "v1a")}
    if row.separator:
        fields = [part.strip().partition("=") for part in signature.split(row.separator)]
        times = [value for name, _, value in fields if name == row.timestamp.removeprefix("field:")]
        return {(str(times), value.lower()) for name, _, value in fields if name == row.pick}
    prefix, text = signature.strip()[: len(row.prefix)], signature.strip()[len(row.prefix) :]
    said = text.strip().lower() if row.encoding == "hex" else unslack(text.strip())
    return {(prefix.lower() if row.kind is Kind.TOKEN else prefix, said)}


def unslack(text: str) -> str | bytes:
    """Base64's last character may have bits that belong to no byte, and its padding may be left out."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return text


@pytest.mark.parametrize("name", [name for name in CASES if "ts}" in CASES[name].row.signed])
@BYTES
@given(data=st.data())
def test_no_changed_timestamp_verifies(name: str, data: st.DataObject) -> None:
    case = CASES[name]
    if not case.row.timestamp.startswith("header:"):
        return
    header = case.row.timestamp.removeprefix("header:")
    good = case.arrival.headers[header]
    text = data.draw(
        st.one_of(st.text(max_size=30), st.integers().map(str), st.just(good + "0"), st.just("9" * 5_000))
    )
    found = everything_about(case, replace(case.arrival, headers=case.arrival.headers | {header: text}))
    assert isinstance(found, Refused) or text.strip() == good


GARBAGE = [
    b"[" * 10_000,
    b'{"a":' * 10_000,
    b"[" * 10_000 + b"]" * 10_000,
    b'{"timestamp":' + b"9" * 5_000 + b"}",
    b'{"timestamp":1e999999,"webhookTimestamp":-1}',
    b'{"timestamp":NaN,"x":Infinity}',
    b'{"session_id":"\\ud800","status":"\\udfff","signature":{"token":"\\ud800","timestamp":"1","signature":"00"}}',
    b'{"a":1,"a":2,"timestamp":1767225600,"timestamp":1}',
    b'{"signature":[],"value":{},"notificationItems":{},"entry":[[]]}',
    b'{"signature":{"signature":"\xc3\xa9","timestamp":"1","token":"t"}}',
    b'{"value":[null],"notificationItems":[null],"entry":[null,{"changes":[null,1]}]}',
    b'{"entry":[{"changes":[{"value":{"messages":[1,2],"statuses":[[]]}}]},{"messaging":[{},{}]}]}',
    b'{"notificationItems":[{"NotificationRequestItem":{"amount":[],"additionalData":{"hmacSignature":"AA=="}}}]}',
    b'{"value":[{"clientState":"\\ud800"}]}',
    b'{"Type":"Notification","SignatureVersion":"1","Signature":"AA==","Message":1}',
    b'{"Type":["x"],"SignatureVersion":{},"Signature":"AA==","TopicArn":null}',
    b"[[],[]]",
    b"null",
    b"\xff\xfe\x00",
    b"\xef\xbb\xbf{}",
    b"a=1&" * 2_000,
    b"",
]
GARBLED = ["", " ", "\xff\xfe", "é", "\udcff", "x" * 1_048_576, "=", ",", "v1,", "t=1", "sha256="]


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("body", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_refused_and_never_raises(name: str, body: bytes) -> None:
    case = CASES[name]
    found = everything_about(case, replace(case.arrival, body=body))
    assert isinstance(found, Refused) or case.row.kind is Kind.TOKEN or body == case.arrival.body


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "value", ["", " ", "\xff\xfe", "é", "\udcff", "x" * 1_048_576, "=", ",", "v1,", "t=1", "sha256="]
)
def test_a_header_of_garbage_is_refused_and_never_raises(name: str, value: str) -> None:
    case = CASES[name]
    for header in case.arrival.headers:
        found = everything_about(case, replace(case.arrival, headers=case.arrival.headers | {header: value}))
        assert isinstance(found, Refused) or not is_signature(case, header)


@pytest.mark.parametrize("name", CASES)
def test_without_its_headers_nothing_verifies_that_is_signed_in_one(name: str) -> None:
    case = CASES[name]
    found = everything_about(case, replace(case.arrival, headers={}))
    if case.row.signature.startswith("header:"):
        assert isinstance(found, Refused)
        assert found.reason in ("signature-missing", "token-missing", "certificate-url")
