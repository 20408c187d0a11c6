"""One column at a time: a list of JSON values -> what is stored, and the canonical text that goes into the hash.

Each kind has a fast form for a column of well-formed values; where that does not apply, every value is read on its
own (reading.py). Both give the same.
Does not belong here: where values stand in the items (tree.py), object lists (objects.py), the hash (assembling.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.contract import Field, Kind
from pipelines.contract.vocabulary import spelling_map
from pipelines.lake.schemas import arrow_type
from pipelines.normalise.arrow import Array, compute
from pipelines.normalise.canonical import ENUMS, canonical_text, encodable, respelt
from pipelines.normalise.drift import unlisted_value
from pipelines.normalise.identifiers import canonical_uuid, is_canonical_column
from pipelines.normalise.instants import is_v2_instant, parse_v2_column
from pipelines.normalise.model import Drift, Unreadable
from pipelines.normalise.numerals import canonical_floats, float_column, is_ordinary_number, money_from_floats
from pipelines.normalise.reading import read
from pipelines.normalise.words import canonical_texts

_NULL = type(None)
_TEXTS = {str, _NULL}
_NUMBERS = {int, float, _NULL}
_FLAGS = {bool, _NULL}
_LISTS = {list, _NULL}

Values = Sequence[Any]


@dataclass(slots=True)
class Column:
    """A column of one batch.

    stored: as the lake holds it; nulls for a field that the contract does not know.
    text: canonical JSON text of each value, null where it is null. quoted: the quotes are still missing around it.
    bad: row -> why its value cannot be read; such rows are null in both arrays.
    drift: how many rows show each difference from the contract: words that an enum does not list, members of object
    lists that are unknown or missing.
    extra: members of an object list's objects that the contract does not know, by path, for `_extra`.
    apart: rows that have more such members than `extra` holds; all of theirs must be read from themselves.
    """

    stored: Array
    text: Array
    quoted: bool = False
    bad: dict[int, Unreadable] = field(default_factory=dict)
    drift: Counter[Drift] = field(default_factory=Counter)
    extra: dict[str, Column] = field(default_factory=dict)
    apart: set[int] = field(default_factory=set)


def read_column(declared: Field, values: Values) -> Column:
    """The column of a declared field that is no object list."""
    types = set(map(type, values))
    if types <= {_NULL}:
        return null_column(declared, len(values))
    fast = _FAST[declared.kind](declared, values, types)
    if fast is not None:
        return fast
    return _read_odd_apart(declared, values) or read_each(declared, values)


def null_column(declared: Field, size: int) -> Column:
    values = [None] * size
    return Column(_nulls(values, arrow_type(declared)), _nulls(values, pa.string()))


def spell_column(path: str, values: Values, depth: int) -> Column:
    """The column of a field that the contract does not know: only its canonical text."""
    types = set(map(type, values))
    nothing = _nulls(values, pa.null())
    if (texts := _text_array(values, types)) is not None:
        return Column(nothing, canonical_texts(texts), quoted=True)
    if types <= _FLAGS:
        return Column(nothing, compute.cast(pa.array(values, pa.bool_()), pa.string()))
    numbers = _number_array(values, types)
    text = canonical_floats(numbers) if numbers is not None else None
    if text is not None:
        return Column(nothing, text)
    return _spell_each(path, values, depth)


def _uuids(_: Field, values: Values, types: set[type]) -> Column | None:
    texts = _text_array(values, types)
    if texts is None:
        return None
    if not is_canonical_column(texts):
        texts = compute.ascii_lower(texts)
        if not is_canonical_column(texts):
            return None
    return Column(texts, texts, quoted=True)


def _texts(_: Field, values: Values, types: set[type]) -> Column | None:
    texts = _text_array(values, types)
    return None if texts is None else Column(texts, canonical_texts(texts), quoted=True)


def _words(declared: Field, values: Values, types: set[type]) -> Column | None:
    if not types <= _TEXTS:
        return None
    listed, spelling = set(declared.values), spelling_map(declared.values)
    came = set(values) - {None}
    if came & (spelling.keys() - listed):
        values = [spelling.get(word, word) for word in values]
    column = _texts(declared, values, types)
    if column is not None and not came <= spelling.keys():
        unlisted = Counter(word for word in values if word is not None and word not in listed)
        for word, count in unlisted.items():
            column.drift[unlisted_value(declared.path, word)] += count
    return column


def _instants(_: Field, values: Values, types: set[type]) -> Column | None:
    texts = _text_array(values, types)
    if texts is None:
        return None
    instants = parse_v2_column(texts)
    return None if instants is None else Column(instants, texts, quoted=True)


def _money(_: Field, values: Values, types: set[type]) -> Column | None:
    return _stored_as(values, types, money_from_floats)


def _measures(_: Field, values: Values, types: set[type]) -> Column | None:
    return _stored_as(values, types, lambda numbers: numbers)


def _integers(_: Field, values: Values, types: set[type]) -> Column | None:
    if float in types:
        return None
    return _stored_as(values, types, lambda numbers: compute.cast(numbers, pa.int64()))


def _stored_as(values: Values, types: set[type], store: Callable[[Array], Array | None]) -> Column | None:
    numbers = _number_array(values, types)
    text = canonical_floats(numbers) if numbers is not None else None
    if numbers is None or text is None:
        return None
    stored = store(numbers)
    return None if stored is None else Column(stored, text)


def _flags(_: Field, values: Values, types: set[type]) -> Column | None:
    if not types <= _FLAGS:
        return None
    flags = pa.array(values, pa.bool_())
    return Column(flags, compute.cast(flags, pa.string()))


def _lists(declared: Field, values: Values, types: set[type]) -> Column | None:
    """Lists repeat, so each different one is read once."""
    if not types <= _LISTS:
        return None
    try:
        keys = [None if value is None else tuple(value) for value in values]
        came = {key: list(key) for key in keys if key is not None}
        stored = {key: read(declared, value) for key, value in came.items()}
    except (TypeError, Unreadable):
        return None
    text = {key: canonical_text(value) for key, value in stored.items()}
    column = Column(
        pa.array([None if key is None else stored[key] for key in keys], arrow_type(declared)),
        pa.array([None if key is None else text[key] for key in keys], pa.string()),
    )
    if declared.kind is Kind.ENUM_LIST and not {word for value in stored.values() for word in value} <= {
        *declared.values,
        None,
    }:
        _count_unlisted(declared, [None if key is None else stored[key] for key in keys], column.drift)
    return column


_FAST: dict[Kind, Callable[[Field, Values, set[type]], Column | None]] = {
    Kind.UUID: _uuids,
    Kind.TEXT: _texts,
    Kind.ENUM: _words,
    Kind.INSTANT: _instants,
    Kind.MONEY: _money,
    Kind.NUMBER: _measures,
    Kind.INTEGER: _integers,
    Kind.FLAG: _flags,
    Kind.TEXT_LIST: _lists,
    Kind.ENUM_LIST: _lists,
}


_ORDINARY: dict[Kind, Callable[[Any], bool]] = {
    Kind.UUID: lambda value: isinstance(value, str) and canonical_uuid(value) is not None,
    Kind.TEXT: lambda value: isinstance(value, str),
    Kind.ENUM: lambda value: isinstance(value, str),
    Kind.INSTANT: lambda value: isinstance(value, str) and is_v2_instant(value),
    Kind.MONEY: is_ordinary_number,
    Kind.NUMBER: is_ordinary_number,
    Kind.INTEGER: lambda value: type(value) is int and is_ordinary_number(value),
    Kind.FLAG: lambda value: isinstance(value, bool),
}
"""Whether a value is likely one of those that the fast form takes."""


def _read_odd_apart(declared: Field, values: Values) -> Column | None:
    """The fast form for all but a few odd values, which are read one by one; None if that does not apply."""
    ordinary = _ORDINARY.get(declared.kind)
    if ordinary is None:
        return None
    odd = [row for row, value in enumerate(values) if value is not None and not ordinary(value)]
    if not odd or 2 * len(odd) > len(values):
        return None
    rest = list(values)
    for row in odd:
        rest[row] = None
    column = _FAST[declared.kind](declared, rest, set(map(type, rest)))
    if column is None:
        return None
    single = read_each(declared, [values[row] for row in odd])
    flags = np.zeros(len(values), np.bool_)
    flags[odd] = True
    mask = pa.array(flags)
    column.stored = compute.replace_with_mask(column.stored, mask, single.stored)
    text = compute.utf8_slice_codeunits(single.text, 1, -1) if column.quoted else single.text
    column.text = compute.replace_with_mask(column.text, mask, text)
    column.bad = {odd[place]: error for place, error in single.bad.items()}
    return column


def read_each(declared: Field, values: Values) -> Column:
    """Value by value: the rule that the fast forms must equal."""
    stored: list[Any] = [None] * len(values)
    text: list[str | None] = [None] * len(values)
    bad = {}
    for row, value in enumerate(values):
        if value is not None:
            try:
                stored[row], text[row] = read_one(declared, value)
            except Unreadable as error:
                bad[row] = error
    column = Column(pa.array(stored, arrow_type(declared)), pa.array(text, pa.string()), bad=bad)
    if declared.kind in ENUMS:
        _count_unlisted(declared, stored, column.drift)
    return column


def read_one(declared: Field, value: Any) -> tuple[Any, str]:
    """What is stored of a value that is not null, and its canonical text."""
    stored = read(declared, value)
    try:
        return stored, encodable(canonical_text(respelt(declared, value), declared.path.count(".") + 1))
    except Unreadable as error:
        raise Unreadable(error.reason, declared.path) from None


def _spell_each(path: str, values: Values, depth: int) -> Column:
    text: list[str | None] = [None] * len(values)
    bad = {}
    for row, value in enumerate(values):
        if value is not None:
            try:
                text[row] = encodable(canonical_text(value, depth))
            except Unreadable as error:
                bad[row] = Unreadable(error.reason, path)
    return Column(_nulls(values, pa.null()), pa.array(text, pa.string()), bad=bad)


def _nulls(values: Values, kind: pa.DataType) -> Array:
    return pa.array([None] * len(values), kind)


def _number_array(values: Values, types: set[type]) -> Array | None:
    return float_column(values) if types <= _NUMBERS else None


def _text_array(values: Values, types: set[type]) -> Array | None:
    if not types <= _TEXTS:
        return None
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return None


def _count_unlisted(declared: Field, stored: Values, into: Counter[Drift]) -> None:
    """Rows, not occurrences: a list that repeats a word counts once."""
    listed = {*declared.values, None}
    for value in stored:
        words = set(value if isinstance(value, list) else [value]) - listed
        into.update({unlisted_value(declared.path, word) for word in words})
