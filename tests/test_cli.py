"""The command as a person or a script meets it: exit codes, messages, kills. A process of its own for every call."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from support.command import COMMAND, environment, run_command
from support.lake_truth import SAME, differences, held, versions_per_key
from support.other_tenant import seeded, serving
from support.other_under import KEYS, full

from pipelines.contract import FAN_OUTS, LISTS, RESOURCES

PATHS = {"users": "users", "vehicles": "vehicles", "charging_locations": "charging-locations", "sessions": "sessions"}


def run(*arguments, home, env=None, **more):
    return run_command(*arguments, environment=environment(home, env, **more))


def assert_one_clear_message(result, code, *words):
    assert result.returncode == code, result.stderr + result.stdout
    assert "Traceback" not in result.stderr + result.stdout
    assert result.stderr.startswith("error: ") or code == 2
    assert len(result.stderr.strip().splitlines()) <= 8
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture(scope="module")
def tenant():
    return full(21, users=10, sessions=120, days=30)


@pytest.fixture(scope="module")
def env(tenant):
    with serving(tenant) as settings:
        yield settings


@pytest.fixture(scope="module")
def first(env, tmp_path_factory):
    """A home, and what the sync said that filled it."""
    home = tmp_path_factory.mktemp("first") / "home"
    return home, run("sync", home=home, env=env)


def test_a_sync_shows_what_it_did(tmp_path, tenant, env, first):
    home, said = first
    assert said.returncode == 0, said.stderr
    assert re.search(r"sessions +complete +\d+ +120 ", said.stdout)
    assert re.search(r"financials, rewards, reward_balances, messages: asked 10 \(new\)\n", said.stdout)
    shutil.copytree(home, tmp_path, dirs_exist_ok=True)
    again = run("sync", "--json", home=tmp_path, env=env)
    report = json.loads(again.stdout)
    assert report["status"] == "complete"
    assert [c["rows_new"] for c in report["collections"]] == [0] * len(RESOURCES)
    only_lists = ("--collections", ",".join(LISTS))
    assert "Nothing new" in run("sync", *only_lists, home=tmp_path, env=env).stdout
    told = run("status", "--json", home=tmp_path)
    assert told.returncode == 0, told.stderr
    status = json.loads(told.stdout)
    rows = {table["collection"]: table["rows"] for table in status["tables"]}
    assert rows == {name: len(tenant.rows[PATHS[name]]) for name in PATHS} | {
        name: len(tenant.truth(name)) for name in KEYS
    } | {"supported_car_models": 0}
    until = report["until"]
    assert {name for table in status["tables"] for name in table["watermarks"].values()} == {until}
    assert (status["failing"], status["unfinished"]) == ([], {})
    assert "charging_locations" in run("status", home=tmp_path).stdout


def test_parents_are_shown_where_there_are_any(tmp_path, env):
    both = run("sync", "--collections", "users,messages", home=tmp_path, env=env).stdout.splitlines()[0]
    assert re.search(r"aside +asked +skipped +requests", both)
    only_lists = run("sync", "--collections", "users", home=tmp_path, env=env).stdout.splitlines()[0]
    assert re.search(r"aside +requests", only_lists)


def test_until_and_collections(tmp_path, env):
    result = run("sync", "--collections", "users,sessions", "--until", "2026-05-01", "--json", home=tmp_path, env=env)
    report = json.loads(result.stdout)
    assert [c["collection"] for c in report["collections"]] == ["users", "sessions"]
    assert {c["watermark"] for c in report["collections"]} == {"2026-05-01T00:00:00+00:00"}


def test_resync_reads_a_range(tmp_path, env):
    run("sync", "--collections", "users,sessions", home=tmp_path, env=env)
    result = run("resync", "--collection", "sessions", "--from", "2026-05-10", "--to", "2026-05-12T12:00:00Z", "--json",
                 home=tmp_path, env=env)  # fmt: skip
    [record] = json.loads(result.stdout)["collections"]
    assert (record["status"], record["rows_new"]) == ("complete", 0)
    assert record["rows_read"] > 0


def test_rows_set_aside_are_exit_code_three(tmp_path):
    tenant = full(22, users=6, sessions=30, days=20)
    broken = min(tenant.rows["sessions"])
    tenant.mangle = lambda _path, items: [i | {"isManaged": "yes"} if i.get("id") == broken else i for i in items]
    with serving(tenant) as env:
        result = run("sync", "--collections", "users,sessions", home=tmp_path, env=env)
    assert result.returncode == 3, result.stderr
    assert "set aside" in result.stdout


def test_a_failing_user_is_exit_code_three_and_has_a_name(tmp_path):
    tenant = full(24, users=10, sessions=10, days=20)
    broken = sorted(tenant.rows["users"])[:4]
    of_users = {name: unit for name, unit in FAN_OUTS.items() if unit.parent == "users" and name != "payouts"}
    asked = (
        "sync",
        "--collections",
        ",".join(["users", *(table for unit in of_users.values() for table in unit.tables)]),
    )
    tenant.failing_users = set(broken)
    with serving(tenant) as env:
        for _ in range(2):
            result = run(*asked, home=tmp_path, env=env, CHARGELAKE_MAX_TRIES="1")
            assert result.returncode == 3, result.stderr
            assert "location_tariffs, utility_contracts, chargers, charger_states, vehicle_states" in result.stdout
            tenant.now += timedelta(days=1)
        status = json.loads(run("status", "--json", home=tmp_path).stdout)
        shown = run("status", home=tmp_path).stdout
        mine = {parent["fan_out"]: parent for parent in status["failing"] if parent["parent_id"] == broken[0]}
        assert {parent["user_id"] for parent in status["failing"]} == set(broken)
        assert set(mine) == set(of_users)
        assert {(parent["runs"], parent["reason"].count("HTTP 500")) for parent in mine.values()} == {(2, 1)}
        since = datetime.fromisoformat(mine["financials"]["failing_since"])
        assert since < datetime.fromisoformat(status["tables"][0]["last_run_at"])
        named = [line for line in shown.splitlines() if line.startswith("failing: ")]
        assert len(named) == 20 < len(status["failing"])
        assert f"and {len(status['failing']) - 20} more\n" in shown
        assert f" since {since:%Y-%m-%d %H:%M} UTC, 2 runs: " in shown
        tenant.failing_users = set()
        assert run(*asked, home=tmp_path, env=env).returncode == 0
    assert json.loads(run("status", "--json", home=tmp_path).stdout)["failing"] == []
    assert "failing" not in run("status", home=tmp_path).stdout


def test_a_history_that_goes_on_is_told_apart_from_failing(tmp_path):
    tenant = full(25, users=12, sessions=10, days=60)
    with serving(tenant) as env:
        tables = "users,charging_locations,location_tariffs,dynamic_tariffs"
        result = run("sync", "--collections", tables, home=tmp_path, env=env, CHARGELAKE_BACKFILL_REQUESTS="4")
    assert result.returncode == 0, result.stdout
    status = json.loads(run("status", "--json", home=tmp_path).stdout)
    assert status["failing"] == []
    assert status["unfinished"]["dynamic_tariffs"] > 0
    assert re.search(r"dynamic_tariffs: the history of \d+ parents goes on", run("status", home=tmp_path).stdout)


def test_a_dry_run_says_what_would_be_asked(tmp_path, tenant, env):
    run("sync", "--collections", ",".join(LISTS), home=tmp_path, env=env)
    asked = len(tenant.requests)
    result = run("sync", "--dry-run", home=tmp_path, env=env)
    assert result.returncode == 0, result.stderr
    assert len(tenant.requests) == asked + 1
    assert re.search(
        r"session_tariffs +120 +120 +0 +120 in the correction range \d+, history goes on \d+", result.stdout
    )
    assert re.search(r"At least [\d,]+ requests, .* at 100,000 a second", result.stdout)
    arguments = ["sync", "--dry-run", "--deep", "--collections", "rewards,users", "--until", "2026-06-01", "--json"]
    forecast = json.loads(run(*arguments, home=tmp_path, CHARGELAKE_MAX_REQUESTS_PER_SECOND="2").stdout)
    assert [unit["name"] for unit in forecast["units"]] == ["users", "rewards"]
    assert (forecast["until"], forecast["deep"]) == ("2026-06-01T00:00:00+00:00", True)
    assert forecast["units"][1]["asked_because"] == {"new": 10}
    assert (forecast["requests"], forecast["seconds"]) == (1 + 2 + 10, 6.5)
    assert len(tenant.requests) == asked + 1


def test_a_dry_run_on_an_empty_lake(tmp_path):
    result = run("sync", "--dry-run", "--until", "2026-06-01", home=tmp_path / "new")
    assert result.returncode == 0, result.stderr
    assert re.search(r"financials +\? whom to ask is not known before the users were read", result.stdout)
    assert "chargelake sync --collections users,vehicles" in result.stdout
    assert not (tmp_path / "new").exists()
    assert_one_clear_message(run("sync", "--dry-run", home=tmp_path / "new"), 2, "SMART_CHARGING_BASE_URL")


def test_who_asks_without_what_tells_whom_to_ask_is_told(env, tmp_path):
    asked = ("sync", "--collections", "charging_locations,dynamic_tariffs")
    first, second = (run(*asked, home=tmp_path, env=env) for _ in range(2))
    assert first.returncode == second.returncode == 3
    for result in (first, second):
        assert "not known before the location tariffs were read: sync them, too" in " ".join(result.stdout.split())
    assert run(asked[0], asked[1], asked[2] + ",users,location_tariffs", home=tmp_path, env=env).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["sync", "--until", "yesterday"], ["--until", "2026-03-01", "yesterday"]),
        (["sync", "--until", "9999-12-31"], ["--until", "2199"]),
        (["sync", "--until", "0001-01-01"], ["--until", "1990"]),
        (["sync", "--collections", "users,cars"], ["cars", "charging_locations"]),
        (["sync", "--collections", ","], ["no collection"]),
        (["resync", "--collection", "users", "--from", "2026-02-02", "--to", "2026-02-01"], ["--from", "before"]),
        (["resync", "--collection", "users", "--from", "2026-02-02"], ["--to"]),
        (["sync", "--fast"], ["--fast"]),
    ],
)
def test_wrong_usage_is_exit_code_two(tmp_path, env, arguments, words):
    assert_one_clear_message(run(*arguments, home=tmp_path / "new", env=env), 2, *words)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"SMART_CHARGING_BASE_URL": ""}, ["SMART_CHARGING_BASE_URL"]),
        ({"SMART_CHARGING_BASE_URL": "http://example.com/api/v2"}, ["SMART_CHARGING_BASE_URL", "https"]),
        ({"SMART_CHARGING_BASE_URL": "https://example.com/api/v1"}, ["SMART_CHARGING_BASE_URL", "/api/v2"]),
        ({"SMART_CHARGING_API_KEY": "key\nwith a break"}, ["SMART_CHARGING_API_KEY"]),
        ({"CHARGELAKE_MAX_CONCURRENCY": "many"}, ["CHARGELAKE_MAX_CONCURRENCY"]),
        ({"CHARGELAKE_HOME": "/nowhere/a[b]"}, ["CHARGELAKE_HOME", "[ ]"]),
        ({"CHARGELAKE_TIME_ZONE": "Europe/Atlantis"}, ["CHARGELAKE_TIME_ZONE", "Europe/Amsterdam"]),
        ({"CHARGELAKE_SESSION_END_OVERLAP_HOURS": "3"}, ["CHARGELAKE_SESSION_END_OVERLAP_HOURS"]),
    ],
)
def test_a_bad_setting_is_named_before_the_first_request(tmp_path, tenant, env, change, words):
    asked = len(tenant.requests)
    assert_one_clear_message(run("sync", home=tmp_path / "new", env=env, **change), 2, *words)
    assert len(tenant.requests) == asked
    assert not (tmp_path / "new").exists()


def test_every_missing_setting_is_named_at_once(tmp_path):
    result = run("sync", home=tmp_path)
    assert result.returncode == 2
    for name in ("BASE_URL", "TOKEN_URL", "AUDIENCE", "CLIENT_ID", "CLIENT_SECRET", "API_KEY"):
        assert f"SMART_CHARGING_{name}" in result.stderr


def test_a_wrong_secret_or_key(tmp_path, env):
    for name, value in (
        ("SMART_CHARGING_CLIENT_SECRET", "findable-secret"),
        ("SMART_CHARGING_API_KEY", "findable-key"),
    ):
        for verb in ("sync", "check"):
            result = run(verb, home=tmp_path / "home", env=env, **{name: value})
            assert_one_clear_message(result, 1, name)
            assert "findable" not in result.stderr + result.stdout
    assert not list((tmp_path / "home" / "lake").rglob("*.parquet"))


def test_a_wrong_address(tmp_path, env):
    elsewhere = env["SMART_CHARGING_BASE_URL"].replace("/api/v2", "/elsewhere/v2")
    result = run("sync", home=tmp_path, env=env, SMART_CHARGING_BASE_URL=elsewhere)
    assert_one_clear_message(result, 1, "SMART_CHARGING_BASE_URL")


def test_an_unreachable_host(tmp_path, env):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}"
    result = run("sync", home=tmp_path, env=env, SMART_CHARGING_BASE_URL=f"{address}/api/v2")
    assert_one_clear_message(result, 1, "SMART_CHARGING_BASE_URL", address.removeprefix("http://"))
    result = run("sync", home=tmp_path, env=env, SMART_CHARGING_TOKEN_URL=f"{address}/token")
    assert_one_clear_message(result, 1, "SMART_CHARGING_TOKEN_URL")


def test_a_home_that_cannot_be_written(tmp_path, env):
    (tmp_path / "file").write_text("in the way")
    for home in (tmp_path / "file" / "home", Path("/proc/chargelake")):
        for verb in ("sync", "check"):
            assert_one_clear_message(run(verb, home=home, env=env), 1, "CHARGELAKE_HOME")


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@pytest.mark.parametrize("options", ["size=64k", "size=512k", "ro"])
def test_a_full_or_read_only_disk(tmp_path, env, tenant, options):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        result = run("sync", home=disk, env=env)
        assert_one_clear_message(result, 1, "CHARGELAKE_HOME" if options == "ro" else "full")
        if options != "ro":
            subprocess.run(["mount", "-o", "remount,size=64m", str(disk)], check=True)
            assert run("sync", "--collections", ",".join(PATHS), home=disk, env=env).returncode == 0
            assert differences(disk / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_files_are_for_the_owner_only(first):
    home, _ = first
    files = [home, *home.rglob("*")]
    assert len(files) > len(RESOURCES)
    assert not [path for path in files if path.stat().st_mode & 0o077]


def test_nothing_published_and_nothing_pulled_yet(tmp_path):
    assert_one_clear_message(run("query", "select 1", home=tmp_path), 1, "chargelake")
    assert "empty" in run("status", home=tmp_path / "new").stdout
    assert not (tmp_path / "new").exists()


def test_check_says_what_it_found(tmp_path, env, tenant):
    result = run("check", "--json", home=tmp_path, env=env)
    facts = json.loads(result.stdout)
    assert facts["users"] == str(len(tenant.rows["users"]))
    assert facts["credentials"] == "accepted"


def test_killed_at_any_moment_and_run_again_is_as_if_undisturbed(tmp_path):
    tenant = seeded(23, users=100, sessions=1600)
    rng, kills, asked = random.Random(23), 0, ("sync", "--collections", ",".join(PATHS))
    with serving(tenant) as env:
        undisturbed = run(*asked, home=tmp_path / "quiet", env=env, CHARGELAKE_SLICE_ROWS="100")
        assert undisturbed.returncode == 0, undisturbed.stderr
        for _ in range(5):
            process = subprocess.Popen(
                [*COMMAND, *asked],
                env=environment(tmp_path / "killed", env, CHARGELAKE_SLICE_ROWS="100"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            begun = len(tenant.requests) + rng.randrange(20)
            while len(tenant.requests) <= begun and process.poll() is None:
                time.sleep(0.002)
            time.sleep(rng.uniform(0, 0.2))
            process.kill()
            kills += process.wait() != 0
        assert run(*asked, home=tmp_path / "killed", env=env, CHARGELAKE_SLICE_ROWS="100").returncode == 0
    assert kills >= 3
    for table in PATHS:
        assert held(tmp_path / "killed" / "lake", table) == held(tmp_path / "quiet" / "lake", table)
        assert differences(tmp_path / "killed" / "lake", table, tenant.rows[PATHS[table]].values()) == SAME
    assert set(versions_per_key(tmp_path / "killed" / "lake", "sessions").values()) == {1}


def test_help_answers_at_once():
    began = time.monotonic()
    result = subprocess.run([*COMMAND, "--help"], capture_output=True, text=True, check=True)
    assert "nightly" in result.stdout
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, pipelines.cli; print(' '.join(sys.modules))"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    heavy = {"dagster", "duckdb", "pyarrow", "pandas", "deltalake", "aiohttp", "dbt"} & set(loaded.stdout.split())
    assert not heavy, f"--help loads {heavy} after {time.monotonic() - began:.1f} s"
