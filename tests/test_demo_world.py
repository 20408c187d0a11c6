"""The demo's world against its source file, read another way."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from dateutil.easter import easter as calendars_easter
from hypothesis import given
from hypothesis import strategies as st
from support.demo_inside import Inside, inside, whole_world
from support.demo_source import source_prices, source_rows
from support.lake_tariffs import public_holidays

from demo.world.build import build_world, end_of_day_ms, shift_until
from demo.world.charging import bill, energy_by_segment
from demo.world.holidays import easter, is_holiday
from demo.world.prices import spot_price
from demo.world.source import SourceSession, source_price
from demo.world.tariffs import DAYS, Segment, Tariff, segments
from demo.world.times import HOUR_MS, MINUTE_MS, Shift, iso, to_ms

OSLO = ZoneInfo("Europe/Oslo")


def instant(text: str) -> datetime:
    assert len(text) == len("2024-03-01T18:02:11.000Z")
    return datetime.fromisoformat(text)


@pytest.fixture(scope="module")
def tenant() -> Inside:
    return inside(whole_world())


@pytest.fixture(scope="module")
def sessions(tenant):
    """The sessions as the tenant tells them, oldest first, which is nearly the source's order."""
    return tenant.truth("sessions")[::-1]


def test_everything_of_the_source_is_there(tenant, sessions):
    rows = source_rows()
    assert len(sessions) == len(rows) == 6878
    assert sum(Decimal(str(item["chargedEnergy"])) for item in sessions) == Decimal("87493.28")
    assert sorted(Decimal(str(item["chargedEnergy"])) for item in sessions) == sorted(r.energy_kwh for r in rows)
    assert (
        Counter(item["userId"] for item in sessions).most_common()[0][1]
        == (Counter(row.user for row in rows).most_common()[0][1])
    )
    assert len(tenant.truth("users")) == len(tenant.truth("vehicles")) == len({row.user for row in rows}) == 97
    locations = tenant.truth("charging_locations")
    assert len(locations) == len({(row.user, row.garage) for row in rows}) == 112
    addresses = {(item["address"]["street"], item["address"]["houseNumber"]) for item in locations}
    assert len(addresses) == len({row.garage for row in rows}) == 24


@pytest.mark.parametrize("today", ["2026-11-20", "2024-02-29"])
def test_wall_clock_and_weekdays_are_kept(today):
    """Every start and end shows the source's minute on clocks in Oslo, a whole number of weeks later."""
    shift = shift_until(end_of_day_ms(datetime.fromisoformat(today).date()))
    world = build_world(shift)
    assert world.start_ms <= end_of_day_ms(datetime.fromisoformat(today).date()) < world.start_ms + 7 * 24 * HOUR_MS + 1
    skipped = 0
    for row, session in zip(source_rows(), world.sessions, strict=True):
        for wall, ms in ((row.start, session.start_ms), (row.end, session.end_ms)):
            assert (wall is None) == (ms is None)
            if wall is None:
                continue
            expected = wall + timedelta(weeks=shift.weeks)
            shown = datetime.fromtimestamp(ms / 1000, OSLO).replace(second=0, microsecond=0, tzinfo=None)
            if shown != expected:
                # Only a time that spring skips on the tenant's day cannot be shown.
                assert expected.replace(tzinfo=OSLO).astimezone(timezone.utc).astimezone(OSLO).hour != expected.hour
                skipped += 1
            assert expected.weekday() == wall.weekday()
        assert session.end_ms is None or session.end_ms >= session.start_ms
    assert skipped <= 4


def test_a_skipped_hour_never_ends_before_it_starts():
    """29 March 2026, 02:00 to 03:00 does not exist in Oslo; 25 October 2026 has it twice."""
    shift = Shift(0)
    gap_start, gap_end = datetime(2026, 3, 29, 2, 30), datetime(2026, 3, 29, 3, 10)
    assert iso(shift.to_ms(gap_start)) == "2026-03-29T01:30:00.000Z"
    assert iso(shift.to_ms(gap_end)) == "2026-03-29T01:10:00.000Z"
    assert iso(shift.to_ms(datetime(2026, 10, 25, 2, 30))) == "2026-10-25T00:30:00.000Z"
    world = build_world(shift, sources=[SourceSession(1, "a", "b", gap_start, gap_end, 1.0)])
    assert world.sessions[0].start_ms == world.sessions[0].end_ms


