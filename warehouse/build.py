"""One build: pin the lake, prepare the private database, run dbt on it, note that it is whole.

`build` does it all. Another runner of dbt (Dagster) holds `exclusive`, calls `prepare`, runs `dbt build` with
project.environment, and calls `record` when everything has succeeded. Does not belong here: publishing (publish.py).
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
from deltalake.exceptions import DeltaError

from pipelines.errors import WarehouseError
from pipelines.settings import LakeSettings
from warehouse.compactions import FilesRead, files_read
from warehouse.dbt import NodeResult, run_dbt
from warehouse.files import exclusive, private_folder
from warehouse.project import (
    PERSONAL_SCHEMA,
    PUBLIC_SCHEMAS,
    model_tables,
    project_fingerprint,
    solar_revision_days,
)
from warehouse.snapshot import TableSnapshot, create_relations, pin, sql_type

_STATE = """
create schema if not exists lake;
create schema if not exists changes;
create schema if not exists state;
create table if not exists state.current_build (
    build_id varchar not null, fingerprint varchar not null, is_complete boolean not null
);
create table if not exists state.pins (
    build_id varchar not null, table_name varchar not null, version bigint, files varchar[] not null
);
create table if not exists state.models_built (model varchar not null, build_id varchar not null);
create or replace table state.rewritten_tables (table_name varchar not null);
"""


@dataclass(frozen=True)
class Preparation:
    """What a build will read.

    versions: Delta version of each lake table, None where it does not exist. is_full: no earlier build is used.
    """

    build_id: str
    versions: dict[str, int | None]
    is_full: bool


@dataclass(frozen=True)
class BuildReport:
    """What a build did. nodes: models, seeds and tests in the order in which they ended."""

    versions: dict[str, int | None]
    is_full: bool
    nodes: tuple[NodeResult, ...]
    duration_seconds: float

    @property
    def models(self) -> tuple[NodeResult, ...]:
        return tuple(node for node in self.nodes if node.kind == "model")

    @property
    def warnings(self) -> tuple[NodeResult, ...]:
        """Tests that found rows worth a look, but do not stop a build."""
        return tuple(node for node in self.nodes if node.status == "warn")

    @property
    def tests_passed(self) -> int:
        return sum(node.status == "pass" for node in self.nodes)


def build(settings: LakeSettings, full_refresh: bool = False) -> BuildReport:
    """Bring the private database up to the lake as it is now. Raises WarehouseError."""
    began = time.monotonic()
    with exclusive(settings) as lock:
        preparation = prepare(settings, full_refresh)
        nodes = run_dbt(settings, "build", inherit=[lock])
        record(settings)
    return BuildReport(preparation.versions, preparation.is_full, tuple(nodes), time.monotonic() - began)


def prepare(settings: LakeSettings, full_refresh: bool = False) -> Preparation:
    """Pin the lake and make the build database ready for dbt: `lake` views, `changes` keys, state.

    Earlier models are kept unless `full_refresh`, or what they were built with has changed (models, settings,
    contract, DuckDB). Raises WarehouseError.
    """
    private_folder(settings.build_file.parent)
    pinned = pin(settings.lake_root)
    fingerprint = _fingerprint(settings, pinned)
    if full_refresh or _stored_fingerprint(settings) != fingerprint:
        _remove_build_file(settings.build_file)
    is_full = not settings.build_file.exists()
    build_id = _build_id(fingerprint, pinned)
    with _open(settings) as connection:
        connection.execute("begin")
        connection.execute(_STATE)
        for table in pinned.values():
            read = _files_read(connection, table)
            create_relations(connection, table, frozenset(table.files) - read.by_all)
            if read.has_gaps:
                connection.execute("insert into state.rewritten_tables values (?)", [table.name])
        connection.execute("delete from state.current_build")
        connection.execute("insert into state.current_build values (?, ?, false)", [build_id, fingerprint])
        connection.execute(
            "delete from state.pins where build_id = ? or build_id not in (select build_id from state.models_built)",
            [build_id],
        )
        connection.executemany(
            "insert into state.pins values (?, ?, ?, ?)",
            [[build_id, table.name, table.version, list(table.files)] for table in pinned.values()],
        )
        connection.execute("commit")
    return Preparation(build_id, {name: table.version for name, table in sorted(pinned.items())}, is_full)


def record(settings: LakeSettings) -> None:
    """Note that the prepared build is whole, so that it may be published.

    To be called when dbt has run without an error. Raises WarehouseError when a model still stands for another
    snapshot of the lake, as after a run of only some models.
    """
    with _open(settings) as connection:
        built = connection.execute(
            "select model from state.models_built join state.current_build using (build_id)"
        ).fetchall()
        missing = sorted(set(model_tables(*PUBLIC_SCHEMAS, PERSONAL_SCHEMA)) - {str(row[0]) for row in built})
        if missing:
            raise WarehouseError(
                f"not built on the same snapshot of the lake: {', '.join(missing)}; run `chargelake build`"
            )
        connection.execute("update state.current_build set is_complete = true")


def _files_read(connection: duckdb.DuckDBPyConnection, table: TableSnapshot) -> FilesRead:
    """What models have read of a table. Where models are apart, all get what any lacks."""
    rows = connection.execute(
        """
        select pins.version, coalesce(pins.files, [])
        from (select distinct build_id from state.models_built) as built
        left join state.pins on pins.build_id = built.build_id and pins.table_name = ?
        """,
        [table.name],
    ).fetchall()
    return files_read(table, [(version, frozenset(files)) for version, files in rows])


def _fingerprint(settings: LakeSettings, pinned: dict[str, TableSnapshot]) -> str:
    """Changes when tables of an earlier build would no longer be what a full build makes of the same lake."""
    columns = {
        name: [(field.name, sql_type(field.type)) for field in table.schema] for name, table in sorted(pinned.items())
    }
    ranges = [float(settings.correction_days), solar_revision_days()]
    parts = [project_fingerprint(), settings.time_zone, *ranges, duckdb.__version__, columns]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _build_id(fingerprint: str, pinned: dict[str, TableSnapshot]) -> str:
    parts = [fingerprint, [(table.uri, table.version, table.files) for _, table in sorted(pinned.items())]]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _stored_fingerprint(settings: LakeSettings) -> str | None:
    """None where there is no build to go on from: no file, a damaged one, or one of another DuckDB."""
    if not settings.build_file.exists():
        return None
    try:
        connection = _connect(settings.build_file)
        try:
            row = connection.execute("select fingerprint from state.current_build").fetchone()
        finally:
            connection.close()
    except duckdb.Error:
        return None
    return str(row[0]) if row else None


@contextmanager
def _open(settings: LakeSettings) -> Iterator[duckdb.DuckDBPyConnection]:
    path = settings.build_file
    try:
        connection = _connect(path)
        try:
            path.chmod(0o600)
            yield connection
        finally:
            connection.close()
    except (duckdb.Error, DeltaError, OSError) as error:
        raise WarehouseError(f"{path} cannot be prepared: {error}") from error


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        connection = duckdb.connect(str(path), config={"autoinstall_known_extensions": False})
    except duckdb.IOException as error:
        if "Could not set lock" in str(error):
            raise WarehouseError(f"{path} is open in another process{_who(error)}; close it") from error
        raise
    connection.execute("set TimeZone = 'UTC'")
    return connection


def _who(error: Exception) -> str:
    """The part of DuckDB's message that names the process, if it does."""
    _, _, tail = str(error).partition("Conflicting lock is held in")
    return tail.split(". See")[0].rstrip()


def _remove_build_file(path: Path) -> None:
    try:
        for leftover in (path, path.with_name(path.name + ".wal")):
            leftover.unlink(missing_ok=True)
        shutil.rmtree(path.with_name(path.name + ".tmp"), ignore_errors=True)
    except OSError as error:
        raise WarehouseError(f"cannot replace {path}: {error.strerror}") from error
