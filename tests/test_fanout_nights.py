"""Nights against another server that follows the same facts: after each, every table is the tenant's."""

import random
from datetime import timedelta

import pytest
from support import other_rows
from support.other_tenant import serving, stamp
from support.other_under import KEYS, break_financial, full
from support.syncing import asked, begin_with, failing_parents, pulled, report_of, sync, versions, wrong_tables

from pipelines.contract import FAN_OUTS, LISTS, RESOURCES
from pipelines.lake import Lake
from pipelines.sync import Status, Window

MONEY = ("users", "sessions", "financials")
"""A table that hangs under users, and all that makes a user worth asking for it."""
OF_EACH = (
    *("users", "vehicles", "charging_locations", "sessions"),
    *("financials", "messages", "location_tariffs", "dynamic_tariffs", "charge_settings", "session_tariffs"),
)
"""Tables of every form of answer and under all that something hangs under."""
UNDER = [name for name in KEYS if name in OF_EACH]

CHOICES = [
    pytest.param({}, id="rich lists"),
    pytest.param(
        {
            "rich": False,
            "inclusive": False,
            "leave_nulls_out": True,
            "none_answer": "400",
            "solar_limit_days": 31,
            "unserved": frozenset({"/payouts"}),
        },
        id="slim lists, no nulls, short windows, payouts by user",
    ),
    pytest.param(
        {
            "contract_name": "utilityContract",
            "leave_nulls_out": True,
            "none_answer": "empty",
            "unserved": frozenset(
                {"charge-settings", "reward-rate", "rewards", "rewards/balance", "payouts", "/payouts"}
            ),
        },
        id="guessed paths not served",
    ),
]


@pytest.mark.parametrize("choices", CHOICES)
@pytest.mark.parametrize("nights", [1, pytest.param(4, marks=pytest.mark.thorough)])
def test_every_table_is_the_tenants_through_nights_and_a_deep_run(tmp_path, choices, nights):
    tenant, rng = full(21, users=10, sessions=80, days=40, **choices), random.Random(921)
    with serving(tenant) as env:
        assert sync(env, tmp_path).status is Status.COMPLETE
        assert wrong_tables(tenant, tmp_path) == {}
        for _ in range(nights):
            tenant.night(rng)
            assert sync(env, tmp_path).status is Status.COMPLETE
            assert wrong_tables(tenant, tmp_path) == {}
        tenant.correct_old(rng)
        assert sync(env, tmp_path, deep=True).status is Status.COMPLETE
    assert wrong_tables(tenant, tmp_path) == {}


@pytest.fixture(scope="module")
def first_night(tmp_path_factory):
    tenant = full(22, users=10, sessions=80, days=30)
    return pulled(tenant, tmp_path_factory.mktemp("first-night"), until=tenant.now)


def test_again_with_the_same_end_asks_no_parent_and_writes_nothing(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        before = versions(tmp_path)
        run = sync(env, tmp_path, until=tenant.now)
    assert versions(tmp_path) == before
    assert not any(report.rows_written for report in run.collections)
    assert asked(tenant, "users/") == []


def test_an_end_in_the_past_moves_nothing_back(tmp_path, first_night):
    tenant = begin_with(first_night, tmp_path)
    with serving(tenant) as env:
        before = versions(tmp_path)
        sync(env, tmp_path, until=tenant.now - timedelta(days=20))
    assert versions(tmp_path) == before
    assert wrong_tables(tenant, tmp_path) == {}


def test_a_quiet_night_asks_only_where_something_can_have_changed(tmp_path):
    """With parents too many to ask all: new, changed and in their turn, nobody else."""
    tenant, rng = full(24, users=60, sessions=300, days=30), random.Random(924)
    tables = (*MONEY, "messages")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables, ask_all_parents=0)
        tenant.night(rng)
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=tables, ask_all_parents=0)
    charged = {
        row["userId"]
        for row in tenant.rows["sessions"].values()
        if row["startTime"] > stamp(tenant.now - timedelta(days=1))
    }
    report = report_of(run, "financials")
    assert report.asked["sessions changed"] >= len(charged) - 1
    assert report.asked.total() + report.skipped.total() == report.parents
    assert report.asked["in the correction range"] == report.asked["few enough to ask all"] == 0
    assert len(asked(tenant, "/financials")) == report.asked.total() < 60
    assert len(asked(tenant, "/messages")) < 61


