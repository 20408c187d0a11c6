"""The OpenAPI document: valid, whole, and what the tenant really answers."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

import jsonschema
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance
from schemathesis.specs.openapi.definitions import OPENAPI_31_VALIDATOR
from support.demo import running_tenant
from support.demo_inside import FORM, inside, world_of

from demo.api.model import PREFIX
from demo.api.openapi import openapi_document
from demo.api.operations import OPERATIONS
from demo.reads import HANDLERS


@pytest.fixture(scope="module")
def tenant():
    return inside(world_of(8, 60))


@pytest.fixture(scope="module")
def document(tenant) -> dict[str, Any]:
    return json.loads(tenant.tenant.respond("GET", "/_demo/openapi.json", "", {}, b"").body)


def closed(schema: Any) -> Any:
    """The same schema, refusing fields that it does not name."""
    if isinstance(schema, list):
        return [closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: closed(part) for name, part in schema.items()}
    if "properties" in found and isinstance(found["properties"], dict) and found.get("type") == "object":
        found.setdefault("additionalProperties", False)
    return found


def validator(document: dict[str, Any], path: str, status: str) -> jsonschema.Draft202012Validator:
    responses = document["paths"][path]["post" if "oauth" in path else "get"]["responses"]
    schema = responses[status]["content"]["application/json"]["schema"]
    whole = {**closed(copy.deepcopy(schema)), "components": closed(copy.deepcopy(document["components"]))}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER)


def test_it_is_valid_openapi_3_1(document):
    assert document["openapi"].startswith("3.1")
    errors = list(OPENAPI_31_VALIDATOR.iter_errors(document))
    assert errors == []
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)
    broken = copy.deepcopy(document)
    broken["paths"][PREFIX + "/users"]["get"]["responses"]["200"].pop("description")
    assert list(OPENAPI_31_VALIDATOR.iter_errors(broken))


def test_every_schema_is_used_and_every_reference_leads_somewhere(document):
    text = json.dumps(document)
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text, name
    for operation in OPERATIONS:
        assert operation.item in document["components"]["schemas"]


def test_it_holds_every_read_endpoint(document):
    """The paths of the publicly known read side, written down once more."""
    user, location = "/users/{}", "/users/{}/charging-locations/{}"
    expected = {
        "/users", "/charging-locations", "/vehicles", "/sessions", "/supported-car-models",
        user, f"{user}/charging-locations", location, f"{location}/tariffs", f"{location}/dynamic-tariffs",
        f"{location}/solar-energy", f"{location}/utility-contracts", f"{location}/chargers",
        f"{location}/chargers/{{}}", f"{location}/chargers/{{}}/state", f"{user}/chargers", f"{user}/vehicles",
        f"{user}/vehicles/{{}}", f"{user}/vehicles/{{}}/state", f"{user}/vehicles/{{}}/sessions/last",
        f"{user}/vehicles/{{}}/charge-settings", f"{user}/sessions", f"{user}/sessions/{{}}",
        f"{user}/sessions/{{}}/tariffs", f"{user}/sessions/{{}}/session-settings/active", f"{user}/financials",
        f"{user}/messages", f"{user}/messages/{{}}", f"{user}/rewards", f"{user}/rewards/balance",
        f"{user}/payouts", "/payouts", f"{location}/reward-rate",
    }  # fmt: skip
    found = {re.sub(r"{\w+}", "{}", path.removeprefix(PREFIX)) for path in document["paths"] if "oauth" not in path}
    assert found == expected


def test_everything_declared_is_served_and_says_so(document):
    operations = [methods["get"] for methods in document["paths"].values() if "get" in methods]
    assert {operation["operationId"] for operation in operations} == HANDLERS.keys()
    assert all(operation["x-demo-served"] for operation in operations)
    partly = openapi_document({"listUsers"})["paths"]
    assert partly[PREFIX + "/users"]["get"]["x-demo-served"]
    assert not partly[PREFIX + "/sessions"]["get"]["x-demo-served"]


def ids_of(session: dict[str, Any], messages: list[dict[str, Any]]) -> dict[str, str | None]:
    """Ids for every placeholder, as far as the session's user has such a thing."""
    return {
        "userId": session["userId"],
        "vehicleId": session["vehicleId"],
        "sessionId": session["id"],
        "chargingLocationId": session["chargingLocationId"],
        "chargerId": session["chargerId"],
        "messageId": next((item["id"] for item in messages if item["userId"] == session["userId"]), None),
    }


