"""The second tenant itself: what it answers path by path is what it says it has, and its data hangs together."""

import itertools
import json
import random
import re
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache

import pytest
from support.other_tenant import stamp
from support.other_under import KEYS, full, without_nulls

OPTIONS = {
    "rich": {"solar_limit_days": 31},
    "slim": {
        "rich": False, "inclusive": False, "leave_nulls_out": True, "none_answer": "empty",
        "unserved": {"/payouts", "reward-rate", "session-settings"},
    },
    "poor": {
        "contract_name": "utilityContract", "none_answer": "400", "inclusive": False,
        "unserved": {"utility-contracts", "charge-settings", "payouts", "rewards", "rewards/balance"},
    },
}  # fmt: skip
SECOND = timedelta(seconds=1)


class Client:
    """Asks for everything, one path after the other."""

    def __init__(self, tenant):
        self.tenant = tenant
        self.found = defaultdict(list)

    def get(self, path, **query):
        status, document = self.tenant.answer(path, list(query.items()))
        assert status in {200, 400, 404}, (path, query, document)
        return json.loads(json.dumps(document)) if status == 200 else None

    def pages(self, path, **query):
        items, index = [], 1
        while page := self.get(path, pageSize="100", pageIndex=str(index), **query):
            items += page["items"]
            if index >= page["totalPages"]:
                break
            index += 1
        assert page is None or page["totalCount"] == len(items)
        return items

    def windows(self, path, days):
        rows, since = {}, datetime.fromisoformat("2026-03-01T00:00:00Z")
        while since < self.tenant.now + timedelta(days=8):
            until = since + timedelta(days=days) - 2 * SECOND
            items = self.get(path, startTime=stamp(since - SECOND), endTime=stamp(until + SECOND))
            rows |= {item["startTime"]: item for item in items or ()}
            since = until
        return list(rows.values())

    def keep(self, table, answer, **ids):
        items = answer if isinstance(answer, list) else [answer] if answer else []
        self.found[table] += [item | ids for item in items]

    def walk(self):
        for user in self.pages("users"):
            self.walk_user(user["id"], f"users/{user['id']}")
        tenant_payouts = self.pages("payouts")
        if tenant_payouts and self.found["payouts"]:
            assert canonical(tenant_payouts) == canonical(self.found["payouts"])
        self.found["payouts"] = self.found["payouts"] or tenant_payouts
        return self.found

    def walk_user(self, user, path):
        assert self.get(path)["id"] == user
        chargers = self.get(f"{path}/chargers")
        locations = self.get(f"{path}/charging-locations")
        self.keep("financials", self.get(f"{path}/financials"), userId=user)
        self.keep("messages", self.pages(f"{path}/messages"), userId=user)
        self.keep("rewards", self.pages(f"{path}/rewards"), userId=user)
        self.keep("reward_balances", self.get(f"{path}/rewards/balance"), userId=user)
        self.keep("payouts", self.pages(f"{path}/payouts"), userId=user)
        for location in locations:
            assert self.get(f"{path}/charging-locations/{location['id']}") == location
            at_this_one = self.walk_location(user, path, location)
            chargers = [row for row in chargers if row not in at_this_one]
        assert chargers == []
        for vehicle in self.get(f"{path}/vehicles"):
            self.walk_vehicle(user, path, vehicle)
        for session in self.pages(f"{path}/sessions"):
            assert self.get(f"{path}/sessions/{session['id']}") == session
            ids, path_of_session = {"userId": user, "sessionId": session["id"]}, f"{path}/sessions/{session['id']}"
            self.keep("session_tariffs", self.get(f"{path_of_session}/tariffs"), **ids)
            self.keep("session_settings", self.get(f"{path_of_session}/session-settings/active"), **ids)

    def walk_location(self, user, path, location):
        ids, path = (
            {"userId": user, "chargingLocationId": location["id"]},
            f"{path}/charging-locations/{location['id']}",
        )
        tariffs, contract = self.get(f"{path}/tariffs"), self.get(f"{path}/utility-contracts")
        chargers = self.get(f"{path}/chargers")
        if self.tenant.rich:
            assert (location.get("tariffDetails"), location["chargers"]) == (tariffs, chargers)
            contract = contract or location[self.tenant.contract_name]
            assert location[self.tenant.contract_name] == contract
        else:
            assert location.keys() <= {"id", "userId", "coordinates", "address", "createdAt", "updatedAt"}
        self.keep("location_tariffs", tariffs, **ids)
        self.keep("utility_contracts", contract, **ids)
        self.keep("chargers", chargers, **ids)
        self.keep("reward_rates", self.get(f"{path}/reward-rate"), **ids)
        self.keep("dynamic_tariffs", self.windows(f"{path}/dynamic-tariffs", 14), **ids)
        self.keep("solar_energy", self.windows(f"{path}/solar-energy", self.tenant.solar_limit_days or 365), **ids)
        for charger in chargers:
            assert self.get(f"{path}/chargers/{charger['id']}") == charger
            state = self.get(f"{path}/chargers/{charger['id']}/state")
            assert charger.get("chargerState") == state
            self.keep("charger_states", state, **ids, chargerId=charger["id"])
        return chargers

    def walk_vehicle(self, user, path, vehicle):
        ids, path = {"userId": user, "vehicleId": vehicle["id"]}, f"{path}/vehicles/{vehicle['id']}"
        assert self.get(path) == vehicle
        state = self.get(f"{path}/state")
        assert vehicle.get("chargeState") == (state if self.tenant.rich else None)
        self.keep("vehicle_states", state, **ids)
        self.keep("charge_settings", self.get(f"{path}/charge-settings"), **ids)
        last = self.get(f"{path}/sessions/last")
        starts = [
            row["startTime"] for row in self.tenant.rows["sessions"].values() if row["vehicleId"] == vehicle["id"]
        ]
        assert (last and last["startTime"]) == max(starts, default=None)


