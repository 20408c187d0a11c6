"""Financials, benefits, payouts, messages and what was known when, against figures worked out without SQL."""

import copy
import math
import random
import shutil
from collections import Counter, defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from support.build_file import build_models, run_models
from support.lake_data import Lake, Tenant, at, first_night, run_record, second_night
from support.lake_money import (
    Money,
    content,
    current,
    expected_financials,
    expected_months,
    money_night,
    money_second_night,
    month_of,
)

from pipelines.contract import RESOURCES
from pipelines.settings import LakeSettings
from warehouse.build import BuildReport, build, prepare
from warehouse.dbt import run_dbt
from warehouse.project import PROJECT_FOLDER

pytestmark = pytest.mark.usefixtures("warm_dbt")

FIRST, SECOND = at("2026-11-01"), at("2026-11-08")
MODELS = (
    "fct_financials",
    "agg_monthly_user_benefits",
    "fct_payouts",
    "fct_messages",
    "sessions_history",
    "users_history",
    "agg_daily_kpis",
)
MONTH_GRAIN = ("user_id", "local_month", "currency")


def rows_of(settings: LakeSettings, table: str) -> list[dict]:
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        return connection.sql(f"select * from {table}").to_arrow_table().to_pylist()


def by_key(settings: LakeSettings, table: str, *key: str) -> dict[tuple, dict]:
    rows = rows_of(settings, table)
    keyed = {tuple(row[name] for name in key): row for row in rows}
    assert len(keyed) == len(rows)
    return keyed


def assert_months(settings: LakeSettings, expected: dict[tuple, dict]) -> None:
    built = by_key(settings, "marts.agg_monthly_user_benefits", *MONTH_GRAIN)
    assert built.keys() == expected.keys()
    for key, truth in expected.items():
        row = built[key]
        assert row["sessions"] == truth.get("sessions", 0), key
        for name in ("charge_costs", "savings", "rewards", "benefits", "rewards_paid_out", "paid_out"):
            assert row[name] == truth.get(name), (key, name)
        assert (row["energy_kwh"] is None) == ("energy_kwh" not in truth)
        assert math.isclose(row["energy_kwh"] or 0, truth.get("energy_kwh", 0), abs_tol=1e-9)


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def data(home) -> tuple[Lake, Tenant, Money]:
    lake, tenant = first_night(home / "lake")
    return lake, tenant, money_night(lake, tenant)


@pytest.fixture(scope="module")
def night(home, data) -> tuple[LakeSettings, Lake, BuildReport]:
    """The first night, built; tests of this module read it and write nothing."""
    settings = LakeSettings(home=home)
    return settings, data[0], build(settings)


def test_financials_are_what_python_makes_of_the_lake(night):
    settings, lake, _ = night
    expected = expected_financials(lake, FIRST)
    built = by_key(settings, "marts.fct_financials", "user_id", "session_id")
    assert built.keys() == expected.keys()
    assert [built[key] for key in expected] == list(expected.values())
    for name in ("agrees_with_session", "is_provisional", "is_reward_paid_out"):
        assert {row[name] for row in built.values()} >= {True, False}, name
    assert {(row["currency"], row["reward_currency"]) for row in built.values()} > {("NOK", "EUR"), (None, "NOK")}
    assert any(row["energy_kwh"] is None and row["reward_amount"] is not None for row in built.values())


def test_monthly_benefits_are_sums_of_one_currency(night):
    settings, lake, _ = night
    expected = expected_months(lake, expected_financials(lake, FIRST))
    assert {key[2] for key in expected} == {"NOK", "EUR", "GBP", None}
    assert_months(settings, expected)


def test_differing_figures_warn_and_do_not_stop_the_build(night):
    warned = {node.name for node in night[2].warnings}
    assert "fct_financials_agree_with_sessions" in warned
    assert "fct_financials_amounts_have_a_currency" in warned
    assert "reward_balances_agree_with_rewards" in warned


def test_payouts_and_messages_are_those_of_the_lake(night):
    settings, lake, _ = night
    payouts = by_key(settings, "marts.fct_payouts", "payout_id")
    assert payouts.keys() == current(lake, "payouts").keys()
    for key, row in current(lake, "payouts").items():
        assert (payouts[key]["amount"], payouts[key]["status"]) == (row["amount"], row["status"])
        assert payouts[key]["local_month"] == month_of(row["created_at"])
        assert payouts[key]["days_to_pay"] is None, "nobody saw it on its way"
    messages = by_key(settings, "marts.fct_messages", "message_id")
    assert {key: row["type"] for key, row in messages.items()} == {
        key: row["type"] for key, row in current(lake, "messages").items()
    }


def test_freshness_has_every_table_of_the_lake(night):
    settings, lake, _ = night
    rows = {row["collection"]: row for row in rows_of(settings, "ops.freshness")}
    assert list(rows) == list(RESOURCES)
    assert {name: row["versions_held"] for name, row in rows.items()} == {
        name: len(lake.versions[name]) for name in RESOURCES
    }
    reached = {row["collection"]: row["watermark"] for row in lake.versions["_runs"]}
    assert {name: row["complete_until"] for name, row in rows.items()} == {name: reached.get(name) for name in rows}


