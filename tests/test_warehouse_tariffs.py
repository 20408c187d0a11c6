"""Tariffs and prices against figures worked out minute by minute, without SQL; incremental builds against full ones."""

import copy
import shutil
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest
from support.lake_data import Lake, Tenant, at, expected_sessions, first_night, run_record
from support.lake_tariff_rows import (
    DOUBLE,
    append_by_month,
    interval,
    layers,
    session_tariff_rows,
    slot_rows,
    tariff_rows,
)
from support.lake_tariffs import PriceBook, history, public_holidays

from pipelines.settings import LakeSettings
from warehouse.build import BuildReport, build, prepare, record
from warehouse.dbt import run_dbt
from warehouse.project import model_tables
from warehouse.publish import publish
from warehouse.query import frame, query

pytestmark = pytest.mark.usefixtures("parsed_project")

ZONES = {"NO": "Europe/Oslo", "GB": "Europe/London", "FI": "Europe/Helsinki", "": "Europe/Amsterdam"}


def rows_of(settings: LakeSettings, sql: str) -> list[dict]:
    """Rows of a query on the build, as Python values."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(sql).to_arrow_table().to_pylist()


def tables(settings: LakeSettings) -> dict[str, list[tuple]]:
    """Every row of every mart, in an order of its own."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return {
            name: sorted(connection.execute(f"select * from {name}").fetchall(), key=repr)
            for name in model_tables("marts")
        }


def add_tariffs(lake: Lake, tenant: Tenant) -> None:
    """Tariffs first read in February, some replaced in June, one deleted and back, one read with news of other kind."""
    told = tariff_rows(tenant.locations)
    lake.append("location_tariffs", told, at("2026-02-01"))
    lake.append("location_tariffs", [told[0] | {"_extra": '{"novel": 1}'}], at("2026-05-01"))
    dearer = told[0] | {"tariffs": layers("NOK", Peak="3", OffPeak="1")}
    lake.append("location_tariffs", [dearer], at("2026-06-15T13:17:23"))
    lake.append("location_tariffs", [told[1]], at("2026-06-01"), deleted=True)
    lake.append("location_tariffs", [told[1]], at("2026-08-01"))
    lake.append(
        "location_tariffs", [told[3] | {"tariffs": told[0]["tariffs"], "tariff_intervals": DOUBLE}], at("2026-07-01")
    )
    lake.append("location_tariffs", [told[2] | {"charging_location_id": tenant.identifier()}], at("2026-07-01"))
    for location, minutes in ((tenant.locations[6], 60), (tenant.locations[7], 15)):
        for first in ("2026-03-26", "2026-10-22"):
            slots = slot_rows(tenant, location, at(first), 144, minutes, "Forecast")
            append_by_month(lake, "dynamic_tariffs", slots, at(first))
            revised = [slot | {"price": slot["price"] + Decimal("0.01")} for slot in slots[20:]]
            append_by_month(lake, "dynamic_tariffs", revised, at(first) + timedelta(days=1))
            actual = [slot | {"price": slot["price"] - Decimal("0.02"), "data_type": "Actual"} for slot in slots[10:-9]]
            append_by_month(lake, "dynamic_tariffs", actual, at(first) + timedelta(days=2))
            append_by_month(lake, "dynamic_tariffs", actual[:2], at(first) + timedelta(days=3), deleted=True)


def add_under_sessions(lake: Lake, tenant: Tenant) -> None:
    """Prices of two thirds of the sessions; cars of all kinds, chargers, settings that were switched."""
    sessions = [row for row in lake.current("sessions").values() if not row["_deleted"]]
    priced = [row for session in sessions[::3] + sessions[1::3] for row in session_tariff_rows(tenant, session)]
    append_by_month(lake, "session_tariffs", priced, at("2026-11-01T01:00"))
    append_by_month(lake, "session_tariffs", priced[:3], at("2026-11-01T02:00"), deleted=True)
    changed = [row | {"price": Decimal("0.5"), "currency": "EUR"} for row in priced[3:9]]
    append_by_month(lake, "session_tariffs", changed, at("2026-11-01T03:00"))
    able = ["StartStopCharging", "GeoLocation"]
    for number, car in enumerate(tenant.vehicles):
        car["capabilities"] = [*able, "StateOfCharge"] if number % 3 else [None, able[:1], [None]][number % 2]
    lake.append("vehicles", tenant.vehicles, at("2026-11-01T01:00"))
    settings = [
        {"user_id": car["user_id"], "vehicle_id": car["id"], "is_smart_charging_enabled": number % 4 > 0}
        for number, car in enumerate(tenant.vehicles[:12])
    ]
    lake.append("charge_settings", settings, at("2026-04-01"))
    switched = [row | {"is_smart_charging_enabled": not row["is_smart_charging_enabled"]} for row in settings[2:6]]
    lake.append("charge_settings", switched, at("2026-07-01"))
    lake.append("charge_settings", switched[:1], at("2026-09-01"), deleted=True)
    place = tenant.locations[0]
    chargers = [
        {
            "id": tenant.identifier(),
            "charging_location_id": place["id"],
            "user_id": place["user_id"],
            "detail_brand": "Easee",
        }
        for _ in range(2)
    ]
    lake.append("chargers", chargers, at("2026-11-01"))
    lake.append("chargers", chargers[:1], at("2026-11-02"), deleted=True)
    for number, read in enumerate((at("2026-11-01"), at("2026-11-02"))):
        state = {"charge_state": "Charging", "charge_power": 11.0 - number, "time_stamp": read}
        lake.append("charger_states", [{"charger_id": chargers[0]["id"]} | state], read)
        reading = {"vehicle_id": tenant.vehicles[0]["id"], "charge_state": "Charging", "updated_at": read}
        lake.append("vehicle_states", [reading | {"battery_level": 50 + number}], read)