def test_a_user_who_fails_is_named_kept_and_asked_first_the_next_time(tmp_path):
    tenant, rng = full(25, users=8, sessions=60, days=20), random.Random(925)
    ill = sorted(tenant.rows["users"])[5]
    tenant.failing_users.add(ill)
    with serving(tenant) as env:
        first = sync(env, tmp_path, collections=OF_EACH)
        assert first.status is Status.PARTIAL
        records = failing_parents(tmp_path)
        assert ("financials", ill) in records
        assert "500" in records["financials", ill]["reason"]
        for name, (missing, extra, different) in wrong_tables(tenant, tmp_path, UNDER).items():
            assert extra == different == [], name
            assert missing, name
        tenant.night(rng)
        sync(env, tmp_path, collections=OF_EACH)
        again = failing_parents(tmp_path)["financials", ill]
        assert again["attempts"] == 2
        assert again["failing_since"] == records["financials", ill]["failing_since"]
        tenant.failing_users.clear()
        tenant.night(rng)
        tenant.requests.clear()
        assert sync(env, tmp_path, collections=OF_EACH, max_concurrency=1).status is Status.COMPLETE
    assert ill in asked(tenant, "/financials")[0], "who failed comes first"
    assert failing_parents(tmp_path) == {}
    assert wrong_tables(tenant, tmp_path, UNDER) == {}


def test_a_user_who_vanishes_between_listing_and_asking_is_no_error_and_loses_nothing(tmp_path):
    tenant, rng = full(26, users=8, sessions=60, days=20), random.Random(926)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=OF_EACH)
        gone = sorted(tenant.rows["users"])[3]
        held = tenant.truth("messages")
        tenant.vanished.add(gone)
        tenant.night(rng)
        run = sync(env, tmp_path, collections=OF_EACH, deep=True)
    assert {report.status for report in run.collections} == {Status.COMPLETE}
    assert failing_parents(tmp_path) == {}
    lost = [row for row in held if row["userId"] == gone]
    missing, extra, different = wrong_tables(tenant, tmp_path, ["messages"])["messages"]
    assert len(extra) == len(lost) > 0, "that a user answers 404 proves no deletion of what is theirs"
    assert missing == different == []


def test_one_empty_answer_by_mistake_deletes_nothing(tmp_path):
    """Rows that an answer lacks are asked about again at once; only what two answers lack is gone."""
    tenant = full(27, users=10, sessions=100, days=30)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=MONEY)
        seen = set()

        def forget_once(path, items):
            if path.endswith("/financials") and path not in seen:
                seen.add(path)
                return []
            return items

        tenant.mangle = forget_once
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=("financials",), deep=True)
    assert seen
    assert wrong_tables(tenant, tmp_path, ["financials"]) == {}
    rows = Lake(str(tmp_path / "lake")).children(RESOURCES["financials"], "userId")
    assert len(rows) == len(tenant.truth("financials"))


def test_404_from_everyone_is_an_outage_and_no_deletion(tmp_path):
    tenant = full(28, users=10, sessions=100, days=30)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users", "charging_locations", "reward_rates"))
        before = tenant.truth("reward_rates")
        tenant.unserved.add("reward-rate")
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=("reward_rates",), deep=True)
        tenant.unserved.clear()
    rows = Lake(str(tmp_path / "lake")).children(RESOURCES["reward_rates"], "chargingLocationId")
    assert len(rows) == len(before) > 0


def test_a_row_that_cannot_be_read_costs_its_neighbours_nothing_and_comes_back(tmp_path):
    tenant = full(29, users=10, sessions=100, days=30)
    break_financial(tenant, 7)
    with serving(tenant) as env:
        assert sync(env, tmp_path, collections=MONEY).status is Status.PARTIAL
        missing, extra, different = wrong_tables(tenant, tmp_path, ["financials"])["financials"]
        assert (len(missing), extra, different) == (1, [], [])
        tenant.mangle = lambda _path, items: items
        tenant.now += timedelta(days=1)
        run = sync(env, tmp_path, collections=MONEY, ask_all_parents=0)
    assert report_of(run, "financials").asked["left from before"] == 1
    assert wrong_tables(tenant, tmp_path, ["financials"]) == {}
    assert {r["status"] for r in Lake(str(tmp_path / "lake")).quarantine().current().values()} == {"resolved"}


