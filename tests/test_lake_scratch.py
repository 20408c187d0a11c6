from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.lake import scratch
from pipelines.lake.scratch_folder import LEFT_SECONDS, PREFIX, scratch_folder

VERSIONS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 50), st.booleans()), max_size=40)


def _reader(versions):
    table = pa.table(
        {
            "id": pa.array([str(key) for key, _, _ in versions], pa.string()),
            "_synced_at": pa.array([at for _, at, _ in versions], pa.int64()),
            "_deleted": pa.array([gone for _, _, gone in versions], pa.bool_()),
        }
    )
    return table.to_reader(max_chunksize=7)


def _distinct_times(versions):
    return list({(key, at): (key, at, gone) for key, at, gone in versions}.values())


@given(versions=VERSIONS.map(_distinct_times), part_rows=st.integers(1, 50))
def test_living_keys_are_counted_the_same_however_many_parts_there_are(versions, part_rows):
    newest = {key: gone for key, _, gone in sorted(versions, key=lambda version: version[1])}
    with patch.object(scratch, "PART_ROWS", part_rows), scratch.scratch_database() as connection:
        living = scratch.count_living(connection, _reader(versions), "id")
    assert living == sum(1 for gone in newest.values() if not gone)


@given(versions=VERSIONS, part_rows=st.integers(1, 50))
def test_every_row_is_in_one_part_and_all_of_a_key_together(versions, part_rows):
    seen = []
    with patch.object(scratch, "PART_ROWS", part_rows), scratch.scratch_database() as connection:
        for _ in scratch.in_parts(connection, _reader(versions), "id as key, _synced_at as at_number"):
            seen.append(connection.execute("select key, at_number from versions").fetchall())
    assert sorted(row for part in seen for row in part) == sorted((str(key), at) for key, at, _ in versions)
    keys = [{key for key, _ in part} for part in seen]
    assert sum(len(part) for part in keys) == len(set().union(*keys)) if keys else not versions


def test_what_does_not_fit_goes_to_a_folder_of_the_owner_alone():
    with scratch.scratch_database() as connection:
        # twice the memory that it may use
        connection.execute(f"create table much as select uuid() as id from range({scratch.MEMORY_MB * 2 * 65536})")
        folder = scratch_folder()
        assert connection.execute("select count(distinct id) > 0 from (from much limit 1000)").fetchone() == (True,)
        assert folder.stat().st_mode & 0o077 == 0
        assert len([file for file in folder.rglob("*") if file.is_file()]) > 1


WAITS = """
from pipelines.lake.scratch_folder import scratch_folder
print(scratch_folder(), flush=True)
input()
"""


@pytest.fixture
def begin(tmp_path):
    """Starts a process that makes its folder in TMPDIR, tells which, and waits for a line."""
    begun = []

    def start():
        process = subprocess.Popen(
            [sys.executable, "-c", WAITS],
            env=os.environ | {"TMPDIR": str(tmp_path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        begun.append(process)
        return process, Path(process.stdout.readline().strip())

    yield start
    for process in begun:
        if not process.stdin.closed:
            process.communicate("\n")


def test_the_folder_of_a_killed_process_is_removed_by_a_later_one(tmp_path, begin):
    (killed, left), (_living, in_use) = begin(), begin()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    of_somebody_else = tmp_path / f"{PREFIX}notes"
    of_somebody_else.mkdir()
    _, young = begin()
    assert set(tmp_path.iterdir()) == {left, in_use, young, of_somebody_else}
    for folder in (left, in_use, of_somebody_else):
        at = folder.stat().st_mtime - LEFT_SECONDS - 1
        os.utime(folder, (at, at))
    later, own = begin()
    assert set(tmp_path.iterdir()) == {in_use, young, own, of_somebody_else}
    later.communicate("\n")
    assert not own.exists()
