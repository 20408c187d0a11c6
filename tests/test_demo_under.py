"""What hangs under users, locations, vehicles and sessions: asked one by one it is the whole truth, and it adds up."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from support.demo_inside import Inside, inside, small_world, world_of

from demo.world.times import DAY_MS, HOUR_MS, from_ms, iso, to_ms

OSLO = ZoneInfo("Europe/Oslo")
USERS = 12
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@pytest.fixture(scope="module")
def tenant() -> Inside:
    """A few users with all of their sessions."""
    return inside(world_of(USERS))


def some(tenant: Inside, path: str, query: str = "") -> Any:
    """The JSON of an answer, nothing where there is none."""
    reply = tenant.reply(path, query)
    assert reply.status in {200, 404}, reply
    return json.loads(reply.body) if reply.status == 200 else []


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def windows(since: str, until_ms: int):
    """Neighbouring windows of 14 days."""
    start_ms = to_ms(moment(since)) // HOUR_MS * HOUR_MS
    while start_ms < until_ms:
        end_ms = min(start_ms + 14 * DAY_MS, until_ms)
        yield f"startTime={iso(start_ms)}&endTime={iso(end_ms)}"
        start_ms = end_ms


def ask_everything(tenant: Inside) -> dict[str, list[dict[str, Any]]]:
    """Every table, by asking each parent for what is its own, with the ids of the path beside each item."""
    found: dict[str, list[dict[str, Any]]] = {}

    def keep(table: str, path_ids: dict[str, str], items: Any) -> None:
        for item in items if isinstance(items, list) else [items]:
            found.setdefault(table, []).append(path_ids | item)

    until_ms = tenant.clock.now_ms() + 8 * DAY_MS
    for user in tenant.walk("/users"):
        of_user, at = {"userId": user["id"]}, f"/users/{user['id']}"
        keep("financials", of_user, tenant.get(f"{at}/financials"))
        keep("messages", {}, tenant.walk(f"{at}/messages"))
        keep("rewards", of_user, tenant.walk(f"{at}/rewards"))
        keep("reward_balances", of_user, tenant.get(f"{at}/rewards/balance"))
        keep("payouts", {}, tenant.walk(f"{at}/payouts"))
    for location in tenant.walk("/charging-locations"):
        ids = {"userId": location["userId"], "chargingLocationId": location["id"]}
        at = f"/users/{location['userId']}/charging-locations/{location['id']}"
        keep("location_tariffs", ids, some(tenant, f"{at}/tariffs"))
        keep("utility_contracts", ids, some(tenant, f"{at}/utility-contracts"))
        keep("reward_rates", ids, tenant.get(f"{at}/reward-rate"))
        for charger in tenant.get(f"{at}/chargers"):
            keep("chargers", ids, charger)
            keep(
                "charger_states", ids | {"chargerId": charger["id"]}, tenant.get(f"{at}/chargers/{charger['id']}/state")
            )
            assert tenant.get(f"{at}/chargers/{charger['id']}") == charger
        for window in windows(location["createdAt"], until_ms):
            keep("dynamic_tariffs", ids, some(tenant, f"{at}/dynamic-tariffs", window))
            keep("solar_energy", ids, some(tenant, f"{at}/solar-energy", window))
    for vehicle in tenant.walk("/vehicles"):
        ids = {"userId": vehicle["userId"], "vehicleId": vehicle["id"]}
        at = f"/users/{vehicle['userId']}/vehicles/{vehicle['id']}"
        keep("vehicle_states", ids, tenant.get(f"{at}/state"))
        keep("charge_settings", ids, tenant.get(f"{at}/charge-settings"))
    for session in tenant.walk("/sessions"):
        ids = {"userId": session["userId"], "sessionId": session["id"]}
        at = f"/users/{session['userId']}/sessions/{session['id']}"
        keep("session_tariffs", ids, tenant.get(f"{at}/tariffs"))
        keep("session_settings", ids, tenant.get(f"{at}/session-settings/active"))
    return found


def in_order(items: list[dict[str, Any]]) -> list[bytes]:
    return sorted(msgspec.json.encode(item, order="sorted") for item in items)


@pytest.mark.parametrize("days_before_the_end", [0, 200])
def test_asking_each_parent_gives_the_whole_truth(days_before_the_end):
    world = small_world(100)
    tenant = inside(world, world.start_ms - days_before_the_end * DAY_MS)
    found = ask_everything(tenant)
    assert len(found) >= 15
    for table, items in found.items():
        assert in_order(items) == in_order(tenant.truth(table)), table
    assert in_order(tenant.walk("/payouts")) == in_order(found["payouts"])


def test_sessions_cost_what_their_own_tariffs_say(tenant):
    """Costs and savings of every finished session again, from nothing but what the API tells about it."""
    tariffs: dict[str, list[dict[str, Any]]] = {}
    for item in tenant.truth("session_tariffs"):
        tariffs.setdefault(item["sessionId"], []).append(item)
    types = Counter()
    for session in tenant.truth("sessions"):
        spans = tariffs.get(session["id"], [])
        assert bool(spans) == (session["chargeCosts"] is not None)
        if not spans:
            continue
        types.update(span["tariffType"] for span in spans)
        assert spans[0]["startTime"] == session["startTime"]
        assert spans[-1]["endTime"] == session["endTime"]
        assert all(a["endTime"] == b["startTime"] for a, b in pairwise(spans))
        assert {span["currency"] for span in spans} == {session["currency"]}
        at_once = cost_of(session, spans)
        cheapest = cost_of(session, sorted(spans, key=lambda span: span["price"]))
        assert session["chargeCosts"] == pytest.approx(cheapest if session["isManaged"] else at_once, abs=2e-4)
        assert session["savings"] == pytest.approx(at_once - cheapest if session["isManaged"] else 0, abs=3e-4)
    assert set(types) == {"Standard", "Peak", "OffPeak", "SuperOffPeak", "Dynamic"}


def cost_of(session: dict[str, Any], spans: list[dict[str, Any]]) -> float:
    """What the energy costs if it is taken from the spans in this order, at the car's power or what is needed."""
    hours = [(moment(span["endTime"]) - moment(span["startTime"])) / timedelta(hours=1) for span in spans]
    needed = min(session["chargedEnergy"] / session["chargeSpeed"], sum(hours))
    if not needed:
        return session["chargedEnergy"] * spans[0]["price"]
    cost, left = 0.0, needed
    for span, length in zip(spans, hours, strict=True):
        cost += min(left, length) / needed * session["chargedEnergy"] * span["price"]
        left = max(left - length, 0)
    return cost


