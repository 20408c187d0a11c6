"""The models against figures worked out without SQL; incremental builds against full ones."""

import copy
import json
import math
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest
from support.build_file import obstructed
from support.lake_data import (
    PERSONAL_VALUES,
    Lake,
    Tenant,
    at,
    expected_kpis,
    expected_sessions,
    first_night,
    second_night,
)
from support.parsed_project import MODELS_ONLY

import warehouse.project
from pipelines.contract import RESOURCES
from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.build import BuildReport, build, prepare, record
from warehouse.dbt import manifest_file, run_dbt
from warehouse.project import dbt_folder, model_tables
from warehouse.publish import PublishReport, publish

pytestmark = pytest.mark.usefixtures("warm_dbt")

MODELLED = ("staging", "marts", "ops", "personal")


def rows_of(settings: LakeSettings, table: str) -> list[dict]:
    """All rows of a table of the build, as Python values."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(f"select * from {table}").to_arrow_table().to_pylist()


def everything(settings: LakeSettings) -> dict[str, list[tuple]]:
    """Every row of every modelled table, in an order of its own, to compare two builds bit by bit."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        tables = connection.execute(
            "select table_schema || '.' || table_name from information_schema.tables where table_schema in ('marts', 'ops', 'personal')"
        ).fetchall()
        assert sorted(name for (name,) in tables) == model_tables("marts", "ops", "personal")
        return {name: sorted(connection.execute(f"select * from {name}").fetchall(), key=repr) for (name,) in tables}


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def data(home) -> tuple[Lake, Tenant]:
    return first_night(home / "lake")


@pytest.fixture(scope="module")
def night(home, data) -> tuple[LakeSettings, Lake, BuildReport]:
    """The first night, built; tests of this module read it and write nothing."""
    settings = LakeSettings(home=home)
    return settings, data[0], build(settings)


def test_sessions_are_what_python_makes_of_the_lake(night):
    settings, lake, report = night
    expected = expected_sessions(lake, known_until=at("2026-11-01"))
    built = {row["session_id"]: row for row in rows_of(settings, "marts.fct_sessions")}
    assert report.is_full
    assert len(expected) == 420
    assert built.keys() == expected.keys()
    assert [built[key] for key in expected] == list(expected.values())
    assert 0 < sum(row["is_provisional"] for row in built.values()) < len(built)


def test_daylight_saving_nights_are_in_the_data(night):
    facts = rows_of(night[0], "marts.fct_sessions")
    wall_clock = [
        (row["end_local"] - row["start_local"]) / timedelta(minutes=1) - row["duration_minutes"]
        for row in facts
        if row["ended_at"]
    ]
    assert {round(difference) for difference in wall_clock} == {-60, 0, 60}


def test_daily_kpis_are_what_python_makes_of_the_sessions(night):
    settings, lake, _ = night
    expected = expected_kpis(lake, expected_sessions(lake, known_until=at("2026-11-01")))
    grain = ("local_date", "country", "vehicle_brand", "currency")
    built = {tuple(row[name] for name in grain): row for row in rows_of(settings, "marts.agg_daily_kpis")}
    assert built.keys() == expected.keys()
    assert {key[3] for key in built} == {"NOK", "EUR", None}
    for key, truth in expected.items():
        row = built[key]
        counts = ("sessions", "active_users", "managed_sessions", "force_ended_sessions", "provisional_sessions")
        for name in (*counts, "charge_costs", "savings"):
            assert row[name] == truth[name], (key, name)
        for name in ("flexible_hours", "tariff_energy_kwh", "off_peak_energy_kwh_estimate"):
            assert (row[name] is None) == (truth[name] is None), (key, name)
            assert math.isclose(row[name] or 0, truth[name] or 0, rel_tol=1e-9, abs_tol=1e-6), (key, name)
        assert row["managed_sessions_share"] == truth["managed_sessions"] / truth["sessions"]
        if truth["energy_kwh"] is None:
            assert row["energy_kwh"] is None
            assert row["managed_energy_kwh"] is None
        else:
            managed = truth["managed_energy_kwh"] or Decimal(0)
            assert math.isclose(row["energy_kwh"], truth["energy_kwh"], rel_tol=1e-12)
            assert math.isclose(row["managed_energy_kwh"], managed, rel_tol=1e-12)
            if truth["energy_kwh"]:
                share = float(Fraction(managed) / Fraction(truth["energy_kwh"]))
                assert math.isclose(row["managed_energy_share"], share, rel_tol=1e-12)


