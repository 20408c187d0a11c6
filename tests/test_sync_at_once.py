"""Two syncs of one lake at the same time, as processes at a real server: nothing lost, nothing twice, and each says what
it did. And an end in the past, which moves nothing back in any table."""

import json
import os
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import pairwise

import duckdb
import pytest
from deltalake import DeltaTable
from support.command import environment, run_command
from support.demo import running_tenant
from support.lake_truth import SAME, differences
from support.other_tenant import serving
from support.other_under import full
from support.syncing import sync

from pipelines.contract import PARENTS, RESOURCES
from pipelines.errors import LakeError
from pipelines.occupancy import alone, beside_others, sharing

SEEN_THE_NEXT_NIGHT = [
    "new_session",
    "late_session",
    "edited_user",
    "edited_location",
    "new_tariff",
    "new_message",
    "new_users",
]
ASKED = (
    "users",
    "vehicles",
    "charging_locations",
    "sessions",
    "location_tariffs",
    "session_tariffs",
    "financials",
    "messages",
)
STATES = {"vehicle_states", "charger_states"}
"""Which say something new with every second of the demo tenant's clock, and come with what is asked of users."""


def versions_of(lake, name):
    """Every version of every key: (key, hash, deleted) in the order in which they were read."""
    files = DeltaTable(f"{lake}/{name}").file_uris()
    keys = ", ".join(f"{part}::text" for part in RESOURCES[name].key_columns)
    if not files:
        return []
    return duckdb.sql(
        f"""select [{keys}]::text as key, _row_hash, _deleted from read_parquet({files!r}, union_by_name => true)
            order by key, _synced_at"""
    ).fetchall()


def both(home, env):
    """The reports of two `chargelake sync` that start at the same moment."""
    asked = partial(run_command, "sync", "--json", "--collections", ",".join(ASKED), environment=environment(home, env))
    with ThreadPoolExecutor(2) as threads:
        done = [future.result() for future in [threads.submit(asked) for _ in range(2)]]
    assert [one.returncode for one in done] == [0, 0], [one.stderr for one in done]
    return [json.loads(one.stdout) for one in done]


def written(reports):
    """Rows by table that the runs say they wrote."""
    rows = Counter()
    for report in reports:
        for one in report["collections"]:
            rows[one["collection"]] += sum(one[f"rows_{what}"] for what in ("new", "changed", "deleted", "restored"))
    return rows


def test_two_syncs_at_once_lose_nothing_and_double_nothing(tmp_path):
    lake, wrote = tmp_path / "lake", Counter()
    with running_tenant(users=3, newest_sessions=4) as tenant:
        for night in range(2):
            if night:
                tenant.advance(days=1)
                tenant.evolve(7, changes=12, kinds=SEEN_THE_NEXT_NIGHT)
            reports = both(tmp_path, tenant.env)
            wrote += written(reports)
            assert sorted(report["began_beside_another"] for report in reports) == [False, True]
            for name in ASKED:
                key = RESOURCES[name].key_columns
                assert differences(lake, name, tenant.truth(name), key) == SAME, (night, name)
        said = " ".join(one["message"] or "" for report in reports for one in report["collections"])
        assert "commits came second to another writer's" in said
    for name in wrote:
        held = versions_of(lake, name)
        assert all(one != next_ for one, next_ in pairwise(held)), name
        if name not in STATES:
            assert len(held) == wrote[name], name


def test_the_second_says_that_there_was_another(tmp_path):
    tenant = full(31, users=3, sessions=6, days=5)
    with serving(tenant) as env, beside_others(tmp_path) as beside_another:
        assert not beside_another
        second = run_command("sync", "--collections", "users", environment=environment(tmp_path, env))
    assert second.returncode == 0, second.stderr
    assert "Another sync of this lake was at work when this one began." in second.stdout


def test_who_must_be_alone_waits_for_nobody_and_is_waited_for(tmp_path):
    with beside_others(tmp_path), beside_others(tmp_path) as beside_another:
        assert beside_another
        with pytest.raises(LakeError, match="A sync is at work"), alone(tmp_path):
            pass
    with alone(tmp_path), pytest.raises(LakeError, match="being erased"), beside_others(tmp_path):
        pass


def test_maintenance_waits_for_nobody_and_is_no_sync(tmp_path):
    home = {"CHARGELAKE_HOME": str(tmp_path)}
    with alone(tmp_path):
        refused = run_command("maintain", environment=os.environ | home)
    assert (refused.returncode, "being erased" in refused.stderr) == (1, True)
    with sharing(tmp_path), beside_others(tmp_path) as beside_another:
        assert not beside_another


def test_a_killed_process_leaves_no_lock(tmp_path):
    held = f"""
from pathlib import Path
from pipelines.occupancy import alone
with alone(Path({str(tmp_path)!r})):
    print("held", flush=True)
    input()
"""
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"held\n"
        with pytest.raises(LakeError), beside_others(tmp_path):
            pass
        process.kill()
        process.wait()
    with beside_others(tmp_path) as beside_another:
        assert not beside_another


MARKS_OF_WHAT_WAS_SEEN = ("writer", "/turned", "/checked", *PARENTS, "payouts")
"""That rise with whatever was read: the others say up to when was asked."""


def transactions(lake):
    """Every version that was ever committed under each application id of each table, in the order of the log."""
    found = {}
    for log in sorted(lake.glob("*/_delta_log/*.json")):
        for line in log.read_text().splitlines():
            if (txn := json.loads(line).get("txn")) is not None:
                found.setdefault((log.parent.parent.name, txn["appId"]), []).append(txn["version"])
    return found


def test_an_end_in_the_past_moves_no_mark_of_any_table_back(tmp_path):
    tenant = full(32, users=2, sessions=10, days=14)
    with serving(tenant) as env:
        sync(env, tmp_path)
        ends = {key: versions[-1] for key, versions in transactions(tmp_path / "lake").items()}
        tenant.now += timedelta(days=1)
        for row in tenant.rows["sessions"].values():
            row["chargedEnergy"] = 77.0
        run = sync(env, tmp_path, until=tenant.now - timedelta(days=5), deep=True)
        assert sum(report.rows_written for report in run.collections), "there was something to write"
        found = transactions(tmp_path / "lake")
        assert {name for name, _ in found} >= set(RESOURCES)
        assert [key for key, versions in found.items() if versions != sorted(versions)] == []
        asked_up_to = {key for key in ends if not key[1].endswith(MARKS_OF_WHAT_WAS_SEEN)}
        assert {key for key in asked_up_to if found[key][-1] != ends[key]} == set()
        sync(env, tmp_path, collections=("users", "sessions"))
        assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
