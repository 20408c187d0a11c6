"""Lake maintenance: many small files become few, the log gets a checkpoint, and what nobody reads any more is removed.

No row is added, changed or dropped; all versions of a row stay. Delta marks the commit of a compaction as one that
changes no data, and removed files stay on the disk for KEPT: a reader, or a build that has pinned a version, never
loses a file.

Delta lets two compactions from one snapshot both pass, and all rows are there twice (measured). Nor does it keep an
application transaction given to a compaction. What it always refuses is a commit from a snapshot older than a change of
the table's properties. So a maintenance first claims the table by such a change, and compacts the snapshot in which the
claim is its own: who claims later comes after it, or lets it be refused. A sync that meets a claim or a compaction is
refused or not, and right in both cases: it has worked out its news from the same rows, or does so again.
Does not belong here: when it is done (assets, pipelines/cli.py), what rows mean.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import PurePosixPath
from uuid import uuid4

import pyarrow as pa
import pyarrow.fs as pafs
from deltalake import DeltaTable, WriterProperties
from deltalake.exceptions import CommitFailedError
from deltalake.fs import DeltaStorageHandler

from pipelines.contract import RESOURCES
from pipelines.errors import LakeError
from pipelines.lake.schemas import OPERATIONS
from pipelines.lake.store import KEPT, LOG_KEPT, is_table, translated

CLAIM = "chargelake.maintained"
FILE_BYTES = 64_000_000
"""Files from this size on are left as they are."""
WRITTEN = WriterProperties(compression="ZSTD", max_row_group_size=122_880)
"""A group of rows is held in memory until it is full; Delta's own measure, a million rows, took 150 MB more."""
KEPT_HOURS = KEPT // timedelta(hours=1)


@dataclass(slots=True)
class TableMaintenance:
    """What became of one table. files, bytes: that a reader of the newest version opens; log: commits in Delta's log.

    removed: files of earlier versions, and leftovers of killed writers, that were deleted from the disk.
    left: why something was left for the next time; None where all was done.
    """

    table: str
    files_before: int = 0
    files_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0
    log_before: int = 0
    log_after: int = 0
    removed: int = 0
    seconds: float = 0.0
    left: str | None = None


def maintain(
    root: str, progress: Callable[[str, int], None] = lambda _table, _files: None
) -> Iterator[TableMaintenance]:
    """Maintain every table that stands under `root`, one after the other; one that fails does not stop the others.

    progress: called with the name of a table and how many files it had.
    """
    for name in (*OPERATIONS, *RESOURCES):
        uri = f"{root}/{name}"
        done = TableMaintenance(name)
        began = time.monotonic()
        try:
            if not is_table(uri):
                continue
            _maintain(uri, done)
        except LakeError as error:
            done.left = str(error)
        done.seconds = time.monotonic() - began
        progress(name, done.files_before)
        yield done


def _maintain(uri: str, done: TableMaintenance) -> None:
    with translated(uri):
        table = DeltaTable(uri)
        done.files_before, done.bytes_before = _size(table)
        done.log_before = _commits(uri)
        if _is_scattered(table):
            try:
                table = _claimed(table)
                # one at a time: memory must not grow with the number of processors
                table.optimize.compact(target_size=FILE_BYTES, max_concurrent_tasks=1, writer_properties=WRITTEN)
            except CommitFailedError:
                done.left = "another writer was at work; the next maintenance does it"
        table = DeltaTable(uri)
        removed = table.vacuum(KEPT_HOURS, dry_run=False, full=True)
        done.removed = len(removed)
        table = DeltaTable(uri)
        if _commits_since_checkpoint(uri, table.version()):
            table.create_checkpoint()
        table.cleanup_metadata()
        done.files_after, done.bytes_after = _size(table)
        done.log_after = _commits(uri)


def _is_scattered(table: DeltaTable) -> bool:
    """Whether files of one partition can be put together."""
    files = pa.table(table.get_add_actions(flatten=True)).to_pylist()
    small = Counter(PurePosixPath(file["path"]).parent for file in files if file["size_bytes"] < FILE_BYTES)
    return any(number > 1 for number in small.values())


def _claimed(table: DeltaTable) -> DeltaTable:
    """The table at a snapshot in which the claim is ours. Raises CommitFailedError where another one was quicker."""
    claim = uuid4().hex
    table.alter.set_table_properties({CLAIM: claim, LOG_KEPT[0]: LOG_KEPT[1]}, raise_if_not_exists=False)
    table = DeltaTable(table.table_uri)
    if table.metadata().configuration.get(CLAIM) != claim:
        raise CommitFailedError("another maintenance has claimed the table")
    return table


def _size(table: DeltaTable) -> tuple[int, int]:
    """Files and bytes of the newest version."""
    sizes = table.get_add_actions(flatten=True).column("size_bytes").to_pylist()
    return len(sizes), sum(sizes)


def _commits(uri: str) -> int:
    return sum(name.endswith(".json") for name in _log(uri))


def _commits_since_checkpoint(uri: str, version: int) -> int:
    """How many commits a reader has to look through beside the newest checkpoint."""
    checkpoints = [int(name.split(".")[0]) for name in _log(uri) if ".checkpoint." in name and name[0].isdigit()]
    return version - max(checkpoints, default=-1)


def _log(uri: str) -> list[str]:
    files = pafs.PyFileSystem(DeltaStorageHandler(uri)).get_file_info(pafs.FileSelector("_delta_log"))
    return [file.base_name for file in files]
