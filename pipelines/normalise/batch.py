"""Pages of items -> one Arrow table, bad rows set aside, drift counted.

A batch is read whole. If a row in it cannot be read, it is set aside and the rest is read again as if it had never
been there: so a bad row cannot touch its neighbours.
Does not belong here: any rule about a single field (columns.py, reading.py) or about the hash (canonical.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.contract import Resource
from pipelines.lake.schemas import INSTANT, content_schema
from pipelines.normalise.apart import Apart, read_apart
from pipelines.normalise.arrow import Array, compute
from pipelines.normalise.assembling import extra_objects, row_hashes
from pipelines.normalise.bodies import exact_items, raw_items
from pipelines.normalise.columns import spell_column
from pipelines.normalise.drift import bounded, missing_field, unknown_field
from pipelines.normalise.keys import key_column, key_of
from pipelines.normalise.model import BadRow, Drift, Normalised, RawPage, Unreadable, describe
from pipelines.normalise.objects import read_field
from pipelines.normalise.tree import Item, Tree, gather

MAX_PART_BYTES = 128 * 2**20
"""Of bodies that are read in one go; Arrow's text columns end at 2 GB."""
ENOUGH_ROWS = 20
"""An optional field that none of so many rows has is missing; fewer rows say nothing."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


def normalise(resource: Resource, pages: Sequence[RawPage]) -> Normalised:
    """Read the items of some pages (about 20,000 items at a time is a good measure)."""
    tables, bad, drift = [], [], Counter[Drift]()
    for first, part in _parts(pages):
        table, part_bad = _normalise_part(resource, first, part, drift)
        tables.append(table)
        bad += part_bad
    return Normalised(pa.concat_tables(tables), bad, bounded(drift))


def rows_schema(resource: Resource) -> pa.Schema:
    """The columns of Normalised.rows."""
    return pa.schema(
        [
            *content_schema(resource),
            pa.field("_key", pa.string(), nullable=False),
            pa.field("_row_hash", pa.string(), nullable=False),
            pa.field("_extra", pa.string()),
            pa.field("_synced_at", INSTANT, nullable=False),
        ]
    )


def _parts(pages: Sequence[RawPage]) -> Iterator[tuple[int, Sequence[RawPage]]]:
    """Pages in parts that Arrow can hold, each with the position of its first page; at least one part."""
    first, size = 0, 0
    for position, page in enumerate(pages):
        if size and size + len(page.body) > MAX_PART_BYTES:
            yield first, pages[first:position]
            first, size = position, 0
        size += len(page.body)
    yield first, pages[first:]


def _normalise_part(
    resource: Resource, first: int, pages: Sequence[RawPage], drift: Counter[Drift]
) -> tuple[pa.Table, list[BadRow]]:
    items = [*chain.from_iterable(map(_with_path_ids, pages, exact_items(pages)))]
    bad = _no_objects(items)
    good = [row for row in range(len(items)) if row not in bad]
    schema = rows_schema(resource)
    table = schema.empty_table()
    while good:
        batch = _Batch(resource, [items[row] for row in good] if bad else items)
        found = batch.bad()
        if not found:
            read_at = _read_times(pages)[good]
            table = pa.Table.from_arrays([*batch.arrays(), pa.array(read_at, INSTANT)], schema=schema)
            drift.update(batch.drift())
            break
        bad |= {good[place]: error for place, error in found.items()}
        good = [row for place, row in enumerate(good) if place not in found]
    return table, _bad_rows(resource, first, pages, items, bad)


def _with_path_ids(page: RawPage, items: list[Any]) -> list[Any]:
    """The items as if each had said itself under whom it hangs. Those of one shape keep one shape."""
    if not page.path_ids:
        return items
    return [{**item, **page.path_ids} if isinstance(item, dict) else item for item in items]


def _no_objects(items: list[Item]) -> dict[int, Unreadable]:
    if set(map(type, items)) == {dict}:
        return {}
    return {
        row: Unreadable(f"expected an object, got {describe(item)}")
        for row, item in enumerate(items)
        if not isinstance(item, dict)
    }


class _Batch:
    """Objects of one resource, as columns."""

    def __init__(self, resource: Resource, items: list[Item]) -> None:
        self._resource = resource
        self._items = items
        self._tree: Tree = gather(resource, items)
        self._declared = {f.path: read_field(f, self._tree.declared[f.path]) for f in resource.fields}
        self._unknown = {
            path: spell_column(path, field.values, field.depth) for path, field in sorted(self._tree.unknown.items())
        }
        self._keys, self._keyless = key_column(resource, self._declared)
        apart = self._tree.apart.union(*(column.apart for column in self._declared.values()))
        self._apart = {place: read_apart(resource, items[place]) for place in sorted(apart)}

    def bad(self) -> dict[int, Unreadable]:
        """Place -> the first thing wrong with it."""
        found = dict(self._tree.bad)
        for column in (*self._declared.values(), *self._unknown.values()):
            for place, error in column.bad.items():
                found.setdefault(place, error)
        for place, apart in self._apart.items():
            if isinstance(apart, Unreadable):
                found.setdefault(place, apart)
        for place, error in self._keyless.items():
            found.setdefault(place, error)
        return found

    def arrays(self) -> list[Array]:
        """The columns of the table but for the read time; only of a batch without bad rows."""
        hashes = row_hashes(self._declared | self._unknown)
        unknown = self._unknown | {p: c for column in self._declared.values() for p, c in column.extra.items()}
        extra = extra_objects(unknown, len(self._items))
        apart = {place: row for place, row in self._apart.items() if isinstance(row, Apart)}
        if apart:
            for place, row in apart.items():
                hashes[place] = row.row_hash
            places = np.zeros(len(self._items), np.bool_)
            places[[*apart]] = True
            extra = compute.replace_with_mask(
                extra, pa.array(places), pa.array([row.extra for row in apart.values()], pa.string())
            )
        stored = [self._declared[f.path].stored for f in self._resource.fields]
        return [*stored, self._keys, pa.array(hashes, pa.string()), extra]

    def drift(self) -> Counter[Drift]:
        """How many items show each difference; only of a batch without bad rows."""
        found = Counter[Drift]()
        size = len(self._items)
        for f in self._resource.fields:
            column = self._declared[f.path]
            if f.required and column.text.null_count:
                found[missing_field(f.path)] = column.text.null_count
            elif f.path in self._tree.absent and size >= ENOUGH_ROWS:
                found[missing_field(f.path)] = size
            found.update(column.drift)
        for path, field in self._tree.unknown.items():
            places = range(size) if field.present is None else (i for i, there in enumerate(field.present) if there)
            count = sum(1 for place in places if place not in self._apart) if self._apart else len([*places])
            if count:
                found[unknown_field(path)] += count
        for row in self._apart.values():
            if isinstance(row, Apart):
                found.update(unknown_field(path) for path in row.unknown_paths)
        return found


def _bad_rows(
    resource: Resource, first: int, pages: Sequence[RawPage], items: list[Item], bad: dict[int, Unreadable]
) -> list[BadRow]:
    rows: list[BadRow] = []
    starts = [0, *accumulate(len(page.items) for page in pages)]
    raws: tuple[int, Callable[[int], str]] | None = None
    for row in sorted(bad):
        place = bisect_right(starts, row) - 1
        if raws is None or raws[0] != place:
            raws = place, raw_items(pages[place])
        index, error = row - starts[place], bad[row]
        raw, key = raws[1](index), key_of(resource, items[row])
        rows.append(BadRow(first + place, index, raw, error.reason, error.path, key))
    return rows


def _read_times(pages: Sequence[RawPage]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Microseconds since 1970 at which each item's page was read."""
    times = [(page.read_at - _EPOCH) // timedelta(microseconds=1) for page in pages]
    return np.repeat(np.array(times, np.int64), [len(page.items) for page in pages])