def test_the_clock_starts_when_the_last_day_is_over(sessions):
    now = to_ms(datetime(2026, 11, 23, 20, 45, tzinfo=timezone.utc))
    world = build_world(shift_until(now))
    assert iso(world.start_ms) == "2026-11-20T23:00:00.000Z"
    assert max(session.end_ms or session.start_ms for session in world.sessions) < world.start_ms <= now
    exactly = shift_until(world.start_ms)
    assert exactly == world.shift
    assert shift_until(world.start_ms - 1).weeks == world.shift.weeks - 1


def test_ids_do_not_depend_on_the_anchor_or_the_seed():
    here, there = whole_world(), build_world(Shift(300), seed=7)
    assert [s.id for s in here.sessions] == [s.id for s in there.sessions]
    assert list(here.households) == list(there.households)
    assert here.sessions[0].id == "4a4f59cb-96c0-5c0d-8672-5a996487a25e"
    assert build_world(Shift(300), seed=7) == there
    assert [h.user.first_name for h in here.households.values()] != [
        h.user.first_name for h in there.households.values()
    ]


def test_the_oddities_stay(sessions):
    rows = source_rows()
    open_ends = [item for item in sessions if item["endTime"] is None]
    assert len(open_ends) == sum(row.end is None for row in rows) == 34
    for item in open_ends:
        assert item["status"] == "Active"
        assert item["calibrationState"] in {"NotStarted", "InProgress", "Complete"}
        assert (item["chargeCosts"], item["savings"], item["currency"]) == (None, None, None)
        assert item["chargedEnergy"] > 0
    ended = [item for item in sessions if item["endTime"] is not None]
    assert {item["status"] for item in ended} == {"Complete", "ForceEnded"}
    assert {item["calibrationState"] for item in ended} == {None}
    assert sum(i["startTime"] == i["endTime"] for i in ended) == sum(row.start == row.end for row in rows) == 17
    twice = Counter((item["userId"], item["startTime"]) for item in sessions)
    assert Counter(twice.values()) == Counter(Counter((row.user, row.start) for row in rows).values())
    longest = max(instant(i["endTime"]) - instant(i["startTime"]) for i in ended)
    assert longest > timedelta(days=10)


def test_order_within_a_user_is_kept_by_the_added_seconds(sessions):
    world = whole_world()
    by_user: dict[str, list] = {}
    for row, session in zip(source_rows(), world.sessions, strict=True):
        by_user.setdefault(row.user, []).append((row, session))
    for pairs in by_user.values():
        for (earlier, first), (later, second) in itertools.pairwise(pairs):
            assert first.start_ms <= second.start_ms
            if earlier.end is not None and earlier.end <= later.start:
                assert first.end_ms <= second.start_ms
    assert len({session.start_ms % MINUTE_MS for session in world.sessions}) > 5000


def test_creation_comes_before_use(tenant, sessions):
    users = {item["id"]: item for item in tenant.truth("users")}
    locations = {item["id"]: item for item in tenant.truth("charging_locations")}
    vehicles = {item["id"]: item for item in tenant.truth("vehicles")}
    assert len({item["userId"] for item in vehicles.values()}) == 97
    for item in (*locations.values(), *vehicles.values()):
        assert item["createdAt"] >= users[item["userId"]]["createdAt"]
    for item in (*locations.values(), *users.values()):
        assert item["createdAt"] <= item["updatedAt"]
    for item in sessions:
        assert users[item["userId"]]["createdAt"] < item["startTime"]
        assert vehicles[item["vehicleId"]]["createdAt"] <= item["startTime"]
        assert vehicles[item["vehicleId"]]["userId"] == item["userId"]
        if item["chargingLocationId"] is not None:
            assert locations[item["chargingLocationId"]]["userId"] == item["userId"]
            assert locations[item["chargingLocationId"]]["createdAt"] <= item["startTime"]


def test_who_is_managed(tenant, sessions):
    vehicles = {item["id"]: item for item in tenant.truth("vehicles")}
    for item in sessions:
        able = {"StartStopCharging", "GeoLocation"} <= set(vehicles[item["vehicleId"]]["capabilities"])
        if not able or item["chargingLocationId"] is None:
            assert not item["isManaged"]
        if item["status"] == "ForceEnded":
            assert item["isManaged"]
    unmanaged = sum(not item["isManaged"] for item in sessions)
    assert 0.05 < unmanaged / len(sessions) < 0.5
    assert sum(item["chargingLocationId"] is None for item in sessions) > 50