def test_financials_are_the_sessions_money(tenant):
    financials = {item["sessionId"]: item for item in tenant.truth("financials")}
    finished = {item["id"]: item for item in tenant.truth("sessions") if item["endTime"]}
    assert financials.keys() == finished.keys()
    for id_, item in financials.items():
        for name in item.keys() - {"sessionId"}:
            assert item[name] == finished[id_][name]
    user = tenant.truth("users")[5]["id"]
    own = [item for item in finished.values() if item["userId"] == user]
    vehicle = own[0]["vehicleId"]
    middle = own[len(own) // 2]["endTime"]
    path = f"/users/{user}/financials"
    assert len(tenant.get(path, vehicleId=vehicle)) == len(own)
    assert tenant.get(path, vehicleId="00000000-0000-4000-8000-000000000000") == []
    assert len(tenant.get(path, endTimeFrom=middle)) == sum(item["endTime"] >= middle for item in own)
    assert tenant.reply(path, "vehicleId=7").status == 400
    assert tenant.reply(path, "pageSize=10").status == 400


def test_dynamic_prices_are_those_that_sessions_paid(tenant):
    prices = {
        (item["chargingLocationId"], item["startTime"]): item
        for item in tenant.truth("dynamic_tariffs")
        if item["dataType"] == "Actual"
    }
    location_of = {item["id"]: item["chargingLocationId"] for item in tenant.truth("sessions")}
    checked = 0
    for span in tenant.truth("session_tariffs"):
        if span["tariffType"] == "Dynamic" and moment(span["startTime"]).minute == 0:
            slot = prices.get((location_of[span["sessionId"]], span["startTime"]))
            if slot is not None:
                assert span["price"] == slot["price"]
                checked += 1
    assert checked > 3_000


def test_tariffs_of_a_location_cover_its_week_and_are_paid_by_its_sessions(tenant):
    locations = {item["chargingLocationId"]: item for item in tenant.truth("location_tariffs")}
    casings = set()
    for item in locations.values():
        types = {tariff["type"] for tariff in item["tariffs"]}
        assert len(types) == len(item["tariffs"]) <= 3
        hours = Counter()
        for interval in item["tariffIntervals"]:
            casings |= {day[0].isupper() for day in interval["daysOfWeek"]}
            assert interval["tariffType"][0].islower()
            assert interval["tariffType"][0].upper() + interval["tariffType"][1:] in types
            start, end = (
                int((interval[name] or whole)[:2]) for name, whole in (("startTime", "00"), ("endTime", "24"))
            )
            hours.update((day.lower(), hour) for day in interval["daysOfWeek"] for hour in range(start, end))
        assert hours == Counter({(day, hour): 1 for day in DAYS for hour in range(24)})
    assert casings == {True, False}
    assert any(i["endTime"] == "24:00" for item in locations.values() for i in item["tariffIntervals"])
    assert any(item["holidayTariffIntervals"] for item in locations.values())
    location_of = {item["id"]: item["chargingLocationId"] for item in tenant.truth("sessions")}
    for span in tenant.truth("session_tariffs"):
        tariffs = {t["type"]: t["price"] for t in locations[location_of[span["sessionId"]]]["tariffs"]}
        assert span["tariffType"] in tariffs
        if span["tariffType"] != "Dynamic":
            assert span["price"] == tariffs[span["tariffType"]]


def dynamic_path(tenant: Inside) -> str:
    item = tenant.truth("dynamic_tariffs")[0]
    return f"/users/{item['userId']}/charging-locations/{item['chargingLocationId']}/dynamic-tariffs"


def window(start: datetime, **length: float) -> str:
    return f"startTime={iso(to_ms(start))}&endTime={iso(to_ms(start + timedelta(**length)))}"


def test_dynamic_windows_are_bounded():
    tenant = inside(small_world())
    path = dynamic_path(tenant)
    now = from_ms(tenant.clock.now_ms())
    assert tenant.reply(path, window(now, days=14)).status == 200
    for query in (
        window(now, days=14, seconds=0.001),
        window(now, seconds=-1),
        "",
        f"startTime={iso(to_ms(now))}",
        window(now, days=1).replace("Z", ""),
        window(now, days=1) + "&pageSize=5",
    ):
        assert tenant.reply(path, query).status == 400, query
    ahead = some(tenant, path, window(now, days=14))
    assert max(moment(item["endTime"]) for item in ahead) == now + timedelta(days=7)
    assert some(tenant, path, window(now + timedelta(days=8), days=1)) == []
    assert some(tenant, path, window(now, hours=0)) == []


def test_forecasts_become_other_actuals():
    """Tomorrow's prices are known from 13:00 local on; what was known stays as it was."""
    world = small_world()
    noon = datetime(2026, 6, 10, 12, 59, tzinfo=OSLO)
    tenant = inside(world, to_ms(noon.astimezone(timezone.utc)))
    path = dynamic_path(tenant)

    def look() -> dict[str, dict[str, Any]]:
        query = window(noon - timedelta(days=1), days=9)
        return {item["startTime"]: item for item in some(tenant, path, query)}

    def last_known(slots: dict[str, dict[str, Any]]) -> datetime:
        return max(moment(s["endTime"]) for s in slots.values() if s["dataType"] == "Actual").astimezone(OSLO)

    before = look()
    assert last_known(before) == datetime(2026, 6, 11, tzinfo=OSLO)
    tenant.clock.advance_to(tenant.clock.now_ms() + 60_000)
    tenant.log_in()
    after = look()
    assert last_known(after) == datetime(2026, 6, 12, tzinfo=OSLO)
    changed = [start for start, slot in before.items() if slot["dataType"] != after[start]["dataType"]]
    assert len(changed) in {24, 96}
    assert all(before[start]["price"] != after[start]["price"] for start in changed)
    assert all(before[start] == after[start] for start in before if start not in changed)


def test_some_dynamic_locations_have_quarter_hours(tenant):
    lengths = Counter()
    for item in tenant.truth("dynamic_tariffs")[::50]:
        lengths[moment(item["endTime"]) - moment(item["startTime"])] += 1
    assert set(lengths) == {timedelta(minutes=15), timedelta(hours=1)}


def test_the_sun_has_its_day_and_year(tenant):
    locations = tenant.truth("charging_locations")
    by_location: dict[str, list[dict[str, Any]]] = {}
    for item in tenant.truth("solar_energy"):
        by_location.setdefault(item["chargingLocationId"], []).append(item)
    assert 0.3 < len(by_location) / len(locations) < 0.5
    now = from_ms(tenant.clock.now_ms())
    longest = max(by_location.values(), key=len)
    by_month, by_hour = Counter(), Counter()
    for item in longest:
        local = moment(item["startTime"]).astimezone(OSLO)
        by_month[local.month] += item["energy"]
        by_hour[local.hour] += item["energy"]
        assert moment(item["endTime"]) <= now
    assert by_month[6] > 10 * by_month[12]
    assert by_hour[0] < by_hour[12] / 50
    assert 500 < sum(by_month.values()) < 15_000
    assert all((moment(b["startTime"]) - moment(a["startTime"])) == timedelta(hours=1) for a, b in pairwise(longest))


def test_solar_estimates_are_revised_once():
    world = small_world()
    tenant = inside(world, to_ms(datetime(2026, 6, 10, 18, tzinfo=timezone.utc)))
    item = tenant.truth("solar_energy")[0]
    path = f"/users/{item['userId']}/charging-locations/{item['chargingLocationId']}/solar-energy"
    noon = window(datetime(2026, 6, 10, 8, tzinfo=timezone.utc), hours=1)
    seen = []
    for _ in range(12):
        seen.append(some(tenant, path, noon)[0]["energy"])
        tenant.clock.advance_to(tenant.clock.now_ms() + 6 * HOUR_MS)
        tenant.log_in()
    assert len(set(seen)) == 2
    assert seen == sorted(seen)


def test_sessions_take_no_more_sun_than_there_was(tenant):
    sun = {(i["chargingLocationId"], i["startTime"]): i["energy"] for i in tenant.truth("solar_energy")}
    places = {location for location, _ in sun}
    used = 0.0
    for session in tenant.truth("sessions"):
        if session["endTime"] is None or session["chargingLocationId"] not in places:
            assert session["solarEnergy"] is None
            continue
        assert 0 <= session["solarEnergy"] <= session["chargedEnergy"] + 0.001
        hour = moment(session["startTime"]).replace(minute=0, second=0, microsecond=0)
        there = 0.0
        while hour < moment(session["endTime"]):
            there += sun.get((session["chargingLocationId"], iso(to_ms(hour))), 0)
            hour += timedelta(hours=1)
        # What is told of the last two days is still an estimate, lower than what it will be.
        assert session["solarEnergy"] <= there * 1.3 + 0.01
        used += session["solarEnergy"]
    assert used > 100


def test_rewards_payouts_and_balances_add_up_at_any_time():
    tenant = inside(world_of(30))
    statuses = set()
    for _ in range(3):
        rewards: dict[str, list[dict[str, Any]]] = {}
        for item in tenant.truth("rewards"):
            rewards.setdefault(item["userId"], []).append(item)
        paid: dict[str, Decimal] = {}
        for item in tenant.truth("payouts"):
            statuses.add(item["status"])
            if item["status"] == "PaidOut":
                paid[item["userId"]] = paid.get(item["userId"], Decimal(0)) + Decimal(str(item["amount"]))
        balances = {item["userId"]: item for item in tenant.truth("reward_balances")}
        assert balances.keys() == rewards.keys()
        for user_id, item in balances.items():
            amounts = [(Decimal(str(r["amount"])), r["isPaidOut"]) for r in rewards[user_id]]
            total, out, left = (Decimal(str(item[name])) for name in ("totalAmount", "paidOutAmount", "balance"))
            assert total == sum(amount for amount, _ in amounts)
            assert out == sum(amount for amount, is_paid in amounts if is_paid) == paid.get(user_id, 0)
            assert left == total - out
        tenant.clock.advance_to(tenant.clock.now_ms() + 13 * DAY_MS)
        tenant.log_in()
    assert statuses >= {"Pending", "PaidOut", "Failed", "Rejected"}
    finished = {
        item["id"] for item in tenant.truth("sessions") if item["endTime"] and item["chargingLocationId"] is not None
    }
    assert {item["sessionId"] for item in tenant.truth("rewards")} == finished
    user_id = next(iter(balances))
    assert tenant.get(f"/users/{user_id}/rewards/balance", currency="EUR") == []
    assert tenant.get(f"/users/{user_id}/rewards", currency="NOK")["totalCount"] == len(rewards[user_id])
    middle = rewards[user_id][len(rewards[user_id]) // 2]["startTime"]
    newer = tenant.walk(f"/users/{user_id}/rewards", **{"from": middle})
    assert newer == [
        {k: v for k, v in r.items() if k != "userId"} for r in rewards[user_id] if r["startTime"] >= middle
    ]


def test_messages_are_dismissed_in_time():
    world = small_world()
    tenant = inside(world, world.sessions[-1].start_ms)
    before = {item["id"]: item for item in tenant.truth("messages")}
    user_id = next(item["userId"] for item in before.values() if not item["isDismissed"])
    path = f"/users/{user_id}/messages"
    for _ in range(2):
        own = [item for item in tenant.truth("messages") if item["userId"] == user_id]
        assert tenant.walk(path) == tenant.walk(path, includeDismissed="true") == own
        active = [item for item in own if not item["isDismissed"]]
        assert tenant.walk(path, includeDismissed="false") == active
        assert all((item["dismissedAt"] is not None) == item["isDismissed"] for item in own)
        for item in own:
            assert tenant.get(f"{path}/{item['id']}") == item
        tenant.clock.advance_to(tenant.clock.now_ms() + 30 * DAY_MS)
        tenant.log_in()
    after = {item["id"]: item for item in tenant.truth("messages")}
    assert any(after[id_]["isDismissed"] > item["isDismissed"] for id_, item in before.items())
    assert tenant.reply(path, "includeDismissed=1").status == 400
    everything = inside(world_of(USERS)).truth("messages")
    assert {item["notificationType"] for item in everything} == {"PushNotification", "Email", "SMS", "Banner"}
    assert len({item["type"] for item in everything}) >= 5


def test_states_follow_the_sessions():
    """Plugged in while a session goes on, disconnected otherwise; a reading is never younger than now."""
    world = small_world()
    tenant = inside(world, world.sessions[150].start_ms)
    seen = Counter()
    readings: dict[str, set[str]] = {}
    for _ in range(40):
        now = from_ms(tenant.clock.now_ms())
        last: dict[str, dict[str, Any]] = {}
        for session in tenant.truth("sessions"):
            last.setdefault(session["vehicleId"], session)
        for state in tenant.truth("vehicle_states"):
            assert moment(state["updatedAt"]) <= now
            readings.setdefault(state["vehicleId"], set()).add(state["updatedAt"])
            session = last.get(state["vehicleId"])
            is_plugged = session is not None and session["endTime"] is None
            assert (state["chargeState"] == "Disconnected") == (not is_plugged)
            seen[state["chargeState"]] += 1
        for state in tenant.truth("charger_states"):
            assert moment(state["timeStamp"]) <= now
            assert (state["chargePower"] > 0) == (state["chargeState"] == "Charging")
        tenant.clock.advance_to(tenant.clock.now_ms() + 5 * HOUR_MS)
        tenant.log_in()
    assert set(seen) == {"Complete", "Charging", "Disconnected", "Stopped"}
    assert max(map(len, readings.values())) > 20
    assert min(map(len, readings.values())) < 10


def test_rich_lists_hold_what_single_reads_tell():
    tenant = inside(small_world())
    for user in tenant.truth("users"):
        at = f"/users/{user['id']}"
        chargers = []
        for location in tenant.get(f"{at}/charging-locations"):
            here = f"{at}/charging-locations/{location['id']}"
            assert tenant.get(here) == location
            assert (location["tariffDetails"] or []) == some(tenant, f"{here}/tariffs")
            assert (location["energySupplierDetails"] or []) == some(tenant, f"{here}/utility-contracts")
            assert location["chargers"] == tenant.get(f"{here}/chargers")
            chargers += location["chargers"]
        assert tenant.get(f"{at}/chargers") == chargers
        assert tenant.get(f"{at}/charging-locations", country="SE") == []
        assert len(tenant.get(f"{at}/charging-locations", country="NO", area="NO3")) > 0
        for vehicle in tenant.get(f"{at}/vehicles"):
            assert tenant.get(f"{at}/vehicles/{vehicle['id']}") == vehicle
            assert tenant.get(f"{at}/vehicles/{vehicle['id']}/state") == vehicle.pop("chargeState")
            assert vehicle in tenant.truth("vehicles")
    known = {item["id"] for item in tenant.truth("chargers")}
    assert {item["chargerId"] for item in tenant.truth("sessions")} - {None} <= known


def test_only_sessions_that_go_on_have_settings(tenant):
    settings = tenant.truth("session_settings")
    active = {item["id"] for item in tenant.truth("sessions") if item["status"] == "Active"}
    assert {item["sessionId"] for item in settings} <= active
    assert {item["type"] for item in settings} == {"boostCharging", "currentBatteryLevel"}
    assert any("currentSateOfCharge" in item for item in settings)
