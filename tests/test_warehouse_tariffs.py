"""Tariffs over time, their weekly intervals, and the calendar that prices follow, against plain Python."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import pytest
from dateutil.easter import easter
from support.build_file import build_models
from support.lake_data import Lake, Tenant, at
from support.lake_priced import PRICE_ZONES, priced_night
from support.lake_tariff_rows import interval, layers, tariff_rows
from support.lake_tariffs import public_holidays

from pipelines.settings import LakeSettings
from warehouse.build import prepare
from warehouse.dbt import run_dbt

pytestmark = pytest.mark.usefixtures("warm_dbt")


def rows_of(settings: LakeSettings, sql: str) -> list[dict]:
    """Rows of a query on the build, as Python values."""
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(sql).to_arrow_table().to_pylist()


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> tuple[Lake, Tenant]:
    return priced_night(tmp_path_factory.mktemp("home") / "lake")


@pytest.fixture(scope="module")
def night(data) -> LakeSettings:
    settings = LakeSettings(home=data[0].root.removesuffix("/lake"))
    build_models(settings, "dim_tariffs", "dim_tariff_intervals", "dim_public_holidays", "dim_utc_offsets")
    return settings


def test_tariffs_hold_from_when_they_were_seen_and_never_two_at_once(night, data):
    tenant = data[1]
    rows = defaultdict(list)
    for row in rows_of(night, "select * from marts.dim_tariffs order by valid_from"):
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
            for row in rows_of(night, "select * from marts.dim_tariff_intervals order by start_minute")
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


def test_public_holidays_are_those_of_the_calendar(night):
    built = {(row["country"], row["holiday_date"]) for row in rows_of(night, "select * from marts.dim_public_holidays")}
    assert built == public_holidays()
    for year in range(2015, 2036):
        monday = easter(year) + timedelta(days=1)
        for country in ("NO", "NL", "BE", "DE", "FR", "SE", "FI", "DK"):
            assert {(country, date(year, 1, 1)), (country, monday)} <= built
        assert ("PT", monday) not in built
        assert ("NO", date(year, 5, 17)) in built
        assert ("NO", easter(year) - timedelta(days=3)) in built
        assert ("NL", date(year, 4, 27)) in built or date(year, 4, 27).isoweekday() == 7
    zones = {row["country"] for row in rows_of(night, "select distinct country from reference.time_zones")}
    assert {country for country, _ in built} == zones


def test_offsets_are_those_of_the_calendar(night):
    """On both sides of every change of the clocks."""
    spans = defaultdict(list)
    for row in rows_of(night, "select * from marts.dim_utc_offsets order by valid_from"):
        spans[row["time_zone"]].append(row)
    assert spans.keys() == {*PRICE_ZONES.values()}
    for zone, rows in spans.items():
        assert (rows[0]["valid_from"], rows[-1]["valid_until"]) == (at("2010-01-01"), at("2040-01-01"))
        assert [row["valid_until"] for row in rows[:-1]] == [row["valid_from"] for row in rows[1:]]
        for row in rows:
            last = row["valid_until"] - timedelta(milliseconds=1)
            for moment in (row["valid_from"], last):
                assert moment.astimezone(ZoneInfo(zone)).utcoffset() == timedelta(minutes=row["offset_minutes"])
