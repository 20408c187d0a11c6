"""Maintenance: the same rows in fewer files, whoever reads, writes, maintains or dies at the same time."""

import json
import os
import random
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import deltalake
import duckdb
import pyarrow as pa
import pyarrow.parquet
from dagster import DagsterInstance, materialize
from deltalake import DeltaTable
from hypothesis import given, settings
from hypothesis import strategies as st
from support.lake_rows import USERS, user_id, user_rows
from support.lake_writers import T0, at_work, maintain_again_and_again

from assets.maintenance import lake_maintenance
from assets.surroundings import KEY, Surroundings
from pipelines.contract import RESOURCES
from pipelines.lake import Lake, maintenance
from pipelines.lake.maintenance import maintain
from pipelines.lake.schemas import table_schema
from pipelines.settings import LakeSettings
from warehouse.compactions import files_read
from warehouse.snapshot import TableSnapshot

SOLAR = RESOURCES["solar_energy"]


def by_duckdb(root, table="users"):
    """Every version of every row, by DuckDB over the files that the newest version names."""
    files = DeltaTable(f"{root}/{table}").file_uris()
    return sorted(duckdb.sql(f"from read_parquet({files!r}, union_by_name = true)").fetchall(), key=repr)


def by_arrow(root, table="users"):
    found = DeltaTable(f"{root}/{table}").to_pyarrow_dataset().to_table()
    return sorted((tuple(row.values()) for row in found.to_pylist()), key=repr)


def maintained(root):
    return {done.table: done for done in maintain(str(root))}


def nights(root, number, first=0):
    """So many commits with rows that are new, changed and deleted, each with a mark of its own."""
    table = Lake(str(root)).table(USERS)
    for night in range(first, first + number):
        at = T0 + timedelta(days=night)
        rows = [(n, f"v{night if n % 3 == night % 3 else 0}", at, n == night) for n in range(night, night + 6)]
        table.commit(user_rows(rows, run_id=f"run {night}"), {"users": at}, {f"users/{night:03d}": night + 1})
    table.close()


def age(root, days, *, without_checkpoints=True):
    """Let everything that the log and the disk tell of `users` have happened so many days earlier."""
    earlier = timedelta(days=days) // timedelta(milliseconds=1)
    for file in (root / "users" / "_delta_log").glob("*checkpoint*"):
        if without_checkpoints:
            file.unlink()  # what it says of removed files stands in the log, too
    for file in (root / "users").rglob("*"):
        if file.suffix == ".json":
            actions = [json.loads(line) for line in file.read_text().splitlines()]
            for action in actions:
                for kind, name in (("remove", "deletionTimestamp"), ("commitInfo", "timestamp")):
                    if kind in action:
                        action[kind][name] -= earlier
            file.write_text("\n".join(map(json.dumps, actions)))
        if file.is_file():
            then = file.stat().st_mtime - 86400 * days
            os.utime(file, (then, then))


def test_every_version_of_every_row_and_every_mark_stays(tmp_path):
    nights(tmp_path, 9)
    before = by_duckdb(tmp_path)
    assert before
    version, files = DeltaTable(f"{tmp_path}/users").version(), len(DeltaTable(f"{tmp_path}/users").file_uris())
    done = maintained(tmp_path)
    assert list(done) == ["users"]
    assert (done["users"].files_before, done["users"].files_after, done["users"].left) == (files, 1, None)
    assert by_duckdb(tmp_path) == before
    assert len(by_arrow(tmp_path)) == len(before)
    table = Lake(str(tmp_path)).table(USERS)
    assert table.watermark("users") == T0 + timedelta(days=8)
    assert [table.mark(f"users/{night:03d}") for night in range(9)] == list(range(1, 10))
    again = maintained(tmp_path)["users"]
    assert (again.files_after, again.removed, table.version) == (1, 0, version + 2), "nothing to do, nothing written"
    nights(tmp_path, 3, first=9)
    assert len(by_duckdb(tmp_path)) > len(before)
    assert Lake(str(tmp_path)).table(USERS).mark("users/004") == 5


def test_months_stay_apart_and_new_columns_are_kept(tmp_path):
    schema = table_schema(SOLAR)
    old = pa.schema([field for field in schema if field.name != "_extra"])
    for night in range(6):
        rows = [
            {
                "charging_location_id": user_id(n),
                "start_time": T0 + timedelta(days=20 * night, hours=n),
                "start_month": f"{T0 + timedelta(days=20 * night):%Y-%m}",
                "energy": 1.5,
                "_synced_at": T0,
                "_run_id": "run",
                "_row_hash": "0",
                "_deleted": False,
                "_extra": '{"a": 1}',
            }
            for n in range(4)
        ]
        table = pa.Table.from_pylist(rows, schema=old if night < 3 else schema)
        deltalake.write_deltalake(
            f"{tmp_path}/solar_energy",
            table,
            mode="append",
            partition_by=["start_month"],
            schema_mode="merge" if night else None,
        )
    before = by_arrow(tmp_path, "solar_energy")
    months = {file.parent.name for file in (tmp_path / "solar_energy").glob("*/*.parquet")}
    done = maintained(tmp_path)["solar_energy"]
    assert done.files_before == 6
    assert done.files_after == len(months) == 4
    assert by_arrow(tmp_path, "solar_energy") == before
    extra = duckdb.sql(
        f"select count(*), count(_extra) from read_parquet({DeltaTable(f'{tmp_path}/solar_energy').file_uris()!r})"
    ).fetchall()
    assert extra == [(24, 12)]


