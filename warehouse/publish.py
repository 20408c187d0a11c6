"""Publishes a whole build as a new immutable generation, and points readers at it.

Readers open `current.duckdb`, a symlink that is flipped in one step; who has an older generation open keeps it.
Whatever kills a publish, the link shows a whole generation. Does not belong here: building (build.py).
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.files import exclusive, private_folder, sync_to_disk
from warehouse.project import PERSONAL_SCHEMA, PUBLIC_SCHEMAS
from warehouse.quoting import quote_literal, quote_name

STORAGE_VERSION = "v1.0.0"
"""Oldest format that DuckDB writes: BI tools with a driver of 1.1 or later can open it."""

_SORTED_BY = (("local_month",), ("user_id", "started_at"), ("charging_location_id", "started_at"))
"""Columns by which rows are laid down, the first of these that a table has: what dashboards ask for lies together, so
that DuckDB reads a small part of a large table."""

_GENERATION = re.compile(r"^(\d{6,})-\d{8}T\d{6}Z\.duckdb$")
_UNFINISHED = ".unfinished"


@dataclass(frozen=True)
class PublishReport:
    """A new generation. rows: number of rows of each table, by `schema.name`."""

    file: Path
    rows: dict[str, int]
    bytes_written: int
    duration_seconds: float


def publish(settings: LakeSettings) -> PublishReport:
    """Copy the last whole build into a new generation and make it the current one. Raises WarehouseError."""
    began = time.monotonic()
    with exclusive(settings):
        if not settings.build_file.exists():
            raise WarehouseError("nothing is built yet: run `chargelake build`")
        folder = private_folder(settings.warehouse_folder / "generations")
        _remove_leftovers(settings, folder)
        final = folder / _next_name(folder)
        unfinished = final.with_name(final.name + _UNFINISHED)
        schemas = (*PUBLIC_SCHEMAS, *((PERSONAL_SCHEMA,) if settings.publish_personal else ()))
        try:
            rows = _write_generation(settings.build_file, unfinished, schemas)
            sync_to_disk(unfinished)
            unfinished.rename(final)
            sync_to_disk(folder)
            _flip(settings.published_file, final)
            size = final.stat().st_size
            _forget_old(settings, folder)
        except (duckdb.Error, OSError) as error:
            raise WarehouseError(f"{final} cannot be written: {error}") from error
        finally:
            unfinished.unlink(missing_ok=True)
    return PublishReport(final, rows, size, time.monotonic() - began)


def _write_generation(build_file: Path, target: Path, schemas: tuple[str, ...]) -> dict[str, int]:
    """Copy every table and macro of the schemas; the number of rows of each table, counted on both sides."""
    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": False})
    try:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"attach {quote_literal(str(build_file))} as build_file (read_only)")
        _require_whole_build(connection)
        connection.execute(
            f"attach {quote_literal(str(target))} as generation (storage_version {quote_literal(STORAGE_VERSION)})"
        )
        target.chmod(0o600)
        rows: dict[str, int] = {}
        for schema in schemas:
            connection.execute(f"create schema generation.{quote_name(schema)}")
            for name, comment in _tables(connection, schema):
                rows[f"{schema}.{name}"] = _copy_table(connection, schema, name, comment)
            _copy_macros(connection, schema)
        connection.execute("use memory")
        connection.execute("detach generation")  # writes everything into the one file
    finally:
        connection.close()
    return rows


def _require_whole_build(connection: duckdb.DuckDBPyConnection) -> None:
    try:
        row = connection.execute("select is_complete from build_file.state.current_build").fetchone()
    except duckdb.CatalogException:
        row = None
    if row is None or not row[0]:
        raise WarehouseError("the last build did not come to its end: run `chargelake build`, then publish")


def _tables(connection: duckdb.DuckDBPyConnection, schema: str) -> list[tuple[str, str | None]]:
    rows = connection.execute(
        "select table_name, comment from duckdb_tables() "
        "where database_name = 'build_file' and schema_name = ? order by table_name",
        [schema],
    ).fetchall()
    return [(str(name), comment) for name, comment in rows]


def _copy_table(connection: duckdb.DuckDBPyConnection, schema: str, name: str, comment: str | None) -> int:
    table = f"{quote_name(schema)}.{quote_name(name)}"
    columns = connection.execute(
        "select column_name, comment from duckdb_columns() "
        "where database_name = 'build_file' and schema_name = ? and table_name = ?",
        [schema, name],
    ).fetchall()
    held = {str(column) for column, _ in columns}
    order = next((f" order by {', '.join(chosen)}" for chosen in _SORTED_BY if held.issuperset(chosen)), "")
    connection.execute(f"create table generation.{table} as select * from build_file.{table}{order}")  # noqa: S608 (quoted names)
    if comment:
        connection.execute(f"comment on table generation.{table} is {quote_literal(comment)}")
    for column, text in columns:
        if text:
            connection.execute(f"comment on column generation.{table}.{quote_name(column)} is {quote_literal(text)}")
    counts = connection.execute(
        f"select (select count(*) from build_file.{table}), (select count(*) from generation.{table})"  # noqa: S608
    ).fetchone()
    if counts is None or counts[0] != counts[1]:
        raise WarehouseError(f"{schema}.{name}: expected the build's rows in the new generation, counted {counts}")
    return int(counts[0])


def _copy_macros(connection: duckdb.DuckDBPyConnection, schema: str) -> None:
    """Queries with parameters that models offer to analysts. They name tables by schema only, so they fit any file."""
    macros = connection.execute(
        "select function_name, parameters, macro_definition from duckdb_functions() "
        "where database_name = 'build_file' and schema_name = ? and function_type = 'table_macro' order by all",
        [schema],
    ).fetchall()
    for name, parameters, query in macros:
        signature = f"{quote_name(schema)}.{quote_name(name)}({', '.join(map(quote_name, parameters))})"
        connection.execute(f"create macro generation.{signature} as table {query}")


def _generations(folder: Path) -> list[Path]:
    """Finished generations, oldest first."""
    numbered = [(int(match[1]), path) for path in folder.iterdir() if (match := _GENERATION.match(path.name))]
    return [path for _, path in sorted(numbered)]


def _next_name(folder: Path) -> str:
    existing = _generations(folder)
    number = int(existing[-1].name.split("-")[0]) + 1 if existing else 1
    return f"{number:06d}-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.duckdb"


def _flip(link: Path, target: Path) -> None:
    """Point the link at the target in one step; relative, so that CHARGELAKE_HOME can be moved."""
    new_link = link.with_name(link.name + _UNFINISHED)
    new_link.symlink_to(target.relative_to(link.parent))
    new_link.replace(link)
    sync_to_disk(link.parent)


def _forget_old(settings: LakeSettings, folder: Path) -> None:
    """Remove all but the current generation and the newest few beside it. Who has one open can go on reading."""
    current = settings.published_file.resolve()
    older = [path for path in _generations(folder) if path.resolve() != current]
    for path in older[: -settings.generations_kept]:
        path.unlink()


def drop_older_generations(settings: LakeSettings) -> int:
    """Remove all generations but the current one, and leftovers; how many. Who has one open can go on reading it."""
    with exclusive(settings):
        folder = private_folder(settings.warehouse_folder / "generations")
        _remove_leftovers(settings, folder)
        older = [path for path in _generations(folder) if path.resolve() != settings.published_file.resolve()]
        for path in older:
            path.unlink()
    return len(older)


def _remove_leftovers(settings: LakeSettings, folder: Path) -> None:
    """What killed publishes left: files and links with the unfinished name, which nobody else uses."""
    settings.published_file.with_name(settings.published_file.name + _UNFINISHED).unlink(missing_ok=True)
    for path in folder.iterdir():
        if _UNFINISHED in path.name:
            path.unlink()
