"""The table of what hangs under parents: which rows a parent has, and which of them an answer lacks.

The index holds only the parents and months that a run is about to ask for, so that memory does not grow with history.
Does not belong here: which parents are asked, when absence means something (pipelines/sync/fanout).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from pipelines.contract import Resource, column_name
from pipelines.contract.fan_outs import BUCKETS
from pipelines.lake.changelog import ChangelogTable, Committed
from pipelines.lake.index import INDEX_COLUMNS, VERSION, KeyIndex
from pipelines.lake.keys import key_texts
from pipelines.lake.opened import Opened
from pipelines.lake.schemas import INSTANT, MONTH, schema_of
from pipelines.lake.scratch import count_living, in_parts, scratch_database
from pipelines.lake.store import translated
from pipelines.lake.suppression import SuppressionList

JUDGED = schema_of(
    pa.field("parent", pa.string(), nullable=False),
    pa.field("lower", INSTANT),
    pa.field("upper", INSTANT),
    pa.field("asked_at", INSTANT, nullable=False),
)
"""Answers that are whole for a parent: within [lower, upper) where the table is told apart by time, null is open."""


LARGE_INDEX = 500_000
"""Rows, about 70 bytes each, from which on it pays to forget those of finished parents."""


def bucket_sql(id_: str) -> str:
    """SQL: the bucket of an id, the same on every machine and in every version of DuckDB."""
    return f"(('0x' || substr(md5({id_}), 1, 8))::ubigint % {BUCKETS})::utinyint"


class Lacking(NamedTuple):
    """Of a parent's rows within what it was asked: how many did not come, and how many are held."""

    rows: int
    held: int


class ChildIndex(KeyIndex):
    """A KeyIndex that also knows whose each row is, and when it happened."""

    COLUMNS = f"{KeyIndex.COLUMNS}, parent uhugeint, happened_at timestamptz"

    def load_of(self, versions: pa.RecordBatchReader, buckets: Collection[int], *, may_move: bool) -> None:
        """Replace the index by the newest version of each key of the parents in `buckets`.

        may_move: a key may pass from one parent to another; then its newest version of any parent counts, as long as
        one of its parents is in the buckets.
        """
        self.clear()
        chosen = ",".join(map(str, sorted(buckets))) or "null"
        is_mine = f"{bucket_sql('_parent')} in ({chosen})"
        wanted = f"{VERSION}, md5_number(_parent) as parent, _at as happened_at, {is_mine} as is_mine"
        before, after = ("true", "bool_or(is_mine)") if may_move else ("is_mine", "true")
        for _ in in_parts(self._db, versions, wanted, before):
            self._db.execute(
                f"""insert into held
                    select key, arg_max(hash, read_at), max(read_at), arg_max(gone, read_at),
                           arg_max(parent, read_at), arg_max(happened_at, read_at)
                    from versions group by key having {after}"""  # noqa: S608 - a condition of ours
            )

    def keep_only(self, parents: Collection[str]) -> None:
        """Forget the rows of all other parents. The table is made anew: deleting would not give memory back."""
        self._db.execute(
            "create temp table kept as select held.* from held where parent in (select md5_number(unnest(?)))",
            [list(parents)],
        )
        self._db.execute("drop table held")
        self._db.execute("alter table kept rename to held")

    @property
    def size(self) -> int:
        """Rows that it remembers, deleted ones included."""
        row = self._db.execute("select count(*) from held").fetchone()
        return int(row[0]) if row else 0

    def add(self, rows: pa.Table, *, only_unheld: bool) -> None:
        """Take over committed rows, which have `_parent` and `_at` too."""
        self._db.register("added", rows.select(["_key", *INDEX_COLUMNS, "_parent", "_at"]))
        if not only_unheld:
            self._db.execute("delete from held where key in (select md5_number(_key) from added)")
        self._db.execute(
            """insert into held
               select md5_number(_key), _row_hash::uuid, _synced_at, _deleted, md5_number(_parent), _at from added"""
        )
        self._db.unregister("added")

    def absent(self, judged: pa.Table, answered: pa.Table) -> dict[str, Lacking]:
        """Parents that hold living rows within what they were asked.

        judged: see JUDGED. answered: `_key` of every row that came, whatever became of it.
        A row counts only if it was last read before its parent was asked, and lies within what was asked. At the same
        instant is before: a clock that was set back stands at the table's newest row, which may be gone like any other.
        """
        found = self._judged("parent, count(*) filter (not came), count(*)", "true group by all", judged, answered)
        return {str(parent): Lacking(int(rows), int(held)) for parent, rows, held in found}

    def absent_keys(self, judged: pa.Table, answered: pa.Table) -> list[int]:
        """The keys of such rows that did not come, as the index holds them."""
        return [int(key) for (key,) in self._judged("distinct key", "not came", judged, answered)]

    def _judged(self, what: str, which: str, judged: pa.Table, answered: pa.Table) -> list[tuple[Any, ...]]:
        self._db.register("judged", judged)
        self._db.register("answered", answered.select(["_key"]))
        found = self._db.execute(
            f"""with came as (select distinct md5_number(_key) as key from answered),
                j as (
                  select q.parent, h.key, came.key is not null as came
                  from held h join judged q on h.parent = md5_number(q.parent) left join came on came.key = h.key
                  where not h.gone and h.read_at <= q.asked_at
                    and (q.lower is null or h.happened_at >= q.lower) and (q.upper is null or h.happened_at < q.upper)
                )
                select {what} from j where {which}"""  # noqa: S608 - words of ours
        ).fetchall()
        self._db.unregister("judged")
        self._db.unregister("answered")
        return found


