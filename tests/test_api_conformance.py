"""Whatever is sent to the API, by whomever, it answers as its description says: no 5xx, no status and no body that is
not in it."""

import re
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from hub import api
from hub.openapi import document
from hub.wsgi import application
from tests.callers import with_key
from tests.tenants import Tenant, shown, tenant
from webhooks.models import Role
from webhooks.rest import Door

pytestmark = pytest.mark.django_db

EXAMPLES = 20  # of each operation
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
SCHEMA = schemathesis.openapi.from_dict(document._doors())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]
DOORS = cast("list[tuple[str, type[Door[Any]], str]]", api.router.registry)
KINDS = {prefix.rpartition("/")[2]: door.kind for prefix, door, _ in DOORS}


@pytest.fixture(autouse=True)
def one_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """A web server closes old connections before each request; the test's own must last, as in Django's client."""
    monkeypatch.setattr("hub.wsgi.close_old_connections", lambda: None)


def ids_in(path: str, of: Tenant) -> dict[str, str]:
    """What there is, for each place of an address: `id`, of the door's kind, or a kind's own name."""
    names = re.findall(r"([\w-]+)/{(\w+)}", path)
    own = ("id", "trace_id")  # a cascade goes by its trace id
    kinds = {name: KINDS[before] if name in own else name.removesuffix("_pk") for before, name in names}
    return {name: shown(kind, of.things[kind]) for name, kind in kinds.items()}


def authorizations(of: Tenant) -> list[str]:
    """Of a key of every role, and of one that opens nothing."""
    keys = [with_key(role) for role in (Role.OPERATOR, Role.VIEWER, Role.PUBLISHER)]
    keys.append(with_key(Role.SUBSCRIBER, subscriber=of.subscriber))
    return [*(each.authorization for each in keys), "Bearer weir_operator_none"]


def cases(operation: Any) -> Any:
    """What the description allows, and what it does not."""
    allowed = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    if not (operation.body or operation.query or operation.path_parameters):
        return allowed  # nothing of it can be wrong
    return allowed | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_answers_as_it_is_described(operation: Any) -> None:
    other = tenant("other")
    places, keys = ids_in(operation.path, other), authorizations(other)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(operation), is_there=st.booleans(), key=st.just(keys[0]) | st.sampled_from(keys))
    def check(case: Any, is_there: bool, key: str) -> None:
        if is_there and case.path_parameters:
            case.path_parameters |= places
        answer = case.call(app=application, headers={"Authorization": key})
        case.validate_response(answer, checks=CHECKS)

    check()
