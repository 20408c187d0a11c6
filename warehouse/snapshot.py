"""One pinned version of every lake table, and DuckDB relations over exactly those files.

A table that does not exist yet is an empty, typed one. From a disk DuckDB reads the Parquet files itself; from an
object store the rows come through delta-rs and are copied. Does not belong here: what the rows mean (models/).
"""

# ruff: noqa: S608 - SQL is put together here from the contract's names and the table's own files, all of them quoted.

from __future__ import annotations

import glob
from dataclasses import dataclass

import duckdb
import pyarrow as pa
import pyarrow.dataset as ds
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from pipelines.contract import RESOURCES
from pipelines.errors import WarehouseError
from pipelines.lake.schemas import OPERATIONS, table_schema
from warehouse.quoting import quote_literal, quote_name

_SQL_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.float64(): "DOUBLE",
    pa.int64(): "BIGINT",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
    pa.time64("us"): "TIME",
    pa.timestamp("us", tz="UTC"): "TIMESTAMPTZ",
}


@dataclass(frozen=True)
class TableSnapshot:
    """One lake table as it was at one version.

    schema: the columns that models rely on, whatever the files hold. key: its columns that identify a row (none for
    tables of operations). version: None where the table does not exist. files: paths relative to the table.
    """

    name: str
    uri: str
    schema: pa.Schema
    key: tuple[str, ...] = ()
    version: int | None = None
    files: tuple[str, ...] = ()
    is_partitioned: bool = False

    @property
    def is_remote(self) -> bool:
        return "://" in self.uri


def pin(lake_root: str) -> dict[str, TableSnapshot]:
    """Fix one version of every lake table, by name.

    Records of runs first and parents last, so that nothing pinned speaks of rows that are not: a watermark never
    runs ahead of its rows, a session never ahead of its user. Raises WarehouseError when a table cannot be read.
    """
    pinned = {name: _pin_table(lake_root, name, schema, ()) for name, schema in OPERATIONS.items()}
    for name, resource in reversed(RESOURCES.items()):
        pinned[name] = _pin_table(lake_root, name, table_schema(resource), resource.key_columns)
    return pinned


def _pin_table(lake_root: str, name: str, schema: pa.Schema, key: tuple[str, ...]) -> TableSnapshot:
    uri = f"{lake_root}/{name}"
    try:
        if not DeltaTable.is_deltatable(uri):
            return TableSnapshot(name, uri, schema, key)
        table = DeltaTable(uri)
        paths = [str(path) for path in pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist()]
        return TableSnapshot(
            name, uri, schema, key, table.version(), tuple(sorted(paths)), bool(table.metadata().partition_columns)
        )
    except (DeltaError, OSError) as error:
        raise WarehouseError(f"the lake table {uri} cannot be read: {error}") from error


def create_relations(connection: duckdb.DuckDBPyConnection, table: TableSnapshot, added: frozenset[str]) -> None:
    """Make `lake.<table>` over all pinned files, and for a keyed table `changes.<table>`: the keys in `added` files.

    added: relative paths, part of `table.files`.
    """
    name, keys = quote_name(table.name), pa.schema([table.schema.field(column) for column in table.key])
    for schema in ("lake", "changes"):
        _drop(connection, schema, table.name)
    if table.is_remote and table.files:
        _copy_remote(connection, table, keys, added)
        return
    connection.execute(f"create view lake.{name} as {_scan(connection, table, table.files, table.schema)}")
    if table.key:
        changed = _scan(connection, table, tuple(sorted(added)), keys)
        connection.execute(f"create view changes.{name} as select distinct * from ({changed})")


def _scan(
    connection: duckdb.DuckDBPyConnection, table: TableSnapshot, files: tuple[str, ...], schema: pa.Schema
) -> str:
    """SELECT of the schema's columns, each cast to its type; a column that no file has is null."""
    if not files:
        return f"select {_columns(schema, frozenset())} where false"
    paths = ", ".join(quote_literal(glob.escape(f"{table.uri}/{file}")) for file in files)
    hive = "true, hive_types_autocast = false" if table.is_partitioned else "false"
    source = f"read_parquet([{paths}], union_by_name = true, hive_partitioning = {hive})"
    present = {str(row[0]) for row in connection.execute(f"describe select * from {source}").fetchall()}
    return f"select {_columns(schema, frozenset(present))} from {source}"


def _copy_remote(
    connection: duckdb.DuckDBPyConnection, table: TableSnapshot, keys: pa.Schema, added: frozenset[str]
) -> None:
    dataset = DeltaTable(table.uri, version=table.version).to_pyarrow_dataset()
    if not isinstance(dataset, ds.FileSystemDataset):
        raise TypeError(f"expected delta-rs to offer files, came {type(dataset).__name__}")
    fragments = [part for part in dataset.get_fragments() if part.path in added]
    newer = ds.FileSystemDataset(fragments, dataset.schema, dataset.format, dataset.filesystem)
    for schema, source, columns in (("lake", dataset, table.schema), ("changes", newer, keys)):
        if not len(columns):
            continue
        connection.register("arrow_rows", source)
        chosen = ("distinct " if schema == "changes" else "") + _columns(columns, frozenset(source.schema.names))
        connection.execute(f"create table {schema}.{quote_name(table.name)} as select {chosen} from arrow_rows")
        connection.unregister("arrow_rows")


def _drop(connection: duckdb.DuckDBPyConnection, schema: str, name: str) -> None:
    kinds = connection.execute(
        "select table_type from information_schema.tables where table_schema = ? and table_name = ?", [schema, name]
    ).fetchall()
    for (kind,) in kinds:
        connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {schema}.{quote_name(name)}")


def _columns(schema: pa.Schema, present: frozenset[str]) -> str:
    return ", ".join(
        f"cast({quote_name(field.name) if field.name in present else 'null'} as {sql_type(field.type)}) "
        f"as {quote_name(field.name)}"
        for field in schema
    )


def sql_type(arrow: pa.DataType) -> str:
    """DuckDB's name of an Arrow type of the lake. Raises TypeError for one that the lake does not use."""
    if pa.types.is_decimal(arrow):
        return f"DECIMAL({arrow.precision}, {arrow.scale})"
    if pa.types.is_list(arrow):
        return f"{sql_type(arrow.value_type)}[]"
    if pa.types.is_struct(arrow):
        return f"STRUCT({', '.join(f'{quote_name(part.name)} {sql_type(part.type)}' for part in arrow)})"
    if arrow in _SQL_TYPES:
        return _SQL_TYPES[arrow]
    raise TypeError(f"the warehouse has no SQL type for {arrow}")