def canonical(items):
    return sorted(json.dumps(without_nulls(item), sort_keys=True) for item in items)


def key_of(item, columns):
    row = {column_of(name): value for name, value in item.items()}
    return tuple(row[column] for column in columns)


@cache
def column_of(name):
    return re.sub("[A-Z]", lambda letter: "_" + letter.group().lower(), name)


def by_key(tenant, table):
    return {key_of(row, KEYS[table]): without_nulls(row) for row in tenant.truth(table)}


def small(seed, **options):
    return full(seed, users=14, sessions=120, days=40, **options)


@pytest.mark.parametrize("nights", [0, 3])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_what_a_client_finds_path_by_path_is_the_truth(options, nights):
    tenant = small(nights, **options)
    for night in range(nights):
        tenant.night(random.Random(night))
    found = Client(tenant).walk()
    for table, columns in KEYS.items():
        truth = tenant.truth(table)
        assert canonical(found[table]) == canonical(truth), table
        assert len({key_of(row, columns) for row in truth}) == len(truth), table
    empty = {table for table in KEYS if not tenant.truth(table)}
    assert (
        empty
        == {
            "rich": set(),
            "slim": {"reward_rates", "session_settings"},
            "poor": {"charge_settings", "rewards", "reward_balances"},
        }[next(name for name in OPTIONS if OPTIONS[name] is options)]
    )


def test_the_truth_has_no_null_that_an_answer_would_leave_out():
    tenant = small(1, leave_nulls_out=True)
    user = next(row["userId"] for row in tenant.truth("location_tariffs") if row["holidayTariffIntervals"] is None)
    _, locations = tenant.answer(f"users/{user}/charging-locations", [])
    assert "null" not in json.dumps(locations)
    assert "null" in json.dumps(tenant.truth("location_tariffs"))