def test_statistics_of_new_files_hold_nothing_personal(tmp_path):
    table = Lake(str(tmp_path)).table(USERS)
    for night in range(3):
        rows = user_rows([(night, "a", T0, False)])
        table.commit(rows.set_column(rows.schema.get_field_index("last_name"), "last_name", [["Findable"]]), {})
    assert maintained(tmp_path)["users"].files_after == 1
    log = tmp_path / "users" / "_delta_log"
    told = b"".join(file.read_bytes() for file in log.iterdir())
    assert user_id(1).encode() in told
    assert b"Findable" not in told
    checkpoint = pyarrow.parquet.read_table(next(log.glob("*.checkpoint.parquet")))
    assert "Findable" not in str(checkpoint.to_pylist())


def test_who_reads_an_older_version_keeps_its_files_for_a_week(tmp_path):
    nights(tmp_path, 5)
    pinned = DeltaTable(f"{tmp_path}/users")
    files = [Path(uri) for uri in pinned.file_uris()]
    before = by_duckdb(tmp_path)
    leftover = tmp_path / "users" / "part-of-a-writer-that-was-killed.parquet"
    leftover.write_bytes(files[0].read_bytes())
    maintained(tmp_path)
    age(tmp_path, 6.9)
    assert maintained(tmp_path)["users"].removed == 0
    assert len(pinned.to_pyarrow_dataset().to_table()) == len(before)
    assert leftover.exists()
    age(tmp_path, 0.2)
    done = maintained(tmp_path)["users"]
    assert done.removed == len(files) + 1
    assert not leftover.exists()
    assert not any(file.exists() for file in files)
    assert by_duckdb(tmp_path) == before
    age(tmp_path, 7.1, without_checkpoints=False)
    nights(tmp_path, 1, first=5)
    after = maintained(tmp_path)["users"]
    assert after.log_after < 8, "commits of more than a week ago are in the checkpoint alone"
    assert Lake(str(tmp_path)).table(USERS).watermark("users") == T0 + timedelta(days=5)


def test_syncs_at_work_during_a_maintenance_lose_and_double_nothing(tmp_path):
    nights(tmp_path, 4)
    first, second = Lake(str(tmp_path)).table(USERS), Lake(str(tmp_path)).table(USERS)
    assert len(first) == len(second) > 0
    at = T0 + timedelta(days=99)
    before = by_duckdb(tmp_path)
    assert maintained(tmp_path)["users"].files_after == 1
    one = first.commit(user_rows([(50, "new", at, False)]), {"users/one": at})
    other = second.commit(user_rows([(50, "new", at, False), (51, "new", at, False)]), {"users/other": at})
    assert (one.appended, other.appended, other.refusals) == (1, 1, 1)
    assert len(by_duckdb(tmp_path)) == len(before) + 2
    assert Lake(str(tmp_path)).table(USERS).watermark("users/one") == at


def test_a_second_compaction_or_an_erasure_at_the_same_time_is_refused(tmp_path, monkeypatch):
    nights(tmp_path, 4)
    before = by_duckdb(tmp_path)
    opened = DeltaTable.optimize.fget

    def someone_first(table):
        monkeypatch.setattr(DeltaTable, "optimize", property(opened))
        assert maintained(tmp_path)["users"].left is None
        return opened(table)

    monkeypatch.setattr(DeltaTable, "optimize", property(someone_first))
    assert "another writer" in maintained(tmp_path)["users"].left
    assert by_duckdb(tmp_path) == before

    nights(tmp_path, 2, first=8)
    before = by_duckdb(tmp_path)
    reopened = maintenance._claimed

    def claimed_in_between(table):
        monkeypatch.setattr(maintenance, "_claimed", reopened)
        table = reopened(table)
        assert maintained(tmp_path)["users"].left is None
        return table

    monkeypatch.setattr(maintenance, "_claimed", claimed_in_between)
    assert "another writer" in maintained(tmp_path)["users"].left
    assert by_duckdb(tmp_path) == before

    nights(tmp_path, 2, first=4)
    before = by_duckdb(tmp_path)

    def eraser_first(table):
        monkeypatch.setattr(DeltaTable, "optimize", property(opened))
        DeltaTable(f"{tmp_path}/users").delete(f"id = '{user_id(5)}'")
        return opened(table)

    monkeypatch.setattr(DeltaTable, "optimize", property(eraser_first))
    assert "another writer" in maintained(tmp_path)["users"].left
    assert len(by_duckdb(tmp_path)) < len(before)
    assert user_id(5) not in repr(by_duckdb(tmp_path))
    assert maintained(tmp_path)["users"].left is None


