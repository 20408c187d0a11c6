"""Prices at any moment, of sessions and of slots, against figures worked out minute by minute, without SQL."""

import copy
import shutil
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest
from support.lake_data import Lake, Tenant, at, expected_sessions, run_record
from support.lake_priced import PRICE_ZONES, priced_night
from support.lake_tariff_rows import append_by_month, session_tariff_rows, slot_rows, tariff_rows
from support.lake_tariffs import PriceBook, history

from pipelines.settings import LakeSettings
from warehouse.build import BuildReport, build, prepare, record
from warehouse.dbt import run_dbt
from warehouse.project import model_tables
from warehouse.publish import publish
from warehouse.query import frame, query

pytestmark = pytest.mark.usefixtures("warm_dbt", "models_only")


def rows_of(settings: LakeSettings, sql: str) -> list[dict]:
    """Rows of a query on the build, as Python values."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(sql).to_arrow_table().to_pylist()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> tuple[Lake, Tenant]:
    return priced_night(tmp_path_factory.mktemp("home") / "lake")


@pytest.fixture(scope="module")
def night(data) -> tuple[LakeSettings, BuildReport]:
    settings = LakeSettings(home=data[0].root.removesuffix("/lake"))
    report = build(settings)
    publish(settings)
    return settings, report


def tables(settings: LakeSettings) -> dict[str, list[tuple]]:
    """Every row of every mart, in an order of its own."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return {
            name: sorted(connection.execute(f"select * from {name}").fetchall(), key=repr)
            for name in model_tables("marts")
        }


def segment_keys(rows: list[dict]) -> dict[str, list[tuple]]:
    """Segments of each session, in order."""
    found = defaultdict(list)
    names = ("started_at", "ended_at", "tariff_type", "price_per_kwh", "currency")
    for row in sorted(rows, key=lambda row: row["started_at"]):
        found[row["session_id"]].append(tuple(row[name] for name in names))
    return found


def test_prices_over_every_session_are_what_python_makes_of_the_tariffs(night, data):
    book = PriceBook(data[0], PRICE_ZONES)
    built = segment_keys(rows_of(night[0], "select * from staging.stg_session_prices"))
    expected, types = {}, set()
    for fact in rows_of(night[0], "select * from marts.fct_sessions where ended_at is not null"):
        place, start, end = fact["charging_location_id"], fact["started_at"], fact["ended_at"]
        segments = book.segments(place, start, end) if place else []
        if segments:
            expected[fact["session_id"]] = segment_keys([row | {"session_id": ""} for row in segments])[""]
            types |= {row["tariff_type"] for row in segments}
    assert built == expected
    assert types == {"Standard", "Peak", "OffPeak", "SuperOffPeak", "Dynamic"}
    assert any(len(segments) > 4 for segments in expected.values())


@pytest.mark.parametrize("night_of", ["2026-03-28T20:00", "2026-10-24T20:00", "2026-05-16T20:00"])
def test_the_price_at_any_moment_of_daylight_saving_nights_and_holidays(night, data, night_of):
    book = PriceBook(data[0], PRICE_ZONES)
    moments = [at(night_of) + n * timedelta(minutes=5, milliseconds=n % 2) for n in range(300)]
    asked = {"location": [], "instant": []}
    expected = []
    for location in data[1].locations[:10]:
        for moment in moments:
            price = book.at(location["id"], moment)
            if price is not None:
                expected.append((location["id"], moment, price.type, price.price, price.currency))
            asked["location"].append(location["id"])
            asked["instant"].append(moment)
    told = query(
        f"""
        select asked.location, asked.instant, price.* from (
            select unnest({asked["location"]!r}) as location,
                unnest([{", ".join(f"timestamptz '{moment.isoformat(' ')}'" for moment in asked["instant"])}]) as instant
        ) as asked, lateral marts.price_at(asked.location, asked.instant) as price
        """,
        file=night[0].published_file,
    )[1]
    assert sorted(told, key=repr) == sorted(expected, key=repr)
    assert len(expected) > 2000


