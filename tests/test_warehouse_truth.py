"""Every figure of two tenants, published, against what their JSON says, worked out by another program in another way.

All rows, money to the cent and finer. The second tenant is compared again after nights of incremental builds.
"""

from __future__ import annotations

import math
import random
import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from support.demo_warehouse import DemoWarehouse
from support.json_truth import (
    Addresses,
    Prices,
    Told,
    as_decimal,
    as_row,
    days_of_sun,
    demo_costs,
    moment_of,
    months,
    other_costs,
    unmanaged_reason,
)
from support.lake_data import at
from support.lake_tariffs import expected_plug_ins
from support.other_tenant import serving
from support.other_under import FullTenant, full
from support.syncing import sync

from pipelines.settings import LakeSettings
from pipelines.sync import Status
from warehouse.build import BuildReport, build
from warehouse.publish import publish

TABLES = ("financials", "rewards", "payouts", "session_tariffs", "location_tariffs", "dynamic_tariffs", "solar_energy")
TABLES += ("utility_contracts", "messages")
LISTS = ("users", "vehicles", "charging_locations", "sessions")
CLOCKS_CHANGE = (at("2026-03-29T01:00"), at("2026-10-25T01:00"), at("2025-10-26T01:00"))
CENT = Decimal("0.005")

pytestmark = [pytest.mark.usefixtures("warm_dbt"), pytest.mark.timeout(3600)]


@dataclass
class Pulled:
    """A tenant's JSON, and what was built and published from its answers."""

    name: str
    told: Told
    settings: LakeSettings
    report: BuildReport | None = None

    def rows(self, sql: str) -> list[dict[str, Any]]:
        with duckdb.connect(str(self.settings.build_file), read_only=True) as connection:
            connection.execute("set TimeZone = 'UTC'")
            return connection.sql(sql).to_arrow_table().to_pylist()


def of_demo(warehouse: DemoWarehouse) -> Pulled:
    return Pulled("demo", {name: warehouse.truth(name) for name in (*LISTS, *TABLES)}, warehouse.settings)


def told_by(tenant: FullTenant) -> Told:
    lists = {name: list(tenant.rows[name.replace("_", "-")].values()) for name in LISTS}
    return lists | {name: tenant.truth(name) for name in TABLES}


def of_other(home: Path, nights: int) -> Pulled:
    """Eight months, in which clocks changed twice; addresses in three countries, money in three currencies."""
    tenant, settings = full(3, users=14, sessions=150, days=240), LakeSettings(home=home)
    for night in range(nights + 1):
        if night:
            tenant.night(random.Random(night))
        with serving(tenant) as env:
            is_last = night == nights
            assert sync(env, home, ask_all_parents=10_000, deep=is_last).status is Status.COMPLETE
        report = build(settings)
    publish(settings)
    assert report.is_full == (nights == 0)
    return Pulled("other" if nights == 0 else "other, nights later", told_by(tenant), settings, report)


NIGHTS_OF_OTHER = {"other": 0, "nights later": 3}
LATER = pytest.param("nights later", marks=pytest.mark.thorough)


@pytest.fixture(scope="module", params=["demo", "other", LATER])
def pulled(request, tmp_path_factory) -> Pulled:
    if request.param == "demo":
        return of_demo(request.getfixturevalue("demo_warehouse"))
    return of_other(tmp_path_factory.mktemp("home"), NIGHTS_OF_OTHER[request.param])


@pytest.fixture(scope="module")
def addresses(pulled) -> Addresses:
    return Addresses(pulled.told)


@pytest.fixture(scope="module")
def prices(pulled, addresses) -> Prices:
    return Prices(pulled.told, addresses)