def test_dimensions_keep_every_key_and_no_personal_column(night):
    settings, lake, _ = night
    for model, table, key in (
        ("dim_users", "users", "user_id"),
        ("dim_vehicles", "vehicles", "vehicle_id"),
        ("dim_charging_locations", "charging_locations", "charging_location_id"),
    ):
        rows = rows_of(settings, f"marts.{model}")
        assert {row[key] for row in rows} == lake.current(table).keys()
        assert not any(row["is_deleted"] for row in rows)
    personal = {f.column for resource in RESOURCES.values() for f in resource.fields if f.personal}
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        columns = dict(
            connection.execute(
                "select table_schema, list(column_name) from information_schema.columns group by table_schema"
            ).fetchall()
        )
    renamed = {name.removeprefix("coordinates_").removeprefix("address_") for name in personal}
    assert renamed <= set(columns["personal"])
    assert not renamed & set(columns["marts"] + columns["ops"])


def test_operations_show_the_latest_state_without_content(night):
    settings, lake, _ = night
    quarantine = {row["quarantine_id"]: row for row in rows_of(settings, "ops.quarantine")}
    assert {key: row["status"] for key, row in quarantine.items()} == {"q1": "resolved", "q2": "pending"}
    assert quarantine["q1"]["row_key"] in lake.current("sessions")
    assert quarantine["q2"]["row_key"] is None, "a key that is no UUID may be a person's data"
    assert [row["value"] for row in rows_of(settings, "ops.contract_drift")] == ["Paused"]
    assert {row["collection"] for row in rows_of(settings, "ops.sync_runs")} == {"sessions", "users"}


def test_a_car_model_without_id_is_known_by_its_name(night):
    keys = sorted(row["car_model_key"] for row in rows_of(night[0], "staging.stg_supported_car_models"))
    assert keys == ["id m1", "name Kia / EV6 / "]


def test_odd_data_warns_and_does_not_stop_the_build(night):
    warned = {node.name for node in night[2].warnings}
    assert any(name.startswith("accepted_values_fct_sessions_status") for name in warned)
    assert any(name.startswith("relationships_fct_sessions_user_id") for name in warned)
    assert night[2].tests_passed > 20
    assert len(night[2].models) == len(model_tables(*MODELLED))


def test_every_column_has_a_description_and_every_description_a_column(night):
    settings, _, _ = night
    nodes = json.loads(manifest_file(settings).read_bytes())["nodes"].values()
    described = {
        (node["schema"], node["name"], column): text["description"].strip()
        for node in nodes
        if node["resource_type"] in {"model", "seed"}
        for column, text in node["columns"].items()
    }
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        columns = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns "
            "where table_schema in ('staging', 'marts', 'ops', 'personal', 'reference')"
        ).fetchall()
    assert set(columns) == described.keys()
    assert all(described.values())
    assert all(node["description"] for node in nodes if node["resource_type"] == "model")


def test_the_manifest_is_parsed_once(night):
    before = manifest_file(night[0]).stat().st_mtime_ns
    assert manifest_file(night[0]).stat().st_mtime_ns == before


def test_unit_tests_of_the_models_pass(night):
    results = run_dbt(night[0], "test", "--select", "test_type:unit", "--exclude-resource-type", "snapshot")
    assert {result.status for result in results} == {"pass"}
    declared = [path.read_text() for path in (warehouse.project.PROJECT_FOLDER / "models").glob("unit_tests*.yml")]
    assert len(results) == sum(len(re.findall(r"^  - name: ", text, re.MULTILINE)) for text in declared) > 10


def test_every_zone_of_the_seed_is_known_to_both_calendars(night):
    zones = {row["time_zone"] for row in rows_of(night[0], "reference.time_zones")}
    with duckdb.connect() as connection:
        known = {row[0] for row in connection.execute("select name from pg_timezone_names()").fetchall()}
    assert zones <= known
    assert all(ZoneInfo(zone) for zone in zones)


def test_no_personal_value_leaves_the_private_build(night):
    """Looked for in every cell (files may be compressed) and in the bytes of all that dbt and publishing write."""
    settings, _, _ = night

    def found(report: PublishReport) -> set[str]:
        with duckdb.connect(str(report.file), read_only=True) as connection:
            cells = " ".join(str(connection.execute(f"select * from {name}").fetchall()) for name in report.rows)
        return {name for name, value in PERSONAL_VALUES.items() if str(value) in cells}

    asked = publish(settings.model_copy(update={"publish_personal": True}))
    assert found(asked) == PERSONAL_VALUES.keys()
    shared = publish(settings)
    assert not found(shared)
    assert shared.rows.keys() == {name for name in asked.rows if not name.startswith("personal.")}
    for path in (shared.file, *(path for path in dbt_folder(settings).rglob("*") if path.is_file())):
        content = path.read_bytes()
        assert not [name for name, value in PERSONAL_VALUES.items() if str(value).encode() in content], path


def test_nothing_is_written_into_the_project(night):
    strays = {"target", "logs", "dbt_packages", ".user.yml", "package-lock.yml"}
    assert not strays & {path.name for path in warehouse.project.PROJECT_FOLDER.iterdir()}


