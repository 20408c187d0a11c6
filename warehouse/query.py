"""Reading the published file: for analysts (`frame`) and for the command line (`query`).

Every call opens the file anew, so it sees the newest generation and holds none of them. The file is attached
read-only to a database in memory: whatever else the process has open, settings do not collide.
Does not belong here: making the file (publish.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings, load
from warehouse.quoting import quote_literal

if TYPE_CHECKING:
    import pandas as pd


def frame(
    sql: str, *, params: Sequence[Any] | Mapping[str, Any] | None = None, file: Path | str | None = None
) -> pd.DataFrame:
    """The rows of one query on the published file, as a pandas DataFrame.

    params: values for `?` or `$name` in the query. file: another file than CHARGELAKE_HOME's current one.
    Instants come as datetime64 in UTC, local times without a zone, decimals as float64 (cast to varchar in the query
    where every digit counts). Raises WarehouseError when nothing is published, or with DuckDB's words on a bad query.
    """
    with _open(file) as connection:
        try:
            relation = connection.sql(sql, params=params)
            table = relation.to_arrow_table() if relation is not None else pa.table({})
        except duckdb.Error as error:
            raise WarehouseError(f"the query failed: {error}") from error
    return _without_decimals(table).to_pandas(date_as_object=False)


def query(sql: str, *, file: Path | str | None = None) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one query, for showing. It can read the published file and nothing else.

    Raises WarehouseError when nothing is published, or with DuckDB's words on a bad query.
    """
    if not sql.strip(" ;\n\t"):
        raise WarehouseError('the query is empty; for example "select count(*) from marts.fct_sessions"')
    with _open(file) as connection:
        connection.execute("set enable_external_access = false")
        connection.execute("set lock_configuration = true")
        try:
            answer = connection.execute(sql)
            return _told_apart([str(column[0]) for column in answer.description or []]), answer.fetchall()
        except duckdb.Error as error:
            raise WarehouseError(f"the query failed: {error}") from error


def _told_apart(names: list[str]) -> list[str]:
    """Column names of which none hides another: `a`, `a_2`."""
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        seen[name] += 1
        told.append(name if seen[name] == 1 else f"{name}_{seen[name]}")
    return told


@contextmanager
def _open(file: Path | str | None) -> Iterator[duckdb.DuckDBPyConnection]:
    path = Path(file) if file is not None else load(LakeSettings).published_file
    if not path.exists():
        raise WarehouseError(f"expected a published file at {path}; run `chargelake build` and `chargelake publish`")
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("set python_enable_replacements = false")
        try:
            connection.execute(f"attach {quote_literal(str(path.resolve()))} as warehouse (read_only)")
        except duckdb.Error as error:
            raise WarehouseError(f"{path} cannot be opened: {error}") from error
        connection.execute("use warehouse")
        yield connection
    finally:
        connection.close()


def _without_decimals(table: pa.Table) -> pa.Table:
    """Decimals as the nearest double. By way of text: Arrow's own cast of 0.03 is 0.030000000000000002."""
    columns = [
        column.cast(pa.string()).cast(pa.float64()) if pa.types.is_decimal(column.type) else column
        for column in table.columns
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)
