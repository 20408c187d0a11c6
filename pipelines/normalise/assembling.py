"""Columns of canonical texts -> one canonical object a row, and its hash. See canonical.py for what they must equal.

Does not belong here: how the texts come about (columns.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pyarrow as pa
import xxhash

from pipelines.normalise.arrow import Array, compute, join_texts, text_bytes
from pipelines.normalise.columns import Column
from pipelines.normalise.words import json_string


def row_hashes(columns: Mapping[str, Column]) -> list[str]:
    """The hash of each row's object. columns: all fields by path, at least one of them present in each row."""
    offsets, data = text_bytes(_members(columns))
    text = bytearray(data)
    np.frombuffer(text, np.uint8)[offsets[:-1]] = ord("{")
    content, digest = bytes(text), xxhash.xxh3_128_hexdigest
    return [digest(content[start:end]) for start, end in pairwise(offsets.tolist())]


def extra_objects(unknown: Mapping[str, Column], size: int) -> Array:
    """The object of each row's unknown fields, null for a row without any."""
    return _objects(unknown, size, None)


def object_texts(columns: Mapping[str, Column], size: int) -> Array:
    """Each row's object, also where it is empty."""
    return _objects(columns, size, "{}")


def _objects(columns: Mapping[str, Column], size: int, empty: str | None) -> Array:
    nothing = pa.scalar(empty, pa.string())
    if all(column.text.null_count == size for column in columns.values()):
        return pa.repeat(nothing, size)
    texts = _members(columns)
    objects: Array = compute.if_else(
        compute.equal(compute.binary_length(texts), 1), nothing, compute.binary_replace_slice(texts, 0, 1, "{")
    )
    return objects


def _members(columns: Mapping[str, Column]) -> Array:
    """`,"a":1,"b":2}` for each row: the members that are not null, sorted by path.

    The first comma stands where the opening brace belongs.
    """
    parts: list[Array | str] = []
    between = ""
    for path in sorted(columns):
        column = columns[path]
        quote = '"' if column.quoted else ""
        before = f",{json_string(path)}:{quote}"
        if column.text.null_count == 0:
            parts += [between + before, column.text]
            between = quote
        elif column.text.null_count < len(column.text):
            parts += [between, join_texts(before, column.text, quote)]
            between = ""
    return join_texts(*parts, between + "}", skip_nulls=True)
