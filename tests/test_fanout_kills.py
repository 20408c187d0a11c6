"""A sync killed in the middle of a fan-out: the next one asks only for what was not committed. Real processes, SIGKILL."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from support.other_tenant import serving
from support.other_under import full
from support.syncing import asked, sync, wrong_tables

from pipelines.contract import RESOURCES
from pipelines.lake import Lake


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
    tenant = full(41, users=10, sessions=900)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users", "vehicles", "charging_locations", "sessions"), until=tenant.now)
        tenant.requests.clear()
        end = tenant.now.isoformat()
        process = start_sync(
            env, tmp_path, "--collections", "session_tariffs", "--until", end, fan_out_group=200, max_concurrency=4
        )
        kill_after(tenant, process, "/tariffs", 700)
        first = asked(tenant, "/tariffs")
        committed = set(_sessions_held(tmp_path))
        tenant.requests.clear()
        sync(env, tmp_path, collections=("session_tariffs",), until=tenant.now, fan_out_group=200)
        second = asked(tenant, "/tariffs")
    assert wrong_tables(tenant, tmp_path, ["session_tariffs"]) == {}
    assert committed
    assert not {path.split("/")[3] for path in second} & committed, "what was committed is not asked again"
    assert len(set(first) | set(second)) == 900
    assert len(set(first)) + len(set(second)) < 900 + 200 + 64, (
        "a group, and what was in flight, is all that a kill costs"
    )


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_again_and_again_at_any_instant_the_lake_is_the_tenants_in_the_end(tmp_path, seed):
    tenant = full(50 + seed, users=12, sessions=150)
    with serving(tenant) as env:
        for attempt in range(4):
            process = start_sync(env, tmp_path, slice_rows=400, fan_out_group=20)
            threading.Timer(1.2 + 0.7 * attempt + 0.31 * seed, process.kill).start()
            process.wait(60)
        sync(env, tmp_path)
        assert wrong_tables(tenant, tmp_path) == {}
        before = {name: Lake(str(tmp_path / "lake")).table(RESOURCES[name]).version for name in RESOURCES}
        tenant.requests.clear()
        sync(env, tmp_path)
    assert asked(tenant, "users/") == []
    assert before == {name: Lake(str(tmp_path / "lake")).table(RESOURCES[name]).version for name in RESOURCES}


def test_parents_listed_before_a_kill_get_their_whole_history_after_it(tmp_path):
    tenant = full(61, users=12, sessions=100)
    with serving(tenant) as env:
        sync(env, tmp_path)
        late = full(62, users=3, sessions=40)
        for name, rows in late.rows.items():
            tenant.rows[name] |= rows
        for name in ("tariffs", "contracts", "chargers", "solar", "reward_rates", "charge_settings", "messages",
                     "session_tariffs", "session_settings", "rewards"):  # fmt: skip
            getattr(tenant, name).update(getattr(late, name))
        process = start_sync(env, tmp_path)
        kill_after(tenant, process, "charging-locations", 30)
        tenant.requests.clear()
        sync(env, tmp_path, ask_all_parents=0)
        for user in late.rows["users"]:
            assert asked(tenant, f"{user}/financials")
    assert (
        wrong_tables(tenant, tmp_path, ["financials", "messages", "solar_energy", "dynamic_tariffs", "rewards"]) == {}
    )


def _sessions_held(home):
    from deltalake import DeltaTable

    table = DeltaTable(str(home / "lake" / "session_tariffs"))
    return table.to_pyarrow_table(columns=["session_id"])["session_id"].unique().to_pylist()
