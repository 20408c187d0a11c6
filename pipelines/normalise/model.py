"""What goes into normalising and what comes out.

Does not belong here: how it is done (the sibling modules).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa


@dataclass(frozen=True, slots=True)
class RawPage:
    """One answer of the API.

    body: its exact bytes: the paged envelope `{"items": [...]}`, a bare array, or one object.
    items: its decoded items (one item where the answer is one object), numbers as int and float.
    read_at: when it was read, UTC.
    path_ids: ids of the request's path by JSON name (`userId`), which each item has as fields, whatever it says itself.
    """

    body: bytes = field(repr=False)
    items: list[Any] = field(repr=False)
    read_at: datetime
    path_ids: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class BadRow:
    """An item that cannot be read.

    page, index: position of the page in the call, and of the item in its page.
    raw: the item's JSON as it came; the same bytes give the same text.
    reason: what was expected and what came, without the value, which may be personal.
    field: JSON path at fault, None where it is the item as a whole.
    key: the row's key text where it can be read.
    """

    page: int
    index: int
    raw: str = field(repr=False)
    reason: str
    field: str | None
    key: str | None


class Drift(NamedTuple):
    """One way in which answers differ from the contract.

    kind: unknown_field, missing_field or unlisted_value. value: the unlisted word, None for fields.
    """

    kind: str
    path: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Normalised:
    """Rows that can be stored, and all that stands in their way.

    rows: the contract's columns plus `_key`, `_row_hash`, `_extra` and `_synced_at`; a row for each
    readable item, in the order they came, not deduplicated.
    drift: how many readable rows show each difference from the contract.
    """

    rows: pa.Table
    bad: list[BadRow]
    drift: Counter[Drift]


class Unreadable(Exception):
    """A value that cannot be stored. Never leaves this package."""

    def __init__(self, reason: str, path: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


@dataclass(frozen=True, slots=True)
class UnreadableItem:
    """Stands in a page for an item that no JSON reader can hold."""

    reason: str


_NAMES = {dict: "an object", bool: "true or false", int: "a number", float: "a number", type(None): "nothing"}


def describe(value: object) -> str:
    """A JSON value by type and length only: it may be personal."""
    if isinstance(value, str):
        return f"a string of {len(value)} characters"
    if isinstance(value, list):
        return f"an array of {len(value)}"
    if isinstance(value, UnreadableItem):
        return value.reason
    return _NAMES.get(type(value), "a number")