def test_history_is_asked_newest_first_within_a_nights_budget_until_it_is_all_there(tmp_path):
    tenant = full(30, users=8, sessions=80, days=40)
    begun = {row["id"]: row["startTime"] for row in tenant.rows["sessions"].values()}
    histories = ("session_tariffs", "dynamic_tariffs", "solar_energy")
    nights = 0
    with serving(tenant) as env:
        while nights < 10:
            tenant.requests.clear()
            lists = (*LISTS, "location_tariffs") if nights == 0 else ()
            run = sync(env, tmp_path, collections=(*lists, *histories), backfill_requests=20)
            paths = [path for path in asked(tenant, "/tariffs") if "sessions" in path]
            first = [begun[path.split("/")[3]] for path in paths]
            if nights == 0:
                assert sorted(first, reverse=True)[:20] == sorted(begun.values(), reverse=True)[:20]
                assert len(paths) < 50, "beside them only those that go on or were just corrected"
            nights += 1
            if wrong_tables(tenant, tmp_path, histories) == {}:
                break
            assert report_of(run, "session_tariffs").skipped or nights > 3
            tenant.now += timedelta(hours=1)
    assert 3 <= nights < 10
    assert failing_parents(tmp_path) == {}


def test_a_first_reading_of_many_users_takes_several_nights_bucket_by_bucket(tmp_path):
    tenant = full(34, users=40, sessions=40, days=30)
    asked_users = []
    with serving(tenant) as env:
        for _ in range(3):
            tenant.requests.clear()
            few = {"backfill_requests": 15, "fan_out_group": 5, "ask_all_parents": 0}
            run = sync(env, tmp_path, collections=("users", "messages"), **few)
            asked_users.append({path.split("/")[1] for path in asked(tenant, "/messages")})
            tenant.now += timedelta(minutes=1)
    assert sum(map(len, asked_users)) == 40
    assert set().union(*asked_users) == set(tenant.rows["users"])
    assert 15 <= len(asked_users[0]) < 30
    assert report_of(run, "messages").watermark == tenant.now - timedelta(minutes=2)


def test_a_location_that_turns_dynamic_gets_its_whole_history_and_forecasts_become_actuals(tmp_path):
    tenant = full(31, users=6, sessions=20, days=20)
    plain = next(
        name for name, tariff in tenant.tariffs.items() if tariff and tariff["tariffs"][0]["type"] == "Standard"
    )
    tables = ("location_tariffs", "dynamic_tariffs")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users", "charging_locations", *tables))
        dynamic = next(
            tariff for tariff in tenant.tariffs.values() if tariff and tariff["tariffs"][0]["type"] == "Dynamic"
        )
        tenant.tariffs[plain] = dynamic | {"chargingLocationId": plain}
        for _ in range(2):
            tenant.now += timedelta(days=4)
            sync(env, tmp_path, collections=tables)
            assert wrong_tables(tenant, tmp_path, tables) == {}
    assert sum(row["chargingLocationId"] == plain for row in tenant.truth("dynamic_tariffs")) > 24 * 7


def test_a_price_that_was_forecast_for_longer_than_nights_look_back_becomes_actual(tmp_path, monkeypatch):
    tenant = full(36, users=4, sessions=10, days=30)
    tables = ("location_tariffs", "dynamic_tariffs")
    with serving(tenant) as env:
        with monkeypatch.context() as late:
            late.setattr(other_rows, "ACTUAL", timedelta(days=-12))
            sync(env, tmp_path, collections=("users", "charging_locations", *tables))
            assert wrong_tables(tenant, tmp_path, tables) == {}
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=tables)
    assert wrong_tables(tenant, tmp_path, tables) == {}
    assert tenant.truth("dynamic_tariffs")