def test_the_published_file_answers_for_prices(night, data):
    """Also where a BI tool opens the file itself."""
    location = data[1].locations[0]["id"]
    published = night[0].published_file
    answer = frame(f"from marts.price_at('{location}', timestamptz '2026-05-17 10:00:00+00')", file=published)
    assert answer.to_dict("records") == [{"tariff_type": "OffPeak", "price_per_kwh": 0.8, "currency": "NOK"}]
    start, end = at("2026-06-14T18:30"), at("2026-06-16T08:00")
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        told = connection.execute(
            "from marts.prices_between(?, ?, ?) order by started_at", [location, start, end]
        ).fetchall()
    assert told == [
        tuple(segment.values()) for segment in PriceBook(data[0], PRICE_ZONES).segments(location, start, end)
    ]
    assert len(told) == 5


def test_dynamic_prices_show_the_forecast_beside_the_actual(night, data):
    expected = {}
    for key, versions in history(data[0], "dynamic_tariffs", "charging_location_id", "start_time").items():
        if versions[-1]["_deleted"]:
            continue
        last = {row["data_type"]: row for row in versions}
        forecast, actual = (last.get(name, {}).get("price") for name in ("Forecast", "Actual"))
        error = forecast - actual if forecast is not None and actual is not None else None
        expected[key] = (forecast, actual, forecast if actual is None else actual, error, actual is None)
    names = ("forecast_price_per_kwh", "actual_price_per_kwh", "price_per_kwh", "forecast_error", "is_forecast")
    rows = rows_of(night[0], "select * from marts.fct_dynamic_prices")
    built = {(row["charging_location_id"], row["started_at"]): tuple(row[name] for name in names) for row in rows}
    assert built == expected
    assert {row["currency"] for row in rows} == {"EUR"}
    spring = [row["start_local"].hour for row in rows if row["local_date"] == date(2026, 3, 29)]
    autumn = [row["local_hour"] for row in rows if row["local_date"] == date(2026, 10, 25)]
    assert spring.count(3) == 0, "clocks in Helsinki go from 03:00 to 04:00"
    assert autumn.count(3) == 2 * autumn.count(5) > 0, "and from 04:00 back to 03:00"


def test_prices_of_sessions_are_the_current_ones(night, data):
    expected = []
    for versions in history(data[0], "session_tariffs", "session_id", "start_time", "tariff_type").values():
        row = versions[-1]
        if not row["_deleted"]:
            length = (row["end_time"] - row["start_time"]) / timedelta(minutes=1) if row["end_time"] else None
            names = ("session_id", "start_time", "end_time", "tariff_type", "price", "currency")
            expected.append((*(row[name] for name in names), length, row["_synced_at"]))
    built = [tuple(row.values()) for row in rows_of(night[0], "select * from marts.fct_session_tariffs")]
    assert sorted(built, key=repr) == sorted(expected, key=repr)
    assert len(expected) > 500


def test_sessions_know_their_prices_and_why_they_were_not_steered(night, data):
    expected = expected_sessions(data[0], known_until=at("2026-11-01"))
    built = {row["session_id"]: row for row in rows_of(night[0], "select * from marts.fct_sessions")}
    assert built == expected
    reasons = {row["unmanaged_reason"] for row in built.values()}
    assert reasons >= {None, "unknown_location", "missing_capability", "smart_charging_off"}
    for name in ("charging_minutes", "price_against_average", "peak_energy_share_estimate", "solar_share_estimate"):
        known = sum(row[name] is not None for row in built.values())
        assert 0 < known < len(built), name


def test_chargers_and_readings(night):
    chargers = rows_of(night[0], "select * from marts.dim_chargers order by is_deleted")
    assert [row["is_deleted"] for row in chargers] == [False, True]
    states = rows_of(night[0], "select * from staging.stg_charger_states order by read_at")
    assert [(row["charge_power_kw"], row["is_latest"]) for row in states] == [(11.0, False), (10.0, True)]
    readings = rows_of(night[0], "select * from staging.stg_vehicle_states order by read_at")
    assert [(row["battery_level_percent"], row["is_latest"]) for row in readings] == [(50, False), (51, True)]
    current = rows_of(night[0], "select * from staging.stg_location_tariffs where not is_deleted")
    assert len(current) == 10
    assert rows_of(night[0], "select * from staging.stg_dynamic_tariffs where not is_deleted")


