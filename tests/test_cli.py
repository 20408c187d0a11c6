"""The command as a person or a script meets it: exit codes, messages, kills. Real processes throughout."""

import json
import os
import random
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.lake_truth import SAME, differences, held, versions_per_key
from support.other_tenant import seeded, serving

from pipelines.contract import RESOURCES

COMMAND = [sys.executable, "-m", "pipelines.cli"]
PATHS = {"users": "users", "vehicles": "vehicles", "charging_locations": "charging-locations", "sessions": "sessions"}


def environment(home, env=None, **more):
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("SMART_CHARGING_", "CHARGELAKE_"))}
    return clean | (env or {}) | {"CHARGELAKE_HOME": str(home), "CHARGELAKE_MAX_TRIES": "2", "COLUMNS": "200"} | more


def run(*arguments, home, env=None, **more):
    return subprocess.run(
        [*COMMAND, *arguments],
        env=environment(home, env, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def assert_one_clear_message(result, code, *words):
    assert result.returncode == code, result.stderr + result.stdout
    assert "Traceback" not in result.stderr + result.stdout
    assert result.stderr.startswith("error: ") or code == 2
    assert len(result.stderr.strip().splitlines()) <= 8
    for word in words:
        assert word in result.stderr, result.stderr


@pytest.fixture(scope="module")
def tenant():
    return seeded(21)


@pytest.fixture(scope="module")
def env(tenant):
    with serving(tenant) as settings:
        yield settings


def test_a_sync_shows_what_it_did(tmp_path, tenant, env):
    first = run("sync", home=tmp_path, env=env)
    assert first.returncode == 0, first.stderr
    assert re.search(r"sessions +complete +3,200|sessions +complete", first.stdout)
    again = run("sync", "--json", home=tmp_path, env=env)
    report = json.loads(again.stdout)
    assert report["status"] == "complete"
    assert [c["rows_new"] for c in report["collections"]] == [0] * len(RESOURCES)
    assert "Nothing new" in run("sync", home=tmp_path, env=env).stdout
    status = json.loads(run("status", "--json", home=tmp_path).stdout)
    assert {table["collection"]: table["rows"] for table in status}["sessions"] == len(tenant.rows["sessions"])
    assert "charging_locations" in run("status", home=tmp_path).stdout


def test_until_and_collections(tmp_path, env):
    result = run("sync", "--collections", "users,sessions", "--until", "2026-05-01", "--json", home=tmp_path, env=env)
    report = json.loads(result.stdout)
    assert [c["collection"] for c in report["collections"]] == ["users", "sessions"]
    assert {c["watermark"] for c in report["collections"]} == {"2026-05-01T00:00:00+00:00"}


def test_resync_reads_a_range(tmp_path, env):
    run("sync", home=tmp_path, env=env)
    result = run("resync", "--collection", "sessions", "--from", "2026-03-01", "--to", "2026-03-02T12:00:00Z", "--json",
                 home=tmp_path, env=env)  # fmt: skip
    [record] = json.loads(result.stdout)["collections"]
    assert (record["status"], record["rows_new"]) == ("complete", 0)
    assert record["rows_read"] > 10


def test_rows_set_aside_are_exit_code_three(tmp_path):
    tenant = seeded(22)
    broken = min(tenant.rows["sessions"])
    tenant.mangle = lambda _path, items: [i | {"isManaged": "yes"} if i.get("id") == broken else i for i in items]
    with serving(tenant) as env:
        result = run("sync", home=tmp_path, env=env)
    assert result.returncode == 3, result.stderr
    assert "set aside" in result.stdout


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
@pytest.mark.parametrize("options", ["size=64k", "size=2m", "ro"])
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
            assert run("sync", home=disk, env=env).returncode == 0
            assert differences(disk / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
    finally:
        subprocess.run(["umount", str(disk)], check=False)


def test_files_are_for_the_owner_only(tmp_path, env):
    run("sync", home=tmp_path / "home", env=env)
    open_to_others = [path for path in (tmp_path / "home").rglob("*") if path.stat().st_mode & 0o077]
    assert not open_to_others


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
    tenant = seeded(23)
    rng = random.Random(23)
    kills = 0
    with serving(tenant) as env:
        undisturbed = run("sync", home=tmp_path / "quiet", env=env, CHARGELAKE_SLICE_ROWS="200")
        assert undisturbed.returncode == 0, undisturbed.stderr
        for _ in range(8):
            process = subprocess.Popen(
                [*COMMAND, "sync"],
                env=environment(tmp_path / "killed", env, CHARGELAKE_SLICE_ROWS="200"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(rng.uniform(0.9, 2.6))
            process.kill()
            kills += process.wait() != 0
        assert run("sync", home=tmp_path / "killed", env=env, CHARGELAKE_SLICE_ROWS="200").returncode == 0
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
