"""What the lake holds now, key by key: the newest version's hash, read time and deletion.

Kept in an in-memory DuckDB (41 bytes a key), so that a batch is compared as a whole.
Does not belong here: committing (changelog.py), what a row contains.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.lake.scratch import in_parts, scratch_database

INDEX_COLUMNS = ("_synced_at", "_row_hash", "_deleted")
VERSION = "md5_number(_key) as key, _row_hash::uuid as hash, _synced_at as read_at, _deleted as gone"
"""SQL: what the index keeps of a row."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What a batch adds to a table. rows: positions in the batch that must be appended.

    new, returned, changed, unchanged, stale: numbers of keys. A returned one was deleted before; a stale row was read
    before the key's current version.
    """

    rows: pa.Array[Any]
    new: int
    returned: int
    changed: int
    unchanged: int
    stale: int


NOTHING = Delta(pa.array([], pa.int64()), 0, 0, 0, 0, 0)
"""What an empty batch adds."""


class KeyIndex:
    """The current version of every key.

    Batches are Arrow tables with `_key` (text), `_row_hash` (32 hex digits), `_synced_at`, `_deleted`.
    """

    COLUMNS = "key uhugeint, hash uuid, read_at timestamptz, gone bool"

    def __init__(self) -> None:
        self._db = scratch_database()
        self.clear()

    def clear(self) -> None:
        """Forget everything. The table is made anew: emptying it would not give memory back."""
        self._db.execute(f"create or replace temp table held ({self.COLUMNS})")

    def close(self) -> None:
        self._db.close()

    def load(self, versions: pa.RecordBatchReader) -> None:
        """Replace the index by the newest version of each key among all `versions`."""
        self.clear()
        for _ in in_parts(self._db, versions, VERSION):
            self._db.execute(
                """insert into held
                   select key, arg_max(hash, read_at), max(read_at), arg_max(gone, read_at)
                   from versions group by key"""
            )

    def newest(self) -> datetime | None:
        """The greatest read time of all versions, UTC."""
        row = self._db.execute("select epoch_us(max(read_at)) from held").fetchone()
        if row is None or row[0] is None:
            return None
        return datetime.fromtimestamp(row[0] // 1_000_000, timezone.utc).replace(microsecond=row[0] % 1_000_000)

    def __len__(self) -> int:
        row = self._db.execute("select count(*) from held where not gone").fetchone()
        return int(row[0]) if row else 0

    def compare(self, batch: pa.Table) -> Delta:
        """Which rows of a batch are news. Of several rows of one key the latest read counts, then the first."""
        self._db.register(
            "batch", batch.select(["_key", *INDEX_COLUMNS]).append_column("position", _positions(batch.num_rows))
        )
        # to put them in order costs more than all the rest, and hardly ever a key comes twice
        only_latest = "qualify row_number() over (partition by _key order by _synced_at desc, position) = 1"
        is_needed = pc.count_distinct(batch["_key"]).as_py() < batch.num_rows
        rows = self._db.execute(
            f"""with latest as (
                 select md5_number(_key) as key, _row_hash::uuid as hash, _synced_at as read_at,
                        _deleted as gone, position
                 from batch
                 {only_latest if is_needed else ""}
               )
               select l.position,
                      case when h.key is null then if(l.gone, 'unchanged', 'new')
                           when l.gone = h.gone and (l.gone or l.hash = h.hash) then 'unchanged'
                           when l.read_at <= h.read_at then 'stale'
                           when h.gone then 'returned'
                           else 'changed' end as verdict
               from latest l left join held h using (key) order by l.position"""  # noqa: S608 - words of ours
        ).to_arrow_table()
        self._db.unregister("batch")
        verdicts = rows["verdict"].to_pylist()
        news = pc.is_in(rows["verdict"], value_set=pa.array(["new", "returned", "changed"]))
        return Delta(
            rows=rows["position"].filter(news).combine_chunks(),
            new=verdicts.count("new"),
            returned=verdicts.count("returned"),
            changed=verdicts.count("changed"),
            unchanged=verdicts.count("unchanged"),
            stale=verdicts.count("stale"),
        )

    def add(self, rows: pa.Table, *, only_unheld: bool) -> None:
        """Take over committed rows (one row a key). only_unheld: no version of any of their keys was held before."""
        self._db.register("added", rows.select(["_key", *INDEX_COLUMNS]))
        if not only_unheld:
            self._db.execute("delete from held where key in (select md5_number(_key) from added)")
        self._db.execute("insert into held select md5_number(_key), _row_hash::uuid, _synced_at, _deleted from added")
        self._db.unregister("added")


def _positions(length: int) -> pa.Array[Any]:
    return pa.array(range(length), pa.int64())
