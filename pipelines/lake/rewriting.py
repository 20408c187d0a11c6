"""Writes a table anew without some of its rows, and lets it forget that it ever held them.

Delta keeps what is taken out: in old files, in the log's statistics, in the log's own entries. So old files go at once,
and the log is cut down to a checkpoint of what is there. Application transactions stay. Nobody else may use the table.
Does not belong here: which rows go (pipelines/erasure).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake

from pipelines.lake.store import LOG_KEPT, SCANNED_ROWS, WRITER, translated


def batches_of(uri: str) -> Iterator[pa.RecordBatch]:
    """All rows of a table with all columns, as a stream."""
    with translated(uri):
        yield from DeltaTable(uri).to_pyarrow_dataset().scanner(batch_size=SCANNED_ROWS).to_reader()


def rewrite(uri: str, change: Callable[[pa.RecordBatch], pa.RecordBatch], more: Iterable[pa.RecordBatch] = ()) -> None:
    """Replace all rows of a table by what `change` makes of them, batch by batch, and more rows, in one commit."""
    with translated(uri):
        table = DeltaTable(uri)
        source = table.to_pyarrow_dataset().scanner(batch_size=SCANNED_ROWS).to_reader()
        changed = pa.RecordBatchReader.from_batches(source.schema, chain(map(change, source), more))
        writer = (table.transaction_version(WRITER) or 0) + 1
        properties = CommitProperties(app_transactions=[Transaction(WRITER, writer)])
        write_deltalake(table, changed, mode="overwrite", commit_properties=properties)


def forget_history(uri: str) -> None:
    """Remove every file that the newest version does not need, and every log entry before it."""
    with translated(uri):
        table = DeltaTable(uri)
        table.vacuum(retention_hours=0, dry_run=False, enforce_retention_duration=False, full=True)
        table = DeltaTable(uri)
        table.alter.set_table_properties({LOG_KEPT[0]: "interval 0 seconds"})
        table = DeltaTable(uri)
        table.create_checkpoint()
        table.cleanup_metadata()
        table = DeltaTable(uri)
        table.alter.set_table_properties(dict([LOG_KEPT]))