def by_key(rows: list[dict], *key: str) -> dict[tuple, dict]:
    keyed = {tuple(row[name] for name in key): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def test_sessions_are_those_of_the_tenant(pulled, addresses):
    facts = by_key(pulled.rows("select * from marts.fct_sessions"), "session_id")
    assert facts.keys() == {(row["id"],) for row in pulled.told["sessions"]}
    for session in pulled.told["sessions"]:
        fact = facts[session["id"],]
        start, end = (session[name] and moment_of(session[name]) for name in ("startTime", "endTime"))
        assert (fact["started_at"], fact["ended_at"]) == (start, end)
        assert fact["duration_minutes"] == (end and (end - start) / timedelta(minutes=1))
        local = addresses.local(session["chargingLocationId"], session["startTime"])
        assert (fact["start_local"], fact["local_date"], fact["local_hour"]) == (local, local.date(), local.hour)
        for ours, theirs in (("charge_costs", "chargeCosts"), ("savings", "savings")):
            assert fact[ours] == (None if session[theirs] is None else as_decimal(session[theirs]))
        assert (fact["currency"], fact["energy_kwh"]) == (session["currency"], session["chargedEnergy"])
        assert (fact["is_managed"], fact["status"]) == (session["isManaged"], session["status"])


def test_costs_are_what_the_intervals_of_the_tariffs_say(pulled, prices):
    """From the locations' weekly intervals, holidays and dynamic slots, not from what sessions say of their prices."""
    if pulled.name == "other, nights later":
        pytest.skip("its tariffs were overwritten and its costs corrected by hand meanwhile")
    facts = by_key(pulled.rows("select * from marts.fct_sessions"), "session_id")
    compared = 0
    for session in pulled.told["sessions"]:
        fact = facts[session["id"],]
        if session["endTime"] is None or session["chargingLocationId"] not in prices.tariffs:
            assert fact["charge_costs"] is None
            continue
        bounds = (moment_of(session[name]) for name in ("startTime", "endTime"))
        segments = prices.segments(session["chargingLocationId"], *bounds)
        if pulled.name == "demo":
            costs, savings = demo_costs(session, segments)
            assert abs(fact["savings"] - savings) < CENT
        else:
            costs = other_costs(session, segments)
        assert abs(fact["charge_costs"] - costs) < CENT
        compared += 1
    assert compared > 75


def test_prices_over_sessions_are_what_the_tariffs_and_the_sessions_say(pulled, prices):
    """Quarter by quarter: by the models from the tariffs, and as the tenant itself tells them for each session."""
    if pulled.name == "other, nights later":
        pytest.skip("its tariffs were overwritten meanwhile: told for a session is what held then")
    names = "session_id, started_at, ended_at, tariff_type, price_per_kwh, currency"
    model = sorted(tuple(row.values()) for row in pulled.rows(f"select {names} from staging.stg_session_prices"))
    expected, said = [], {}
    for row in pulled.told["session_tariffs"]:
        said.setdefault(row["sessionId"], []).append(row)
    for session in pulled.told["sessions"]:
        if session["endTime"] is None:
            continue
        start, end = (moment_of(session[name]) for name in ("startTime", "endTime"))
        segments = prices.segments(session["chargingLocationId"], start, end)
        expected += [(session["id"], *segment) for segment in segments]
        parts = sorted(said.get(session["id"], []), key=lambda part: part["startTime"])
        assert bool(parts) == bool(segments)
        for begins, ends, *price in segments:
            (part,) = (
                part
                for part in parts
                if moment_of(part["startTime"]) <= begins
                and (begins < moment_of(part["endTime"]) or part["startTime"] == part["endTime"])
            )
            assert [part["tariffType"], as_decimal(part["price"]), part["currency"]] == price
            assert ends <= moment_of(part["endTime"])
    assert model == sorted(expected)
    on_holidays = {
        (place, local.date())
        for place, local in (
            (row["chargingLocationId"], prices.addresses.local(row["chargingLocationId"], row["startTime"]))
            for row in pulled.told["sessions"]
            if row["chargingLocationId"] in prices.tariffs
        )
        if prices.is_holiday(place, local.date()) and prices.tariffs[place]["holidayTariffIntervals"]
    }
    assert len(on_holidays) >= (5 if pulled.name == "demo" else 1)


@pytest.mark.parametrize("change", CLOCKS_CHANGE, ids=str)
def test_the_price_at_any_quarter_around_a_change_of_the_clocks(pulled, prices, change):
    if pulled.name == "other, nights later":
        pytest.skip("its tariffs were overwritten meanwhile")
    moments = [change + n * timedelta(minutes=15) for n in range(-32, 33)]
    asked = [(place, moment) for place in prices.tariffs for moment in moments]
    with duckdb.connect(str(pulled.settings.published_file.resolve()), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create temp table asked (place varchar, moment timestamptz)")
        connection.executemany("insert into asked values (?, ?)", asked)
        told = connection.execute(
            "select asked.place, asked.moment, price.* from asked, lateral marts.price_at(asked.place, asked.moment) as price"
        ).fetchall()
    expected = [(*key, *prices.at(*key)[:3]) for key in asked if key[1] >= prices.created[key[0]]]
    assert sorted(told, key=repr) == sorted(expected, key=repr)
    assert len({row[2] for row in told}) > 2 or change < at("2026-01-01")


def test_months_are_sums_of_the_tenants_money(pulled, addresses):
    grain = ("user_id", "local_month", "currency")
    built = by_key(pulled.rows("select * from marts.agg_monthly_user_benefits"), *grain)
    expected = months(pulled.told, addresses)
    assert built.keys() == expected.keys()
    for key, truth in expected.items():
        row = built[key]
        assert row["sessions"] == truth.get("sessions", 0), key
        for name in ("charge_costs", "savings", "rewards", "benefits", "rewards_paid_out", "paid_out"):
            assert row[name] == truth.get(name), (key, name)
        assert math.isclose(row["energy_kwh"] or 0, truth.get("energy_kwh", 0), abs_tol=1e-9)
    facts = pulled.rows("select * from marts.fct_financials")
    assert len(facts) == len(pulled.told["financials"])
    assert all(row["agrees_with_session"] for row in facts)


def test_days_of_sun_and_what_it_covers(pulled, addresses):
    days = by_key(pulled.rows("select * from marts.agg_daily_solar"), "charging_location_id", "local_date")
    expected = days_of_sun(pulled.told, addresses)
    assert days.keys() == expected.keys()
    for name in ("energy_kwh", "charged_kwh", "estimated_solar_kwh"):
        wrong = [key for key in days if not math.isclose(days[key][name] or 0, expected[key][name], abs_tol=1e-4)]
        assert wrong == [], name
    assert sum(day["estimated_solar_kwh"] for day in expected.values()) > 0


def test_plug_ins_are_chains_of_forced_ends(pulled):
    built = {tuple(row["session_ids"]) for row in pulled.rows("select * from marts.fct_plug_ins")}
    assert built == expected_plug_ins([as_row(row) for row in pulled.told["sessions"]])
    if pulled.name == "demo":
        assert sum(len(ids) == 2 for ids in built) > 20


def test_sessions_of_the_demo_tenant_are_explained(pulled):
    if pulled.name != "demo":
        pytest.skip("its drivers switch smart charging off")
    told, facts = pulled.told, pulled.rows("select * from marts.fct_sessions")
    assert {row["session_id"]: row["unmanaged_reason"] for row in facts} == {
        row["id"]: unmanaged_reason(row, told) for row in told["sessions"]
    }
    reasons = [row["unmanaged_reason"] for row in facts]
    assert min(map(reasons.count, ("unknown_location", "missing_capability", "after_forced_end"))) > 5


def personal_values(told: Told) -> set[str]:
    """What names a person, a house or a meter, as text; a house's number of one or two digits is any number, too."""
    found = {row[name] for row in told["users"] for name in ("firstName", "lastName", "email")}
    found |= {
        row["externalData"] for row in told["users"] if not re.fullmatch(r"[\w.:/#-]+", row["externalData"] or "")
    }
    for row in told["charging_locations"]:
        found |= {row["address"][name] for name in ("street", "houseNumber", "postalCode")}
        found |= {text for text in map(str, row["coordinates"].values()) if len(text) > 7}
    found |= {row[name] for row in told["utility_contracts"] for name in ("contractNumber", "meterCode")}
    found |= {row[name] for row in told["messages"] for name in ("title", "body")}
    return {text for text in found if text and len(text) > 2}


def test_no_cell_of_the_published_file_holds_a_personal_value(pulled):
    """Every column of every schema, lists and records inside too: no cell is such a value, none holds a long one."""
    with duckdb.connect(str(pulled.settings.published_file.resolve()), read_only=True) as connection:
        columns = connection.execute(
            "select schema_name, table_name, column_name, data_type like '%VARCHAR%' from duckdb_columns() where not internal"
        ).fetchall()
        cells: dict[bool, set[str]] = {True: set(), False: set()}
        for schema, table, column, is_text in columns:
            held = connection.execute(f'select distinct "{column}"::varchar from "{schema}"."{table}"').fetchall()
            cells[is_text] |= {value for (value,) in held if value is not None}
    assert {schema for schema, *_ in columns} == {"marts", "ops"}
    personal = personal_values(pulled.told)
    long = {value for value in personal if len(value) > 7}
    assert len(long) > 25
    assert not personal & cells[True]
    assert not long & cells[False]
    text = "\n".join(cells[True])
    assert [value for value in long if value in text] == []


def test_no_good_row_of_the_second_tenant_is_warned_of(pulled):
    if pulled.report is None:
        pytest.skip("the demo tenant's build is that of every other test")
    assert {node.name for node in pulled.report.warnings} == set()


def test_the_api_counts_every_closed_month_as_we_do(pulled):
    """What a deep run asked: months that had ended, each with the sessions that began in it."""
    if pulled.name == "demo":
        pytest.skip("it is pulled by one ordinary night, which counts no month")
    counts = by_key(pulled.rows("select * from ops.reconciliation"), "collection", "month")
    truth = Counter(session["startTime"][:7] + "-01" for session in pulled.told["sessions"])
    assert len(counts) > 5
    for (collection, month), count in counts.items():
        expected = truth[month.isoformat()]
        assert (collection, count["api_rows"], count["held_rows"]) == ("sessions", expected, expected)
        assert count["difference"] == 0
