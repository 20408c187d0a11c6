"""A tenant to which things happen: from a seed the same ones each time, and whatever happens, it hangs together."""

from __future__ import annotations

import json
import urllib.error
from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.demo import refusal, running_tenant
from support.demo_inside import Inside, inside, world_of, young_world_of
from test_demo_under import ask_everything, cost_of, in_order

from demo.change.kinds import KIND_BY_NAME
from demo.change.order import evolve_order
from demo.clock import StillClock
from demo.tables import TABLES, Tables
from demo.tenant import Tenant
from demo.truth import TRUE_TABLES
from demo.world.times import DAY_MS, HOUR_MS, iso

USERS = 5
SESSIONS = 12
LISTS = {
    "/users": ("users", "createdAt"),
    "/vehicles": ("vehicles", "createdAt"),
    "/charging-locations": ("charging_locations", "createdAt"),
    "/sessions": ("sessions", "startTime"),
    "/payouts": ("payouts", "createdAt"),
}
SESSION_FOLLOWS = {
    "sessions",
    "financials",
    "session_tariffs",
    "session_settings",
    "rewards",
    "reward_balances",
    "messages",
    "vehicle_states",
    "charger_states",
    "chargers",
}
LOCATION_FOLLOWS = {
    "charging_locations",
    "location_tariffs",
    "dynamic_tariffs",
    "utility_contracts",
    "reward_rates",
    "solar_energy",
    "chargers",
    "charger_states",
}
VEHICLE_FOLLOWS = {"vehicles", "vehicle_states", "charge_settings"}
FOLLOWS = {
    "edited_user": {"users"},
    "edited_vehicle": VEHICLE_FOLLOWS,
    "edited_location": {"charging_locations"},
    "new_users": set(TRUE_TABLES) - {"supported_car_models", "payouts"},
    "new_location": LOCATION_FOLLOWS | {"charge_settings"},
    "new_tariff": {"location_tariffs", "dynamic_tariffs"},
    "new_contract": {"utility_contracts"},
    "new_reward_rate": {"reward_rates"},
    "new_settings": {"charge_settings"},
    "vehicle_reading": {"vehicle_states"},
    "charger_reading": {"charger_states", "chargers"},
    "revised_sun": {"solar_energy"},
    "new_message": {"messages"},
    "dismissed_message": {"messages"},
    "deleted_user": set(TRUE_TABLES) - {"supported_car_models"},
    "deleted_vehicle": VEHICLE_FOLLOWS,
    "deleted_location": LOCATION_FOLLOWS,
    "deleted_charger": {"chargers", "charger_states"},
    "returned": set(TRUE_TABLES) - {"supported_car_models"},
}
"""In which tables a kind may change anything; what is not here is about sessions."""

KEYS = {
    "location_tariffs": "chargingLocationId",
    "utility_contracts": "chargingLocationId",
    "reward_rates": "chargingLocationId",
    "solar_energy": "chargingLocationId",
    "charge_settings": "vehicleId",
    "vehicle_states": "vehicleId",
    "charger_states": "chargerId",
}
"""By which field a table's rows belong to the id that a change names; by their own id where it is not here."""


BY_HOUR = ("dynamic_tariffs", "solar_energy")


def everything(tenant: Inside) -> dict[str, list[dict[str, Any]]]:
    """The truth; of prices and sun only what is told of the days around now, since the rest takes seconds."""
    found = {table: tenant.truth(table) for table in TRUE_TABLES if table not in BY_HOUR}
    now_ms = tenant.clock.now_ms()
    window = {"startTime": iso(now_ms - 5 * DAY_MS), "endTime": iso(now_ms + 8 * DAY_MS)}
    for table in BY_HOUR:
        found[table] = []
        for location in found["charging_locations"]:
            ids = {"userId": location["userId"], "chargingLocationId": location["id"]}
            path = f"/users/{location['userId']}/charging-locations/{location['id']}/{table.replace('_', '-')}"
            found[table] += [ids | item for item in tenant.get(path, **window)]
    return found


def rows_at(truth: dict[str, list[dict[str, Any]]], table: str, id_: str) -> list[dict[str, Any]]:
    return [item for item in truth[table] if item[KEYS.get(table, "id")] == id_]