def test_every_type_of_tariff_occurs_and_its_intervals_cover_the_week():
    tenant = small(2)
    kinds = Counter()
    for tariff in tenant.truth("location_tariffs"):
        types = tuple(part["type"] for part in tariff["tariffs"])
        kinds[types] += 1
        week = Counter()
        for interval in tariff["tariffIntervals"]:
            first, last = (
                int(time[:2]) * 60 + int(time[3:])
                for time in (interval["startTime"] or "00:00", interval["endTime"] or "24:00")
            )
            assert interval["tariffType"] in {kind[0].lower() + kind[1:] for kind in types}
            for day in interval["daysOfWeek"]:
                week.update((day.lower(), minute) for minute in range(first, last, 30))
        assert len(week) == 7 * 48
        assert set(week.values()) == {1}
    assert kinds.keys() == {("Standard",), ("Peak", "OffPeak"), ("Peak", "OffPeak", "SuperOffPeak"), ("Dynamic",)}
    assert len(tenant.rows["charging-locations"]) > kinds.total()
    assert {row["tariffType"] for row in tenant.truth("session_tariffs")} == {kind for types in kinds for kind in types}


def test_rewards_add_up_to_balances_and_paid_out_ones_to_payouts():
    tenant = full(3)
    for night in range(12):
        tenant.night(random.Random(night))
        total, paid = defaultdict(Decimal), defaultdict(Decimal)
        for row in tenant.truth("rewards"):
            name, amount = (row["userId"], row["currency"]), Decimal(str(row["amount"]))
            total[name] += amount
            paid[name] += amount * row["isPaidOut"]
        for row in tenant.truth("reward_balances"):
            name = (row["userId"], row["currency"])
            assert Decimal(str(row["totalAmount"])) == total.pop(name)
            assert Decimal(str(row["paidOutAmount"])) == paid[name]
            assert Decimal(str(row["balance"])) == Decimal(str(row["totalAmount"])) - paid[name]
        assert not total
        for row in tenant.truth("payouts"):
            if row["status"] == "PaidOut":
                paid[row["userId"], row["currency"]] -= Decimal(str(row["amount"]))
        assert paid
        assert not any(paid.values())
    assert {row["status"] for row in tenant.truth("payouts")} >= {"PaidOut", "Failed"}


def test_sessions_at_a_known_tariff_have_costs_and_prices_that_cover_them():
    tenant = small(4)
    parts = defaultdict(list)
    for row in tenant.truth("session_tariffs"):
        parts[row["sessionId"]].append(row)
    financials = tenant.truth("financials")
    assert len(financials) < len(tenant.rows["sessions"])
    for row in financials:
        assert (row["chargeCosts"] is None) == (row["currency"] is None) == (row["sessionId"] not in parts)
        if rows := sorted(parts[row["sessionId"]], key=lambda part: part["startTime"]):
            assert rows[0]["startTime"] <= row["startTime"] < rows[0]["endTime"]
            assert rows[-1]["startTime"] < row["endTime"] <= rows[-1]["endTime"]
            assert all(one["endTime"] == other["startTime"] for one, other in itertools.pairwise(rows))


def test_forecasts_become_actuals_at_another_price_and_the_sun_is_revised():
    tenant = small(5)
    before = {table: by_key(tenant, table) for table in ("dynamic_tariffs", "solar_energy")}
    tenant.now += timedelta(days=3)
    prices, sun = by_key(tenant, "dynamic_tariffs"), by_key(tenant, "solar_energy")
    became = Counter()
    for key, row in before["dynamic_tariffs"].items():
        became[row["dataType"], prices[key]["dataType"]] += 1
        assert (row["price"] == prices[key]["price"]) == (row["dataType"] == prices[key]["dataType"])
    assert became.keys() == {("Actual", "Actual"), ("Forecast", "Actual"), ("Forecast", "Forecast")}
    revised = {key[1] for key, row in before["solar_energy"].items() if row != sun[key]}
    assert revised
    assert min(revised) > stamp(tenant.now - timedelta(days=5))
    lengths = {
        datetime.fromisoformat(row["endTime"]) - datetime.fromisoformat(row["startTime"]) for row in prices.values()
    }
    assert lengths == {timedelta(minutes=15), timedelta(hours=1)}


