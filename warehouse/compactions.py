"""Which files of a lake table are only other files put together, so that a compaction brings no build anything to read.

Asked of Delta's log: a commit that changes no data replaces files by others with the same rows. Where the log no longer
reaches back, files count as unread, which is slower and as right.
Does not belong here: compacting (pipelines/lake/maintenance.py), what is made of files that are new (build.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.fs as pafs
from deltalake.fs import DeltaStorageHandler

from warehouse.snapshot import TableSnapshot


@dataclass(frozen=True, slots=True)
class FilesRead:
    """Of a table's files those whose rows every model has read. has_gaps: rows that a model has read may be gone."""

    by_all: frozenset[str]
    has_gaps: bool


def files_read(table: TableSnapshot, earlier: Sequence[tuple[int | None, frozenset[str]]]) -> FilesRead:
    """earlier: version and files of the table, each of them as some model has read it."""
    if not earlier:
        return FilesRead(frozenset(), has_gaps=False)
    by_all = frozenset.intersection(*(files for _, files in earlier))
    by_any = frozenset().union(*(files for _, files in earlier))
    present = frozenset(table.files)
    if by_any <= present:
        return FilesRead(by_all, has_gaps=False)
    since = min((version for version, _ in earlier if version is not None), default=0)
    for removed, added in _compactions(table, since):
        if removed <= by_all:
            by_all |= added
        # a file that holds unread rows, too, is one whose loss would be noticed from then on
        by_any = by_any - removed | (added if removed & by_any else frozenset())
    return FilesRead(by_all, has_gaps=not by_any <= present)


def _compactions(table: TableSnapshot, since: int) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
    """What commits after version `since` have replaced by what, where they changed no data; oldest first."""
    lake = pafs.PyFileSystem(DeltaStorageHandler(table.uri))
    for version in range(since + 1, (table.version or 0) + 1):
        try:
            with lake.open_input_stream(f"_delta_log/{version:020d}.json") as stream:
                lines = stream.read().splitlines()
        except (FileNotFoundError, pa.ArrowException):
            continue
        actions = [json.loads(line) for line in lines]
        removed, added = ([action[kind] for action in actions if kind in action] for kind in ("remove", "add"))
        if removed and not any(action.get("dataChange", True) for action in (*removed, *added)):
            yield frozenset(str(one["path"]) for one in removed), frozenset(str(one["path"]) for one in added)