def assert_lists_are_sorted_and_counted(tenant: Inside) -> None:
    for path, (table, field) in LISTS.items():
        items = tenant.walk(path)
        keys = [(item[field], item["id"]) for item in items]
        assert keys == sorted(set(keys), reverse=True), path
        assert items == tenant.truth(table)
        assert tenant.get(path)["totalCount"] == len(items)
        middle = keys[len(keys) // 2][0] if keys else "2026-01-01T00:00:00.000Z"
        stem = "startTime" if field == "startTime" else "created"
        if path != "/payouts":
            newer, older = (tenant.walk(path, **{f"{stem}{bound}": middle}) for bound in ("From", "To"))
            assert newer + older == items
    ended = tenant.walk("/sessions", endTimeFrom="2000-01-01T00:00:00Z")
    assert ended == [item for item in tenant.truth("sessions") if item["endTime"] is not None]


def assert_children_have_parents(truth: dict[str, list[dict[str, Any]]]) -> None:
    parents = {
        "userId": {item["id"] for item in truth["users"]},
        "vehicleId": {item["id"] for item in truth["vehicles"]},
        "chargingLocationId": {item["id"] for item in truth["charging_locations"]},
        "sessionId": {item["id"] for item in truth["sessions"]},
        "chargerId": {item["id"] for item in truth["chargers"]},
    }
    for table, items in truth.items():
        # What a session or its financials say of car and place stays, also when those are gone.
        of_path = {"sessions": {"userId"}, "financials": {"userId", "sessionId"}}.get(table, set(parents))
        for item in items:
            for name in of_path & item.keys():
                assert item[name] in parents[name], (table, name, item)


def assert_money_adds_up(tenant: Inside, truth: dict[str, list[dict[str, Any]]]) -> None:
    spans: dict[str, list[dict[str, Any]]] = {}
    for item in truth["session_tariffs"]:
        spans.setdefault(item["sessionId"], []).append(item)
    for session in truth["sessions"]:
        own = spans.get(session["id"], [])
        assert bool(own) == (session["chargeCosts"] is not None)
        assert (session["currency"] is None) == (session["chargeCosts"] is None)
        if own:
            assert (own[0]["startTime"], own[-1]["endTime"]) == (session["startTime"], session["endTime"])
            assert all(a["endTime"] == b["startTime"] for a, b in pairwise(own))
            at_once = cost_of(session, own)
            cheapest = cost_of(session, sorted(own, key=lambda span: span["price"]))
            assert session["chargeCosts"] == pytest.approx(cheapest if session["isManaged"] else at_once, abs=2e-4)
            assert session["savings"] == pytest.approx(at_once - cheapest if session["isManaged"] else 0, abs=3e-4)
    ended = {item["id"]: item for item in truth["sessions"] if item["endTime"] is not None}
    assert {item["sessionId"] for item in truth["financials"]} == ended.keys()
    for item in truth["financials"]:
        assert item.items() - {"sessionId": item["sessionId"]}.items() <= ended[item["sessionId"]].items()
    assert {item["sessionId"] for item in truth["rewards"]} == {
        id_ for id_, item in ended.items() if item["chargingLocationId"] is not None
    }
    assert_accounts_add_up(tenant, truth)


def assert_accounts_add_up(tenant: Inside, truth: dict[str, list[dict[str, Any]]]) -> None:
    """What was paid out is what the payouts say, rewards of sessions that have gone since included."""
    now_ms = tenant.clock.now_ms()
    accounts = tenant.tenant._estate._world.accounts
    cents: dict[str, list[tuple[int, bool]]] = {}
    for item in truth["rewards"]:
        cents.setdefault(item["userId"], []).append((round(100 * item["amount"]), item["isPaidOut"]))
    balances = {item["userId"]: item for item in truth["reward_balances"]}
    assert balances.keys() == cents.keys()
    for user_id, amounts in cents.items():
        total, out = sum(amount for amount, _ in amounts), sum(amount for amount, is_paid in amounts if is_paid)
        told = balances[user_id]
        assert [round(100 * told[name]) for name in ("totalAmount", "paidOutAmount", "balance")] == [
            total,
            out,
            total - out,
        ]
    for user in truth["users"]:
        account = accounts[user["id"]]
        hidden = [
            reward.hundredths
            for id_, reward in account.settled.items()
            if id_ not in account.rewards and reward.paid_ms is not None and reward.paid_ms <= now_ms
        ]
        paid = [
            round(100 * i["amount"]) for i in truth["payouts"] if (i["userId"], i["status"]) == (user["id"], "PaidOut")
        ]
        assert sum(paid) == sum(hidden) + sum(amount for amount, is_paid in cents.get(user["id"], []) if is_paid)


def assert_gone_is_gone(tenant: Inside, truth: dict[str, list[dict[str, Any]]]) -> None:
    """Whatever is not in the truth answers 404 by its own path."""
    shown = {
        table: {item["id"] for item in truth[table]}
        for table in ("users", "sessions", "vehicles", "charging_locations")
    }
    world = tenant.tenant._estate._world
    for home in world.households.values():
        at, there = f"/users/{home.user.id}", home.user.id in shown["users"]
        for path in ("", "/sessions", "/financials", "/messages", "/rewards", "/vehicles", "/chargers"):
            assert tenant.reply(at + path).status == (200 if there else 404)
        is_there = home.vehicle.id in shown["vehicles"]
        for path in ("", "/state", "/charge-settings"):
            assert tenant.reply(f"{at}/vehicles/{home.vehicle.id}{path}").status == (200 if is_there else 404)
        for location in home.locations.values():
            is_there = location.id in shown["charging_locations"]
            for path in ("", "/chargers", "/reward-rate"):
                here = f"{at}/charging-locations/{location.id}{path}"
                assert tenant.reply(here).status == (200 if is_there else 404)
    for table, id_ in world.gone:
        if table == "sessions":
            user_id = world.session_by_id[id_].user_id
            for path in ("", "/tariffs", "/session-settings/active"):
                assert tenant.reply(f"/users/{user_id}/sessions/{id_}{path}").status == 404


def assert_hangs_together(tenant: Inside) -> None:
    truth = everything(tenant)
    assert_lists_are_sorted_and_counted(tenant)
    assert_children_have_parents(truth)
    assert_money_adds_up(tenant, truth)
    assert_gone_is_gone(tenant, truth)


def replayed(tenant: Inside, begin_ms: int, steps: list[int]) -> Inside:
    """A fresh tenant that lives through the same moments and has the same things happen to it."""
    fresh = inside(world_of(USERS, SESSIONS), begin_ms)
    for at_ms in sorted({at_ms for at_ms, _ in tenant.tenant.happened} | set(steps)):
        fresh.clock.advance_to(at_ms)
        fresh.tenant._estate.catch_up(at_ms)
        fresh.tenant._estate.apply([change for when, change in tenant.tenant.happened if when == at_ms], at_ms)
    fresh.log_in()
    return fresh


NIGHTS = st.lists(
    st.tuples(
        st.integers(0, 2**32),
        st.integers(1, 40),
        st.one_of(st.none(), st.lists(st.sampled_from(sorted(KIND_BY_NAME)), min_size=1, max_size=6, unique=True)),
        st.floats(0.1, 400),
    ),
    min_size=1,
    max_size=5,
)


@settings(max_examples=10)
@given(nights=NIGHTS)
def test_whatever_happens_it_hangs_together(nights):
    tenant = inside(world_of(USERS, SESSIONS))
    begin_ms, steps = tenant.clock.now_ms(), []
    for seed, changes, kinds, hours in nights:
        tenant.pass_time(hours=hours)
        steps.append(tenant.clock.now_ms())
        assert len(tenant.evolve(seed, changes, kinds)) <= changes
        assert_hangs_together(tenant)
    again = replayed(tenant, begin_ms, steps)
    assert everything(again) == everything(tenant)
    estate = tenant.tenant._estate
    rebuilt = Tables(estate._world, tenant.clock.now_ms())
    for table in TABLES:
        assert list(rebuilt[table]) == list(estate._tables[table]), table


@pytest.mark.parametrize("days", [3, 30])
def test_many_nights_hang_together(days):
    tenant = inside(young_world_of(USERS, SESSIONS))
    seen: Counter[str] = Counter()
    for night in range(days):
        tenant.pass_time(days=1)
        seen.update(change.kind for change in tenant.evolve(night))
        if night % 15 == 0:
            assert_hangs_together(tenant)
    assert_hangs_together(tenant)
    for table, items in ask_everything(tenant).items():
        assert in_order(items) == in_order(tenant.truth(table)), table
    assert days < 30 or seen.keys() == KIND_BY_NAME.keys()
    # Nobody dies out, and nobody who is deleted stays away for ever.
    assert len(tenant.truth("users")) >= USERS - 1
    assert sum(seen[kind] for kind in seen if kind.startswith("deleted")) > seen["returned"] > 0 or days < 30


@pytest.mark.parametrize("kind", sorted(KIND_BY_NAME))
def test_a_change_changes_what_it_names_and_nothing_far_from_it(kind):
    tenant = inside(world_of(USERS, SESSIONS))
    tenant.pass_time(days=1)
    if kind == "returned":
        tenant.evolve(1, 6, [name for name in KIND_BY_NAME if name.startswith("deleted")])
        tenant.pass_time(days=3)
    tenant.evolve(1, 30, ["new_session", "new_message"])
    happened = 0
    for seed in range(3):
        before = everything(tenant)
        for change in tenant.evolve(seed, 1, [kind]):
            after = everything(tenant)
            assert change.kind == kind
            follows = FOLLOWS.get(kind, SESSION_FOLLOWS)
            assert {table for table in after if after[table] != before[table]} <= follows
            for table, id_ in change.places:
                if table != "messages" or kind in {"new_message", "dismissed_message"}:
                    assert rows_at(before, table, id_) != rows_at(after, table, id_), (kind, table, id_)
            happened += 1
        tenant.pass_time(hours=1)
    assert happened >= 1
    assert_hangs_together(tenant)


def test_the_same_seed_lets_the_same_things_happen():
    def lived(seed: int) -> tuple[list[Any], dict[str, list[dict[str, Any]]]]:
        tenant = inside(world_of(USERS, SESSIONS))
        for _ in range(3):
            tenant.pass_time(days=1)
            tenant.evolve(seed)
        return list(tenant.tenant.happened), everything(tenant)

    first, again, other = lived(1), lived(1), lived(2)
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


def late_arrivals(tenant: Inside, kind: str) -> list[dict[str, Any]]:
    """Sessions that were not there before."""
    before = {item["id"] for item in tenant.truth("sessions")}
    tenant.evolve(5, 20, [kind])
    return [item for item in tenant.truth("sessions") if item["id"] not in before]


def test_sessions_arrive_late_and_at_the_moment_of_others():
    tenant = inside(world_of(20, 30))
    tenant.pass_time(days=1)
    now = datetime.fromisoformat(iso(tenant.clock.now_ms()))
    ages = [now - datetime.fromisoformat(item["startTime"]) for item in late_arrivals(tenant, "late_session")]
    assert min(ages) >= timedelta(days=1)
    assert max(ages) > timedelta(days=7)
    assert any(age < timedelta(days=3) for age in ages)
    known = {item["startTime"] for item in tenant.truth("sessions")}
    tied = late_arrivals(tenant, "tied_sessions")
    assert len(tied) >= 40
    assert {item["startTime"] for item in tied} <= known
    starts = [item["startTime"] for item in tenant.walk("/sessions")]
    assert any(starts[edge - 1] == starts[edge] for edge in range(100, len(starts), 100))


def test_ends_are_told_late_and_forced_ones_have_a_follow_up():
    tenant = inside(world_of(20, 30))
    tenant.pass_time(days=1)
    tenant.evolve(3, 60, ["new_session"])
    for kind, low, high in (("session_end", 0, 1), ("back_dated_end", 1, 7), ("forced_end", 0, 1)):
        before = {item["id"]: item for item in tenant.truth("sessions")}
        changes = tenant.evolve(4, 4, [kind])
        after = {item["id"]: item for item in tenant.truth("sessions")}
        ended = [after[id_] for id_, item in before.items() if item["endTime"] is None and after[id_]["endTime"]]
        assert len(ended) == len(changes) > 0
        now = datetime.fromisoformat(iso(tenant.clock.now_ms()))
        for item in ended:
            age = now - datetime.fromisoformat(item["endTime"])
            assert age <= timedelta(days=high)
            assert age >= timedelta(days=low) or item["endTime"] == item["startTime"]
            assert item["status"] == ("ForceEnded" if kind == "forced_end" else "Complete")
        follow_ups = [item for id_, item in after.items() if id_ not in before]
        assert len(follow_ups) == (len(ended) if kind == "forced_end" else 0)
        for item in follow_ups:
            start = datetime.fromisoformat(item["startTime"])
            own = [datetime.fromisoformat(one["endTime"]) for one in ended if one["userId"] == item["userId"]]
            assert any(timedelta(0) <= start - end < timedelta(minutes=1) for end in own)
            assert not item["isManaged"]


def test_what_was_deleted_comes_back_as_it_was():
    tenant = inside(world_of(USERS, SESSIONS))
    before = everything(tenant)
    deleted = [f"deleted_{what}" for what in ("session", "user", "vehicle", "location", "charger")]
    changes = [change for kind in deleted for change in tenant.evolve(1, 1, [kind])]
    assert [change.kind for change in changes] == deleted
    assert_hangs_together(tenant)
    assert tenant.evolve(1, 5, ["returned"]) == []
    gone = everything(tenant)
    tenant.pass_time(days=2)
    back = tenant.evolve(1, 5, ["returned"])
    assert {place for change in back for place in change.places} == {p for change in changes for p in change.places}
    after = everything(tenant)
    for table in ("users", "vehicles", "charging_locations", "sessions", "financials", "location_tariffs"):
        assert gone[table] != before[table] == after[table], table


def test_payouts_that_were_made_stay():
    """Also when the sessions that earned them are corrected, moved or gone."""
    tenant = inside(world_of(20))
    made = {item["id"]: item for item in tenant.truth("payouts")}
    assert len(made) > 10
    paid = {item["sessionId"]: item for item in tenant.truth("rewards") if item["isPaidOut"]}
    tenant.evolve(1, 400, ["corrected_energy", "moved_to_user", "deleted_session", "late_session", "repriced_session"])
    after = {item["id"]: item for item in tenant.truth("payouts")}
    assert after == made
    rewards = {item["sessionId"]: item for item in tenant.truth("rewards")}
    touched = [item for id_, item in paid.items() if rewards.get(id_) != item]
    assert all(
        item["sessionId"] not in rewards or rewards[item["sessionId"]]["userId"] != item["userId"] for item in touched
    )
    for _ in range(3):
        tenant.pass_time(days=31)
        assert_hangs_together(tenant)
        tenant.evolve(2, 40)
    assert len(tenant.truth("payouts")) > len(made)


def nightly(now_ms: int, seed: int = 9) -> Inside:
    found = inside(world_of(USERS, SESSIONS), now_ms, nightly=evolve_order(seed, 30))
    found.log_in()
    return found


def test_a_tenant_evolves_as_its_clock_passes_midnight():
    start_ms = world_of(USERS, SESSIONS).start_ms
    tenant, quiet = nightly(start_ms), inside(world_of(USERS, SESSIONS))
    tenant.pass_time(hours=23.5)
    quiet.pass_time(hours=23.5)
    assert everything(tenant) == everything(quiet)
    seen = []
    for _ in range(8):
        tenant.pass_time(days=1)
        seen.append(len(tenant.tenant.happened))
    assert seen == [*range(30, 270, 30)]
    assert_hangs_together(tenant)
    assert {at_ms % HOUR_MS for at_ms, _ in tenant.tenant.happened} == {0}
    at_once = nightly(tenant.clock.now_ms())
    assert at_once.tenant.happened == tenant.tenant.happened
    assert everything(at_once) == everything(tenant)
    assert everything(nightly(tenant.clock.now_ms(), seed=10)) != everything(tenant)


def test_copies_do_not_evolve():
    with pytest.raises(ValueError, match="copies"):
        Tenant(world_of(3, 5), StillClock(0), copies=2, nightly=evolve_order(1))
    tenant = inside(world_of(3, 5), copies=2)
    reply = tenant.tenant.respond("POST", "/_demo/evolve", "", {}, b'{"seed": 1}')
    assert reply.status == 400
    assert "copies" in json.loads(reply.body)["detail"]
    assert tenant.tenant.respond("GET", "/_demo/changes", "", {}, b"").body == b"[]"


def test_what_is_no_order_is_refused():
    tenant = inside(world_of(3, 5))
    before = everything(tenant)
    for body, named in (
        (b"", "seed"),
        (b"[]", "seed"),
        (b'{"changes": 4}', "seed"),
        (b'{"seed": "7"}', "seed"),
        (b'{"seed": 7, "nights": 4}', "nights"),
        (b'{"seed": 7, "changes": 0}', "changes"),
        (b'{"seed": 7, "changes": 1000000}', "changes"),
        (b'{"seed": 7, "kinds": []}', "new_session"),
        (b'{"seed": 7, "kinds": ["earthquake"]}', "new_session"),
    ):
        reply = tenant.tenant.respond("POST", "/_demo/evolve", "", {}, body)
        assert reply.status == 400, body
        assert named in json.loads(reply.body)["detail"]
    assert everything(tenant) == before


def test_over_http_the_answer_names_what_was_changed():
    with running_tenant(users=USERS, newest_sessions=SESSIONS, today="2026-01-31") as tenant:
        before = {table: tenant.truth(table) for table in ("users", "sessions")}
        changes = tenant.evolve(7, changes=15, kinds=["edited_user", "late_session"])
        assert {change["table"] for change in changes} >= {"users", "sessions"}
        after = {table: tenant.truth(table) for table in ("users", "sessions")}
        for table, kind in (("users", "edited_user"), ("sessions", "late_session")):
            old = {item["id"]: item for item in before[table]}
            found = {item["id"] for item in after[table] if old.get(item["id"]) != item}
            assert found == {c["id"] for c in changes if c["table"] == table and c["kind"] == kind}
        assert [change.items() - {("at", change["at"])} for change in tenant.changes()] == [c.items() for c in changes]
        assert len(tenant.evolve(7)) >= 40
        assert len(tenant.changes()) > 40
        with pytest.raises(urllib.error.HTTPError):
            tenant.evolve(7, kinds=["earthquake"])


def test_a_tenant_that_evolves_is_the_same_after_a_restart(tmp_path):
    options = {
        "users": USERS,
        "newest_sessions": SESSIONS,
        "evolve": 3,
        "changes": 10,
        "state": tmp_path / "state.json",
    }
    with running_tenant(**options, today="2026-01-31") as first:
        assert first.changes() == [] or len(first.changes()) % 10 == 0
        first.advance(days=3)
        changes, users = first.changes(), first.truth("users")
        assert len({change["at"] for change in changes}) >= 3
    with running_tenant(**options) as second:
        assert second.changes()[: len(changes)] == changes
        assert second.truth("users") == users


@pytest.mark.parametrize(
    "options", [["--evolve", "1", "--copies", "2"], ["--evolve", "1", "--changes", "0"], ["--evolve", "x"]]
)
def test_a_way_to_evolve_that_cannot_be_is_refused(options):
    said = refusal(*options)
    assert options[-1] in said or "copies" in said


def test_an_edit_and_what_happens_by_chance_go_together():
    tenant = inside(world_of(USERS, SESSIONS))
    user = tenant.truth("users")[0]
    body = json.dumps({"table": "users", "id": user["id"], "set": {"firstName": "Åse"}}).encode()
    assert tenant.tenant.respond("POST", "/_demo/edit", "", {}, body).status == 200
    for night in range(1, 10):
        tenant.clock.advance_to(tenant.clock.now_ms() + DAY_MS)
        tenant.evolve(night, 10, ["edited_vehicle", "new_session", "new_message"])
    [after] = [item for item in tenant.truth("users") if item["id"] == user["id"]]
    assert after["firstName"] == "Åse"
    assert {k: v for k, v in after.items() if k not in {"firstName", "updatedAt"}}.items() <= user.items()


def test_a_new_tariff_holds_for_sessions_that_end_after_it():
    tenant = inside(world_of(20, 30))
    tenant.pass_time(days=1)
    tenant.evolve(3, 80, ["new_session"])
    prices = {
        item["chargingLocationId"]: {tariff["type"]: tariff["price"] for tariff in item["tariffs"]}
        for item in tenant.truth("location_tariffs")
    }
    under_way = {
        item["id"]: item["chargingLocationId"]
        for item in tenant.truth("sessions")
        if item["endTime"] is None and "Dynamic" not in prices.get(item["chargingLocationId"], {"Dynamic": 0})
    }
    before = in_order(tenant.truth("session_tariffs"))
    for location in set(under_way.values()):
        body = json.dumps({"table": "location_tariffs", "id": location, "set": {"factor": 2}}).encode()
        assert tenant.tenant.respond("POST", "/_demo/edit", "", {}, body).status == 200
    tenant.evolve(4, 60, ["session_end"])
    tenant.pass_time(days=1)
    checked = 0
    for item in tenant.truth("session_tariffs"):
        if item["sessionId"] in under_way:
            old = prices[under_way[item["sessionId"]]][item["tariffType"]]
            assert item["price"] == pytest.approx(2 * old, abs=1e-4)
            checked += 1
    assert checked >= 3
    assert set(before) <= set(in_order(tenant.truth("session_tariffs")))
    assert_hangs_together(tenant)
