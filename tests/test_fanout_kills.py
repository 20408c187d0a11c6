"""A sync killed in the middle of a fan-out: the next one asks only for what was not committed. Real processes, SIGKILL."""

import os
import random
import signal
import subprocess
import sys
import time

import pytest
from support.other_tenant import serving
from support.other_under import full
from support.syncing import asked, sync, wrong_tables

from pipelines.contract import RESOURCES
from pipelines.lake import Lake

HISTORIES = ("financials", "messages", "solar_energy", "dynamic_tariffs", "rewards")
SYNCED = ("users", "charging_locations", "sessions", "location_tariffs", *HISTORIES)


def start_sync(env, home, *arguments, **settings):
    settings = {f"CHARGELAKE_{name.upper()}": str(value) for name, value in settings.items()}
    fast = {"CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000", "CHARGELAKE_MAX_TRIES": "2"}
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.cli", "sync", *arguments],
        env=os.environ | env | fast | settings | {"CHARGELAKE_HOME": str(home)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def kill_after(tenant, process, pattern, number):
    """SIGKILL once so many requests with a text in their path have come."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if len(asked(tenant, pattern)) >= number:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    process.wait(30)
    assert process.returncode == -signal.SIGKILL


def test_the_next_run_asks_only_for_the_uncommitted_part(tmp_path, monkeypatch):
    tenant = full(41, users=8, sessions=450, days=30)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users", "vehicles", "charging_locations", "sessions"), until=tenant.now)
        tenant.requests.clear()
        end = tenant.now.isoformat()
        process = start_sync(
            env, tmp_path, "--collections", "session_tariffs", "--until", end, fan_out_group=100, max_concurrency=4
        )
        kill_after(tenant, process, "/tariffs", 350)
        first = asked(tenant, "/tariffs")
        committed = set(_sessions_held(tmp_path))
        tenant.requests.clear()
        sync(env, tmp_path, collections=("session_tariffs",), until=tenant.now, fan_out_group=100)
        second = asked(tenant, "/tariffs")
    assert wrong_tables(tenant, tmp_path, ["session_tariffs"]) == {}
    assert committed
    assert not {path.split("/")[3] for path in second} & committed, "what was committed is not asked again"
    assert len(set(first) | set(second)) == 450
    assert len(set(first)) + len(set(second)) < 450 + 100 + 64, (
        "a group, and what was in flight, is all that a kill costs"
    )


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.thorough) for seed in (2, 3))])
def test_killed_again_and_again_at_any_instant_the_lake_is_the_tenants_in_the_end(tmp_path, seed):
    tenant, rng = full(50 + seed, users=8, sessions=60, days=20), random.Random(seed)
    with serving(tenant) as env:
        for _ in range(4):
            tenant.requests.clear()
            process = start_sync(env, tmp_path, slice_rows=400, fan_out_group=10)
            kill_after(tenant, process, "", rng.randrange(5, 50))
        sync(env, tmp_path)
        assert wrong_tables(tenant, tmp_path) == {}
        before = {name: Lake(str(tmp_path / "lake")).table(RESOURCES[name]).version for name in RESOURCES}
        tenant.requests.clear()
        sync(env, tmp_path)
    assert asked(tenant, "users/") == []
    assert before == {name: Lake(str(tmp_path / "lake")).table(RESOURCES[name]).version for name in RESOURCES}


def test_parents_listed_before_a_kill_get_their_whole_history_after_it(tmp_path):
    tenant = full(61, users=6, sessions=30, days=20)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=SYNCED)
        late = full(62, users=3, sessions=20, days=20)
        for name, rows in late.rows.items():
            tenant.rows[name] |= rows
        for name in ("tariffs", "contracts", "chargers", "solar", "reward_rates", "charge_settings", "messages",
                     "session_tariffs", "session_settings", "rewards"):  # fmt: skip
            getattr(tenant, name).update(getattr(late, name))
        tenant.before_answer = lambda path: process.kill() if path.startswith("users/") else None
        process = start_sync(env, tmp_path, "--collections", ",".join(SYNCED))
        assert process.wait(120) == -signal.SIGKILL
        tenant.before_answer = lambda _path: None
        tenant.requests.clear()
        sync(env, tmp_path, collections=SYNCED, ask_all_parents=0)
        for user in late.rows["users"]:
            assert asked(tenant, f"{user}/financials")
    assert wrong_tables(tenant, tmp_path, HISTORIES) == {}


def _sessions_held(home):
    from deltalake import DeltaTable

    table = DeltaTable(str(home / "lake" / "session_tariffs"))
    return table.to_pyarrow_table(columns=["session_id"])["session_id"].unique().to_pylist()
