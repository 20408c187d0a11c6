"""Rows that are deleted, or come back, together with what they hang under.

Such a deletion keeps the row's last content and names the parent in `_deleted_with`; so what went with a parent can be
told from what went by itself, and comes back with that parent alone.
Does not belong here: what is gone (pipelines/sync/deletions), what hangs under what (pipelines/contract/hierarchy.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute
import pyarrow.dataset as ds

from pipelines import local_clock
from pipelines.contract import PARENTS, Link, Resource
from pipelines.errors import LakeError
from pipelines.lake.changelog import TICK, TURNED, to_microseconds
from pipelines.lake.keys import key_texts
from pipelines.lake.opened import Opened
from pipelines.lake.schemas import MONTH, table_schema
from pipelines.lake.scratch import scratch_database
from pipelines.lake.store import COMMIT_ATTEMPTS, CommitRefused, DeltaStore, translated

pc: Any = pyarrow.compute  # the stubs allow less than the functions do


@dataclass(frozen=True, slots=True)
class Turned:
    """rows: that were deleted or brought back. at: the newest stamp they carry, None where there were none."""

    rows: int = 0
    at: datetime | None = None


class FamilyTable:
    """The lake table of what hangs under some parents by one column."""

    def __init__(self, uri: str, resource: Resource, link: Link, opened: Opened | None = None) -> None:
        self._resource = resource
        self._link = link
        self._store = DeltaStore(uri, table_schema(resource), (), opened=opened)
        self._at: datetime | None = None

    def living(self, parents: Mapping[str, datetime | None]) -> dict[str, datetime | None]:
        """The rows that `bury` would delete, by id with the end of their parent. Of a table with others under it."""
        rows = _to_bury(self._current_of(parents, None), self._link, parents)
        return {id_: parents[above] for id_, above in zip(*_values(rows, "id", self._link.column), strict=True)}

    def bury(self, parents: Mapping[str, datetime | None], run_id: str, after: datetime | None) -> Turned:
        """Delete what hangs under `parents`, with a stamp later than `after`.

        parents: by id, the instant from which on a reading counts as later than the parent's end; None: none does.
        """
        place = f"{self._link.parent}/"

        def chosen(rows: pa.Table) -> pa.Table:
            rows = _to_bury(rows, self._link, parents)
            with_ = pc.binary_join_element_wise(place, rows[self._link.column], "")
            return _replaced(_replaced(rows, "_deleted_with", with_), "_deleted", _repeated(rows, "_deleted", True))

        return self._turn(parents, chosen, run_id, after)

    def bring_back(self, parents: Mapping[str, datetime | None], run_id: str) -> Turned:
        """Bring back what was deleted with `parents`."""
        place = f"{self._link.parent}/"

        def chosen(rows: pa.Table) -> pa.Table:
            is_mine = pc.equal(rows["_deleted_with"], pc.binary_join_element_wise(place, rows[self._link.column], ""))
            rows = rows.filter(pc.and_(rows["_deleted"], pc.fill_null(is_mine, False)))
            rows = _replaced(rows, "_deleted_with", pa.nulls(rows.num_rows, pa.string()))
            return _replaced(rows, "_deleted", _repeated(rows, "_deleted", False))

        return self._turn(parents, chosen, run_id, None)

    def _turn(
        self,
        parents: Mapping[str, datetime | None],
        chosen: Callable[[pa.Table], pa.Table],
        run_id: str,
        after: datetime | None,
    ) -> Turned:
        done, at = 0, None
        for month in self._months(parents):
            rows, stamp = self._commit(parents, month, chosen, run_id, after)
            done, at = done + rows, stamp or at
        return Turned(done, at)

    def _commit(
        self,
        parents: Mapping[str, datetime | None],
        month: str | None,
        chosen: Callable[[pa.Table], pa.Table],
        run_id: str,
        after: datetime | None,
    ) -> tuple[int, datetime | None]:
        for _ in range(COMMIT_ATTEMPTS):
            rows = chosen(self._current_of(parents, month))
            if not rows.num_rows:
                return 0, None
            at = self._stamp(after)
            for name, value in (("_synced_at", at), ("_run_id", run_id)):
                rows = _replaced(rows, name, _repeated(rows, name, value))
            name = self._resource.name
            marks = {f"{name}/{TURNED}": to_microseconds(at)} if name in PARENTS else {}
            try:
                self._store.append(rows.select(self._store.schema.names), marks)
            except CommitRefused:
                self._store.refresh()
                self._at = None
                continue
            return rows.num_rows, at
        raise LakeError(f"{self._store.uri}: other writers were first {COMMIT_ATTEMPTS} times in a row; run again.")

    def _stamp(self, after: datetime | None) -> datetime:
        """Later than all that the table holds, for whoever knows it up to some read time must meet this again."""
        if self._at is None:
            with translated(self._store.uri):
                stamps = [pc.max(batch.column(0)).as_py() for batch in self._store.scan(["_synced_at"])]
            self._at = max(filter(None, stamps), default=None)
        held = [instant + TICK for instant in (self._at, after) if instant is not None]
        self._at = max([local_clock.utc_now(), *held])
        return self._at

    def _months(self, parents: Mapping[str, datetime | None]) -> list[str | None]:
        """The parts in which rows of these parents lie, where the table is partitioned: a history may be long."""
        if not self._resource.is_by_month:
            return [None]
        with translated(self._store.uri):
            rows = self._store.scan([MONTH], self._mine(parents)).read_all()
        return sorted(pc.unique(rows[MONTH]).to_pylist())

    def _mine(self, parents: Mapping[str, datetime | None]) -> ds.Expression:
        return ds.field(self._link.column).isin(pa.array(list(parents), pa.string()))

    def _current_of(self, parents: Mapping[str, datetime | None], month: str | None) -> pa.Table:
        """The current versions, deletions included, of rows that hang under these parents now."""
        with translated(self._store.uri):
            rows = self._store.scan(self._store.schema.names, self._versions_of(parents, month)).read_all()
        rows = newest_versions(self._resource, rows)
        return rows.filter(pc.is_in(rows[self._link.column], value_set=pa.array(list(parents), pa.string())))

    def _versions_of(self, parents: Mapping[str, datetime | None], month: str | None) -> ds.Expression:
        """All versions of such rows, those from under other parents included: a car may have passed to another user."""
        if self._link.column in self._resource.key_columns:
            mine = self._mine(parents)
            return mine if month is None else mine & (ds.field(MONTH) == month)
        [key] = self._resource.key_columns
        with translated(self._store.uri):
            keys = self._store.scan([key], self._mine(parents)).read_all()[key].unique()
        return ds.field(key).isin(keys)


def newest_versions(resource: Resource, rows: pa.Table) -> pa.Table:
    """Of some versions the newest of each key, in the order of the table."""
    if not rows.num_rows:
        return rows
    keys = pa.chunked_array([key_texts(resource, batch) for batch in rows.to_batches()], pa.string())
    if pc.count_distinct(keys).as_py() == rows.num_rows:
        return rows
    places = rows.select(["_synced_at"]).append_column("key", keys)
    places = places.append_column("place", pa.array(range(rows.num_rows), pa.int64()))
    with scratch_database() as connection:
        connection.register("versions", places)
        newest = connection.execute(
            "select arg_max(place, _synced_at) from versions group by key order by 1"
        ).fetchall()
    return rows.take([place for (place,) in newest])


def _to_bury(rows: pa.Table, link: Link, parents: Mapping[str, datetime | None]) -> pa.Table:
    """Of current rows those that live, and were not read after their parent's end."""
    rows = rows.filter(pc.invert(rows["_deleted"]))
    is_later = [
        (end := parents[above]) is not None and read_at > end
        for read_at, above in zip(*_values(rows, "_synced_at", link.column), strict=True)
    ]
    return rows.filter(pc.invert(pa.array(is_later, pa.bool_())))


def _values(rows: pa.Table, *names: str) -> list[list[Any]]:
    return [rows[name].to_pylist() for name in names]


def _replaced(rows: pa.Table, name: str, values: Any) -> pa.Table:
    place = rows.schema.get_field_index(name)
    return rows.set_column(place, rows.schema.field(place), values)


def _repeated(rows: pa.Table, name: str, value: object) -> Any:
    return pa.repeat(pa.scalar(value, rows.schema.field(name).type), rows.num_rows)
