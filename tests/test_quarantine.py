"""The way back out of quarantine, against the tenant's truth; through the command where people use it."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from support.command import environment, run_command
from support.lake_truth import differences
from support.other_tenant import serving
from support.other_under import full
from support.syncing import sync, wrong_tables

from pipelines.contract import RESOURCES
from pipelines.contract.model import Kind
from pipelines.errors import ConfigurationError
from pipelines.lake import Lake
from pipelines.sync.replay import one, replay, waiting

TABLES = ("users", "sessions", "financials")


def lake_in(home):
    return Lake(str(home / "lake"))


def with_text_vehicles(monkeypatch, name):
    """The contract after somebody found out that this tenant's vehicles have no UUIDs."""
    fields = tuple(
        replace(field, kind=Kind.TEXT) if field.path == "vehicleId" else field for field in RESOURCES[name].fields
    )
    monkeypatch.setitem(RESOURCES, name, replace(RESOURCES[name], fields=fields))


def odd_vehicles(tenant, number):
    """Some sessions name a vehicle that is no UUID; the tenant's truth from now on."""
    odd = sorted(tenant.rows["sessions"])[:number]
    for place, name in enumerate(odd):
        tenant.rows["sessions"][name]["vehicleId"] = f"CAR-{place}"
    return set(odd)


def wrong_sessions(tenant, home):
    return differences(home / "lake", "sessions", tenant.rows["sessions"].values())


def command(home, *arguments):
    done = run_command("quarantine", *arguments, environment=environment(home))
    return done.returncode, done.stdout, done.stderr


def test_rows_that_a_changed_contract_can_read_come_back(tmp_path, monkeypatch):
    tenant = full(91, users=6, sessions=60, days=30)
    odd = odd_vehicles(tenant, 5)
    with serving(tenant) as env:
        for _ in range(2):
            sync(env, tmp_path, collections=TABLES)
            tenant.now += timedelta(days=1)
    lake = lake_in(tmp_path)
    assert {record["key"] for record in waiting(lake, ["sessions"])} == odd
    [still] = replay(lake, waiting(lake, ["sessions"]))
    assert (still.readable, set(still.unreadable)) == (0, {record["id"] for record in waiting(lake, ["sessions"])})

    with_text_vehicles(monkeypatch, "sessions")
    [done] = replay(lake, waiting(lake, ["sessions"]))
    assert (done.readable, done.added, done.unreadable) == (5, 5, {})
    assert wrong_sessions(tenant, tmp_path) == ([], [], [])
    assert waiting(lake, ["sessions"]) == []
    before = lake.table(RESOURCES["sessions"]).version
    assert replay(lake, waiting(lake, ["sessions"])) == []
    assert lake.table(RESOURCES["sessions"]).version == before


def test_what_hangs_under_others_gets_the_ids_of_its_path_back(tmp_path, monkeypatch):
    tenant = full(92, users=6, sessions=60, days=30)
    broken = {row["sessionId"] for row in tenant.truth("financials")[:4]}
    tenant.mangle = lambda _path, items: [
        item | {"vehicleId": "CAR-1"} if item.get("sessionId") in broken and "savings" in item else item
        for item in items
    ]
    with serving(tenant) as env:
        sync(env, tmp_path, collections=TABLES)
    lake = lake_in(tmp_path)
    missing, extra, different = wrong_tables(tenant, tmp_path, ["financials"])["financials"]
    assert (len(missing), extra, different) == (4, [], [])
    with_text_vehicles(monkeypatch, "financials")
    [done] = replay(lake, waiting(lake, ["financials"]))
    assert (done.added, done.unreadable) == (4, {})
    missing, extra, different = wrong_tables(tenant, tmp_path, ["financials"])["financials"]
    assert (missing, extra) == ([], [])
    assert all("CAR-1" in str(difference) for difference in different)


def test_a_newer_reading_is_never_overwritten(tmp_path, monkeypatch):
    tenant = full(93, users=6, sessions=60, days=30)
    [name] = odd_vehicles(tenant, 1)
    car = tenant.rows["sessions"][name]["vehicleId"]
    with serving(tenant) as env:
        sync(env, tmp_path, collections=TABLES)
        lake = lake_in(tmp_path)
        records = waiting(lake, ["sessions"])
        tenant.rows["sessions"][name] |= {"vehicleId": None, "chargedEnergy": 99.5}
        tenant.now += timedelta(days=1)
        sync(env, tmp_path, collections=TABLES)
    with_text_vehicles(monkeypatch, "sessions")
    [done] = replay(lake, records)
    assert (done.added, done.changed, done.older) == (0, 0, 1)
    assert car == "CAR-0"
    assert wrong_sessions(tenant, tmp_path) == ([], [], [])


def test_the_command_lists_shows_and_reads_again(tmp_path):
    assert command(tmp_path, "list") == (0, "No row is set aside.\n", "")
    assert not (tmp_path / "lake").exists(), "looking makes nothing"
    tenant = full(94, users=4, sessions=30, days=10)
    odd = odd_vehicles(tenant, 2)
    with serving(tenant) as env:
        sync(env, tmp_path, collections=("users", "sessions"))
    code, out, _ = command(tmp_path, "list", "--json")
    listed = json.loads(out)
    assert code == 0
    assert {row["key"] for row in listed} == odd
    assert "CAR-" not in out, "the list shows no content"
    code, out, _ = command(tmp_path, "list")
    assert "sessions" in out
    assert "CAR-" not in out
    code, out, _ = command(tmp_path, "show", listed[0]["id"][:8])
    assert code == 0
    assert "CAR-" in out
    code, out, _ = command(tmp_path, "replay", "--json")
    assert code == 3
    assert len(json.loads(out)[0]["unreadable"]) == 2
    code, _, err = command(tmp_path, "replay", "0123456789")
    assert code == 2
    assert "no row with such an id" in err


@pytest.mark.parametrize("wanted", ["", "abc", "../../../etc"])
def test_an_id_of_none_is_wrong_usage(tmp_path, wanted):
    with pytest.raises(ConfigurationError, match=r"characters of an id|no row with such an id"):
        one(Lake(str(Path(tmp_path) / "lake")), wanted)


def test_a_collection_that_is_none_is_wrong_usage(tmp_path):
    with pytest.raises(ConfigurationError, match="unknown collection dreams"):
        waiting(Lake(str(tmp_path / "lake")), ["dreams"])
