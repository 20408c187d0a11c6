"""What of the lake is a person's: which rows, and which values only their rows hold.

A row is theirs if it was read under them. What passed to somebody else, such as a car, is theirs up to then and no
longer; so is a row that names nobody but one of the things that were theirs alone.
Does not belong here: changing tables (tables.py), searching files (proof.py).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute

from pipelines.contract import RESOURCES, Resource
from pipelines.erasure.proof import Needles
from pipelines.lake import Lake
from pipelines.lake.rewriting import batches_of
from pipelines.lake.suppression import UUID, owner_column

pc: Any = pyarrow.compute  # the stubs allow less than the functions do

OWN_COLUMNS = {
    "vehicles": "vehicle_id",
    "charging_locations": "charging_location_id",
    "sessions": "session_id",
    "chargers": "charger_id",
}
"""The column by which other tables name a row of a table of parents."""


@dataclass
class Person:
    """One or more people who are erased together.

    users: their ids. own: ids of vehicles, locations, sessions and the like that were theirs alone, by table. shared:
    of those that were somebody else's before or after.
    """

    users: frozenset[str]
    own: dict[str, frozenset[str]] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()

    def is_theirs(self, resource: Resource, rows: pa.RecordBatch) -> Any:
        """Of each row of a lake table whether it is theirs."""
        column = owner_column(resource)
        if column is None:
            return pa.array([False] * rows.num_rows)
        owner = rows.column(column)
        theirs = pc.is_in(owner, value_set=pa.array(sorted(self.users), pa.string()))
        for parent, ids in self.own.items():
            named = "id" if parent == resource.name else OWN_COLUMNS.get(parent)
            if named in rows.schema.names:
                by_thing = pc.is_in(rows.column(named), value_set=pa.array(sorted(ids), pa.string()))
                theirs = pc.or_(theirs, pc.and_(pc.is_null(owner), by_thing))
        return theirs


def find(lake: Lake, users: frozenset[str]) -> Person:
    """Whose things are whose, from the lake."""
    person = Person(users)
    for name, resource in RESOURCES.items():
        if owner_column(resource) != "user_id" or resource.key != ("id",) or not lake.holds(name):
            continue
        theirs, others = set[str](), set[str]()
        for rows in batches_of(f"{lake.root}/{name}"):
            is_theirs = pc.is_in(rows.column("user_id"), value_set=pa.array(sorted(users), pa.string()))
            ids: Any = rows.column("id")
            theirs.update(ids.filter(is_theirs).to_pylist())
            is_others = pc.and_(pc.invert(is_theirs), pc.is_valid(rows.column("user_id")))
            others.update(ids.filter(is_others).to_pylist())
        person.own[name] = frozenset(theirs - others)
        person.shared |= theirs & others
    return person


def values_of(lake: Lake, person: Person) -> Needles:
    """What must be found nowhere afterwards: ids and personal values that no row of others holds too."""
    needles = Needles(ids=set(person.users).union(*person.own.values()))
    for resource, rows, is_theirs in _rows(lake, person):
        mine = rows.filter(is_theirs)
        for declared in resource.fields:
            if declared.personal:
                needles.add(mine.column(declared.column).unique().to_pylist())
        for text in mine.column("_extra").unique().to_pylist():
            needles.add(_texts_in(text))
    for resource, rows, is_theirs in _rows(lake, person):
        owner = rows.column(owner_column(resource) or "")
        is_others = pc.and_(pc.is_valid(owner), pc.invert(is_theirs))
        needles.spare_what_is_in(rows.filter(is_others), but=person.users)
    return needles


def _rows(lake: Lake, person: Person) -> Iterator[tuple[Resource, pa.RecordBatch, Any]]:
    for resource in RESOURCES.values():
        if owner_column(resource) is not None and lake.holds(resource.name):
            for rows in batches_of(f"{lake.root}/{resource.name}"):
                yield resource, rows, person.is_theirs(resource, rows)


def _texts_in(document: str | None) -> list[str]:
    """Every text that a JSON document holds as a value, but ids, which may be other people's."""
    found: list[str] = []

    def walk(value: object) -> None:
        if isinstance(value, str) and not UUID.fullmatch(value):
            found.append(value)
        elif isinstance(value, dict):
            for part in cast("dict[str, object]", value).values():
                walk(part)
        elif isinstance(value, list):
            for part in cast("list[object]", value):
                walk(part)

    walk(None if document is None else json.loads(document))
    return found
