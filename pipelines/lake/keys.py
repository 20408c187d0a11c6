"""The text of a row's key, from stored columns. The same text that normalising gives a fresh row.

Does not belong here: comparing keys (index.py).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa

from pipelines.contract import Resource, column_name
from pipelines.contract.formats import format_instant


def key_texts(resource: Resource, rows: pa.RecordBatch) -> pa.Array[Any]:
    """`_key` of each row: the value itself for a key of one part, else the JSON array of its parts."""
    parts = [rows.column(column_name(path)) for path in resource.key]
    if len(parts) == 1 and (not resource.alternative_key or parts[0].null_count == 0):
        return parts[0]
    alternatives = [rows.column(column_name(path)) for path in resource.alternative_key]
    return pa.array(
        [
            key_text(key, alternative)
            for key, alternative in zip(_tuples(parts, len(rows)), _tuples(alternatives, len(rows)), strict=True)
        ],
        pa.string(),
    )


def key_text(key: tuple[object, ...], alternative: tuple[object, ...] = ()) -> str:
    """One row's key text; the alternative counts where a part of the key is null."""
    if None not in key:
        return str(key[0]) if len(key) == 1 else _json(key)
    return _json(alternative)


def _tuples(columns: list[pa.Array[Any]], length: int) -> list[tuple[object, ...]]:
    if not columns:
        return [()] * length
    return list(zip(*(column.to_pylist() for column in columns), strict=True))


def _json(parts: tuple[object, ...]) -> str:
    return json.dumps([_text(part) for part in parts], ensure_ascii=False, separators=(",", ":"))


def _text(part: object) -> str | None:
    if part is None:
        return None
    return format_instant(part) if isinstance(part, datetime) else str(part)