def with_power(lake: Lake) -> None:
    """Some sessions of which the API tells the power and the sun's part."""
    stripped = [
        {name: value for name, value in row.items() if not name.startswith("_")}
        for row in list(lake.current("sessions").values())[:40]
    ]
    lake.append(
        "sessions", [row | {"charge_speed": 7.4, "solar_energy": 3.3} for row in stripped], at("2026-11-01T00:45")
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> tuple[Lake, Tenant]:
    lake, tenant = first_night(tmp_path_factory.mktemp("home") / "lake")
    add_tariffs(lake, tenant)
    with_power(lake)
    add_under_sessions(lake, tenant)
    return lake, tenant


@pytest.fixture(scope="module")
def night(data) -> tuple[LakeSettings, BuildReport]:
    settings = LakeSettings(home=data[0].root.removesuffix("/lake"))
    report = build(settings)
    publish(settings)
    return settings, report


def segment_keys(rows: list[dict]) -> dict[str, list[tuple]]:
    """Segments of each session, in order."""
    found = defaultdict(list)
    names = ("started_at", "ended_at", "tariff_type", "price_per_kwh", "currency")
    for row in sorted(rows, key=lambda row: row["started_at"]):
        found[row["session_id"]].append(tuple(row[name] for name in names))
    return found


def test_prices_over_every_session_are_what_python_makes_of_the_tariffs(night, data):
    book = PriceBook(data[0], ZONES)
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
    book = PriceBook(data[0], ZONES)
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
    assert told == [tuple(segment.values()) for segment in PriceBook(data[0], ZONES).segments(location, start, end)]
    assert len(told) == 5


def test_tariffs_hold_from_when_they_were_seen_and_never_two_at_once(night, data):
    tenant = data[1]
    rows = defaultdict(list)
    for row in rows_of(night[0], "select * from marts.dim_tariffs order by valid_from"):
        rows[row["charging_location_id"]].append(row)
    first, second = rows[tenant.locations[0]["id"]]
    assert (first["valid_from"], first["valid_until"]) == (at("2025-02-01"), at("2026-06-15T13:17:23"))
    assert (second["valid_from"], second["valid_until"]) == (at("2026-06-15T13:17:23"), None)
    assert (first["is_backdated"], second["is_backdated"]) == (True, False)
    assert (first["peak_price_per_kwh"], second["peak_price_per_kwh"]) == (Decimal("1.31"), Decimal(3))
    assert [row["has_holiday_intervals"] for row in (first, second)] == [True, True]
    gone, back = rows[tenant.locations[1]["id"]]
    assert (gone["valid_until"], gone["is_current"]) == (at("2026-06-01"), False)
    assert (back["valid_from"], back["is_current"]) == (at("2026-08-01"), True)
    kinds = [[row["tariff_kind"] for row in rows[place["id"]]] for place in tenant.locations]
    assert kinds[:10] == [
        ["double", "double"],
        ["triple", "triple"],
        ["double"],
        ["standard", "double"],
        ["standard"],
        ["double"],
        ["dynamic"],
        ["dynamic"],
        ["other"],
        [],
    ]
    assert [row["currency"] for row in rows[tenant.locations[7]["id"]]] == [None]
    (unplaced,) = set(rows) - {place["id"] for place in tenant.locations}
    assert [(row["valid_from"], row["is_backdated"]) for row in rows[unplaced]] == [(at("2026-07-01"), False)]


def test_weekly_intervals(night, data):
    def intervals(number: int, day: int, *, holiday: bool = False) -> list[tuple]:
        return [
            (row["start_minute"], row["end_minute"], row["tariff_type"], row["price_per_kwh"])
            for row in rows_of(night[0], "select * from marts.dim_tariff_intervals order by start_minute")
            if row["charging_location_id"] == data[1].locations[number]["id"]
            and (row["day_of_week"], row["is_holiday"]) == (day, holiday)
            and row["valid_from"] == at("2025-02-01")
        ]

    peak, off = ("Peak", Decimal("1.31")), ("OffPeak", Decimal("0.8"))
    assert intervals(0, 1) == [(0, 420, *off), (420, 1380, *peak), (1380, 1440, *off)]
    assert intervals(0, 7) == [(0, 1440, *off)]
    assert intervals(0, 3, holiday=True) == [(0, 1440, *off)]
    assert intervals(1, 3, holiday=True) == []
    assert [row[:3] for row in intervals(2, 7)] == [(0, 375, "OffPeak"), (375, 1350, "Peak"), (1350, 1440, "OffPeak")]
    assert intervals(3, 5) == [(0, 1440, "Standard", Decimal("0.25"))]
    assert intervals(4, 5) == [(0, 1440, "Standard", Decimal("0.2"))]
    assert intervals(6, 5) == [(0, 1440, "Dynamic", None)]
    assert (0, 1440, "OffPeak", None) in intervals(8, 6)


def test_odd_intervals_warn_and_do_not_stop_the_build(tmp_path):
    lake, tenant = Lake(str(tmp_path / "lake")), Tenant()
    lake.append("charging_locations", tenant.locations, at("2026-01-01"))
    odd = tariff_rows(tenant.locations)[:1] * 3
    odd = [row | {"charging_location_id": place["id"]} for row, place in zip(odd, tenant.locations, strict=False)]
    odd[0]["tariff_intervals"] = [interval("00:00", "12:00", None, "Peak"), interval("11:00", "24:00", None, "OffPeak")]
    odd[1]["tariff_intervals"] = [interval("noon", "24:00", None, "Peak"), interval("00:00", "25:00", None, "OffPeak")]
    odd[2]["tariff_intervals"] = [
        interval("00:00", "00:00", "1-6", "Peak"),
        interval("00:00", "24:00", "7", "Shoulder"),
    ]
    odd[2]["tariffs"] = layers("EUR", Peak="1", Shoulder="2")
    lake.append("location_tariffs", odd, at("2026-01-01"))
    settings = LakeSettings(home=tmp_path)
    prepare(settings)
    intervals = ("--select", "+dim_tariffs", "+dim_tariff_intervals", "--indirect-selection", "cautious")
    nodes = run_dbt(settings, "build", *intervals)
    warned = {node.name: node.failures for node in nodes if node.status == "warn"}
    assert warned["dim_tariff_intervals_cover_the_week"] == 2
    assert any(name.startswith("accepted_values_dim_tariff_intervals_tariff_type") for name in warned)


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


def easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian rule)."""
    a, (b, c) = year % 19, divmod(year, 100)
    h = (19 * a + b - b // 4 - (b - (b + 8) // 25 + 1) // 3 + 15) % 30
    k = (32 + 2 * (b % 4) + 2 * (c // 4) - h - c % 4) % 7
    month, day = divmod(h + k - 7 * ((a + 11 * h + 22 * k) // 451) + 114, 31)
    return date(year, month, day + 1)


def test_public_holidays_are_those_of_the_calendar(night):
    built = {
        (row["country"], row["holiday_date"]) for row in rows_of(night[0], "select * from marts.dim_public_holidays")
    }
    assert built == public_holidays()
    for year in range(2015, 2036):
        monday = easter(year) + timedelta(days=1)
        for country in ("NO", "NL", "BE", "DE", "FR", "SE", "FI", "DK"):
            assert {(country, date(year, 1, 1)), (country, monday)} <= built
        assert ("PT", monday) not in built
        assert ("NO", date(year, 5, 17)) in built
        assert ("NO", easter(year) - timedelta(days=3)) in built
        assert ("NL", date(year, 4, 27)) in built or date(year, 4, 27).isoweekday() == 7
    zones = {row["country"] for row in rows_of(night[0], "select distinct country from reference.time_zones")}
    assert {country for country, _ in built} == zones


def test_offsets_are_those_of_the_calendar(night):
    """On both sides of every change of the clocks."""
    spans = defaultdict(list)
    for row in rows_of(night[0], "select * from marts.dim_utc_offsets order by valid_from"):
        spans[row["time_zone"]].append(row)
    assert spans.keys() == {*ZONES.values()}
    for zone, rows in spans.items():
        assert (rows[0]["valid_from"], rows[-1]["valid_until"]) == (at("2010-01-01"), at("2040-01-01"))
        assert [row["valid_until"] for row in rows[:-1]] == [row["valid_from"] for row in rows[1:]]
        for row in rows:
            last = row["valid_until"] - timedelta(milliseconds=1)
            for moment in (row["valid_from"], last):
                assert moment.astimezone(ZoneInfo(zone)).utcoffset() == timedelta(minutes=row["offset_minutes"])


def test_incremental_equals_full_when_prices_cars_and_settings_change(night, data, tmp_path):
    """Also when rows were committed while a build ran, and files were rewritten."""
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
    lake.compact("session_tariffs")
    lake.compact("dynamic_tariffs")
    gone = some[0]["session_id"]
    lake.erase("session_tariffs", f"session_id = '{gone}'", lambda row: row["session_id"] == gone)
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
