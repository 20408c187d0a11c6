"""Plug-ins and incomplete sessions against plain Python; what follows a forced end when the forced end changes."""

import copy
import math
import shutil
from datetime import timedelta
from decimal import Decimal

import duckdb
import pytest
from support.build_file import build_models
from support.lake_data import Lake, Row, Tenant, at, expected_sessions, first_night, run_record
from support.lake_tariffs import expected_plug_ins

from pipelines.settings import LakeSettings

pytestmark = pytest.mark.usefixtures("warm_dbt")

MODELS = ("fct_sessions", "fct_plug_ins", "fct_incomplete_sessions")

READ = at("2026-11-01T00:40")


def rows_of(settings: LakeSettings, table: str) -> list[dict]:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(f"select * from {table}").to_arrow_table().to_pylist()


def content(row: Row) -> Row:
    return {name: value for name, value in row.items() if not name.startswith("_")}


def follow_up(tenant: Tenant, forced: Row, seconds: float, **changed) -> Row:
    """An unmanaged session of the same car, so long after another one's end."""
    start = forced["end_time"] + timedelta(seconds=seconds)
    return (
        tenant.session(start)
        | {
            "user_id": forced["user_id"],
            "vehicle_id": forced["vehicle_id"],
            "charging_location_id": forced["charging_location_id"],
            "start_time": start,
            "end_time": start + timedelta(hours=2),
            "status": "Complete",
            "is_managed": False,
        }
        | changed
    )


def add_follow_ups(lake: Lake, tenant: Tenant) -> None:
    """Chains of up to five, follow-ups just in time and just too late, rivals, cycles of sessions without length."""
    forced = [
        row
        for row in lake.current("sessions").values()
        if row["status"] == "ForceEnded" and row["end_time"] and (row["vehicle_id"] or row["charging_location_id"])
    ]
    added: list[Row] = []
    for number, row in enumerate(forced[:60]):
        kind = number % 12
        if kind < 6:
            seconds = (0, 45, 600, 600.001, -0.001, 300)[kind]
            added.append(follow_up(tenant, row, seconds))
        elif kind == 6:
            added.append(follow_up(tenant, row, 90, status="ForceEnded"))
            for _ in range(3):
                added.append(follow_up(tenant, added[-1], 90, status="ForceEnded"))
        elif kind == 7:
            added += [follow_up(tenant, row, 60), follow_up(tenant, row, 60), follow_up(tenant, row, 30)]
        elif kind == 8:
            instant = {"status": "ForceEnded", "end_time": row["end_time"]}
            added += [follow_up(tenant, row, 0, **instant) for _ in range(3)]
        elif kind == 9:
            added.append(follow_up(tenant, row, 20, vehicle_id=None))
            added.append(follow_up(tenant, row, 20, charging_location_id=None))
        elif kind == 10:
            added.append(follow_up(tenant, row, 20, vehicle_id=tenant.identifier()))
            added.append(follow_up(tenant, row, 20, charging_location_id=tenant.identifier()))
            added.append(follow_up(tenant, row, 20, user_id=tenant.identifier()))
        else:
            twin = row | {"id": tenant.identifier(), "start_time": row["start_time"] + timedelta(minutes=1)}
            added += [content(twin), follow_up(tenant, row, 100, end_time=None, status="Active")]
    for start, end, energy in (
        ("10:00", "09:00", 3.0),
        ("10:00", "10:00", 2.0),
        ("10:00", "11:00", -1.0),
        ("10:30", "10:40", 1.0),
    ):
        row = tenant.session(at(f"2026-05-05T{start}"))
        car = {"vehicle_id": tenant.vehicles[3]["id"], "user_id": tenant.users[3]["id"], "status": "Complete"}
        times = {"start_time": at(f"2026-05-05T{start}"), "end_time": at(f"2026-05-05T{end}")}
        added.append(row | car | times | {"charged_energy": energy})
    lake.append("sessions", added, READ)


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> tuple[Lake, Tenant]:
    lake, tenant = first_night(tmp_path_factory.mktemp("home") / "lake")
    for car in tenant.vehicles:
        car["capabilities"] = ["StartStopCharging", "GeoLocation"]
    lake.append("vehicles", tenant.vehicles, READ)
    add_follow_ups(lake, tenant)
    return lake, tenant


@pytest.fixture(scope="module")
def night(data) -> LakeSettings:
    settings = LakeSettings(home=data[0].root.removesuffix("/lake"))
    build_models(settings, *MODELS)
    return settings


def current_sessions(lake: Lake) -> list[Row]:
    return [row for row in lake.current("sessions").values() if not row["_deleted"]]


def test_sessions_of_one_plug_in_are_found(night, data):
    built = {tuple(row["session_ids"]) for row in rows_of(night, "marts.fct_plug_ins")}
    assert built == expected_plug_ins(current_sessions(data[0]))
    lengths = [len(ids) for ids in built]
    assert sum(lengths) == len(current_sessions(data[0]))
    assert {1, 2, 5} <= set(lengths)
    assert lengths.count(2) > 20