def test_resync_reads_a_range_of_every_parent_again_and_moves_no_watermark(tmp_path):
    tenant = full(32, users=10, sessions=100)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=(*MONEY, "charging_locations", "solar_energy"))
        row = next(iter(sorted(tenant.rows["sessions"].values(), key=lambda row: row["startTime"])[10:]))
        row["chargeCosts"] = 55.5
        begin = tenant.now - timedelta(days=90)
        tenant.requests.clear()
        run = sync(env, tmp_path, collections=("financials",), ranges={"financials": Window(begin, tenant.now)})
        assert len(asked(tenant, "/financials")) == 10
        assert report_of(run, "financials").rows_changed in {0, 1}
        solar = Window(tenant.now - timedelta(days=3), tenant.now)
        sync(env, tmp_path, collections=("solar_energy",), ranges={"solar_energy": solar})
    assert wrong_tables(tenant, tmp_path, ["financials", "solar_energy"]) == {}


def test_states_grow_into_a_time_series(tmp_path):
    tenant, rng = full(33, users=8, sessions=60, days=30), random.Random(933)
    readings = set()
    with serving(tenant) as env:
        for _ in range(4):
            sync(env, tmp_path, collections=("users", "vehicles", "vehicle_states"))
            readings |= {(row["vehicleId"], row["updatedAt"]) for row in tenant.truth("vehicle_states")}
            tenant.night(rng)
    from deltalake import DeltaTable

    rows = DeltaTable(str(tmp_path / "lake" / "vehicle_states")).to_pyarrow_table().to_pylist()
    held = {(row["vehicle_id"], stamp(row["updated_at"])) for row in rows}
    assert held == readings


def test_every_table_that_is_fed_has_one_fan_out():
    fed = [table for fan_out in FAN_OUTS.values() for table in fan_out.tables]
    assert sorted(fed) == sorted(set(fed)) == sorted(KEYS)


def test_a_location_that_moves_to_another_user_is_neither_lost_nor_kept_by_the_old_one(tmp_path):
    tenant = full(35, users=4, sessions=8, days=10)
    tables = ("users", "charging_locations", "location_tariffs")
    moved = next(name for name in sorted(tenant.tariffs) if tenant.tariffs[name])
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables, fan_out_group=1)
        first = tenant.rows["charging-locations"][moved]["userId"]
        others = [name for name in sorted(tenant.rows["users"]) if name != first]
        for user in (*others[:2], first):
            tenant.rows["charging-locations"][moved]["userId"] = user
            tenant.now += timedelta(days=1)
            sync(env, tmp_path, collections=tables, fan_out_group=1)
            assert wrong_tables(tenant, tmp_path, ["location_tariffs", "chargers", "utility_contracts"]) == {}


@pytest.mark.parametrize("mistake", [[], None], ids=["empty", "null"])
def test_a_night_of_empty_answers_for_everyone_deletes_nothing_and_says_so(tmp_path, mistake):
    tenant = full(36, users=10, sessions=80, days=10)
    tables = ("users", "sessions", "financials")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=tables)
        answer = tenant.respond
        tenant.respond = lambda path, query: (200, mistake) if path.endswith("/financials") else answer(path, query)
        tenant.now += timedelta(days=1)
        bad = sync(env, tmp_path, collections=tables, deep=True)
        assert bad.status is Status.PARTIAL
        assert wrong_tables(tenant, tmp_path, ["financials"]) == {}
        tenant.respond = answer
        tenant.now += timedelta(days=1)
        assert sync(env, tmp_path, collections=tables).status is Status.COMPLETE
    assert failing_parents(tmp_path) == {}


def test_many_broken_users_do_not_keep_the_others_waiting_for_ever(tmp_path):
    tenant = full(37, users=60, sessions=60, days=10)
    tenant.failing_users |= set(sorted(tenant.rows["users"])[:52])
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users",))
        for _ in range(4):
            tenant.now += timedelta(days=1)
            sync(env, tmp_path, collections=("messages",))
        healthy = [row for row in tenant.truth("messages") if row["userId"] not in tenant.failing_users]
    assert len(failing_parents(tmp_path)) == 52
    missing, extra, different = wrong_tables(tenant, tmp_path, ["messages"])["messages"]
    assert len(missing) == len(tenant.truth("messages")) - len(healthy)
    assert extra == different == []