@pytest.mark.thorough
def test_incremental_equals_full_when_prices_cars_and_settings_change(night, data, tmp_path):
    shutil.copytree(night[0].home, tmp_path / "kept")
    lake, tenant = copy.deepcopy(data)
    lake.root = str(tmp_path / "kept" / "lake")
    kept = LakeSettings(home=tmp_path / "kept")
    before = tables(kept)
    read = at("2026-11-08T00:30")

    old = [row for row in expected_sessions(lake, at("2026-11-01")).values() if not row["is_provisional"]]
    priced = {row["session_id"] for row in lake.versions["session_tariffs"]}
    without = [lake.current("sessions")[row["session_id"]] for row in old if row["session_id"] not in priced]
    append_by_month(lake, "session_tariffs", [r for s in without[:20] for r in session_tariff_rows(tenant, s)], read)
    some = [row for row in lake.versions["session_tariffs"] if row["session_id"] == old[0]["session_id"]]
    plain = [{name: value for name, value in row.items() if not name.startswith("_")} for row in some]
    append_by_month(lake, "session_tariffs", plain, read, deleted=True)
    lake.append("vehicles", [tenant.vehicles[1] | {"capabilities": ["StateOfCharge"]}], read)
    lake.append(
        "charge_settings", [{"vehicle_id": tenant.vehicles[13]["id"], "is_smart_charging_enabled": False}], read
    )
    lake.append("charging_locations", [tenant.locations[6] | {"address_country": "GB"}], read)
    for location in tenant.locations[6:8]:
        slots = slot_rows(tenant, location, at("2026-11-07"), 48, 60, "Forecast")
        append_by_month(lake, "dynamic_tariffs", slots, read)
    last = [row for row in lake.versions["dynamic_tariffs"] if row["data_type"] == "Actual"][-5:]
    late = [{name: value for name, value in row.items() if not name.startswith("_")} for row in last]
    append_by_month(lake, "dynamic_tariffs", late[:2], read, deleted=True)
    append_by_month(lake, "dynamic_tariffs", [row | {"price": Decimal("9.5")} for row in late[2:]], read)
    lake.append("location_tariffs", tariff_rows(tenant.locations[9:])[:1], read)
    lake.append("_runs", [run_record(at("2026-11-08"))], read)

    assert not prepare(kept).is_full
    meanwhile = [r for s in without[20:40] for r in session_tariff_rows(tenant, s)]
    append_by_month(lake, "session_tariffs", meanwhile, read)
    run_dbt(kept, "build")
    record(kept)
    seen = {row["session_id"] for row in rows_of(kept, "select * from marts.fct_session_tariffs")}
    assert not seen & {row["session_id"] for row in meanwhile}
    assert not build(kept).is_full

    fresh = LakeSettings(home=tmp_path / "fresh", lake=lake.root)
    assert build(fresh).is_full
    after = tables(kept)
    assert after == tables(fresh)
    changed = {name.removeprefix("marts.") for name in after if before[name] != after[name]}
    assert changed >= {
        "dim_tariffs",
        "dim_tariff_intervals",
        "fct_dynamic_prices",
        "fct_session_tariffs",
        "fct_sessions",
    }
    built = {row["session_id"]: row for row in rows_of(kept, "select * from marts.fct_sessions")}
    assert built == expected_sessions(lake, known_until=at("2026-11-08"))
    lake.compact("session_tariffs")
    lake.compact("dynamic_tariffs")
    gone = some[0]["session_id"]
    lake.erase("session_tariffs", f"session_id = '{gone}'", lambda row: row["session_id"] == gone)
    assert not build(kept).is_full
    assert tables(kept) == after
