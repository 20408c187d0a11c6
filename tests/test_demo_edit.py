"""Changes behind the API's back: seen wherever the thing is told of, nowhere else, and refused where they are none."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.demo_inside import Inside, inside, young_world_of

from demo.answers import Reply
from demo.truth import TRUE_TABLES
from demo.world.times import HOUR_MS, iso

NOBODY = "00000000-0000-4000-8000-000000000000"
SEVERAL = 3
WORLD = young_world_of(5, 15)


@pytest.fixture(params=[1, SEVERAL])
def copies(request) -> int:
    return request.param


@pytest.fixture
def tenant(copies) -> Inside:
    return inside(WORLD, WORLD.sessions[-1].start_ms, copies=copies)


def ask_edit(tenant: Inside, body: bytes) -> Reply:
    return tenant.tenant.respond("POST", "/_demo/edit", "", {}, body)


def edit(tenant: Inside, table: str, id_: str, **fields: Any) -> dict[str, Any]:
    reply = ask_edit(tenant, json.dumps({"table": table, "id": id_, "set": fields}).encode())
    assert reply.status == 200, reply
    return json.loads(reply.body)


def everything(tenant: Inside) -> dict[str, list[dict[str, Any]]]:
    return {table: tenant.truth(table) for table in TRUE_TABLES}


def changed(before: dict[str, list[Any]], after: dict[str, list[Any]]) -> dict[str, list[tuple[Any, Any]]]:
    """By table, the rows that differ, before and after."""
    found = {
        table: [(old, new) for old, new in zip(before[table], after[table], strict=True) if old != new]
        for table in before
    }
    return {table: pairs for table, pairs in found.items() if pairs}


def anything(_item: dict[str, Any]) -> bool:
    return True


def original_and_copied(
    tenant: Inside, table: str, copies: int, fits: Callable[[dict[str, Any]], bool] = anything
) -> list[dict[str, Any]]:
    """A fitting row of the original, and one of a copy where there is one."""
    own = {json.dumps(item) for item in inside(WORLD, tenant.clock.now_ms()).truth(table)}
    rows = [item for item in tenant.truth(table) if fits(item)]
    original = next(item for item in rows if json.dumps(item) in own)
    copied = [item for item in rows if json.dumps(item) not in own]
    assert bool(copied) == (copies > 1)
    return [original, *copied[:1]]


def test_a_user_gets_another_name(tenant, copies):
    for user in original_and_copied(tenant, "users", copies):
        before = everything(tenant)
        told = edit(tenant, "users", user["id"], firstName="Åse", email=None)
        expected = user | {"firstName": "Åse", "email": None, "updatedAt": iso(tenant.clock.now_ms())}
        assert told == expected == tenant.get(f"/users/{user['id']}")
        assert changed(before, everything(tenant)) == {"users": [(user, expected)]}
        assert expected in tenant.walk("/users")
        assert edit(tenant, "users", user["id"], firstName="Ada")["email"] is None


def test_a_location_gets_another_address(tenant, copies):
    for location in original_and_copied(tenant, "charging_locations", copies):
        before = everything(tenant)
        told = edit(tenant, "charging_locations", location["id"], address={"street": "Nygata", "area": "NO1"})
        address = location["address"] | {"street": "Nygata", "area": "NO1"}
        expected = location | {"address": address, "updatedAt": iso(tenant.clock.now_ms())}
        assert told == expected
        assert changed(before, everything(tenant)) == {"charging_locations": [(location, expected)]}
        assert expected in tenant.walk("/charging-locations")
        at = f"/users/{location['userId']}/charging-locations"
        assert tenant.get(f"{at}/{location['id']}").items() >= expected.items()
        assert [item["id"] for item in tenant.get(at, area="NO1")] == [location["id"]]


def test_a_session_gets_other_money_and_its_financials_follow(tenant, copies):
    for session in original_and_copied(tenant, "sessions", copies, lambda item: item["endTime"] is not None):
        before = everything(tenant)
        told = edit(tenant, "sessions", session["id"], chargeCosts=12.5, savings=-1)
        expected = session | {"chargeCosts": 12.5, "savings": -1, "currency": "NOK"}
        assert told == expected
        found = changed(before, everything(tenant))
        assert found.keys() == {"sessions", "financials"}
        assert found["sessions"] == [(session, expected)]
        [(old, new)] = found["financials"]
        assert new == old | {"chargeCosts": 12.5, "savings": -1, "currency": "NOK"}
        assert new["sessionId"] == session["id"]
        at = f"/users/{session['userId']}"
        assert expected in tenant.walk("/sessions")
        assert expected in tenant.walk("/sessions", endTimeFrom=session["endTime"], startTimeFrom=session["startTime"])
        assert expected in tenant.walk(f"{at}/sessions")
        assert tenant.get(f"{at}/sessions/{session['id']}").items() <= expected.items()
        assert {k: v for k, v in new.items() if k != "userId"} in tenant.get(f"{at}/financials")
        assert edit(tenant, "sessions", session["id"], chargeCosts=None) == expected | {
            "chargeCosts": None,
            "currency": None,
        }


def test_a_tariff_gets_other_prices_and_past_sessions_keep_theirs(tenant, copies):
    def fits(item: dict[str, Any]) -> bool:
        return {tariff["type"] for tariff in item["tariffs"]} == {"Peak", "OffPeak"}

    for tariffs in original_and_copied(tenant, "location_tariffs", copies, fits):
        before = everything(tenant)
        id_ = tariffs["chargingLocationId"]
        old = {tariff["type"]: tariff["price"] for tariff in tariffs["tariffs"]}
        told = edit(tenant, "location_tariffs", id_, factor=1.1)
        new = {tariff["type"]: tariff["price"] for tariff in told["tariffs"]}
        assert new == pytest.approx({type_: 1.1 * price for type_, price in old.items()}, abs=1e-4)
        assert {k: v for k, v in told.items() if k != "tariffs"}.items() <= tariffs.items()
        found = changed(before, everything(tenant))
        assert found == {"location_tariffs": [(tariffs, tariffs | told)]}
        at = f"/users/{tariffs['userId']}/charging-locations/{id_}"
        assert tenant.get(f"{at}/tariffs") == told == tenant.get(at)["tariffDetails"]
        told = edit(tenant, "location_tariffs", id_, Peak=3, factor=2)
        assert {tariff["type"]: tariff["price"] for tariff in told["tariffs"]} == {
            "Peak": 3,
            "OffPeak": pytest.approx(2 * new["OffPeak"]),
        }


def test_changes_stay_when_the_clock_moves_on(tenant):
    user = tenant.truth("users")[0]
    session = next(item for item in tenant.truth("sessions") if item["endTime"])
    user = edit(tenant, "users", user["id"], locale="sv")
    session = edit(tenant, "sessions", session["id"], savings=7)
    tenant.clock.advance_to(tenant.clock.now_ms() + 2000 * HOUR_MS)
    tenant.log_in()
    assert tenant.get(f"/users/{user['id']}") == user
    assert user in tenant.walk("/users")
    assert session in tenant.walk("/sessions")


def test_a_change_is_one_tenants_own():
    tenant, other = inside(WORLD), inside(WORLD)
    user = tenant.truth("users")[0]
    edit(tenant, "users", user["id"], firstName="Ada")
    assert other.get(f"/users/{user['id']}") == user == inside(WORLD).get(f"/users/{user['id']}")


def refused(tenant: Inside, body: object) -> tuple[int, str]:
    reply = ask_edit(tenant, body if isinstance(body, bytes) else json.dumps(body).encode())
    problem = json.loads(reply.body)
    assert problem["status"] == reply.status
    assert problem["instance"] == "/_demo/edit"
    return reply.status, problem["detail"]


def test_what_is_no_change_is_refused(tenant):
    before = everything(tenant)
    user = before["users"][0]["id"]
    location = before["charging_locations"][0]["id"]
    ended = next(item["id"] for item in before["sessions"] if item["endTime"])
    active = next(item["id"] for item in before["sessions"] if not item["endTime"])
    flat = next(i["chargingLocationId"] for i in before["location_tariffs"] if i["tariffs"][0]["type"] == "Standard")
    dynamic = next(i["chargingLocationId"] for i in before["location_tariffs"] if i["tariffs"][0]["type"] == "Dynamic")
    told = {item["chargingLocationId"] for item in before["location_tariffs"]}
    untold = next(item["id"] for item in before["charging_locations"] if item["id"] not in told)
    later = WORLD.sessions[-1].id
    for status, table, id_, fields, named in (
        (404, "users", NOBODY, {"firstName": "A"}, "User does not exist"),
        (404, "users", location, {"firstName": "A"}, "User does not exist"),
        (404, "charging_locations", user, {"address": {"street": "A"}}, "Charging location does not exist"),
        (404, "sessions", NOBODY, {"savings": 1}, "Session does not exist"),
        (404, "location_tariffs", NOBODY, {"factor": 1}, "Charging location does not exist"),
        (404, "location_tariffs", untold, {"factor": 1}, "no tariff"),
        (400, "vehicles", user, {"isConnected": False}, "table"),
        (400, ["users"], user, {"firstName": "A"}, "table"),
        (400, "users", "7", {"firstName": "A"}, "id"),
        (400, "users", 7, {"firstName": "A"}, "id"),
        (400, "users", user, {}, "set"),
        (400, "users", user, ["firstName"], "set"),
        (400, "users", user, {"id": NOBODY}, "firstName"),
        (400, "users", user, {"firstName": None}, "set.firstName"),
        (400, "users", user, {"locale": 7}, "set.locale"),
        (400, "charging_locations", location, {"updatedAt": "now"}, "address"),
        (400, "charging_locations", location, {"address": {}}, "set.address"),
        (400, "charging_locations", location, {"address": "Nygata 1"}, "set.address"),
        (400, "charging_locations", location, {"address": {"planet": "Mars"}}, "street"),
        (400, "charging_locations", location, {"address": {"street": 1}}, "set.address"),
        (400, "sessions", ended, {"chargedEnergy": 1}, "chargeCosts"),
        (400, "sessions", ended, {"savings": "1"}, "set"),
        (400, "sessions", ended, {"savings": True}, "set"),
        (400, "sessions", ended, {"savings": 10**400}, "set"),
        (400, "sessions", active, {"savings": 1}, "goes on"),
        (400, "location_tariffs", dynamic, {"factor": 2}, "dynamic"),
        (400, "location_tariffs", flat, {"Peak": 2}, "Standard"),
        (400, "location_tariffs", flat, {"factor": None}, "set"),
    ):
        found, detail = refused(tenant, {"table": table, "id": id_, "set": fields})
        assert (found, named in detail) == (status, True), (table, fields, found, detail)
    for body in (
        b"",
        b"[]",
        b"{",
        b"7",
        {"table": "users", "id": user},
        {"a": 1, "table": "users", "id": user, "set": 1},
    ):
        assert refused(tenant, body)[0] == 400
    assert (
        refused(
            inside(WORLD, WORLD.sessions[0].start_ms),
            {"table": "sessions", "id": later, "set": {"savings": 1}},
        )[0]
        == 404
    )
    assert everything(tenant) == before
    assert tenant.tenant.respond("GET", "/_demo/edit", "", {}, b"").status == 405
