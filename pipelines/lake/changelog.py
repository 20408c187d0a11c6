"""A table as a changelog: rows are appended only when they are new or changed, together with the watermark.

Does not belong here: Delta's own ways (store.py), what to ask the API (pipelines/sync).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from types import MappingProxyType

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contract import PARENTS, Resource, column_name
from pipelines.errors import LakeError
from pipelines.lake.held import HeldTimes
from pipelines.lake.index import INDEX_COLUMNS, NOTHING, Delta, KeyIndex
from pipelines.lake.keys import key_texts
from pipelines.lake.opened import Opened
from pipelines.lake.schemas import MONTH, table_schema
from pipelines.lake.store import COMMIT_ATTEMPTS, CommitRefused, DeltaStore, translated
from pipelines.lake.suppression import SuppressionList

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
TICK = timedelta(microseconds=1)
NO_MARKS: Mapping[str, int] = MappingProxyType({})

TURNED = "turned"
"""`users/turned`: the newest read time (microseconds) at which a row of a table was deleted or came back. It is part of
that very commit, so that what follows for the rows below cannot be forgotten.
"""


def to_version(instant: datetime) -> int:
    """A watermark as a transaction's version: milliseconds since 1970, cut."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_version(version: int) -> datetime:
    return EPOCH + timedelta(milliseconds=version)


def to_microseconds(instant: datetime) -> int:
    """A read time as a transaction's version."""
    return (instant - EPOCH) // TICK


@dataclass(frozen=True, slots=True)
class Committed:
    """What one commit did. appended: rows written. returned: of keys that had been deleted.

    refusals: how often another writer was first.
    """

    appended: int
    new: int
    returned: int
    changed: int
    deleted: int
    unchanged: int
    stale: int
    refusals: int


