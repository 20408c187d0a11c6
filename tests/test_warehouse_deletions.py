"""What deletions and returns become in the warehouse: counts of runs, unproved rows, dimensions and series of readings."""

from datetime import timedelta

import pytest
from support.lake_data import Lake, at, run_record
from test_warehouse_build import rows_of

from pipelines.settings import LakeSettings
from warehouse.build import prepare
from warehouse.dbt import run_dbt

FIRST, SECOND, THIRD = at("2026-11-01T00:30"), at("2026-11-02T00:30"), at("2026-11-03T00:30")
USER, CAR, PERSON = (f"{number:08x}-0000-4000-8000-000000000000" for number in (1, 2, 3))


pytestmark = pytest.mark.usefixtures("warm_dbt")


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    lake = Lake(str(home / "lake"))
    car = {"id": CAR, "user_id": USER, "details_brand": "Kia", "is_connected": True, "created_at": FIRST}
    reading = {"vehicle_id": CAR, "user_id": USER, "battery_level": 50, "charge_state": "Charging", "updated_at": FIRST}
    gone_with = {"_deleted_with": f"users/{USER}"}
    lake.append("users", [{"id": USER, "created_at": FIRST}], FIRST)
    lake.append("vehicles", [car], FIRST)
    lake.append("vehicle_states", [reading], FIRST)
    last = reading | {"battery_level": 60, "updated_at": SECOND, "_row_hash": "60"}
    lake.append("vehicle_states", [last], SECOND)
    lake.append(
        "vehicle_states", [last | {"_deleted_with": f"vehicles/{CAR}"}], SECOND + timedelta(hours=1), deleted=True
    )
    lake.append("vehicles", [car | gone_with], SECOND + timedelta(hours=1), deleted=True)
    lake.append("users", [{"id": USER, "created_at": FIRST}], SECOND + timedelta(hours=2), deleted=True)
    lake.append("vehicles", [car], THIRD)
    lake.append("vehicle_states", [last], THIRD)
    cascade = {"status": "cascade", "watermark": None, "window_until": None, "rows_read": 0}
    lake.append(
        "_runs",
        [
            run_record(SECOND, "users") | {"rows_restored": 0},
            run_record(SECOND, "financials") | {"rows_restored": None},
            run_record(SECOND, "financials") | cascade | {"rows_deleted": 5, "rows_restored": 0},
            run_record(SECOND, "financials") | cascade | {"rows_deleted": 2, "rows_restored": 4},
            run_record(SECOND, "messages") | cascade | {"rows_deleted": 7, "rows_restored": 0},
            run_record(SECOND, "messages") | cascade | {"rows_deleted": 1, "rows_restored": 2},
            run_record(FIRST, "messages"),
        ],
        THIRD,
    )
    missing = {"collection": "users", "attempts": 1, "missing_since": SECOND, "reason": "500"}
    lake.append(
        "_deletion_candidates",
        [
            missing | {"id": f"users/{PERSON}", "row_id": PERSON, "user_id": PERSON, "status": "candidate"},
            missing | {"id": "users/a person", "row_id": "a person", "user_id": "a person", "status": "proved"},
            missing | {"id": f"users/{USER}", "row_id": USER, "user_id": USER, "status": "candidate"},
        ],
        SECOND,
    )
    lake.append(
        "_deletion_candidates",
        [missing | {"id": f"users/{USER}", "row_id": USER, "user_id": USER, "status": "deleted"}],
        THIRD,
    )
    found = LakeSettings(home=home)
    prepare(found)
    built = ("+ops", "+dim_users", "+dim_vehicles", "+stg_vehicle_states")
    tests = {
        node.status
        for node in run_dbt(found, "build", "--indirect-selection", "cautious", "--select", *built)
        if node.kind == "test"
    }
    assert tests == {"pass"}
    return found


def test_rows_that_went_with_others_count_for_their_table_and_run(settings):
    runs = {(row["run_id"], row["collection"]): row for row in rows_of(settings, "ops.sync_runs")}
    assert len(runs) == 4
    counts = {key: (row["status"], row["rows_deleted"], row["rows_restored"]) for key, row in runs.items()}
    run = f"run {SECOND:%Y%m%d%H}"
    assert counts[run, "users"] == ("complete", 1, 0)
    assert counts[run, "financials"] == ("complete", 1 + 5 + 2, 4)
    assert counts[run, "messages"] == ("cascade", 8, 2)


def test_a_table_is_no_fresher_for_what_went_with_others(settings):
    rows = {row["collection"]: row for row in rows_of(settings, "ops.freshness")}
    assert (rows["messages"]["last_status"], rows["messages"]["complete_until"]) == ("complete", FIRST)
    assert rows["messages"]["last_complete_at"] == FIRST + timedelta(minutes=1)


def test_unproved_rows_are_named_without_what_may_name_a_person(settings):
    rows = {row["unproved_deletion_id"]: row for row in rows_of(settings, "ops.unproved_deletions")}
    assert {name: (row["row_id"], row["state"]) for name, row in rows.items()} == {
        f"users/{PERSON}": (PERSON, "unproved"),
        "users/?": (None, "being deleted"),
    }


def test_a_dimension_keeps_who_is_gone_and_shows_what_is_back(settings):
    assert [(row["user_id"], row["is_deleted"]) for row in rows_of(settings, "marts.dim_users")] == [(USER, True)]
    assert [(row["vehicle_id"], row["is_deleted"]) for row in rows_of(settings, "marts.dim_vehicles")] == [(CAR, False)]


def test_what_came_back_is_no_reading_once_more(settings):
    rows = sorted(rows_of(settings, "staging.stg_vehicle_states"), key=lambda row: row["read_at"])
    assert [(row["battery_level_percent"], row["is_latest"]) for row in rows] == [(50, False), (60, True)]