def test_a_night_changes_every_table_and_late_corrections_only_three():
    tenant = full(6)
    before = {table: by_key(tenant, table) for table in KEYS}
    tenant.night(random.Random(1))
    after = {table: by_key(tenant, table) for table in KEYS}
    assert {table for table in KEYS if after[table] == before[table]} == set()
    for table in ("financials", "location_tariffs", "messages", "charge_settings", "utility_contracts", "payouts"):
        assert any(before[table][key] != after[table][key] for key in before[table].keys() & after[table].keys()), table
    touched = tenant.correct_old(random.Random(2))
    changed = {table for table in KEYS if by_key(tenant, table) != after[table]}
    assert changed == touched.keys() == {"session_tariffs", "reward_rates", "messages"}


def test_the_same_seed_is_the_same_tenant():
    one, other = small(7), small(7)
    for tenant in (one, other):
        tenant.night(random.Random(1))
    assert [one.truth(table) for table in KEYS] == [other.truth(table) for table in KEYS]


def test_ids_of_others_are_not_found_and_bad_questions_are_refused():
    tenant = small(8)
    charger = tenant.truth("charger_states")[0]
    stranger = next(user for user in tenant.rows["users"] if user != charger["userId"])
    path = "users/{userId}/charging-locations/{chargingLocationId}/chargers/{chargerId}/state"
    assert tenant.answer(path.format(**charger), [])[0] == 200
    assert tenant.answer(path.format(**charger | {"userId": stranger}), [])[0] == 404
    assert tenant.answer(path.format(**charger | {"chargerId": stranger}), [])[0] == 404
    status, document = tenant.answer("users/00000000-0000-4000-8000-000000000000/financials", [])
    assert (status, document["status"], document["title"]) == (404, 404, "Not Found")
    place = next(row for row in tenant.truth("dynamic_tariffs"))
    prices = f"users/{place['userId']}/charging-locations/{place['chargingLocationId']}/dynamic-tariffs"
    since = tenant.now - timedelta(days=14)
    bounds = {"startTime": stamp(since), "endTime": stamp(tenant.now)}
    assert tenant.answer(prices, bounds.items())[0] == 200
    assert tenant.answer(prices, (bounds | {"startTime": stamp(since - SECOND)}).items())[0] == 400
    assert tenant.answer(prices, (bounds | {"startTime": "yesterday"}).items())[0] == 400
    assert tenant.answer(prices, list(bounds.items())[:1])[0] == 400
    assert tenant.answer(f"users/{stranger}/financials", [("updatedSince", stamp(since))])[0] == 400


def test_filters_of_words_and_times():
    tenant = full(9)
    user = next(iter(tenant.rows["users"]))
    client = Client(tenant)
    messages = client.pages(f"users/{user}/messages")
    assert len(messages) > 100
    active = client.pages(f"users/{user}/messages", includeDismissed="false")
    assert active == [row for row in messages if not row["isDismissed"]] != messages
    user = max(tenant.rows["users"], key=lambda name: len(tenant.rows_of_rewards({"userId": name})))
    rewards = client.pages(f"users/{user}/rewards")
    times = [row["startTime"] for row in rewards]
    assert times == sorted(times, reverse=True)
    for inclusive in (True, False):
        tenant.inclusive = inclusive
        some = client.pages(f"users/{user}/rewards", **{"from": times[-2], "to": times[1]})
        assert some == (rewards[1:-1] if inclusive else rewards[2:-2])
    row = client.get(f"users/{user}/financials")[0]
    same = client.get(f"users/{user}/financials", vehicleId=row["vehicleId"], endTimeFrom=row["startTime"])
    assert row in same
    assert client.get(f"users/{user}/rewards/balance", currency="XXX") == []


def test_failing_and_vanished_users():
    tenant = small(10)
    failing, vanished, *_ = tenant.rows["users"]
    tenant.failing_users.add(failing)
    before = tenant.truth("messages")
    tenant.vanished.add(vanished)
    assert tenant.answer(f"users/{failing}/vehicles", [])[0] == 500
    assert tenant.answer(f"users/{vanished}/vehicles", [])[0] == 404
    assert {failing, vanished} <= {row["id"] for row in Client(tenant).pages("users")}
    assert tenant.truth("messages") == [row for row in before if row["userId"] != vanished]
    tenant.remove_user(failing)
    assert {row["userId"] for table in KEYS for row in tenant.truth(table)} <= tenant.rows["users"].keys() - {vanished}
