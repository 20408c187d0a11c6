"""Columns of object lists: all objects of all rows are taken as one column for each member, then put together again.

Gives what reading each value on its own gives (reading.py, canonical.py).
Does not belong here: what a member accepts and how it is read (columns.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipelines.contract import Field, Kind
from pipelines.lake.schemas import arrow_type
from pipelines.normalise.arrow import Array, compute, join_texts
from pipelines.normalise.assembling import object_texts
from pipelines.normalise.canonical import ENUMS, member_path, respelt
from pipelines.normalise.columns import Column, Values, null_column, read_column, read_each, read_one, spell_column
from pipelines.normalise.drift import missing_field, unknown_field, unlisted_value
from pipelines.normalise.model import Drift, Unreadable
from pipelines.normalise.reading import members_of
from pipelines.normalise.tree import MAX_UNKNOWN_COLUMNS, Item, columns_by_name, is_fit_for_a_column


def read_field(declared: Field, values: Values) -> Column:
    """The column of any declared field."""
    if declared.kind is not Kind.OBJECT_LIST:
        return read_column(declared, values)
    if all(value is None for value in values):
        return null_column(declared, len(values))
    return _read_by_members(declared, values) or _read_each(declared, values)


@dataclass(slots=True)
class _Flat:
    """The elements of all rows' arrays, one after the other.

    lengths: of each row's array. rows: of each element. places: of the elements that are objects, None if all are.
    """

    lengths: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    objects: list[Item]
    places: npt.NDArray[np.int64] | None

    @classmethod
    def of(cls, values: Values) -> _Flat:
        lists = [value if isinstance(value, list) else [] for value in values]
        elements = [*chain.from_iterable(lists)]
        lengths = np.fromiter(map(len, lists), np.int64, len(lists))
        rows = np.repeat(np.arange(len(lists)), lengths)
        if set(map(type, elements)) <= {dict}:
            return cls(lengths, rows, elements, None)
        places = [place for place, element in enumerate(elements) if isinstance(element, dict)]
        return cls(lengths, rows, [elements[place] for place in places], np.array(places, np.int64))

    def rows_of(self, objects: Iterable[int]) -> list[int]:
        """The rows to which some objects belong."""
        chosen = np.fromiter(objects, np.int64)
        found: list[int] = self.rows[chosen if self.places is None else self.places[chosen]].tolist()
        return found

    def spread(self, of_objects: Array) -> Array:
        """One value for each element: that of its object, null for one that is none."""
        if self.places is None:
            return of_objects
        indices = np.full(len(self.rows), -1)
        indices[self.places] = np.arange(len(self.places))
        spread: Array = compute.take(of_objects, pa.array(indices, pa.int64(), mask=indices < 0))
        return spread

    def lists(self, elements: Array, kind: pa.DataType, is_null: npt.NDArray[np.bool_]) -> Array:
        """A row's elements as one list; kind: of such a column."""
        offsets: Any = pa.array(np.concatenate([[0], np.cumsum(self.lengths)]), pa.int32())
        return pa.ListArray.from_arrays(offsets, elements, type=kind, mask=pa.array(is_null))


def _read_by_members(declared: Field, values: Values) -> Column | None:
    """None if the objects have too many names that the contract does not know."""
    flat = _Flat.of(values)
    members = members_of(declared)
    names = set(chain.from_iterable(flat.objects)) - members.keys()
    if len(names) > MAX_UNKNOWN_COLUMNS or not all(map(is_fit_for_a_column, names)):
        return None
    by_name = columns_by_name(flat.objects)
    nothing = [None] * len(flat.objects)
    known = {name: read_column(member, by_name.get(name, nothing)) for name, member in members.items()}
    depth = declared.path.count(".") + 3
    unknown = {name: spell_column(declared.path, by_name[name], depth) for name in names}
    bad = _refusals(declared, values, flat, [*known.values(), *unknown.values()])
    is_null = np.fromiter((value is None for value in values), np.bool_, len(values))
    is_null[[*bad]] = True
    kind: Any = arrow_type(declared)
    structs = pa.StructArray.from_arrays([column.stored for column in known.values()], fields=[*kind.value_type])
    column = Column(
        flat.lists(flat.spread(structs), kind, is_null),
        _array_texts(flat, object_texts(known | unknown, len(flat.objects)), is_null),
        bad=bad,
        extra={
            member_path(declared.path, name): Column(pa.nulls(len(values)), _extra_texts(flat, one))
            for name, one in unknown.items()
        },
    )
    if unknown or any(one.drift or (members[name].required and one.text.null_count) for name, one in known.items()):
        _count_drift(declared, values, column)
    return column


def _refusals(declared: Field, values: Values, flat: _Flat, columns: Iterable[Column]) -> dict[int, Unreadable]:
    """Why rows cannot be read; where several things are wrong with one, the first that the rule meets."""
    rows = {row for column in columns if column.bad for row in flat.rows_of(column.bad)}
    rows.update(row for row, value in enumerate(values) if value is not None and not isinstance(value, list))
    if flat.places is not None:
        odd = (row for row, value in enumerate(values) if isinstance(value, list) and not _is_sound(value))
        rows.update(odd)
    return {row: _refusal(declared, values[row]) for row in sorted(rows)}


def _is_sound(elements: list[Any]) -> bool:
    return all(element is None or isinstance(element, dict) for element in elements)


def _refusal(declared: Field, value: Any) -> Unreadable:
    try:
        read_one(declared, value)
    except Unreadable as error:
        return error
    raise AssertionError("read by columns and by itself, a value is refused alike")


def _array_texts(flat: _Flat, objects: Array, is_null: npt.NDArray[np.bool_]) -> Array:
    """The canonical text of each row's array."""
    elements = compute.fill_null(flat.spread(objects), "null")
    joined = compute.binary_join(flat.lists(elements, pa.list_(pa.string()), is_null), ",")
    return join_texts("[", joined, "]")


def _extra_texts(flat: _Flat, unknown: Column) -> Array:
    """The array of an unknown member's values in each row, null where no object has one."""
    texts = join_texts('"', unknown.text, '"') if unknown.quoted else unknown.text
    has_some = np.zeros(len(flat.lengths), np.bool_)
    has_some[flat.rows_of(np.flatnonzero(texts.is_valid().to_numpy(zero_copy_only=False)))] = True
    return _array_texts(flat, texts, ~has_some)


def _read_each(declared: Field, values: Values) -> Column:
    column = read_each(declared, values)
    known = members_of(declared).keys()
    column.apart = {
        row
        for row, value in enumerate(values)
        if value is not None and row not in column.bad and any(element and element.keys() - known for element in value)
    }
    _count_drift(declared, values, column)
    return column


def _count_drift(declared: Field, values: Values, column: Column) -> None:
    members = members_of(declared)
    for row, value in enumerate(values):
        if value is not None and row not in column.bad:
            column.drift.update(_differences(declared, members, value))


def _differences(declared: Field, members: Mapping[str, Field], value: list[Item | None]) -> set[Drift]:
    """How one row's array differs from the contract; each difference counts once."""
    found: set[Drift] = set()
    for element in value:
        if element is None:
            continue
        found.update(unknown_field(member_path(declared.path, name)) for name in element.keys() - members.keys())
        for name, member in members.items():
            held = respelt(member, element.get(name))
            if held is None and member.required:
                found.add(missing_field(member.path))
            elif member.kind in ENUMS:
                words = set(held if isinstance(held, list) else [held]) - {*member.values, None}
                found.update(unlisted_value(member.path, word) for word in words)
    return found