class ChildTable(ChangelogTable):
    """The lake table of a resource that hangs under parents. parent_id: JSON name of the id of those who are asked."""

    def __init__(
        self,
        uri: str,
        resource: Resource,
        parent_id: str,
        opened: Opened | None = None,
        suppressed: SuppressionList | None = None,
    ) -> None:
        super().__init__(uri, resource, opened, suppressed)
        self.parent_column = column_name(parent_id)
        self._time = column_name(resource.time) if resource.time else None
        self._may_move = parent_id not in resource.key
        self._buckets: frozenset[int] = frozenset()
        self._since: datetime | None = None
        self._is_loaded = False

    def newest_read(self) -> datetime | None:
        with translated(self._store.uri):
            newest = [pc.max(batch.column(0)).as_py() for batch in self._store.scan(["_synced_at"])]
        return max(filter(None, newest), default=None)

    def __len__(self) -> int:
        """Keys that are held and not deleted, of all parents."""
        with translated(self._store.uri), scratch_database() as connection:
            return count_living(connection, self._versions(), "md5_number(_key)")

    def narrow(self, buckets: Collection[int], since: datetime | None) -> None:
        """From now on compare with rows of parents in these buckets; since: rows from then on will be enough (None:
        all). It is a promise for speed only: earlier rows are fetched when they come.
        """
        self._is_loaded = False
        self._buckets, self._since = frozenset(buckets), since

    def release(self, under_way: Collection[str]) -> None:
        """Rows of parents that are finished will not be compared any more: their memory may be given back."""
        index = self._index
        if isinstance(index, ChildIndex) and self._is_loaded and index.size > LARGE_INDEX:
            index.keep_only(under_way)

    def empty(self) -> pa.Table:
        """No rows, for moving marks alone."""
        return self._with_keys(self.schema.empty_table())

    def complete(self, rows: pa.Table) -> pa.Table:
        """Rows with the columns that follow from others: the month of its partition, and `_parent` and `_at`."""
        at = rows[self._time] if self._time else pa.nulls(rows.num_rows, INSTANT)
        if self.resource.is_by_month:
            place = rows.schema.get_field_index(MONTH)
            rows = rows if place < 0 else rows.remove_column(place)
            month: Any = pc.strftime(cast("Any", at), "%Y-%m")
            rows = rows.append_column(pa.field(MONTH, pa.string(), nullable=False), month)
        return rows.append_column("_parent", rows[self.parent_column]).append_column("_at", at)

    def commit_marks(self, rows: pa.Table, marks: Mapping[str, int]) -> Committed:
        """Append what is new or changed and move marks forward, in one commit. rows: see `complete`."""
        self._reach(rows)
        return self._commit(rows, dict(marks))

    def absent(self, judged: pa.Table, answered: pa.Table) -> dict[str, Lacking]:
        """See ChildIndex.absent."""
        return self._index_of_children().absent(judged, answered) if judged.num_rows else {}

    def tombstones(self, judged: pa.Table, answered: pa.Table, run_id: str, at: datetime) -> pa.Table:
        """Deletions of the rows that whole answers lack: their last content, marked as deleted at `at`."""
        wanted = set(self._index_of_children().absent_keys(judged, answered)) if judged.num_rows else set()
        if not wanted:
            return self.complete(self.empty())
        parents = None if self._may_move else ds.field(self.parent_column).isin(judged["parent"].unique().to_pylist())
        with translated(self._store.uri):
            rows = self._store.scan(self.schema.names, parents).read_all()
        rows = _latest_of(self._with_keys(rows), wanted)
        for name, value in (("_deleted", True), ("_run_id", run_id), ("_synced_at", at)):
            place = rows.schema.get_field_index(name)
            field = rows.schema.field(place)
            rows = rows.set_column(place, field, pa.repeat(pa.scalar(value, field.type), rows.num_rows))
        return self.complete(rows)

    def _with_keys(self, rows: pa.Table) -> pa.Table:
        keys = [key_texts(self.resource, batch) for batch in rows.to_batches()]
        return rows.append_column("_key", pa.chunked_array(keys, pa.string()))

    def _reach(self, rows: pa.Table) -> None:
        """Fetch earlier months into the index, if rows of them came."""
        if self._since is None or not self.resource.is_by_month or not rows.num_rows:
            return
        earliest = pc.min(rows["_at"]).as_py()
        if earliest < self._since:
            self.narrow(self._buckets, earliest)

    def _held(self) -> KeyIndex:
        return self._index_of_children()

    def _index_of_children(self) -> ChildIndex:
        index = self._index if isinstance(self._index, ChildIndex) else ChildIndex()
        if index is not self._index or not self._is_loaded:
            with translated(self._store.uri):
                index.load_of(self._versions(), self._buckets, may_move=self._may_move)
            self._index, self._is_loaded = index, True
        return index

    def _versions(self, *more: str) -> pa.RecordBatchReader:
        keys = [column_name(path) for path in self.resource.key]
        extra = [self.parent_column, *([self._time] if self._time else [])]
        since = self._since if self.resource.is_by_month else None
        months = None if since is None else ds.field(MONTH) >= f"{since:%Y-%m}"
        source = self._store.scan(list(dict.fromkeys([*keys, *extra, *INDEX_COLUMNS, *more])), months)
        names = [*INDEX_COLUMNS, *more]
        schema = schema_of(
            pa.field("_key", pa.string()),
            pa.field("_parent", pa.string()),
            pa.field("_at", INSTANT),
            *(source.schema.field(name) for name in names),
        )
        return pa.RecordBatchReader.from_batches(schema, self._keyed_children(source, schema, names))

    def _keyed_children(
        self, source: pa.RecordBatchReader, schema: pa.Schema, names: Sequence[str]
    ) -> Iterator[pa.RecordBatch]:
        for batch in source:
            at = batch.column(self._time) if self._time else pa.nulls(len(batch), schema.field("_at").type)
            columns = [key_texts(self.resource, batch), batch.column(self.parent_column), at]
            yield pa.RecordBatch.from_arrays([*columns, *(batch.column(name) for name in names)], schema=schema)


def _latest_of(rows: pa.Table, wanted: set[int]) -> pa.Table:
    """The newest version of each wanted key (as the index holds keys)."""
    with scratch_database() as connection:
        connection.register(
            "rows",
            rows.select(["_key", "_synced_at"]).append_column("place", pa.array(range(rows.num_rows), pa.int64())),
        )
        places = connection.execute(
            """select md5_number(_key) as key, arg_max(place, _synced_at) as place from rows group by 1 order by 2"""
        ).fetchall()
    return rows.take([place for key, place in places if key in wanted])