def test_a_damaged_table_does_not_stop_the_others(tmp_path):
    nights(tmp_path, 3)
    Lake(str(tmp_path)).drift()
    for file in (tmp_path / "users").glob("*.parquet"):
        file.unlink()
    done = maintained(tmp_path)
    assert "missing" in done["users"].left
    assert done["_contract_drift"].left is None


def test_the_weekly_step_tells_what_it_did_and_fails_where_nothing_could_be_done(tmp_path):
    settings = LakeSettings(home=tmp_path)
    nights(settings.lake_root, 4)
    around = {KEY: Surroundings(lake=lambda: settings)}
    with DagsterInstance.ephemeral() as instance:
        [done] = materialize(
            [lake_maintenance()], resources=around, instance=instance
        ).get_asset_materialization_events()
        told = done.materialization.metadata
        assert (told["files_before"].value, told["files_after"].value) == (4, 1)
        for file in Path(settings.lake_root).rglob("*.parquet"):
            file.unlink()
        failed = materialize([lake_maintenance()], resources=around, instance=instance, raise_on_error=False)
    assert not failed.success


def test_a_kill_at_any_instant_of_a_maintenance_changes_nothing(tmp_path):
    rng = random.Random(5)
    for kill in range(3):
        nights(tmp_path, 6, first=6 * kill)
        before = by_duckdb(tmp_path)
        with at_work(maintain_again_and_again, tmp_path):
            time.sleep(rng.uniform(0, 0.04) + 0.02 * kill)
        assert by_duckdb(tmp_path) == before
        assert len(by_arrow(tmp_path)) == len(before)
        assert Lake(str(tmp_path)).table(USERS).watermark("users") == T0 + timedelta(days=6 * kill + 5)
    assert maintained(tmp_path)["users"].files_after == 1


def test_two_maintenances_beside_a_sync_neither_lose_nor_double(tmp_path):
    nights(tmp_path / "alone", 14)
    nights(tmp_path / "beside", 1)
    work = maintain_again_and_again, tmp_path / "beside"
    with at_work(*work), at_work(*work):
        nights(tmp_path / "beside", 13, first=1)
    operations = [commit["operation"] for commit in DeltaTable(f"{tmp_path}/beside/users").history()]
    assert operations.count("OPTIMIZE") > 2
    assert by_duckdb(tmp_path / "beside") == by_duckdb(tmp_path / "alone")


steps = st.lists(st.sampled_from(["append", "append", "compact", "erase", "read"]), min_size=2, max_size=10)


@settings(max_examples=15)
@given(steps=steps)
def test_a_build_reads_what_is_new_and_nothing_that_was_only_put_together(steps):
    """Against a model that knows which rows are in which file, and which of them were read."""
    with tempfile.TemporaryDirectory() as root:
        uri = f"{root}/users"
        deltalake.DeltaTable.create(uri, pa.schema([("n", pa.int64())]))
        seen: list[set[int]] = []
        earlier: list[tuple[int, frozenset[str]]] = []
        rows = itself = 0
        for step in [*steps, "judge"]:
            table = DeltaTable(uri)
            if step == "append":
                deltalake.write_deltalake(uri, pa.table({"n": [rows, rows + 1]}), mode="append")
                rows += 2
            elif step == "compact":
                table.optimize.compact()
            elif step == "erase" and rows:
                table.delete(f"n = {rows // 2}")
            elif step == "read":
                earlier.append((table.version(), frozenset(files_of(table))))
                seen.append(held(uri))
            itself += step == "erase"
        table = DeltaTable(uri)
        snapshot = TableSnapshot("users", uri, pa.schema([]), version=table.version(), files=tuple(files_of(table)))
        read = files_read(snapshot, earlier)
        in_all = set.intersection(*seen) if seen else set()
        old = {n for file in read.by_all & set(snapshot.files) for n in rows_in(uri, file)}
        assert old <= in_all, "a row that some model has not read counts as read"
        lost = set().union(*seen) - held(uri)
        assert read.has_gaps or not lost, "a row that was read is gone, and nobody would look"
        if not itself:
            assert not read.has_gaps
            new = held(uri) - old
            tail = steps[len(steps) - steps[::-1].index("read") :] if "read" in steps else steps
            if "compact" not in tail or "append" not in tail:
                assert len(seen) != 1 or new == held(uri) - in_all, "rows that were only put together are read again"


def files_of(table):
    return [str(path) for path in pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()]


def rows_in(uri, *files):
    return {n for (n,) in duckdb.sql(f"select n from read_parquet({[f'{uri}/{file}' for file in files]!r})").fetchall()}


def held(uri):
    files = files_of(DeltaTable(uri))
    return rows_in(uri, *files) if files else set()