def test_a_forced_end_is_followed_by_an_unmanaged_session(sessions):
    by_user: dict[str, list[dict]] = {}
    for item in sessions:
        by_user.setdefault(item["userId"], []).append(item)
    forced = 0
    for items in by_user.values():
        for item in items:
            if item["status"] == "ForceEnded":
                forced += 1
                end = instant(item["endTime"])
                after = [i for i in items if timedelta(0) <= instant(i["startTime"]) - end < timedelta(minutes=2)]
                assert any(not i["isManaged"] for i in after)
    assert forced > 20


def test_money_agrees_with_a_model_of_single_minutes(sessions):
    """Costs and savings again, minute by minute, for every 50th session."""
    world = whole_world()
    items = {item["id"]: item for item in sessions}
    seen = Counter()
    for session in world.sessions[::50]:
        item = items[session.id]
        tariff = session.location.tariff if session.location else None
        if tariff is None or session.end_ms is None:
            assert item["chargeCosts"] is item["savings"] is item["currency"] is None
            seen["none"] += 1
            continue
        minutes = range(session.start_ms, session.end_ms, MINUTE_MS)
        prices = [segments(tariff, ms, ms)[0].price for ms in minutes]
        needed = min(session.energy_kwh / session.power_kw * 60, (session.end_ms - session.start_ms) / MINUTE_MS)
        if not prices:
            continue
        whole = max(1, min(round(needed), len(prices)))
        at_once = sum(prices[:whole]) / whole * session.energy_kwh
        cheapest = sum(sorted(prices)[:whole]) / whole * session.energy_kwh
        expected = cheapest if session.is_managed else at_once
        # A minute more or less at another price is what the model cannot see.
        slack = 0.001 + (max(prices) - min(prices)) * session.energy_kwh * 2 / whole
        assert item["chargeCosts"] == pytest.approx(expected, abs=slack)
        assert item["savings"] == pytest.approx(at_once - expected, abs=slack)
        assert item["currency"] == "NOK"
        seen[next(iter(tariff.prices))] += 1
    assert set(seen) == {"none", "Standard", "Peak", "Dynamic"}


def test_money_is_null_zero_or_more_as_the_tariff_says(sessions):
    locations = {
        location.id: location.tariff
        for household in whole_world().households.values()
        for location in household.locations.values()
    }
    for item in sessions:
        tariff = locations.get(item["chargingLocationId"])
        if tariff is None or item["endTime"] is None:
            assert item["chargeCosts"] is None
            continue
        assert item["savings"] >= 0
        assert all(round(item[name], 4) == item[name] for name in ("chargeCosts", "savings"))
        if not item["isManaged"] or tariff.is_flat:
            assert item["savings"] == 0
        if tariff.is_flat:
            assert item["chargeCosts"] == pytest.approx(item["chargedEnergy"] * tariff.prices["Standard"], abs=1e-4)
    assert sum(item["savings"] or 0 for item in sessions) > 1000


def test_tariff_intervals_cover_every_hour_of_the_week_once():
    kinds = Counter()
    for household in whole_world().households.values():
        for location in household.locations.values():
            if location.tariff is None:
                kinds["none"] += 1
                continue
            kinds["/".join(location.tariff.prices)] += 1
            for day in DAYS:
                for hour in range(24):
                    hits = [i for i in location.tariff.intervals if day in i.days and i.from_hour <= hour < i.to_hour]
                    assert len(hits) == 1
                    assert hits[0].type in location.tariff.prices
    assert set(kinds) == {"none", "Standard", "Peak/OffPeak", "Peak/OffPeak/SuperOffPeak", "Dynamic"}
    assert min(kinds.values()) >= 5


