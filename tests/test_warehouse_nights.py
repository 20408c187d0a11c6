"""Every model after several nights of incremental builds against a full build of the same lake, row by row.

Nights change rows of every table at random: contents, tombstones, keys that come back; files are rewritten, rows are
erased, rows are committed while a build runs, and one build fails half-way.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from support.build_file import obstructed
from support.lake_data import Lake, Tenant, at, run_record
from support.lake_money import content, money_night
from support.lake_priced import priced_night
from support.lake_solar import HOUR, production

from pipelines.contract import RESOURCES
from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.build import build, prepare, record
from warehouse.dbt import run_dbt
from warehouse.project import model_tables

TABLES = model_tables("marts", "ops", "personal")
UNCHANGED = {"marts.dim_public_holidays", "marts.dim_utc_offsets"}
"""The calendar does not change by a night, while no location moves to a zone that none was in."""
CONTENTS_STAY = {"charging_locations"}
"""Whose rows are only moved, not given another's content: a swapped country would be a place on two continents."""


def first_night(root: Path) -> tuple[Lake, Tenant]:
    """A lake with rows in every table."""
    lake, tenant = priced_night(root)
    money_night(lake, tenant)
    read = at("2026-11-01T03:00")
    for place in tenant.locations[:6]:
        lake.append("solar_energy", production(1, place["id"], at("2026-10-20"), at("2026-11-01"), HOUR), read)
    settings = [
        {"session_id": row["id"], "type": "boostCharging"} for row in list(lake.current("sessions").values())[:9]
    ]
    lake.append("session_settings", settings, read)
    rates = [{"charging_location_id": place["id"], "managed_rate": Decimal(1)} for place in tenant.locations]
    lake.append("reward_rates", rates, read)
    lake.append("_runs", [run_record(at("2026-11-01"), name) for name in RESOURCES], read)
    return lake, tenant


def versions_by_key(lake: Lake, table: str) -> dict[tuple, dict]:
    """The current row of every key, tombstones included."""
    rows: dict[tuple, dict] = {}
    for row in lake.versions[table]:
        key = tuple(row[name] for name in RESOURCES[table].key_columns)
        if key not in rows or row["_synced_at"] > rows[key]["_synced_at"]:
            rows[key] = row
    return rows


def one_night(lake: Lake, tenant: Tenant, chance: random.Random, read: datetime) -> None:
    """In every table some keys get another's content, some go, some come back; new sessions, slots and sun."""
    for table, resource in RESOURCES.items():
        rows = versions_by_key(lake, table)
        if not rows:
            continue
        fixed = {*resource.key_columns, "start_month"}
        some = [rows[key] for key in chance.sample(sorted(rows, key=repr), min(len(rows), 24))]
        changed = [
            content(other if table not in CONTENTS_STAY else row) | {name: row[name] for name in fixed & row.keys()}
            for row, other in pairwise(some[:10])
        ]
        lake.append(table, changed, read)
        lake.append(table, [content(row) for row in some[9:16] if not row["_deleted"]], read, deleted=True)
        back = [row for row in rows.values() if row["_deleted"]]
        lake.append(table, [content(row) for row in chance.sample(back, len(back) // 2)], read + timedelta(minutes=5))
    lake.append("sessions", tenant.sessions(20, read - timedelta(days=2), read), read)
    sun = production(chance.randrange(99), tenant.locations[1]["id"], read - timedelta(days=2), read, HOUR)
    lake.append("solar_energy", sun, read + timedelta(minutes=1))
    lake.append("_runs", [run_record(read, name) for name in RESOURCES], read)


def rewrite(lake: Lake, chance: random.Random) -> None:
    """Files of some tables become other files, and rows of a user's session and of a place's sun are erased."""
    for table in chance.sample([name for name in RESOURCES if lake.versions[name]], 6):
        lake.compact(table)
    user = chance.choice(lake.versions["sessions"])["user_id"]
    for table in ("sessions", "financials", "rewards"):
        lake.erase(table, f"user_id = '{user}'", lambda row: row["user_id"] == user)
    place = chance.choice(lake.versions["solar_energy"])["charging_location_id"]
    for table in ("solar_energy", "dynamic_tariffs"):
        lake.erase(table, f"charging_location_id = '{place}'", lambda row: row["charging_location_id"] == place)


def differing(one: LakeSettings, other: LakeSettings) -> dict[str, int]:
    """How many rows of which tables are in one build only."""
    with duckdb.connect() as connection:
        connection.execute(f"attach '{one.build_file}' as one (read_only)")
        connection.execute(f"attach '{other.build_file}' as other (read_only)")
        found = {}
        for table in TABLES:
            mine, theirs = f"from one.{table}", f"from other.{table}"
            rows = connection.execute(
                f"select count(*) from (({mine} except all {theirs}) union all ({theirs} except all {mine}))"
            ).fetchone()[0]
            if rows:
                found[table] = rows
        return found


@pytest.mark.usefixtures("warm_dbt", "models_only")
@pytest.mark.timeout(3600)
def test_after_some_nights_every_table_is_what_a_full_build_makes(tmp_path):
    chance = random.Random(1)
    lake, tenant = first_night(tmp_path / "lake")
    kept = LakeSettings(home=tmp_path / "kept", lake=lake.root)
    build(kept)
    (tmp_path / "before").mkdir()
    before = LakeSettings(home=tmp_path / "before", lake=lake.root)
    before.build_file.parent.mkdir(parents=True)
    before.build_file.write_bytes(kept.build_file.read_bytes())

    one_night(lake, tenant, chance, at("2026-11-02T00:30"))
    assert not prepare(kept).is_full
    one_night(lake, tenant, chance, at("2026-11-03T00:30"))  # while the build of the night before runs
    run_dbt(kept, "build")
    record(kept)

    # A build that fails when some models have read the night and others have not.
    one_night(lake, tenant, chance, at("2026-11-04T00:30"))
    with obstructed(kept, "marts.agg_daily_kpis"), pytest.raises(WarehouseError, match="agg_daily_kpis failed"):
        build(kept)
    one_night(lake, tenant, chance, at("2026-11-12T00:30"))
    rewrite(lake, chance)
    assert not build(kept).is_full

    fresh = LakeSettings(home=tmp_path / "fresh", lake=lake.root)
    assert build(fresh).is_full
    assert differing(kept, fresh) == {}
    changed = {name for name in differing(before, kept) if name.startswith("marts.")}
    assert {name for name in TABLES if name.startswith("marts.")} - changed <= UNCHANGED
