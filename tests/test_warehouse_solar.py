"""Solar energy: intervals, local days, and the estimated share of charging, against exact fractions without SQL."""

import copy
import math
import random
import shutil
from collections import defaultdict
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest
from support.build_file import build_models, run_models
from support.lake_data import Lake, Tenant, at, run_record
from support.lake_money import content, current
from support.lake_solar import HOUR, expected_days, expected_intervals, production, solar_sessions

from pipelines.settings import LakeSettings
from warehouse.build import prepare
from warehouse.dbt import run_dbt

pytestmark = pytest.mark.usefixtures("warm_dbt")

MODELS = ("fct_solar_energy", "agg_daily_solar", "agg_monthly_solar")

FIRST, SECOND = at("2026-11-01"), at("2026-11-08")
WINDOWS = [(at("2026-03-25"), at("2026-04-02")), (at("2026-10-22"), at("2026-11-01"))]


def rows_of(settings: LakeSettings, table: str) -> list[dict]:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(f"select * from {table}").to_arrow_table().to_pylist()


def by_key(settings: LakeSettings, table: str, *key: str) -> dict[tuple, dict]:
    rows = rows_of(settings, table)
    keyed = {tuple(row[name] for name in key): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def assert_same(value: float | None, truth: object) -> None:
    assert (value is None) == (truth is None)
    assert math.isclose(value or 0, truth or 0, rel_tol=1e-6, abs_tol=1e-6)


def assert_days(settings: LakeSettings, expected: dict[tuple, dict]) -> None:
    built = by_key(settings, "marts.agg_daily_solar", "charging_location_id", "local_date")
    assert built.keys() == expected.keys()
    for key, truth in expected.items():
        row = built[key]
        assert (row["intervals"], row["is_provisional"]) == (truth["intervals"], truth["changes"]), key
        assert_same(row["covered_hours"], truth["hours"])
        assert_same(row["energy_kwh"], truth["energy"])
        assert_same(row["charged_kwh"], truth["charged"])
        assert_same(row["estimated_solar_kwh"], truth["solar"])
        if truth["charged"]:
            assert_same(row["estimated_solar_share"], truth["solar"] / truth["charged"])
        else:
            assert row["estimated_solar_share"] is None


def sunny_night(root: Path) -> tuple[Lake, Tenant]:
    """Both changes of the clock at places of four zones, in hours and in quarters of an hour."""
    lake, tenant, read = Lake(str(root)), Tenant(5), at("2026-11-01T00:30")
    lake.append("users", tenant.users, read)
    lake.append("vehicles", tenant.vehicles, read)
    lake.append("charging_locations", tenant.locations, read)
    for first, last in WINDOWS:
        lake.append("sessions", solar_sessions(tenant, 150, first - timedelta(days=1), last), read)
        for number, place in enumerate(tenant.locations[:8]):
            step = HOUR / 4 if number % 4 == 3 else HOUR
            lake.append("solar_energy", production(1, place["id"], first, last, step), read)
    lake.append("_runs", [run_record(FIRST, name) for name in ("sessions", "solar_energy")], read)
    return lake, tenant


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def data(home) -> tuple[Lake, Tenant]:
    return sunny_night(home / "lake")


@pytest.fixture(scope="module")
def night(home, data) -> tuple[LakeSettings, Lake]:
    """The first night, built; tests of this module read it and write nothing."""
    settings = LakeSettings(home=home)
    build_models(settings, *MODELS)
    return settings, data[0]


def test_intervals_are_those_of_the_lake_on_local_clocks(night):
    settings, lake = night
    expected = expected_intervals(lake, FIRST)
    built = by_key(settings, "marts.fct_solar_energy", "charging_location_id", "started_at")
    assert built == expected
    assert {row["is_provisional"] for row in built.values()} == {True, False}


def test_days_have_23_and_25_hours_where_clocks_change(night):
    settings, lake = night
    expected = expected_days(lake, expected_intervals(lake, FIRST), FIRST)
    assert_days(settings, expected)
    intervals = rows_of(settings, "marts.fct_solar_energy")
    oslo = [row for row in intervals if row["time_zone"] == "Europe/Oslo" and row["duration_minutes"] == 60]
    hours = defaultdict(set)
    for row in oslo:
        hours[str(row["local_date"])].add(row["started_at"])
    assert len(hours["2026-03-29"]) == 23
    assert len(hours["2026-10-25"]) == 25
    assert sum(day["solar"] is not None and 0 < day["solar"] < day["charged"] for day in expected.values()) > 30


def test_days_on_which_a_system_used_energy_stop_no_build(night):
    settings, _ = night
    days = rows_of(settings, "marts.agg_daily_solar")
    assert any((day["estimated_solar_kwh"] or 0) > 0 for day in days)
    assert any(
        row["energy_kwh"] is not None and row["energy_kwh"] < 0 for row in rows_of(settings, "marts.fct_solar_energy")
    )
    run_dbt(settings, "test", "--select", "agg_daily_solar", "agg_monthly_solar")


def test_months_are_sums_of_days(night):
    settings, _ = night
    sums: dict[tuple, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for day in rows_of(settings, "marts.agg_daily_solar"):
        month = sums[day["charging_location_id"], day["local_date"].replace(day=1)]
        for name in ("energy_kwh", "charged_kwh", "estimated_solar_kwh", "covered_hours"):
            month[name] += day[name] or 0
        month["days"] += 1
    built = by_key(settings, "marts.agg_monthly_solar", "charging_location_id", "local_month")
    assert built.keys() == sums.keys()
    for key, truth in sums.items():
        for name, value in truth.items():
            assert math.isclose(built[key][name] or 0, value, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.thorough
def test_incremental_is_what_a_full_build_makes(night, data, home, tmp_path):
    """After revisions, deletions, a moved place, rows committed while a build ran, an erasure and a compaction."""
    shutil.copytree(home, tmp_path / "kept")
    lake, tenant = copy.deepcopy(data)
    lake.root = str(tmp_path / "kept" / "lake")
    kept, read = LakeSettings(home=tmp_path / "kept"), at("2026-11-08T00:30")
    rows = [content(row) for _, row in sorted(current(lake, "solar_energy").items())]
    revised = random.Random(4).sample(rows, 80)
    lake.append("solar_energy", [row | {"energy": 1.25} for row in revised], read)
    lake.append("solar_energy", revised[:20], read + timedelta(minutes=1), deleted=True)
    lake.append("solar_energy", revised[:5], read + timedelta(minutes=2))
    for place in tenant.locations[:8]:
        lake.append("solar_energy", production(2, place["id"], FIRST, SECOND), read)
    lake.append("charging_locations", [tenant.locations[0] | {"address_country": "FI"}], read)
    lake.append("sessions", solar_sessions(tenant, 60, FIRST, SECOND), read)
    lake.append("_runs", [run_record(SECOND, name) for name in ("sessions", "solar_energy")], read)

    assert not prepare(kept).is_full
    expected = expected_intervals(lake, SECOND)
    lake.append("solar_energy", [row | {"energy": 2.5} for row in rows[100:130]], read + timedelta(hours=1))
    run_models(kept, *MODELS)
    assert by_key(kept, "marts.fct_solar_energy", "charging_location_id", "started_at") == expected

    victim = tenant.locations[3]["id"]
    lake.erase("solar_energy", f"charging_location_id = '{victim}'", lambda row: row["charging_location_id"] == victim)
    lake.compact("solar_energy")
    assert not build_models(kept, *MODELS)
    fresh = LakeSettings(home=tmp_path / "fresh", lake=lake.root)
    assert build_models(fresh, *MODELS)
    for table in MODELS:
        ours, theirs = (sorted(map(repr, rows_of(settings, f"marts.{table}"))) for settings in (kept, fresh))
        assert ours == theirs, table
    facts = expected_intervals(lake, SECOND)
    assert by_key(kept, "marts.fct_solar_energy", "charging_location_id", "started_at") == facts
    assert_days(kept, expected_days(lake, facts, SECOND))
