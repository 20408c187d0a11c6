"""How the demo tenant judges requests: token, key, paths, methods, parameters."""

from __future__ import annotations

import base64
import json

import pytest
from support.demo_inside import FORM, inside, small_world

from demo.world.times import HOUR_MS, SECOND_MS, iso

UTC = "2024-03-01T18:02:11.000Z"


@pytest.fixture
def tenant():
    return inside(small_world())


def problem(reply, status: int) -> dict:
    """The error's fields, after checking their form."""
    assert reply.status == status, reply
    assert reply.headers["Content-Type"] == "application/json"
    body = json.loads(reply.body)
    assert {"type", "title", "status", "detail", "instance"} <= body.keys()
    assert body["status"] == status
    return body


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("pageSize=0", "pageSize"),
        ("pageSize=101", "pageSize"),
        ("pageSize=-1", "pageSize"),
        ("pageSize=ten", "pageSize"),
        ("pageSize=1.0", "pageSize"),
        ("pageSize=", "pageSize"),
        ("pageSize=%201", "pageSize"),
        ("pageSize=%D9%A1", "pageSize"),
        ("pageIndex=0", "pageIndex"),
        ("pageIndex=-1", "pageIndex"),
        ("pageIndex=2147483648", "pageIndex"),
        ("pageIndex=99999999999999999999", "pageIndex"),
        ("pageIndex=1&pageIndex=1", "pageIndex"),
        ("pagesize=5", "pagesize"),
        ("createdFrom=" + UTC, "createdFrom"),
        ("updatedFrom=" + UTC, "updatedFrom"),
        ("startTimeFrom=2024-03-01", "startTimeFrom"),
        ("startTimeFrom=2024-03-01T18:02:11", "startTimeFrom"),
        ("startTimeFrom=2024-03-01T18:02:11+00:00", "startTimeFrom"),  # a plus sign is a space in a query
        ("startTimeFrom=2024-03-01T18:02:11%2B01:00", "startTimeFrom"),
        ("startTimeFrom=2024-03-01 18:02:11Z", "startTimeFrom"),
        ("startTimeFrom=2024-02-30T18:02:11Z", "startTimeFrom"),
        ("startTimeFrom=2024-03-01T24:00:00Z", "startTimeFrom"),
        ("startTimeFrom=1709316131", "startTimeFrom"),
        ("startTimeFrom=", "startTimeFrom"),
        (f"endTimeTo={UTC}&endTimeTo={UTC}", "endTimeTo"),
        ("pageSize", "name=value"),
        ("pageSize=5&&", "name=value"),
        ("pageSize=%FF", "UTF-8"),
    ],
)
def test_what_the_contract_does_not_allow_is_refused(tenant, query, named):
    body = problem(tenant.reply("/sessions", query), 400)
    assert named in body["detail"]
    if "errors" in body:
        assert list(body["errors"]) == [named]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "pageSize=100&pageIndex=1",
        "startTimeFrom=" + UTC,
        "startTimeFrom=2024-03-01T18:02:11Z&startTimeTo=2024-03-01T18:02:11.123456789Z",
        "startTimeFrom=2024-03-01T18:02:11%2B00:00",
        "startTimeFrom=2024-03-01T18%3A02%3A11.000Z",
    ],
)
def test_what_the_contract_allows_is_answered(tenant, query):
    assert tenant.reply("/sessions", query).status == 200


def test_parameters_belong_to_their_list(tenant):
    for path in ("/users", "/vehicles", "/charging-locations"):
        assert tenant.reply(path, "createdFrom=" + UTC).status == 200
        problem(tenant.reply(path, "startTimeFrom=" + UTC), 400)
    problem(tenant.reply("/supported-car-models", "pageSize=10"), 400)
    models = tenant.get("/supported-car-models")
    assert models == tenant.truth("supported_car_models")
    assert len(models) > 10