def test_freshness_keeps_how_far_it_came_when_the_last_run_failed(tmp_path):
    lake = Lake(str(tmp_path / "lake"))
    good, bad = run_record(FIRST, "rewards"), run_record(SECOND, "rewards")
    lake.append("_runs", [good, bad | {"status": "failed", "watermark": None, "parents_failed": 3}], FIRST)
    settings = LakeSettings(home=tmp_path)
    prepare(settings)
    run_dbt(settings, "build", "--select", "+freshness")
    row = next(row for row in rows_of(settings, "ops.freshness") if row["collection"] == "rewards")
    assert (row["complete_until"], row["last_status"], row["parents_failed"]) == (FIRST, "failed", 3)
    assert row["last_complete_at"] < row["last_finished_at"]


@pytest.fixture(scope="module")
def later(data, home, night, tmp_path_factory) -> tuple[LakeSettings, Lake]:
    """The second night on top of the first, with rows committed while it was built, an erasure and a compaction."""
    folder = tmp_path_factory.mktemp("later")
    shutil.copytree(home, folder / "kept")
    lake, tenant, money = copy.deepcopy(data)
    lake.root = str(folder / "kept" / "lake")
    kept = LakeSettings(home=folder / "kept")
    second_night(lake, tenant)
    money_second_night(lake, money)

    assert not prepare(kept).is_full
    expected = expected_financials(lake, SECOND)
    held = [content(row) for _, row in sorted(current(lake, "financials").items())]
    lake.append("financials", [row | {"savings": Decimal(77)} for row in held[50:60]], at("2026-11-08T02:00"))
    run_models(kept, *MODELS)
    assert by_key(kept, "marts.fct_financials", "user_id", "session_id") == expected

    victim = held[70]["user_id"]
    for table in ("financials", "rewards", "sessions"):
        lake.erase(table, f"user_id = '{victim}'", lambda row: row["user_id"] == victim)
        lake.compact(table)
    one = sorted(current(lake, "rewards"))[5][1]
    lake.erase("rewards", f"session_id = '{one}'", lambda row: row["session_id"] == one)
    assert not build_models(kept, *MODELS)
    return kept, lake


def test_incremental_is_what_a_full_build_makes(later, tmp_path):
    kept, lake = later
    fresh = LakeSettings(home=tmp_path, lake=lake.root)
    assert build_models(fresh, *MODELS)
    for table in MODELS:
        ours, theirs = (sorted(map(repr, rows_of(settings, f"marts.{table}"))) for settings in (kept, fresh))
        assert ours == theirs, table


def test_after_the_second_night_figures_are_again_those_of_the_lake(later):
    settings, lake = later
    expected = expected_financials(lake, SECOND)
    built = by_key(settings, "marts.fct_financials", "user_id", "session_id")
    assert built == expected
    assert_months(settings, expected_months(lake, expected))


def test_a_payout_that_was_seen_on_its_way_tells_how_long_it_took(later):
    settings, lake = later
    first: dict[str, dict[str, datetime]] = defaultdict(dict)
    for row in lake.versions["payouts"]:
        first[row["id"]].setdefault(row["status"], row["_synced_at"])
    built = by_key(settings, "marts.fct_payouts", "payout_id")
    assert built.keys() == current(lake, "payouts").keys()
    seen = {key for (key,) in built if first[key].keys() == {"Pending", "PaidOut"}}
    assert seen
    for (key,), row in built.items():
        expected = (first[key]["PaidOut"] - row["created_at"]) / timedelta(days=1) if key in seen else None
        assert row["days_to_pay"] == (expected if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("table", "collection", "key"),
    [("sessions_history", "sessions", "session_id"), ("users_history", "users", "user_id")],
)
def test_history_gives_what_was_known_at_any_moment(later, table, collection, key):
    settings, lake = later
    stamps = sorted({row["_synced_at"] for row in lake.versions[collection]})
    moments = [moment + timedelta(seconds=shift) for moment in stamps for shift in (-1, 0, 1)]
    with duckdb.connect(str(settings.build_file), read_only=True) as connection:
        connection.execute("set TimeZone = 'UTC'")
        for moment in random.Random(3).sample(moments, min(12, len(moments))):
            versions = [row for row in lake.versions[collection] if row["_synced_at"] <= moment]
            known = Lake("", defaultdict(list, {collection: versions}))
            expected = {name: row["_synced_at"] for (name,), row in current(known, collection).items()}
            found = connection.execute(
                f"select {key}, known_from from marts.{table} "
                "where known_from <= $at and (known_until > $at or known_until is null)",
                {"at": moment},
            ).fetchall()
            assert len(found) == len(expected)
            assert dict(found) == expected


def test_sums_of_the_kpis_say_how_many_sessions_were_ended_by_force(night):
    settings, lake, _ = night
    forced = Counter(row["status"] for row in lake.current("sessions").values())["ForceEnded"]
    rows = rows_of(settings, "marts.agg_daily_kpis")
    assert sum(row["force_ended_sessions"] for row in rows) == forced
    assert all(row["force_ended_sessions_share"] == row["force_ended_sessions"] / row["sessions"] for row in rows)


def test_the_documentation_of_dbt_can_be_made(night, tmp_path):
    run_dbt(night[0], "docs", "generate", "--target-path", str(tmp_path))
    assert (tmp_path / "catalog.json").stat().st_size > 10_000
    assert not list(PROJECT_FOLDER.glob("target"))
