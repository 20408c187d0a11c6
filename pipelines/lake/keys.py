"""The text of a row's key, from stored columns. The same text that normalising gives a fresh row.

Does not belong here: comparing keys (index.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from json import JSONEncoder
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipelines.contract import Resource, column_name

_compute: Any = pyarrow.compute  # the stubs allow less than the functions do
_json_string = JSONEncoder(ensure_ascii=False).encode
_MUST_BE_ESCAPED = r'["\\\x00-\x1f]'


def key_texts(resource: Resource, rows: pa.RecordBatch) -> pa.Array[Any]:
    """`_key` of each row: the value itself for a key of one part, else the JSON array of its parts.

    Where a part is null and there is an alternative key: the JSON array of that one's parts.
    """
    parts = [_texts(rows.column(column_name(path))) for path in resource.key]
    keys: pa.Array[Any] = parts[0] if len(parts) == 1 else _json_array([_quoted(part) for part in parts])
    if keys.null_count and resource.alternative_key:
        others = [_quoted(_texts(rows.column(column_name(path)))) for path in resource.alternative_key]
        keys = _compute.coalesce(keys, _json_array([_compute.coalesce(other, "null") for other in others]))
    return keys


def _texts(column: pa.Array[Any]) -> Any:
    """Each value as text, instants as `yyyy-MM-ddTHH:mm:ss.fffZ`."""
    if not pa.types.is_timestamp(column.type):
        return _compute.cast(column, pa.string())
    # without its zone, which is UTC, Arrow spells it `2026-03-01 18:02:11.123456`, many times faster than strftime
    spelt = _compute.cast(_compute.cast(column, pa.timestamp("us")), pa.string())
    return _compute.binary_replace_slice(_compute.binary_replace_slice(spelt, 23, 26, "Z"), 10, 11, "T")


def _quoted(texts: Any) -> Any:
    return _compute.binary_join_element_wise('"', _escaped(texts), '"', "")


def _escaped(texts: Any) -> Any:
    mask = _compute.match_substring_regex(texts, _MUST_BE_ESCAPED)
    if not _compute.any(mask).as_py():
        return texts
    escaped = [_json_string(text)[1:-1] for text in texts.filter(mask).to_pylist()]
    return _compute.replace_with_mask(texts, mask, pa.array(escaped, pa.string()))


def _json_array(elements: Iterable[Any]) -> Any:
    """Row by row; null where an element is."""
    separated: list[Any] = []
    for element in elements:
        separated += [",", element]
    return _compute.binary_join_element_wise("[", *separated[1:], "]", "")
