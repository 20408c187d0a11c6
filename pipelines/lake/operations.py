"""The lake's own records: rows set aside, drift from the contract, runs.

Written before the rows and the watermark they belong to, so that a death in between leaves a record too many
rather than one too few; writing a record again changes nothing.
Does not belong here: deciding what is set aside or what drifts (pipelines/sync).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa

from pipelines.errors import LakeError
from pipelines.lake.changelog import TICK
from pipelines.lake.opened import Opened
from pipelines.lake.schemas import (
    CONTRACT_DRIFT,
    DELETION_CANDIDATES,
    PENDING_PARENTS,
    QUARANTINE,
    RECONCILIATION,
    RUNS,
)
from pipelines.lake.store import COMMIT_ATTEMPTS, CommitRefused, DeltaStore, translated
from pipelines.lake.suppression import SuppressionList

Record = dict[str, Any]


class RecordTable:
    """A small table of records, each version of a record one row; the newest `_synced_at` of an `id` counts.

    suppressed: records that name one of these are never written.
    """

    def __init__(
        self,
        uri: str,
        schema: pa.Schema,
        statistics_columns: list[str],
        opened: Opened | None = None,
        suppressed: SuppressionList | None = None,
    ) -> None:
        self.schema = schema
        self._suppressed = suppressed
        self._store = DeltaStore(uri, schema, statistics_columns, opened=opened)
        self._current: tuple[int, dict[str, Record]] | None = None

    @property
    def version(self) -> int:
        return self._store.version

    def current(self) -> dict[str, Record]:
        """The newest version of every record, by `id`; read once for each version of the table."""
        if self._current is not None and self._current[0] == self._store.version:
            return self._current[1]
        latest: dict[str, Record] = {}
        with translated(self._store.uri):
            records = self._store.scan(self.schema.names).read_all().to_pylist()
        for record in records:
            held = latest.get(record["id"])
            if held is None or held["_synced_at"] <= record["_synced_at"]:
                latest[record["id"]] = record
        self._current = (self._store.version, latest)
        return latest

    def write(self, news: Callable[[Mapping[str, Record]], Iterable[Record]]) -> int:
        """Append the records that `news` makes of the current ones; returns how many.

        `news` is called again on the newest state when another writer was first.
        """
        for _ in range(COMMIT_ATTEMPTS):
            held = self.current()
            records = [_later(record, held.get(record["id"])) for record in news(held) if not self._is_of_one(record)]
            if not records:
                return 0
            try:
                rows = pa.Table.from_pylist(records, schema=self.schema)
                self._store.append(rows, {})
            except CommitRefused:
                self._store.refresh()
                continue
            # as they would be read again
            self._current = (self._store.version, {**held, **{record["id"]: record for record in rows.to_pylist()}})
            return len(records)
        raise LakeError(f"{self._store.uri}: other writers were first {COMMIT_ATTEMPTS} times in a row; run again.")

    def _is_of_one(self, record: Record) -> bool:
        """Whether a record names somebody who was erased."""
        if self._suppressed is None:
            return False
        return any(isinstance(value, str) and self._suppressed.names_one(value) for value in record.values())


def _later(record: Record, held: Record | None) -> Record:
    """The record, stamped after the held version: a clock that was set back must not hide it."""
    if held is None or record["_synced_at"] > held["_synced_at"]:
        return record
    return {**record, "_synced_at": held["_synced_at"] + TICK}


class RunTable:
    """One row for each collection of each run that came to its end."""

    def __init__(self, uri: str, opened: Opened | None = None) -> None:
        self._store = DeltaStore(uri, RUNS, ["run_id", "collection", "started_at"], opened=opened)

    def append(self, records: list[Record]) -> None:
        rows = pa.Table.from_pylist(records, schema=RUNS)
        for _ in range(COMMIT_ATTEMPTS):
            try:
                self._store.append(rows, {})
            except CommitRefused:
                self._store.refresh()
                continue
            return
        raise LakeError(f"{self._store.uri}: other writers were first {COMMIT_ATTEMPTS} times in a row; run again.")

    def rows(self) -> list[Record]:
        """Every record, in no order."""
        with translated(self._store.uri):
            records: list[Record] = self._store.scan(RUNS.names).read_all().to_pylist()
        return records


RECORD_TABLES: Mapping[str, tuple[pa.Schema, list[str]]] = {
    "_quarantine": (QUARANTINE, ["id", "collection", "status", "first_seen_at", "_synced_at"]),
    "_contract_drift": (CONTRACT_DRIFT, ["id", "collection", "kind", "path", "_synced_at"]),
    "_reconciliation": (RECONCILIATION, ["id", "collection", "month", "_synced_at"]),
    "_pending_parents": (PENDING_PARENTS, ["id", "fan_out", "status", "_synced_at"]),
    "_deletion_candidates": (DELETION_CANDIDATES, ["id", "collection", "status", "_synced_at"]),
}
"""What each table of records holds, and of which columns Delta keeps statistics."""


def record_table(
    uri: str, name: str, opened: Opened | None = None, suppressed: SuppressionList | None = None
) -> RecordTable:
    schema, statistics_columns = RECORD_TABLES[name]
    return RecordTable(uri, schema, statistics_columns, opened, suppressed)
