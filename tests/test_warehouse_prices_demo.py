"""Prices, reasons and plug-ins of the demo tenant against what its JSON says, read without the pipeline's help."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from zoneinfo import ZoneInfo

import duckdb
import pytest
from support.lake_tariffs import expected_plug_ins, public_holidays

from pipelines.settings import LakeSettings

DEMO_HOLIDAYS = {(1, 1), (5, 1), (5, 17), (12, 25), (12, 26)}
"""(month, day): the demo tenant has no movable holidays; on those its own prices are those of other days."""


@pytest.fixture(scope="module")
def demo(demo_warehouse) -> tuple[dict[str, list[dict]], LakeSettings]:
    """The tenant's JSON, and what was built from its answers."""
    names = ("sessions", "session_tariffs", "location_tariffs", "dynamic_tariffs", "vehicles")
    return {name: demo_warehouse.truth(name) for name in names}, demo_warehouse.settings


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_prices_of_the_demo_tenants_sessions_are_what_its_tariffs_say(demo):
    """Its JSON is read here without the pipeline's or the warehouse's help."""
    told, settings = demo
    moments = ("startTime", "endTime")
    said = sorted(
        (
            row["sessionId"],
            *(moment_of(row[name]) for name in moments),
            row["tariffType"],
            as_decimal(row["price"]),
            row["currency"],
        )
        for row in told["session_tariffs"]
    )
    columns = "session_id, started_at, ended_at, tariff_type, price_per_kwh, currency"
    api, model = (
        sorted(tuple(row.values()) for row in rows_of(settings, f"select {columns} from {table}"))
        for table in ("marts.fct_session_tariffs", "staging.stg_session_prices")
    )
    assert api == said

    oslo, book = ZoneInfo("Europe/Oslo"), JsonPrices(told)
    movable = {
        day for country, day in public_holidays() if country == "NO" and (day.month, day.day) not in DEMO_HOLIDAYS
    }
    ended = {row["id"]: row for row in told["sessions"] if row["endTime"]}
    on_movable, expected = set(), []
    for session in ended.values():
        start, end = (moment_of(session[name]) for name in moments)
        days = {
            (start + n * timedelta(hours=1)).astimezone(oslo).date()
            for n in range((end - start) // timedelta(hours=1) + 2)
        }
        on_movable |= {session["id"]} if days & movable else set()
        expected += [(session["id"], *segment) for segment in book.segments(session["chargingLocationId"], start, end)]
    assert model == sorted(expected)
    ordinary = [row for row in said if row[0] not in on_movable]
    assert [row for row in model if row[0] not in on_movable] == ordinary
    assert len(ordinary) > 0.9 * len(said) > 5000


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sessions_of_the_demo_tenant_are_explained(demo):
    told, settings = demo
    facts = {row["session_id"]: row for row in rows_of(settings, "select * from marts.fct_sessions")}
    steered = {row["id"]: row["isManaged"] for row in told["sessions"]}
    assert {key: row["is_managed"] for key, row in facts.items()} == steered
    assert {key: row["unmanaged_reason"] for key, row in facts.items()} == {
        row["id"]: reason_of(row, told) for row in told["sessions"]
    }
    reasons = [row["unmanaged_reason"] for row in facts.values()]
    assert min(map(reasons.count, ("unknown_location", "missing_capability", "after_forced_end"))) > 5
    # What was paid lies between the cheapest and the dearest price of the plug-in.
    prices = defaultdict(list)
    for row in told["session_tariffs"]:
        prices[row["sessionId"]].append(as_decimal(row["price"]))
    for key, row in facts.items():
        if row["price_per_kwh"] is not None:
            cents = Decimal("0.0001") / Decimal(str(row["energy_kwh"]))
            assert min(prices[key]) - cents <= Decimal(str(row["price_per_kwh"])) <= max(prices[key]) + cents
    plug_ins = {tuple(row["session_ids"]) for row in rows_of(settings, "select * from marts.fct_plug_ins")}
    assert plug_ins == expected_plug_ins([as_row(row) for row in told["sessions"]])
    assert sum(len(ids) == 2 for ids in plug_ins) > 20


def as_row(session: dict) -> dict:
    """A session's JSON by the lake's names, as far as plug-ins need them."""
    same = {"id": "id", "status": "status", "userId": "user_id", "vehicleId": "vehicle_id"}
    same |= {"chargingLocationId": "charging_location_id"}
    times = {"startTime": "start_time", "endTime": "end_time"}
    return {name: session[path] for path, name in same.items()} | {
        name: moment_of(session[path]) if session[path] else None for path, name in times.items()
    }


def rows_of(settings: LakeSettings, sql: str) -> list[dict]:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(sql).to_arrow_table().to_pylist()


def moment_of(text: str) -> datetime:
    return datetime.fromisoformat(text)


def as_decimal(number: float) -> Decimal:
    return Decimal(str(number)).quantize(Decimal("1e-9"))


def reason_of(session: dict, told: dict[str, list[dict]]) -> str | None:
    """Why a session was not steered; the tenant's settings are never against it."""
    if session["isManaged"]:
        return None
    if session["chargingLocationId"] is None:
        return "unknown_location"
    (car,) = (row for row in told["vehicles"] if row["id"] == session["vehicleId"])
    if not {"StartStopCharging", "GeoLocation"} <= set(car["capabilities"]):
        return "missing_capability"
    start = moment_of(session["startTime"])
    for other in told["sessions"]:
        if other["status"] == "ForceEnded" and other["userId"] == session["userId"] and other["id"] != session["id"]:
            is_soon = timedelta(0) <= start - moment_of(other["endTime"]) <= timedelta(minutes=10)
            places = {other["chargingLocationId"], session["chargingLocationId"]} - {None}
            if is_soon and len(places) == 1:
                return "after_forced_end"
    return None


class JsonPrices:
    """Prices by the tenant's JSON: every quarter of an hour is turned into the wall clock of Oslo."""

    def __init__(self, told: dict[str, list[dict]]) -> None:
        self.tariffs = {row["chargingLocationId"]: row for row in told["location_tariffs"]}
        self.slots = {(row["chargingLocationId"], moment_of(row["startTime"])): row for row in told["dynamic_tariffs"]}
        self.holidays = {day for country, day in public_holidays() if country == "NO"}

    def at(self, location: str, moment: datetime) -> tuple[str, Decimal | None, str | None, datetime | None]:
        tariff = self.tariffs[location]
        wall = moment.astimezone(ZoneInfo("Europe/Oslo"))
        intervals = tariff["tariffIntervals"]
        if wall.date() in self.holidays and tariff["holidayTariffIntervals"]:
            intervals = tariff["holidayTariffIntervals"]
        clock, day = f"{wall:%H:%M}", f"{wall:%A}".lower()
        (kind,) = {
            interval["tariffType"].lower()
            for interval in intervals
            if day in map(str.lower, interval["daysOfWeek"])
            and (interval["startTime"] or "00:00") <= clock < (interval["endTime"] or "24:00")
        }
        if kind == "dynamic":
            for minutes in (0, 15, 30, 45):
                slot = self.slots.get((location, moment - timedelta(minutes=minutes)))
                if slot:
                    return "Dynamic", as_decimal(slot["price"]), slot["currency"], moment - timedelta(minutes=minutes)
            return "Dynamic", None, None, None
        (layer,) = (layer for layer in tariff["tariffs"] if layer["type"].lower() == kind)
        return layer["type"], as_decimal(layer["price"]), layer["currency"], None

    def segments(self, location: str | None, start: datetime, end: datetime) -> list[tuple]:
        """Nothing without a location or a tariff; of a session without length, the price of its moment."""
        if location not in self.tariffs:
            return []
        quarter = timedelta(minutes=15)
        first = start - (start - datetime(2020, 1, 1, tzinfo=UTC)) % quarter
        quarters = [first + n * quarter for n in range(max(1, -((first - end) // quarter)))]
        found = []
        for price, group in groupby(quarters, key=lambda moment: self.at(location, moment)):
            moments = list(group)
            begins, ends = max(moments[0], start), min(moments[-1] + quarter, end)
            found.append((begins, ends, *price[:3]))
        return found