WINDOW = "startTime=2026-11-10T00:00:00Z&endTime=2026-11-24T00:00:00Z"


def requests_of(tenant, operation) -> list[tuple[str, str]]:
    """Concrete paths and queries of an operation, for users of different kinds."""
    found = []
    messages = tenant.truth("messages")
    for session in tenant.truth("sessions")[::40]:
        ids = ids_of(session, messages)
        if all(ids[name] for name in re.findall(r"{(\w+)}", operation.path)):
            found.append((operation.path.format(**ids), WINDOW if operation.required_names else ""))
    assert found
    return found


@pytest.mark.parametrize("operation", [op for op in OPERATIONS if op.id in HANDLERS], ids=lambda op: op.id)
def test_every_answer_is_as_the_document_says(document, tenant, operation):
    check = {status: validator(document, PREFIX + operation.path, status) for status in ("200", "400", "401")}
    seen = set()
    for path, query in requests_of(tenant, operation):
        reply = tenant.reply(path, query)
        seen.add(reply.status)
        if reply.status == 404:
            # A location without a tariff or a contract.
            check["404"] = validator(document, PREFIX + operation.path, "404")
        check[str(reply.status)].validate(json.loads(reply.body))
    assert 200 in seen
    path, query = requests_of(tenant, operation)[0]
    check["400"].validate(json.loads(tenant.reply(path, "nonsense=1").body))
    headers, tenant.headers = tenant.headers, {}
    try:
        check["401"].validate(json.loads(tenant.reply(path, query).body))
    finally:
        tenant.headers = headers


def test_token_answers_are_as_the_document_says(document, tenant):
    for status, reply in (
        ("200", tenant.token()),
        ("401", tenant.token(client_secret="no")),
        ("403", tenant.token(audience="no")),
        ("400", tenant.tenant.respond("POST", "/oauth/token", "", FORM, b"")),
    ):
        assert reply.status == int(status)
        validator(document, "/oauth/token", status).validate(json.loads(reply.body))


def test_a_schema_can_fail(document, tenant):
    page = tenant.get("/sessions")
    check = validator(document, PREFIX + "/sessions", "200")
    for change in ({"startTime": "2024-03-01"}, {"id": 7}, {"surprise": 1}, {"chargedEnergy": "12"}):
        broken = {**page, "items": [page["items"][0] | change]}
        assert list(check.iter_errors(broken)), change


DOCUMENT = openapi_document(HANDLERS)
SERVED = schemathesis.openapi.from_dict(DOCUMENT).include(
    lambda context: bool(context.operation.definition.raw.get("x-demo-served"))
)


@pytest.fixture(scope="module")
def served():
    """A running tenant, a token for it, and ids of things that it has."""
    with running_tenant(users=8, newest_sessions=60, token_lifetime=3600) as tenant:
        sessions, messages = tenant.truth("sessions"), tenant.truth("messages")
        ids = next(ids for ids in (ids_of(session, messages) for session in sessions) if all(ids.values()))
        yield tenant, tenant.headers(), ids


# the parameter is there because schemathesis gives operations ids of their own only where there is one
@pytest.mark.parametrize("timeout_seconds", [10])
@SERVED.parametrize()
@settings(
    max_examples=4,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.filter_too_much],
)
def test_schemathesis_finds_nothing(case, served, timeout_seconds):
    """Made-up requests, good and bad, over real HTTP: every answer is one that the document allows."""
    tenant, headers, ids = served
    for name, value in (case.path_parameters or {}).items():
        # Ids that nothing has get one sort of answer only: put such in their place that something has.
        if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", str(value)):
            case.path_parameters[name] = ids[name]
    # A schema cannot say that a window must be short, and end after it starts.
    windowed = case.operation.definition.raw["operationId"] in {"listDynamicTariffs", "listSolarEnergy"}
    excluded = [positive_data_acceptance] if windowed else []
    case.call_and_validate(base_url=tenant.address, headers=headers, timeout=timeout_seconds, excluded_checks=excluded)
