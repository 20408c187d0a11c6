"""What is wrong with the machine: clocks, time zones, files that are missing or damaged. Each is told in one clear
message, loses nothing, and the next good run repairs what can be repaired. Full disks: test_cli.py, test_lake_changelog.py."""

import random
import shutil
import subprocess
from datetime import timedelta

import duckdb
import pytest
from deltalake import DeltaTable
from support.command import COMMAND, environment, run_command
from support.lake_truth import SAME, differences, held
from support.other_tenant import seeded, serving
from support.other_under import KEYS, full
from support.syncing import report_of, sync, wrong_lists, wrong_tables

from pipelines.client.clock import SystemClock
from pipelines.contract import LISTS
from pipelines.sync import Status

TABLES = ("users", "sessions", "financials")
AHEAD = (*LISTS, "financials", "location_tariffs", "dynamic_tariffs", "solar_energy", "payouts")
TIMED = ("users", "charging_locations", "sessions", "session_tariffs")


def test_after_a_night_a_year_ahead_nothing_is_missed(tmp_path):
    """The API's clock was wrong once; then ten nights nobody ran: more than any window reaches back."""
    tenant, rng = full(51, users=3, sessions=12, days=12), random.Random(951)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=AHEAD)
        now = tenant.now
        tenant.now = now + timedelta(days=365)
        sync(env, tmp_path, collections=AHEAD)
        tenant.now = now
        for _ in range(10):
            tenant.night(rng)
        run = sync(env, tmp_path, collections=AHEAD)
        assert {one.collection for one in run.collections if "told that it is" in " ".join(one.notes)} > set(TABLES)
        assert wrong_lists(tenant, tmp_path) == {}
        wrong = wrong_tables(tenant, tmp_path, [name for name in AHEAD if name in KEYS])
        # the tenant itself has served prices of the year that has not come
        missing, _, different = wrong.pop("dynamic_tariffs", SAME)
        assert (wrong, missing, different) == ({}, [], [])
        assert all(one.watermark <= tenant.now for one in run.collections if one.watermark is not None)
        again = sync(env, tmp_path, until=run.until, collections=AHEAD)
    assert not any(one.rows_written for one in again.collections)
    assert not any("told that it is" in note for one in again.collections for note in one.notes)


@pytest.mark.parametrize("days", [365, -365])
def test_the_machines_own_clock_moves_no_window_and_read_times_only_rise(tmp_path, monkeypatch, days):
    tenant, right, lists = seeded(52, users=60, sessions=400), SystemClock.utc_now, ("users", "sessions")
    with serving(tenant) as env:
        sync(env, tmp_path, collections=lists)
        for costs, wrong in ((3.14, timedelta(days=days)), (4.14, timedelta(0))):
            tenant.now += timedelta(days=1)
            newest = max(tenant.rows["sessions"].values(), key=lambda row: row["startTime"])
            newest["chargeCosts"] = costs
            monkeypatch.setattr(SystemClock, "utc_now", lambda clock, wrong=wrong: right(clock) + wrong)
            run = sync(env, tmp_path, collections=lists)
            assert report_of(run, "sessions").watermark == tenant.now - timedelta(seconds=60)
            assert differences(tmp_path / "lake", "sessions", tenant.rows["sessions"].values()) == SAME
    files = DeltaTable(str(tmp_path / "lake" / "sessions")).file_uris()
    [costs] = duckdb.sql(
        f"select list(charge_costs::double order by _synced_at) from read_parquet({files!r}) where id = '{newest['id']}'"
    ).fetchone()
    assert costs[1:] == [3.14, 4.14]


def test_a_lake_is_the_same_in_any_time_zone(tmp_path):
    tenant = full(51, users=3, sessions=8, days=8)
    zones = ("UTC", "Pacific/Kiritimati")
    with serving(tenant) as env:
        for zone in zones:
            told = environment(tmp_path / zone, env, TZ=zone)
            subprocess.run(
                [*COMMAND, "sync", "--until", "2026-05-30", "--collections", ",".join(TIMED)],
                env=told,
                check=True,
                stdout=subprocess.DEVNULL,
            )
    for name in TIMED:
        first, second = (held(tmp_path / zone / "lake", name, KEYS.get(name, ("id",))) for zone in zones)
        assert first == second, name
        assert first, name


@pytest.fixture(scope="module")
def tenant():
    return full(54, users=3, sessions=12, days=12)


@pytest.fixture(scope="module")
def env(tenant):
    with serving(tenant) as settings:
        yield settings


@pytest.fixture(scope="module")
def pulled(tenant, env, tmp_path_factory):
    home = tmp_path_factory.mktemp("pulled")
    assert sync(env, home, collections=TABLES).status is Status.COMPLETE
    return home


def parquet(table):
    return next(iter(sorted(table.rglob("*.parquet"))))


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def scribble(path):
    path.write_bytes(bytes(reversed(path.read_bytes())))


def entry(table, number=1):
    return table / "_delta_log" / f"{number:020}.json"


DAMAGES = {
    "a Parquet file is gone": (lambda table: parquet(table).unlink(), "is missing"),
    "a Parquet file is cut short": (lambda table: cut(parquet(table)), "is damaged"),
    "a Parquet file is nonsense": (lambda table: scribble(parquet(table)), "is damaged"),
    "a log entry is cut short": (lambda table: cut(entry(table)), "is damaged"),
    "a log entry is nonsense": (lambda table: scribble(entry(table)), "is damaged"),
    "the first log entry is gone": (lambda table: entry(table, 0).unlink(), "cannot be read"),
}
SELF_REPAIRED = {
    "the last log entry is gone": lambda table: entry(table).unlink(),
    "the last log entry is empty, as after a power failure": lambda table: entry(table).write_bytes(b""),
    "the log is gone": lambda table: shutil.rmtree(table / "_delta_log"),
}


def pull(home, env):
    return run_command("sync", "--collections", ",".join(TABLES), environment=environment(home, env))


def assert_whole(home, tenant):
    for name in ("users", "sessions"):
        assert differences(home / "lake", name, tenant.rows[name].values()) == SAME
    assert wrong_tables(tenant, home, ["financials"]) == {}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_named_touched_by_nobody_and_can_be_pulled_anew(tmp_path, tenant, env, pulled, damage):
    home = tmp_path / "home"
    shutil.copytree(pulled, home)
    table = home / "lake" / ("financials" if "cut" in damage else "sessions")
    spoil, word = DAMAGES[damage]
    spoil(table)
    before = {path: path.read_bytes() for path in table.rglob("*") if path.is_file()}
    result = pull(home, env)
    assert result.returncode == 1
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert word in line
    assert str(table) in line
    assert "move it away and run `chargelake sync`" in line
    assert {path: path.read_bytes() for path in table.rglob("*") if path.is_file()} == before
    shutil.move(table, tmp_path / "away")
    assert pull(home, env).returncode == 0
    assert_whole(home, tenant)


@pytest.mark.parametrize("damage", SELF_REPAIRED)
def test_a_commit_that_is_lost_is_lost_with_its_watermark_and_asked_again(tmp_path, tenant, env, pulled, damage):
    home = tmp_path / "home"
    shutil.copytree(pulled, home)
    for name in ("sessions", "financials"):
        SELF_REPAIRED[damage](home / "lake" / name)
    assert pull(home, env).returncode == 0
    assert_whole(home, tenant)