@given(
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)),
    hours=st.floats(0, 300),
    kind=st.sampled_from(["Dynamic", "Peak"]),
)
def test_segments_have_no_gaps_and_the_right_price(start, hours, kind):
    tariffs = [loc.tariff for h in whole_world().households.values() for loc in h.locations.values() if loc.tariff]
    tariff: Tariff = next(tariff for tariff in tariffs if kind in tariff.prices)
    start_ms = to_ms(start.replace(tzinfo=timezone.utc))
    end_ms = start_ms + int(hours * HOUR_MS)
    found = segments(tariff, start_ms, end_ms)
    assert found[0].start_ms == start_ms
    assert found[-1].end_ms == end_ms
    assert all(a.end_ms == b.start_ms for a, b in itertools.pairwise(found))
    middle = found[len(found) // 2]
    wall = datetime.fromtimestamp(middle.start_ms / 1000, OSLO)
    if kind == "Dynamic":
        assert middle.end_ms - middle.start_ms <= tariff.slot_minutes * MINUTE_MS
        assert middle.type == "Dynamic"
    elif tariff.holiday_intervals is None:
        expected = [
            i.type for i in tariff.intervals if DAYS[wall.weekday()] in i.days and i.from_hour <= wall.hour < i.to_hour
        ]
        assert [middle.type] == expected
        assert middle.price == tariff.prices[middle.type]


@given(
    prices=st.lists(st.floats(-1, 3, allow_nan=False), min_size=1, max_size=30),
    energy=st.floats(0.01, 80),
    power=st.floats(2, 22),
    managed=st.booleans(),
)
def test_all_energy_is_charged_once_and_steering_never_costs_more(prices, energy, power, managed):
    spans = [Segment(i * HOUR_MS, (i + 1) * HOUR_MS, "Dynamic", price) for i, price in enumerate(prices)]
    taken = energy_by_segment(spans, energy, power, managed=managed)
    assert sum(taken) == pytest.approx(energy)
    assert all(kwh <= max(power, energy / len(spans)) * 1.000001 for kwh in taken)
    at_once = energy_by_segment(spans, energy, power, managed=False)
    steered = energy_by_segment(spans, energy, power, managed=True)
    cost = [sum(kwh * price for kwh, price in zip(way, prices, strict=True)) for way in (at_once, steered)]
    assert cost[1] <= cost[0] + 1e-9


def test_a_bill_without_length_takes_the_price_of_its_moment():
    location = next(
        location for location in whole_world().location_by_id.values() if location.tariff and location.tariff.is_dynamic
    )
    at = to_ms(datetime(2026, 5, 1, 12, 20, tzinfo=timezone.utc))
    money = bill(location, at, at, 2.0, 11.0, managed=True)
    assert money.costs == pytest.approx(2 * segments(location.tariff, at, at)[0].price)
    assert money.savings == 0


def test_prices_are_the_sources_own():
    prices = source_prices()
    assert source_price(datetime(2022, 1, 1).date(), 0) == 0.08202
    assert {(day, hour): source_price(day, hour) for day, hour in prices} == prices
    assert min(prices.values()) < 0
    assert len(prices) > 22000


@pytest.mark.parametrize("year", [2019, 2026, 2040])
def test_every_hour_has_the_price_of_its_weekday_in_the_source(year):
    prices = source_prices()
    start_ms = to_ms(datetime(year, 1, 1, tzinfo=timezone.utc))
    kept = 0
    for hour_ms in range(start_ms, start_ms + 366 * 24 * HOUR_MS, HOUR_MS):
        wall = datetime.fromtimestamp(hour_ms / 1000, OSLO)
        weeks = (wall.date() - datetime(2023, 7, 3).date()).days // 364 * 52
        day = wall.date() - timedelta(weeks=weeks)
        assert day.weekday() == wall.weekday()
        if (day, wall.hour) in prices:
            assert spot_price(hour_ms, 60) == pytest.approx(prices[day, wall.hour] * 11.5, abs=1e-4)
            kept += 1
        else:
            assert spot_price(hour_ms, 60) == pytest.approx(prices[day, wall.hour - 1] * 11.5, abs=1e-4)
        quarters = [spot_price(hour_ms + i * 15 * MINUTE_MS, 15) for i in range(4)]
        assert sum(quarters) / 4 == pytest.approx(spot_price(hour_ms, 60), abs=1e-4)
    assert kept >= 366 * 24 - 2


def test_holidays_are_those_of_the_calendar_and_of_the_warehouse():
    assert [easter(year) for year in range(1900, 2200)] == [calendars_easter(year) for year in range(1900, 2200)]
    theirs = {day for country, day in public_holidays() if country == "NO"}
    days = (date(2015, 1, 1) + timedelta(days=n) for n in range(21 * 365 + 5))
    assert {day for day in days if is_holiday(day)} == theirs
    assert len(theirs) >= 21 * 11