class ChangelogTable:
    """The lake table of one resource, with its watermarks. suppressed: whose rows are never taken."""

    def __init__(
        self,
        uri: str,
        resource: Resource,
        opened: Opened | None = None,
        suppressed: SuppressionList | None = None,
    ) -> None:
        self.resource = resource
        self._suppressed = suppressed
        self.schema = table_schema(resource)
        self._store = DeltaStore(
            uri, self.schema, _statistics_columns(resource), MONTH if resource.is_by_month else None, opened
        )
        self._index: KeyIndex | None = None

    @property
    def version(self) -> int:
        return self._store.version

    def close(self) -> None:
        if self._index is not None:
            self._index.close()
            self._index = None

    def watermark(self, app_id: str) -> datetime | None:
        """Up to when the question `app_id` (`sessions/started`) was asked without a gap."""
        version = self._store.transaction(app_id)
        return None if version is None else from_version(version)

    def mark(self, app_id: str) -> int | None:
        """The version last committed under an application id."""
        return self._store.transaction(app_id)

    def newest_read(self) -> datetime | None:
        """The greatest `_synced_at` in the table."""
        return self._held().newest()

    def __len__(self) -> int:
        """Keys that are held and not deleted."""
        return len(self._held())

    def held_times(self, path: str) -> HeldTimes:
        """The instants at a JSON path of all rows that are current and not deleted."""
        with translated(self._store.uri):
            return HeldTimes.read(self._versions(column_name(path)), column_name(path))

    def commit(
        self, rows: pa.Table, watermarks: Mapping[str, datetime], marks: Mapping[str, int] = NO_MARKS
    ) -> Committed:
        """Append what is new or changed among `rows`, and move watermarks and marks forward, in one Delta commit.

        rows: the table's columns plus `_key`, any number of rows a key, rows that are already held included.
        A watermark at or below the held one stays. Without news and without a watermark to move, nothing is written.
        """
        return self._commit(rows, {app_id: to_version(instant) for app_id, instant in watermarks.items()} | dict(marks))

    def leave_mark(self, app_id: str, version: int) -> None:
        """Move a mark forward, in a commit without rows."""
        self._commit(self.schema.empty_table(), {app_id: version})

    def set_back(self, watermarks: Mapping[str, datetime]) -> None:
        """Let watermarks fall, which Delta allows and nothing else here does: see pipelines/sync/ahead.py."""
        versions = {app_id: to_version(instant) for app_id, instant in watermarks.items()}
        for _ in range(COMMIT_ATTEMPTS):
            try:
                self._store.append(self.schema.empty_table(), versions)
            except CommitRefused:
                self._store.refresh()
                self._forget()
                continue
            return
        raise self._others_were_first()

    def commit_late(self, rows: pa.Table, at: datetime) -> Committed:
        """Append rows that were read long ago: not where a key was read since, and stamped `at` or later."""
        return self._commit(rows, {}, late_at=at)

    def _commit(self, rows: pa.Table, marks: Mapping[str, int], late_at: datetime | None = None) -> Committed:
        """`commit` with the transactions' versions as they are stored. late_at: see commit_late."""
        rows = self.without_erased(rows)
        for refusals in range(COMMIT_ATTEMPTS):
            # moving a mark alone must not cost reading what is held
            index = self._held() if rows.num_rows else None
            delta = NOTHING if index is None else index.compare(rows)
            news = _on_their_own(rows.take(delta.rows))
            if late_at is not None:
                news = stamped_after(news, max(late_at, self.newest_read() or late_at))
            elif refusals:
                news = stamped_after(news, self.newest_read())
            transactions = {
                app_id: version
                for app_id, version in (dict(marks) | self._turned(news, delta)).items()
                if (committed := self._store.transaction(app_id)) is None or version > committed
            }
            if news.num_rows or transactions:
                try:
                    self._store.append(news.select(self.schema.names).cast(self.schema), transactions)
                except CommitRefused:
                    self._store.refresh()
                    self._forget()
                    continue
                if index is not None:
                    index.add(news, only_unheld=delta.new == news.num_rows)
            return _committed(news, delta, refusals)
        raise self._others_were_first()

    def _others_were_first(self) -> LakeError:
        return LakeError(
            f"{self._store.uri}: {COMMIT_ATTEMPTS} commits in a row were refused because other writers were first."
            " Stop the other syncs of this tenant and run again; nothing is lost."
        )

    def without_erased(self, rows: pa.Table) -> pa.Table:
        """Rows but those of people who were erased: the others are never taken."""
        return rows if self._suppressed is None else self._suppressed.without(self.resource, rows)

    def _turned(self, news: pa.Table, delta: Delta) -> dict[str, int]:
        """The mark of a commit in which parents are deleted or come back."""
        if self.resource.name not in PARENTS or not (delta.returned or pc.any(news["_deleted"]).as_py()):
            return {}
        return {f"{self.resource.name}/{TURNED}": to_microseconds(pc.max(news["_synced_at"]).as_py())}

    def _held(self) -> KeyIndex:
        if self._index is None:
            self._index = KeyIndex()
            with translated(self._store.uri):
                self._index.load(self._versions())
        return self._index

    def _forget(self) -> None:
        self.close()

    def _versions(self, *more: str) -> pa.RecordBatchReader:
        keys = [column_name(path) for path in (*self.resource.key, *self.resource.alternative_key)]
        names = [*INDEX_COLUMNS, *more]
        source = self._store.scan([*keys, *names])
        schema = pa.schema([pa.field("_key", pa.string()), *(source.schema.field(name) for name in names)])
        return pa.RecordBatchReader.from_batches(schema, self._keyed(source, schema))

    def _keyed(self, source: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        for batch in source:
            keys = key_texts(self.resource, batch)
            columns = [batch.column(name) for name in schema.names[1:]]
            yield pa.RecordBatch.from_arrays([keys, *columns], schema=schema)


def _on_their_own(rows: pa.Table) -> pa.Table:
    """The rows, of which none was deleted along with a parent."""
    place, field = rows.schema.get_field_index("_deleted_with"), pa.field("_deleted_with", pa.string())
    nothing = pa.nulls(rows.num_rows, pa.string())
    return rows.append_column(field, nothing) if place < 0 else rows.set_column(place, field, nothing)


def stamped_after(rows: pa.Table, newest: datetime | None) -> pa.Table:
    """The rows with read times that all lie after `newest`, in their order.

    Who was refused commits after another writer, and whoever remembers having seen the table up to some read time
    must be able to rely on it that nothing earlier is added.
    """
    earliest = pc.min(rows["_synced_at"]).as_py() if rows.num_rows else None
    if newest is None or earliest is None or earliest > newest:
        return rows
    place = rows.schema.get_field_index("_synced_at")
    later = pc.add(rows["_synced_at"], pa.scalar(newest - earliest + TICK, pa.duration("us")))
    return rows.set_column(place, rows.schema.field(place), later)


def _committed(news: pa.Table, delta: Delta, refusals: int) -> Committed:
    deleted = sum(1 for gone in news["_deleted"].to_pylist() if gone)
    return Committed(
        appended=news.num_rows,
        new=delta.new,
        returned=delta.returned,
        changed=delta.changed - deleted,
        deleted=deleted,
        unchanged=delta.unchanged,
        stale=delta.stale,
        refusals=refusals,
    )


def _statistics_columns(resource: Resource) -> list[str]:
    """Columns whose extremes may stand in Delta's log: keys and times, nothing personal."""
    times = [column_name(question.time) for question in resource.all_questions]
    if resource.time and resource.time not in resource.key:
        times.append(column_name(resource.time))
    return [*resource.key_columns, *times, "_synced_at"]
