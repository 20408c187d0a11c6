"""One Delta table in one folder or object-store prefix: open, scan, append. Deltalake is imported only here, in
opened.py, log.py, maintenance.py and rewriting.py.

Belongs here: what Delta does (commits, application transactions, refusals) and the translation of its faults.
Does not belong here: what a row or a watermark means (see changelog.py and operations.py).
"""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, Literal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError

from pipelines.errors import LakeError
from pipelines.lake.opened import Opened, Transactions

WRITER = "writer"
"""The application id that every commit of a table carries, so that of two writers from one snapshot one is refused."""

COMMIT_ATTEMPTS = 20
SCANNED_ROWS = 16_384
"""That are read at a time, and little ahead: who reads is slower than the disk, and what waits takes memory."""
CHECKPOINT_INTERVAL = "10"
"""Commits after which Delta puts its log together: whoever opens a table reads what came since. Few nights make ten."""
KEPT = timedelta(days=7)
"""Files and commits that the newest version does not need stay so long: for whoever still reads an older one."""
LOG_KEPT = ("delta.logRetentionDuration", f"interval {KEPT.days} days")
SPARE_BYTES = 1_000_000
"""Room on the disk that a commit leaves for Delta's log."""
_PULL_ANEW = (
    "Restore the table's folder from a backup; or move it away and run `chargelake sync`, which pulls the table anew"
    " (what the tenant does not show any more is then lost)."
)


class CommitRefused(Exception):
    """Another writer committed since our snapshot: read again, work out again, try again."""


class DeltaStore:
    """A Delta table at a pinned snapshot, created empty when it is not there.

    uri: folder or object-store URL. schema: of the table when it is created; columns that it has gained since are
    added with the first append that brings them.
    statistics_columns: the only columns whose least and greatest values Delta's log may hold.
    partition_by: the column by which files are put in folders, None for one folder.
    """

    def __init__(
        self,
        uri: str,
        schema: pa.Schema,
        statistics_columns: Sequence[str],
        partition_by: str | None = None,
        opened: Opened | None = None,
    ) -> None:
        self.uri = uri
        self.schema = schema
        self._opened = opened or Opened()
        self._transactions: Transactions | None = None
        with translated(uri):
            if not self._opened.stands(uri):
                # another process that makes the table at the same instant makes the same one
                with suppress(CommitFailedError):
                    DeltaTable.create(
                        uri,
                        schema,
                        mode="ignore",
                        partition_by=partition_by,
                        configuration={
                            "delta.dataSkippingStatsColumns": ",".join(statistics_columns),
                            "delta.checkpointInterval": CHECKPOINT_INTERVAL,
                            LOG_KEPT[0]: LOG_KEPT[1],
                        },
                    )
        self._open()

    @property
    def version(self) -> int:
        return self._version

    def refresh(self) -> None:
        """Move to the newest snapshot."""
        self._open()

    def transaction(self, app_id: str) -> int | None:
        """The version last committed under an application id, None if never."""
        if self._transactions is None:
            with translated(self.uri):
                self._transactions = self._opened.transactions(self.uri, self._pinned())
        return self._transactions.get(app_id)

    def scan(self, columns: Sequence[str], rows: ds.Expression | None = None) -> pa.RecordBatchReader:
        """All rows of the snapshot (or those for which `rows` holds), the named columns, as a stream.

        A column that the table has not gained yet is null. To be read within `translated`.
        """
        with translated(self.uri):
            dataset = self._opened.dataset(self.uri, self._pinned())
            missing = set(columns) - set(dataset.schema.names)
            chosen: Any = {
                name: pc.scalar(pa.scalar(None, self.schema.field(name).type)) if name in missing else ds.field(name)
                for name in columns
            }
            return dataset.scanner(
                columns=chosen if missing else list(columns),
                filter=rows,
                batch_size=SCANNED_ROWS,
                batch_readahead=2,
                fragment_readahead=2,
            ).to_reader()

    def append(self, rows: pa.Table, transactions: Mapping[str, int]) -> None:
        """Commit rows and transactions together, from the snapshot that this object holds; it then holds the new one.

        It is not the newest snapshot that it holds then, but this commit's: so that whoever commits after it is met by
        the next append, and not taken over unseen.
        Raises CommitRefused when another writer was first; nothing is written then.
        """
        _require_room(self.uri, rows.nbytes)
        written = {**transactions, WRITER: (self.transaction(WRITER) or 0) + 1}
        table = self._pinned()
        properties = CommitProperties(
            app_transactions=[Transaction(app_id, version) for app_id, version in written.items()]
        )
        try:
            with translated(self.uri):
                write_deltalake(
                    table, rows, mode="append", schema_mode=self._evolution(table), commit_properties=properties
                )
        except CommitFailedError as error:
            raise CommitRefused(str(error)) from None
        self._version = table.version()
        self._opened.committed(self.uri, self._version, written)
        self._transactions = {**(self._transactions or {}), **written}

    def _open(self) -> None:
        with translated(self.uri):
            table = self._opened.newest(self.uri)
        if table is None:
            raise LakeError(f"The table {self.uri} was taken away while it was opened. Run again.")
        self._table = table
        self._version = table.version()
        self._transactions = None

    def _pinned(self) -> DeltaTable:
        """The table at the version that this object holds: another store may have moved the shared one on."""
        if self._table.version() != self._version:
            self._table = DeltaTable(self.uri, version=self._version)
        return self._table

    def _evolution(self, table: DeltaTable) -> Literal["merge"] | None:
        """Whether the contract knows columns that the table does not have yet."""
        held = {field.name for field in table.schema().fields}
        return None if held.issuperset(self.schema.names) else "merge"


