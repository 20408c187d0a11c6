"""Delta's log, read for its application transactions, all at once.

The library gives one at a time and reads the log for each: a night of 64 buckets asks for thousands. This reads it
once, the way the protocol says: the last checkpoint at or before a version, and the commits after it.
Does not belong here: anything else that a log holds.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.fs import DeltaStorageHandler
from pyarrow import fs

_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.\d{10}\.(\d{10}))?\.parquet")
_FOLDER = "_delta_log"


class _Transaction(msgspec.Struct, rename="camel"):
    app_id: str
    version: int


class _Action(msgspec.Struct):
    txn: _Transaction | None = None


_action = msgspec.json.Decoder(_Action)


def transactions_until(table: DeltaTable) -> dict[str, int]:
    """By application id, the version last committed up to the table's version."""
    files = _files(table)
    listed = files.get_file_info(fs.FileSelector(_FOLDER))
    checkpoint, names = _last_checkpoint([info.base_name for info in listed], table.version())
    found: dict[str, int] = {}
    for name in names:
        with files.open_input_file(f"{_FOLDER}/{name}") as file:
            entries: list[Any] = pq.read_table(file, columns=["txn"])["txn"].drop_null().to_pylist()
        found |= {entry["appId"]: entry["version"] for entry in entries}
    return found | _commits(files, checkpoint + 1, table.version())


def transactions_from(table: DeltaTable, first: int) -> dict[str, int]:
    """The same of the commits from version `first` up to the table's."""
    return _commits(_files(table), first, table.version())


def _commits(files: fs.FileSystem, first: int, last: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for version in range(first, last + 1):
        with files.open_input_file(f"{_FOLDER}/{version:020d}.json") as file:
            lines = file.read().splitlines()
        # a commit has a line for each file, too, which may be long
        actions = [_action.decode(line) for line in lines if b'"txn"' in line]
        found |= {action.txn.app_id: action.txn.version for action in actions if action.txn is not None}
    return found


def _last_checkpoint(names: list[str], version: int) -> tuple[int, list[str]]:
    """The newest whole checkpoint at or before a version, and its files; -1 where there is none."""
    parts: dict[int, list[str]] = {}
    whole: dict[int, list[str]] = {}
    for name in sorted(names):
        if (match := _CHECKPOINT.fullmatch(name)) is None or int(match[1]) > version:
            continue
        of_version = parts.setdefault(int(match[1]), [])
        if match[2] is None:
            whole[int(match[1])] = [name]
        else:
            of_version.append(name)
            if len(of_version) == int(match[2]):
                whole.setdefault(int(match[1]), of_version)
    newest = max(whole, default=-1)
    return newest, whole.get(newest, [])


def _files(table: DeltaTable) -> fs.FileSystem:
    handler: Any = DeltaStorageHandler.from_table(table._table)  # noqa: SLF001 - the only way to its store
    return fs.PyFileSystem(handler)
