"""`_key`: the text by which a row is told from others.

A key of one part is that part's text; one of several is the JSON array of its parts as texts. Where a part is null
and the resource has an alternative key, it is the JSON array of that one's parts (null for a null part).
Does not belong here: comparing keys (pipelines/lake).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipelines.contract import Field, Kind, Resource
from pipelines.normalise.arrow import Array, compute, join_texts
from pipelines.normalise.columns import Column
from pipelines.normalise.instants import instant_text
from pipelines.normalise.model import Unreadable
from pipelines.normalise.reading import read
from pipelines.normalise.words import escaped_texts

_STORED_AS_TEXT = {Kind.UUID, Kind.TEXT, Kind.ENUM}


def key_column(resource: Resource, columns: Mapping[str, Column]) -> tuple[Array, dict[int, Unreadable]]:
    """The key text of each row, and why a row has none (its text is then null).

    columns: the declared fields, by path.
    """
    texts = _single(resource, columns) if len(resource.key) == 1 else _array(resource, resource.key, columns)
    if texts.null_count and resource.alternative_key:
        texts = compute.coalesce(texts, _array(resource, resource.alternative_key, columns))
    return texts, {} if not texts.null_count else _missing(resource, texts)


def key_of(resource: Resource, item: object) -> str | None:
    """The key text of one decoded item, None where it cannot be read."""
    for paths in filter(None, (resource.key, resource.alternative_key)):
        try:
            parts = [_part(resource, path, item) for path in paths]
        except Unreadable:
            return None
        if paths is resource.alternative_key:
            return None if set(parts) == {None} else _json(parts)
        if None not in parts and parts != [""]:
            return parts[0] if len(parts) == 1 else _json(parts)
    return None


def _single(resource: Resource, columns: Mapping[str, Column]) -> Array:
    texts = _plain(resource, resource.key[0], columns)
    if resource.by_path[resource.key[0]].kind is Kind.UUID:
        return texts
    return _null_unless(compute.not_equal(texts, ""), texts)


def _plain(resource: Resource, path: str, columns: Mapping[str, Column]) -> Array:
    """A key part as text: as stored; numbers and instants in their canonical spelling."""
    column = columns[path]
    if resource.by_path[path].kind in _STORED_AS_TEXT:
        return column.stored
    if resource.by_path[path].kind is Kind.INSTANT and not column.quoted:
        unquoted: Array = compute.replace_substring(column.text, '"', "")
        return unquoted
    return column.text


def _array(resource: Resource, paths: tuple[str, ...], columns: Mapping[str, Column]) -> Array:
    """The JSON array of the parts; null where a part of the key, or all of an alternative key, is null."""
    plain = [_plain(resource, path, columns) for path in paths]
    quoted = [join_texts('"', part, '"') for part in map(_escaped, [resource.by_path[path] for path in paths], plain)]
    if paths is not resource.alternative_key:
        return join_texts("[", compute.binary_join_element_wise(*quoted, ","), "]")
    parts = [compute.coalesce(part, "null") for part in quoted]
    texts = join_texts("[", compute.binary_join_element_wise(*parts, ","), "]")
    return _null_unless(compute.is_valid(compute.coalesce(*plain)), texts)


def _escaped(declared: Field, texts: Array) -> Array:
    return texts if declared.kind in {Kind.UUID, Kind.INSTANT} else escaped_texts(texts)


def _null_unless(condition: Array, texts: Array) -> Array:
    chosen: Array = compute.if_else(condition, texts, pa.scalar(None, pa.string()))
    return chosen


def _missing(resource: Resource, texts: Array) -> dict[int, Unreadable]:
    expected = " and ".join(resource.key)
    if resource.alternative_key:
        expected += " (or one of " + ", ".join(resource.alternative_key) + ")"
    path = resource.key[0] if len(resource.key) == 1 else None
    rows: list[int] = compute.indices_nonzero(texts.is_null()).to_pylist()
    return {row: Unreadable(f"expected the key {expected}, got nothing", path) for row in rows}


def _part(resource: Resource, path: str, item: object) -> str | None:
    value: Any = item
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if value is None:
        return None
    stored = read(resource.by_path[path], value)
    if resource.by_path[path].kind is Kind.INSTANT:
        return instant_text(stored)
    return str(stored)


def _json(parts: list[str | None]) -> str:
    return json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
