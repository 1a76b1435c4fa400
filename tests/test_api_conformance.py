"""Whatever is sent to the API, it answers as its description says: no 5xx, no status and no body that is not in it."""

import re
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
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
from webhooks.rest import Door

pytestmark = pytest.mark.django_db

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


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: f"{each.method} {each.path}")
def test_an_operation_answers_as_it_is_described(operation: Any) -> None:
    other = tenant("other")
    places = ids_in(operation.path, other)
    headers = {"Authorization": with_key().authorization}

    @settings(
        max_examples=12,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(), is_there=st.booleans())
    def check(case: Any, is_there: bool) -> None:
        if is_there and case.path_parameters:
            case.path_parameters |= places
        answer = case.call(app=application, headers=headers)
        case.validate_response(answer, checks=CHECKS)

    check()
