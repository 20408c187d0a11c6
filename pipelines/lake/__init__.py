"""The Parquet tables: append rows and watermark in one commit, compare with what is held, keep records.

Does not belong here: the API, HTTP, deciding what to ask or what is true (pipelines/sync).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds

from pipelines.contract import Link, Resource
from pipelines.errors import LakeError
from pipelines.lake.changelog import ChangelogTable, Committed
from pipelines.lake.children import ChildTable
from pipelines.lake.family import FamilyTable, newest_versions
from pipelines.lake.opened import Opened
from pipelines.lake.operations import (
    Record,
    RecordTable,
    RunTable,
    record_table,
)
from pipelines.lake.schemas import MONTH, table_schema
from pipelines.lake.store import DeltaStore, translated
from pipelines.lake.suppression import SuppressionList

SUPPRESSED_TABLE = "_suppressed"


class Lake:
    """The tables under one root: a folder or an object-store URL."""

    def __init__(self, root: str) -> None:
        self.root = root.rstrip("/")
        self.suppressed = SuppressionList(f"{self.root}/{SUPPRESSED_TABLE}")
        self._records: dict[str, RecordTable] = {}
        self._opened = Opened()

    def make(self) -> None:
        """Make the lake's folder, so that a place that cannot be written is found before the first request."""
        if "://" not in self.root:
            _make_folder(Path(self.root))

    def table(self, resource: Resource) -> ChangelogTable:
        return ChangelogTable(self._uri(resource.name), resource, self._opened, self.suppressed)

    def children(self, resource: Resource, parent_id: str) -> ChildTable:
        """The table of a resource that hangs under those with this id in the path."""
        return ChildTable(self._uri(resource.name), resource, parent_id, self._opened, self.suppressed)

    def family(self, resource: Resource, link: Link) -> FamilyTable:
        """The table, which must stand, of what hangs under some parents."""
        return FamilyTable(self._uri(resource.name), resource, link, self._opened)

    def rows(self, resource: Resource, ids: Sequence[str]) -> pa.Table:
        """The newest version of some rows of a table whose key is `id`."""
        uri, schema = self._uri(resource.name), table_schema(resource)
        with translated(uri):
            found = (
                DeltaStore(uri, schema, (), opened=self._opened)
                .scan(schema.names, ds.field("id").isin(pa.array(ids, pa.string())))
                .read_all()
            )
        return newest_versions(resource, found)

    @contextmanager
    def reading(
        self, resource: Resource, columns: Sequence[str], since: datetime | None = None, *, deleted: bool = False
    ) -> Iterator[pa.RecordBatchReader]:
        """All versions of all rows, some columns, as a stream; nothing where there is no table yet.

        since: of a table that is partitioned by month, leave out months before. deleted: only deletions.
        """
        uri, schema = self._uri(resource.name), table_schema(resource)
        with translated(uri):
            if self._opened.newest(uri) is None:
                yield pa.schema([schema.field(name) for name in columns]).empty_table().to_reader()
                return
            wanted = ds.field(MONTH) >= f"{since:%Y-%m}" if since is not None and resource.is_by_month else None
            yield DeltaStore(uri, schema, (), opened=self._opened).scan(
                columns, ds.field("_deleted") if deleted else wanted
            )

    def pending_parents(self) -> RecordTable:
        return self._record_table("_pending_parents")

    def marks(self, name: str, app_ids: Sequence[str]) -> list[int | None]:
        """The versions last committed to a table under some application ids; asking does not make it."""
        uri = self._uri(name)
        with translated(uri):
            table = self._opened.newest(uri)
            known = {} if table is None else self._opened.transactions(uri, table)
        return [known.get(app_id) for app_id in app_ids]

    def version(self, name: str) -> int | None:
        """The newest version of a table, None where it has not been made."""
        uri = self._uri(name)
        with translated(uri):
            table = self._opened.newest(uri)
        return None if table is None else table.version()

    def holds(self, name: str) -> bool:
        """Whether a table has been made; asking does not make it."""
        uri = self._uri(name)
        with translated(uri):
            return self._opened.stands(uri)

    def quarantine(self) -> RecordTable:
        return self._record_table("_quarantine")

    def drift(self) -> RecordTable:
        return self._record_table("_contract_drift")

    def reconciliation(self) -> RecordTable:
        return self._record_table("_reconciliation")

    def deletion_candidates(self) -> RecordTable:
        return self._record_table("_deletion_candidates")

    def runs(self) -> RunTable:
        return RunTable(self._uri("_runs"), self._opened)

    def _uri(self, name: str) -> str:
        return f"{self.root}/{name}"

    def _record_table(self, name: str) -> RecordTable:
        """One object a table: every part of a run writes records, and opening a table costs milliseconds."""
        if name not in self._records:
            self._records[name] = record_table(self._uri(name), name, self._opened, self.suppressed)
        return self._records[name]


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise LakeError(
            f"The lake's folder {folder} cannot be made ({error.strerror})."
            " Set CHARGELAKE_HOME (or CHARGELAKE_LAKE) to a place this user may write to."
        ) from error


__all__ = ["ChangelogTable", "ChildTable", "Committed", "FamilyTable", "Lake", "Record", "RecordTable", "RunTable"]