@pytest.mark.parametrize(
    "path", ["/nothing", "", "/", "/users/", "/users/7", "/users/../sessions", "/Users", "//users", "/users/%37"]
)
def test_other_paths_do_not_exist(tenant, path):
    problem(tenant.reply(path), 404)
    problem(tenant.tenant.respond("GET", "/api/v1/users", "", tenant.headers, b""), 404)
    problem(tenant.tenant.respond("GET", "/", "", tenant.headers, b""), 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_other_methods_are_refused(tenant, method):
    reply = tenant.reply("/users", method=method)
    problem(reply, 405)
    assert reply.headers["Allow"] == "GET"
    assert tenant.tenant.respond("GET", "/oauth/token", "", FORM, b"").headers["Allow"] == "POST"


def test_token_and_key_are_both_needed(tenant):
    good = dict(tenant.headers)
    for headers in (
        {},
        {"authorization": good["authorization"]},
        {"apikey": good["apikey"]},
        good | {"apikey": "demo-kez"},
        good | {"apikey": "\udcff"},
        good | {"authorization": "Bearer nonsense"},
        good | {"authorization": good["authorization"].replace("Bearer ", "Basic ")},
        good | {"authorization": good["authorization"][7:]},
    ):
        tenant.headers = headers
        reply = tenant.reply("/users")
        body = problem(reply, 401)
        assert "WWW-Authenticate" in reply.headers
        assert not any(value in json.dumps(body) for value in ("demo-kez", "nonsense"))
    tenant.headers = good
    assert tenant.reply("/users").status == 200
    tenant.headers = good | {"authorization": good["authorization"].replace("Bearer", "bearer")}
    assert tenant.reply("/users").status == 200


def test_tokens_expire_by_the_tenants_clock():
    asked = inside(small_world(), token_lifetime_seconds=300)
    start = asked.clock.now_ms()
    asked.clock.advance_to(start + 299 * SECOND_MS)
    assert asked.reply("/users").status == 200
    second = json.loads(asked.token().body)
    assert second["expires_in"] == 300
    asked.clock.advance_to(start + 300 * SECOND_MS)
    problem(asked.reply("/users"), 401)
    asked.headers["authorization"] = f"Bearer {second['access_token']}"
    assert asked.reply("/users").status == 200


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"client_secret": "guess-4711"}, 401, "invalid_client"),
        ({"client_id": "nobody"}, 401, "invalid_client"),
        ({"client_secret": ""}, 401, "invalid_client"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"audience": "https://elsewhere.example"}, 403, "access_denied"),
    ],
)
def test_bad_token_requests_get_oauths_errors(tenant, changes, status, error):
    reply = tenant.token(**changes)
    body = json.loads(reply.body)
    assert (reply.status, body["error"]) == (status, error)
    assert reply.headers["Cache-Control"] == "no-store"
    assert not any(value and value in body["error_description"] for value in changes.values())


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"content-type": "application/json"}, b'{"grant_type":"client_credentials"}'),
        ({}, b""),
        (FORM, b""),
        (FORM, b"\xff\xfe"),
        (FORM, b"grant_type=client_credentials"),
        (FORM, b"grant_type=client_credentials&client_id=a&client_id=b&client_secret=c&audience=d"),
        (FORM | {"authorization": "Basic " + base64.b64encode(b"a:b").decode()}, b"grant_type=client_credentials"),
    ],
)
def test_token_requests_of_another_form_are_refused(tenant, headers, body):
    reply = tenant.tenant.respond("POST", "/oauth/token", "", headers, body)
    assert (reply.status, json.loads(reply.body)["error"]) == (400, "invalid_request")


def advance(tenant, body: object):
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return tenant.tenant.respond("POST", "/_demo/advance", "", {}, raw)


def test_the_clock_is_moved_forward_only(tenant):
    start = tenant.clock.now_ms()
    assert json.loads(advance(tenant, {"hours": 1.5}).body)["now"] == iso(start + 3 * HOUR_MS // 2)
    advance(tenant, {"days": 2})
    assert tenant.clock.now_ms() == start + 49 * HOUR_MS + HOUR_MS // 2
    advance(tenant, {"to": iso(start + 100 * HOUR_MS)})
    assert json.loads(tenant.tenant.respond("GET", "/_demo/health", "", {}, b"").body)["now"] == iso(
        start + 100 * HOUR_MS
    )
    for body in (
        {"hours": -1},
        {"to": iso(start)},
        {"days": 100_000},
        {"hours": "1"},
        {"hours": True},
        {"hours": 1, "days": 1},
        {"weeks": 1},
        {"to": "tomorrow"},
        {"days": 1e305},
        {"days": 10**400},
        [],
        {},
        b"",
        b"{",
        b'{"days": NaN}',
    ):
        problem(advance(tenant, body), 400)
    assert tenant.clock.now_ms() == start + 100 * HOUR_MS


def test_stats_count_by_template(tenant):
    user = tenant.truth("users")[0]["id"]
    for _ in range(3):
        tenant.get(f"/users/{user}/sessions")
    tenant.reply("/users", "pageSize=0")
    tenant.reply("/nothing")
    counts = json.loads(tenant.tenant.respond("GET", "/_demo/stats", "", {}, b"").body)["requests"]
    assert counts["GET /users/{userId}/sessions"] == 3
    assert counts["GET /users"] == 1
    assert counts["unmatched"] == 1
    assert counts["POST /oauth/token"] == 1