def test_figures_of_a_plug_in_are_those_of_its_sessions(night):
    facts = {row["session_id"]: row for row in rows_of(night, "marts.fct_sessions")}
    mixed = 0
    for plug_in in rows_of(night, "marts.fct_plug_ins"):
        rows = [facts[key] for key in plug_in["session_ids"]]
        first = rows[0]
        assert plug_in["plug_in_id"] == first["session_id"]
        assert plug_in["sessions"] == len(rows)
        for name in ("user_id", "started_at", "time_zone", "start_local", "local_date", "local_hour"):
            assert plug_in[name] == first[name]
        ends = [row["ended_at"] for row in rows]
        end = None if None in ends else max(ends)
        assert plug_in["ended_at"] == end
        minutes = (end - first["started_at"]) / timedelta(minutes=1) if end else None
        assert plug_in["duration_minutes"] == minutes
        energy = [row["energy_kwh"] for row in rows if row["energy_kwh"] is not None]
        assert plug_in["energy_kwh"] is None if not energy else math.isclose(plug_in["energy_kwh"], sum(energy))
        currencies = {row["currency"] for row in rows} - {None}
        mixed += len(currencies) > 1
        for name in ("charge_costs", "savings"):
            known = [row[name] for row in rows if row[name] is not None]
            assert plug_in[name] == (sum(known, Decimal(0)) if known and len(currencies) == 1 else None)
        assert plug_in["currency"] == (currencies.pop() if len(currencies) == 1 else None)
        assert plug_in["sessions_with_costs"] == sum(row["charge_costs"] is not None for row in rows)
        assert plug_in["has_managed_session"] == any(row["is_managed"] for row in rows)
        assert plug_in["is_provisional"] == any(row["is_provisional"] for row in rows)
        assert plug_in["synced_at"] == max(row["synced_at"] for row in rows)
        for name in ("vehicle_id", "charging_location_id"):
            assert plug_in[name] in ({row[name] for row in rows} - {None} or {None})
    assert mixed > 0


def test_what_follows_a_forced_end_says_so(night, data):
    built = {row["session_id"]: row for row in rows_of(night, "marts.fct_sessions")}
    assert built == expected_sessions(data[0], known_until=at("2026-11-01"))
    assert sum(row["unmanaged_reason"] == "after_forced_end" for row in built.values()) > 20


def test_incomplete_sessions_are_listed_with_their_problem(night, data):
    expected = set()
    sessions = current_sessions(data[0])
    for row in sessions:
        start, end, energy = row["start_time"], row["end_time"], row["charged_energy"]
        problems = {
            "open_for_days": end is None and start < at("2026-11-01") - timedelta(days=3),
            "ends_before_start": end is not None and end < start,
            "energy_without_time": bool(energy and energy > 0 and end == start),
            "negative_value": energy is not None and energy < 0,
            "overlap": row["vehicle_id"] is not None
            and (end is None or end >= start)
            and any(
                other["vehicle_id"] == row["vehicle_id"]
                and (other["start_time"], other["end_time"] or at("9999-01-01"), other["id"])
                < (start, end or at("9999-01-01"), row["id"])
                and other["end_time"] is not None
                and other["start_time"] <= other["end_time"]
                and other["end_time"] > start
                for other in sessions
            ),
        }
        expected |= {(row["id"], problem) for problem, is_there in problems.items() if is_there}
    built = [(row["session_id"], row["problem"]) for row in rows_of(night, "marts.fct_incomplete_sessions")]
    assert len(built) == len(set(built))
    assert set(built) == expected
    assert {problem for _, problem in built} == {
        "open_for_days",
        "ends_before_start",
        "energy_without_time",
        "negative_value",
        "overlap",
    }


def test_follow_ups_are_right_again_when_the_forced_end_changes(night, data, tmp_path):
    """Corrected, moved, deleted and erased forced ends, and one that becomes forced, weeks after the sessions."""
    shutil.copytree(night.home, tmp_path / "kept")
    lake, tenant = copy.deepcopy(data)
    lake.root = str(tmp_path / "kept" / "lake")
    kept = LakeSettings(home=tmp_path / "kept")
    facts = {row["session_id"]: row for row in rows_of(kept, "marts.fct_sessions")}
    chains = sorted(chain for chain in expected_plug_ins(current_sessions(lake)) if len(chain) > 1)
    pairs = [
        (lake.current("sessions")[chain[0]], chain[1])
        for chain in chains
        if not any(facts[key]["is_provisional"] for key in chain)
        and facts[chain[1]]["unmanaged_reason"] == "after_forced_end"
    ]
    assert len(pairs) > 10
    read = at("2026-11-08T00:30")
    first, second, third, fourth, fifth = (content(forced) for forced, _ in pairs[:5])
    lake.append("sessions", [first | {"status": "Complete"}], read)
    lake.append("sessions", [second | {"end_time": second["end_time"] - timedelta(minutes=11)}], read)
    lake.append("sessions", [third], read, deleted=True)
    lake.append("sessions", [fourth | {"vehicle_id": tenant.identifier(), "charging_location_id": None}], read)
    lake.erase("sessions", f"id = '{fifth['id']}'", lambda row: row["id"] == fifth["id"])
    # A session that nothing follows yet is followed from now on.
    quiet = next(
        row
        for row in current_sessions(lake)
        if row["status"] == "Complete"
        and row["end_time"]
        and row["vehicle_id"]
        and not facts[row["id"]]["is_provisional"]
    )
    lake.append("sessions", [follow_up(tenant, quiet, 30, is_managed=False)], read)
    lake.append("_runs", [run_record(at("2026-11-08"))], read)
    assert not build_models(kept, *MODELS)
    lake.append("sessions", [content(quiet) | {"status": "ForceEnded"}], at("2026-11-09"))
    assert not build_models(kept, *MODELS)

    fresh = LakeSettings(home=tmp_path / "fresh", lake=lake.root)
    assert build_models(fresh, *MODELS)
    for table in MODELS:
        kept_rows, fresh_rows = (sorted(map(repr, rows_of(home, f"marts.{table}"))) for home in (kept, fresh))
        assert kept_rows == fresh_rows
    built = {row["session_id"]: row for row in rows_of(kept, "marts.fct_sessions")}
    assert built == expected_sessions(lake, known_until=at("2026-11-08"))
    assert [built[key]["unmanaged_reason"] for _, key in pairs[:5]] == [None] * 5
