"""The Delta tables that a run has open: each is opened once, and moved on by what was committed since.

Opening a table reads its log from the last checkpoint on, some 10 ms; looking whether the log has grown takes a tenth.
Nothing is remembered longer than a run, and nothing is taken from memory without that look.
A table here is shared by all stores of a run, and may be moved on under them: a store checks that it is at the version
that it relies on (store.py).
Does not belong here: commits and refusals (store.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow.dataset as ds
import pyarrow.fs as pafs
from deltalake import DeltaTable

from pipelines.lake.log import transactions_from, transactions_until

Transactions = dict[str, int]


class Opened:
    """By address of the table. Faults of Delta's are the caller's to translate."""

    def __init__(self) -> None:
        self._tables: dict[str, DeltaTable] = {}
        self._transactions: dict[str, tuple[int, Transactions]] = {}
        self._datasets: dict[str, tuple[int, ds.FileSystemDataset]] = {}

    def stands(self, uri: str) -> bool:
        """Whether there is such a table."""
        return uri in self._tables or DeltaTable.is_deltatable(uri)

    def newest(self, uri: str) -> DeltaTable | None:
        """The table at its newest version, None where none stands."""
        table = self._tables.get(uri)
        if table is not None:
            table.update_incremental()
        elif DeltaTable.is_deltatable(uri):
            table = self._tables[uri] = DeltaTable(uri)
        return table

    def transactions(self, uri: str, table: DeltaTable) -> Transactions:
        """The versions last committed under every application id, up to the version at which `table` is."""
        version = table.version()
        known_at, known = self._transactions.get(uri, (-1, {}))
        if known_at > version:
            return transactions_until(table)
        if known_at < version:
            known = transactions_until(table) if known_at < 0 else known | transactions_from(table, known_at + 1)
            self._transactions[uri] = (version, known)
        return dict(known)

    def committed(self, uri: str, version: int, transactions: Mapping[str, int]) -> None:
        """A commit of ours made this version of a table, next after the one up to which it is known."""
        known_at, known = self._transactions.get(uri, (-1, {}))
        if known_at == version - 1:
            self._transactions[uri] = (version, {**known, **transactions})

    def dataset(self, uri: str, table: DeltaTable) -> ds.FileSystemDataset:
        """The files of a table as Arrow reads them. What it learns of a file it learns once: files never change."""
        version = table.version()
        known_at, dataset = self._datasets.get(uri, (-1, None))
        if dataset is None or known_at != version:
            known = {} if dataset is None else {file.path: file for file in dataset.get_fragments()}
            found = table.to_pyarrow_dataset(filesystem=_local_files(uri))
            assert isinstance(found, ds.FileSystemDataset)
            files = [known.get(file.path, file) for file in found.get_fragments()]
            dataset = ds.FileSystemDataset(files, found.schema, found.format, found.filesystem)
            self._datasets[uri] = (version, dataset)
        return dataset


def _local_files(uri: str) -> pafs.FileSystem | None:
    """Arrow's own way to the files of a folder, which takes half the time of Delta's; None for an object store."""
    return None if "://" in uri else pafs.SubTreeFileSystem(str(Path(uri).resolve()), pafs.LocalFileSystem())
