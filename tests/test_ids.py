"""Ids as people and other services write them: a prefix and 32 hex digits, or a UUID alone, and nothing else."""

from uuid import UUID

import pytest

from tests.callers import with_key
from webhooks.ids import PREFIXES, parse_id, parse_uuid, public_id, uuid7

ONE = UUID("0192a3b4-c5d6-7e8f-9a0b-1c2d3e4f5061")
FORMS = [ONE.hex, str(ONE), ONE.hex.upper(), str(ONE).upper()]
STRANGE = [
    ONE.hex[:31],
    ONE.hex + "0",
    f"{{{ONE}}}",
    f"urn:uuid:{ONE}",
    f"0x{ONE.hex[2:]}",
    ONE.hex.replace("5061", "_5_1"),
    ONE.hex.replace("0", "٠"),
    ONE.hex.replace("0", "０"),
    str(ONE).replace("-", "", 1),
    f"{ONE.hex[:16]}-{ONE.hex[16:]}",
    f" {ONE.hex}",
    f"{ONE.hex}\n",
    "",
]


@pytest.mark.parametrize("kind", PREFIXES)
def test_what_is_shown_is_read(kind: str) -> None:
    made = uuid7()
    assert parse_id(kind, public_id(kind, made)) == made


@pytest.mark.parametrize("text", FORMS)
def test_hex_digits_and_the_dashed_form_are_read_in_any_case(text: str) -> None:
    assert (parse_uuid(text), parse_id("delivery", text), parse_id("delivery", f"dlv_{text}")) == (
        ONE,
        ONE,
        ONE,
    )


@pytest.mark.parametrize("text", STRANGE, ids=ascii)
def test_what_else_python_would_take_for_one_is_refused_in_a_sentence(text: str) -> None:
    for asked in (text, f"dlv_{text}"):
        with pytest.raises(ValueError, match="This is not a delivery id: expected dlv_ and 32 hex digits."):
            parse_id("delivery", asked)
    with pytest.raises(ValueError, match=r"This is no UUID\."):
        parse_uuid(text)


@pytest.mark.django_db
def test_at_a_door_such_an_id_finds_nothing() -> None:
    caller = with_key()
    for path in ("deliveries", "cascades"):
        assert caller.get(f"/api/v1/{path}/{{{ONE}}}").status_code == 404
    answer = caller.get("/api/v1/deliveries", {"subscription": f"urn:uuid:{ONE}"})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["subscription"])