def _require_room(uri: str, size_bytes: int) -> None:
    """Refuse before the disk is full: a write that fails half-way costs more than one that is not begun."""
    if "://" in uri:
        return
    with translated(uri):
        free_bytes = shutil.disk_usage(uri).free
    if free_bytes < size_bytes + SPARE_BYTES:
        raise LakeError(
            f"The disk that holds {uri} is full: {free_bytes / 1e6:.1f} MB are free, the next commit may need"
            f" {(size_bytes + SPARE_BYTES) / 1e6:.1f} MB. Free some space and run again; nothing was half-written."
        )


def is_table(uri: str) -> bool:
    """Whether a Delta table stands at `uri`."""
    with translated(uri):
        return DeltaTable.is_deltatable(uri)


@contextmanager
def translated(uri: str) -> Iterator[None]:
    try:
        yield
    except CommitFailedError:
        raise
    except (DeltaError, OSError, pa.ArrowException, duckdb.Error) as error:
        raise LakeError(_explain(uri, error)) from error


def _explain(uri: str, error: Exception) -> str:
    whole = " ".join(str(error).split("\n")[0].split())
    text = whole[:300]
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in text or "os error 28" in text:
        return f"The disk that holds {uri} is full. Free some space and run again; what was not committed was not kept."
    if number in (errno.EACCES, errno.EROFS, errno.EPERM) or any(
        sign in text for sign in ("Permission denied", "Read-only file system", "os error 13", "os error 30")
    ):
        return f"{uri} cannot be written. Make CHARGELAKE_HOME (or CHARGELAKE_LAKE) a place this user may write to."
    if number == errno.EFBIG or "File too large" in text or "os error 27" in text:
        return f"{uri}: a file would be larger than this user may write (`ulimit -f`). Raise the limit and run again."
    if any(sign in text for sign in ("Parquet magic bytes", "Parquet file size", "Json error", "thrift", "Corrupt")):
        return f"{_file_of(uri, whole)} is damaged. {_PULL_ANEW} ({text})"
    if "not found" in whole.lower() or "No such file" in whole:
        return f"{_file_of(uri, whole)} is missing. {_PULL_ANEW} ({text})"
    return f"The table {uri} cannot be read or written. {_PULL_ANEW} ({text})"


def _file_of(uri: str, text: str) -> str:
    """The Parquet file that an error names, or that it is one of the table's."""
    named = re.search(r"[\w.-]+\.parquet", text)
    return f"A file of the table {uri}" if named is None else f"{named.group()}, a file of the table {uri},"