def test_what_is_built_is_for_the_owner_only(night):
    settings, _, _ = night
    assert settings.build_file.stat().st_mode & 0o777 == 0o600
    assert settings.build_file.parent.stat().st_mode & 0o777 == 0o700


def test_secrets_do_not_reach_dbt(monkeypatch, tmp_path):
    monkeypatch.setenv("SMART_CHARGING_CLIENT_SECRET", "hush")
    assert "hush" not in warehouse.project.process_environment(LakeSettings(home=tmp_path)).values()


def test_an_empty_lake_builds_empty_models_and_a_part_is_not_the_whole(tmp_path):
    settings = LakeSettings(home=tmp_path)
    prepare(settings)
    run_dbt(settings, "run", "--select", "sync_runs")
    with pytest.raises(WarehouseError, match=r"marts\.fct_sessions"):
        record(settings)
    report = build(settings)
    assert set(report.versions.values()) == {None}
    assert {name for name, rows in everything(settings).items() if rows} == {
        "marts.dim_public_holidays",
        "ops.freshness",
    }
    assert not report.warnings


@pytest.mark.thorough
def test_incremental_equals_full_after_corrections_deletions_and_moves(night, data, tmp_path, monkeypatch):
    """Also when rows were committed while a build ran, a build failed half-way, and files were rewritten."""
    shutil.copytree(night[0].home, tmp_path / "kept")
    lake, tenant = copy.deepcopy(data)
    lake.root = str(tmp_path / "kept" / "lake")
    kept = LakeSettings(home=tmp_path / "kept")
    first = everything(kept)
    monkeypatch.setenv(*MODELS_ONLY)

    second_night(lake, tenant)
    fleeting = tenant.sessions(2, at("2026-10-31"), at("2026-11-01"))
    lake.append("sessions", fleeting, at("2026-11-08T01:00"))
    with (
        obstructed(kept, "marts.agg_daily_kpis"),
        pytest.raises(WarehouseError, match=r"model agg_daily_kpis failed.*(?s:.*)full log: .*dbt\.log"),
    ):
        build(kept)
    with pytest.raises(WarehouseError, match="did not come to its end"):
        publish(kept)
    lake.append("sessions", fleeting, at("2026-11-08T02:00"), deleted=True)

    preparation = prepare(kept)
    expected = expected_sessions(lake, known_until=at("2026-11-08"))
    late = tenant.sessions(1, at("2026-11-07"), at("2026-11-08"))
    lake.append("sessions", late, at("2026-11-08T03:00"))
    run_dbt(kept, "build")
    record(kept)
    assert not preparation.is_full
    assert late[0]["id"] not in expected
    assert {row["session_id"]: row for row in rows_of(kept, "marts.fct_sessions")} == expected

    victim = next(row["session_id"] for row in rows_of(kept, "marts.fct_sessions") if not row["is_provisional"])
    lake.erase("sessions", f"id = '{victim}'", lambda row: row["id"] == victim)
    lake.compact("sessions")
    assert not build(kept).is_full

    monkeypatch.setenv("TZ", "Asia/Tokyo")
    fresh = LakeSettings(home=tmp_path / "fresh", lake=lake.root)
    assert build(fresh).is_full
    assert everything(kept) == everything(fresh)
    assert everything(kept)["marts.fct_sessions"] != first["marts.fct_sessions"]
    expected = expected_sessions(lake, known_until=at("2026-11-08"))
    built = {row["session_id"]: row for row in rows_of(kept, "marts.fct_sessions")}
    assert victim not in built
    assert built == expected
    users = {row["user_id"]: row["is_deleted"] for row in rows_of(kept, "marts.dim_users")}
    assert users == {key: row["_deleted"] for key, row in lake.current("users").items()}


def test_a_broken_call_is_reported_in_a_few_lines(tmp_path):
    with pytest.raises(WarehouseError, match="dbt no-such-command ended with 2") as caught:
        run_dbt(LakeSettings(home=tmp_path), "no-such-command")
    assert len(str(caught.value).splitlines()) < 12


def test_a_build_file_open_elsewhere_is_named(tmp_path):
    settings = LakeSettings(home=tmp_path)
    prepare(settings)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb; c = duckdb.connect({str(settings.build_file)!r}); print(1, flush=True); input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        holder.stdout.readline()
        with pytest.raises(WarehouseError, match=f"is open in another process.*PID {holder.pid}"):
            prepare(settings)
    finally:
        holder.communicate(b"\n")


def test_figures_of_another_correction_range_cannot_be_kept(tmp_path):
    assert prepare(LakeSettings(home=tmp_path)).is_full
    assert not prepare(LakeSettings(home=tmp_path)).is_full
    assert prepare(LakeSettings(home=tmp_path, correction_days=30)).is_full


def test_a_damaged_build_file_is_made_anew(tmp_path):
    settings = LakeSettings(home=tmp_path)
    prepare(settings)
    settings.build_file.write_bytes(b"not a database")
    assert prepare(settings).is_full
