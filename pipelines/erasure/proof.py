"""Searches every file of a folder for values: its bytes, and what Parquet and DuckDB hold compressed.

Does not belong here: whose values (person.py), what is done about a file that holds one (warehouse/erase.py).
"""

from __future__ import annotations

import json
import mmap
import re
import struct
import uuid
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

pc: Any = pyarrow.compute  # the stubs allow less than the functions do

LONG_ENOUGH = 6
"""Bytes of a text from which on meeting it among other bytes is no accident; shorter ones are compared whole."""
_UUID = re.compile(rb"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
MOST_BINARY = 200
"""Ids that are looked for in their 16 bytes, too: nothing here stores them so, and each costs a look at everything."""
BATCH_ROWS = 65_536


@dataclass
class Needles:
    """ids: UUIDs as text. texts: anything else. numbers: as they are stored, 64 bits."""

    ids: set[str] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    numbers: set[float] = field(default_factory=set)

    def add(self, values: Iterable[object]) -> None:
        """Look for these texts and numbers, too. Whole numbers are too common to be looked for."""
        values = list(values)
        self.texts.update(value for value in values if isinstance(value, str) and value.strip())
        self.numbers.update(value for value in values if isinstance(value, float) and not value.is_integer())

    def spare(self, data: bytes) -> None:
        """What these bytes hold may be anywhere."""
        self.texts = {text for text in self.texts if not any(data.find(spelt) >= 0 for spelt in _spellings(text))}

    def spare_what_is_in(self, rows: pa.RecordBatch, but: frozenset[str]) -> None:
        """What these rows hold, which are other people's, may be anywhere. but: ids that are never spared."""
        for column in _leaves(rows.columns):
            if pa.types.is_string(column.type):
                self.spare(_bytes_of(column))
                self.texts -= _equal(column, self.texts)
                self.ids -= _equal(column, self.ids - but)
            elif pa.types.is_float64(column.type):
                self.numbers -= _equal(column, self.numbers)

    def search(self) -> Search:
        """To look for what is wanted now."""
        patterns = [spelt for text in self.texts for spelt in _spellings(text)]
        patterns += [struct.pack("<d", number) for number in self.numbers]
        patterns += [repr(number).encode() for number in self.numbers if len(repr(number)) >= LONG_ENOUGH]
        if len(self.ids) <= MOST_BINARY:
            patterns += [uuid.UUID(id_).bytes for id_ in self.ids]
        return Search(frozenset(self.ids), frozenset(self.texts), frozenset(self.numbers), tuple(patterns))


@dataclass(frozen=True, slots=True)
class Search:
    """Needles, made ready to be looked for. patterns: the bytes of all but ids as text."""

    ids: frozenset[str]
    texts: frozenset[str]
    numbers: frozenset[float]
    patterns: tuple[bytes, ...]

    def met_in(self, data: bytes | mmap.mmap) -> bool:
        """Whether any of them is among these bytes."""
        if any(found.group().decode().lower() in self.ids for found in _UUID.finditer(data)):
            return True
        return any(data.find(pattern) >= 0 for pattern in self.patterns)

    def met_in_columns(self, columns: Iterable[pa.Array[Any]]) -> bool:
        """Whether any of them is a value, or in a value, of these columns."""
        return any(self._is_in(column) for column in _leaves(columns))

    def _is_in(self, column: pa.Array[Any]) -> bool:
        if pa.types.is_string(column.type):
            return self.met_in(_bytes_of(column)) or bool(_equal(column, self.texts))
        return pa.types.is_float64(column.type) and bool(_equal(column, self.numbers))


def files_with(folder: Path, wanted: Search) -> Iterator[Path]:
    """Files below a folder that hold one of the values, in their bytes, their name, or decoded."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        if wanted.met_in(str(path.relative_to(folder)).encode()) or _holds(path, wanted):
            yield path


def count_files(folder: Path) -> tuple[int, int]:
    """Files below a folder, and their bytes."""
    sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return len(sizes), sum(sizes)


def _holds(path: Path, wanted: Search) -> bool:
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if wanted.met_in(data):
            return True
        kind = bytes(data[:4]), bytes(data[8:12])
    if kind[0] == b"PAR1":
        return _parquet_holds(path, wanted)
    return kind[1] == b"DUCK" and _database_holds(path, wanted)


def _parquet_holds(path: Path, wanted: Search) -> bool:
    with pq.ParquetFile(path) as file:
        return any(wanted.met_in_columns(batch.columns) for batch in file.iter_batches(BATCH_ROWS))


def _database_holds(path: Path, wanted: Search) -> bool:
    """Tables only: views are made of what lies elsewhere."""
    with duckdb.connect(str(path), read_only=True) as connection:
        tables = connection.execute("select schema_name, table_name from duckdb_tables() where not internal").fetchall()
        for schema, name in tables:
            connection.execute(f'select * from "{schema}"."{name}"')  # noqa: S608 - names of tables of ours
            if any(wanted.met_in_columns(batch.columns) for batch in connection.to_arrow_reader(BATCH_ROWS)):
                return True
    return False


def _leaves(columns: Iterable[pa.Array[Any]]) -> Iterator[pa.Array[Any]]:
    """The columns, and what lists and structures are made of."""
    for column in columns:
        if pa.types.is_dictionary(column.type):
            yield from _leaves([column.cast(column.type.value_type)])
        elif pa.types.is_large_string(column.type):
            yield column.cast(pa.string())
        elif pa.types.is_list(column.type):
            yield from _leaves([column.flatten()])  # type: ignore[attr-defined]
        elif pa.types.is_struct(column.type):
            yield from _leaves(column.flatten())  # type: ignore[attr-defined]
        else:
            yield column


def _bytes_of(column: pa.Array[Any]) -> bytes:
    """All texts of a column, one to a line."""
    return "\n".join(text for text in column.unique().to_pylist() if text is not None).encode(errors="surrogatepass")


def _equal(column: pa.Array[Any], wanted: Collection[Any]) -> set[Any]:
    """The wanted values that a column holds."""
    if not wanted:
        return set()
    found = column.filter(pc.is_in(column, value_set=pa.array(sorted(wanted), column.type)))
    return set(found.unique().to_pylist())


def _spellings(text: str) -> list[bytes]:
    """A text as it stands in files: plain, and as JSON escapes it. Nothing where it is too short to be told apart."""
    plain, escaped = text.encode(errors="surrogatepass"), json.dumps(text)[1:-1].encode()
    return [spelt for spelt in dict.fromkeys((plain, escaped)) if len(spelt) >= LONG_ENOUGH]
