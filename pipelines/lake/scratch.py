"""A DuckDB to work things out in: in memory up to a bound, and what does not fit goes to a folder of its own.

So a run's memory does not grow with the tenant. A database costs 15 ms to make and a connection to it next to nothing,
so a process has one, and each use a connection with temporary tables: nobody else sees them, and they are gone with it.
Does not belong here: what is worked out, the folder (scratch_folder.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from threading import Lock

import duckdb
import pyarrow as pa

from pipelines.lake.scratch_folder import scratch_folder

MEMORY_MB = 192
"""Of all uses together: three times what planning needs at 1,400,000 sessions. What is grouped must stay in memory, so
it is done in parts of PART_ROWS rows."""
PART_ROWS = 100_000

_making = Lock()


def scratch_database() -> duckdb.DuckDBPyConnection:
    """A place for temporary tables and views, which alone may be made in it; in UTC. Close it after use."""
    with _making:
        connection = _database(os.getpid()).cursor()
    connection.execute("set TimeZone = 'UTC'")
    return connection


def in_parts(
    connection: duckdb.DuckDBPyConnection, source: pa.RecordBatchReader, columns: str, which: str = "true"
) -> Iterator[None]:
    """Make the table (or view) `versions` of one part of the rows after another; all rows of one key are in one part.

    columns: what is kept of `source`, in SQL; the first one is called `key`. which: rows, in SQL.
    """
    connection.register("source", source)
    row = connection.execute(
        f"create or replace temp table versions as select {columns} from source where {which}"  # noqa: S608 - names of ours
    ).fetchone()
    connection.unregister("source")
    parts = 1 + int(row[0] if row else 0) // PART_ROWS
    if parts == 1:
        yield
        connection.execute("drop table versions")
        return
    connection.execute("alter table versions rename to staged")
    for number in range(parts):
        mine = f"hash(key) % {parts} = {number}"
        connection.execute(f"create or replace temp view versions as select * from staged where {mine}")  # noqa: S608 - numbers
        yield
    connection.execute("drop view versions")
    connection.execute("drop table staged")


def count_living(connection: duckdb.DuckDBPyConnection, source: pa.RecordBatchReader, key: str) -> int:
    """Keys whose newest version is not a deletion. source: `_synced_at`, `_deleted` and what `key` (SQL) needs."""
    living = 0
    for _ in in_parts(connection, source, f"{key} as key, _synced_at as read_at, _deleted as gone"):
        row = connection.execute(
            "select count(*) from (select arg_max(gone, read_at) as gone from versions group by key) where not gone"
        ).fetchone()
        living += int(row[0]) if row else 0
    return living


@cache
def _database(_process: int) -> duckdb.DuckDBPyConnection:
    """Of this process. For one thread: each would need buffers of its own."""
    return duckdb.connect(
        ":memory:",
        config={
            "threads": 1,
            "memory_limit": f"{MEMORY_MB}MB",
            "temp_directory": str(scratch_folder() / str(_process)),
            "preserve_insertion_order": False,
        },
    )
