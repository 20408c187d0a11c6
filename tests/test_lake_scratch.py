from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipelines.lake import scratch

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
        folder = scratch._folder().name
        assert connection.execute("select count(distinct id) > 0 from (from much limit 1000)").fetchone() == (True,)
        assert Path(folder).stat().st_mode & 0o077 == 0
        assert any(file.is_file() for file in Path(folder).rglob("*"))
