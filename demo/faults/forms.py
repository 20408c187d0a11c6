"""What a form of a row is, and how a row is put into one.

Does not belong here: which forms there are (refused.py, readable.py, spoiling.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, NamedTuple

import msgspec

from demo.faults.rows import Item, Path, Role, TableRows
from demo.world.draw import Draw

NUMBERS = (Role.NUMBER, Role.INTEGER, Role.MONEY)


class Meaning(Enum):
    """What a correct reader makes of a form: the same row; the row and fields besides; the row with another value, as
    that is what it says; what it likes, the row or nothing; nothing.
    """

    SAME = "same"
    EXTRA = "extra"
    OTHER = "other"
    EITHER = "either"
    UNREADABLE = "unreadable"


class Spoiled(NamedTuple):
    """body: as the row is served. told: the item that a correct reader ends with, where it ends with one."""

    body: bytes
    told: Item


@dataclass(frozen=True, slots=True)
class Form:
    """A way to serve a row. make: None where the row has nothing that could be served so."""

    name: str
    meaning: Meaning
    make: Callable[[TableRows, Item, Draw], Spoiled | None]


def value_at(item: Item, path: Path) -> Any:
    for name in path:
        item = item.get(name, {})
    return item


def with_value(item: Item, path: Path, value: object) -> Item:
    """The item with another value at a path."""
    name, *rest = path
    return {**item, name: with_value(item.get(name, {}), tuple(rest), value) if rest else value}


def without(item: Item, path: Path) -> Item:
    name, *rest = path
    if rest:
        return {**item, name: without(item[name], tuple(rest))}
    return {key: value for key, value in item.items() if key != name}


def fields(rows: TableRows, item: Item, draw: Draw, roles: Collection[Role]) -> Iterator[Path]:
    """Fields of these roles that have a value, in an order of chance."""
    paths = [path for path, role in rows.roles.items() if role in roles]
    for path in sorted(paths, key=lambda path: draw.fraction("field", *path)):
        if value_at(item, path) not in (None, {}):
            yield path


def plain_fields(rows: TableRows, item: Item, draw: Draw, roles: Collection[Role]) -> Iterator[Path]:
    """The same without those by which a row is known."""
    return (path for path in fields(rows, item, draw, roles) if path[0] not in rows.key)


def told_otherwise(item: Item, path: Path, served: object, told: object) -> Spoiled:
    return Spoiled(msgspec.json.encode(with_value(item, path, served)), with_value(item, path, told))


def refused(item: Item, path: Path, served: object) -> Spoiled:
    return Spoiled(msgspec.json.encode(with_value(item, path, served)), item)
