"""Takes a person's rows out of the lake's tables, or makes them nobody's.

Below comes before above, so that whoever dies in between can still tell what is theirs. Every table forgets its
history, also one that holds nothing of theirs now: an earlier try may have come so far.
Does not belong here: what is theirs (person.py), how a table forgets (pipelines/lake/rewriting.py).
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipelines.contract import PARENTS, RESOURCES, Resource
from pipelines.erasure.person import OWN_COLUMNS, Person
from pipelines.erasure.proof import Search
from pipelines.lake import Lake
from pipelines.lake.family import newest_versions
from pipelines.lake.keys import key_texts
from pipelines.lake.rewriting import batches_of, forget_history, rewrite
from pipelines.lake.schemas import INSTANT, OPERATIONS
from pipelines.lake.suppression import owner_column

pc: Any = pyarrow.compute  # the stubs allow less than the functions do

NOBODYS = "0" * 32
"""The hash of a row that was made nobody's: its content is no more what was read."""


def take_out(lake: Lake, person: Person, wanted: Search, fresh: Mapping[str, str]) -> Counter[str]:
    """Rows that went, or were made nobody's, by table.

    wanted: values that no record may hold. fresh: the new id of each of theirs where rows stay as nobody's.
    """
    gone: Counter[str] = Counter()
    for name, schema in OPERATIONS.items():
        if lake.holds(name):
            gone[name] += _clean_records(f"{lake.root}/{name}", schema, wanted)
    others = [name for name in RESOURCES if name not in PARENTS]
    for name in (*others, *reversed(PARENTS)):
        if lake.holds(name):
            gone[name] += _clean(f"{lake.root}/{name}", RESOURCES[name], person, fresh)
    return +gone


def new_names(person: Person) -> dict[str, str]:
    """A new id for each of theirs."""
    return {id_: str(uuid.uuid4()) for id_ in person.users.union(*person.own.values())}


def _clean(uri: str, resource: Resource, person: Person, fresh: Mapping[str, str]) -> int:
    rows = 0
    if owner_column(resource) is not None:
        rows = sum(pc.sum(person.is_theirs(resource, batch)).as_py() or 0 for batch in batches_of(uri))
    if rows:

        def change(batch: pa.RecordBatch) -> pa.RecordBatch:
            is_theirs = person.is_theirs(resource, batch)
            return _without_names(resource, batch, is_theirs, fresh) if fresh else batch.filter(pc.invert(is_theirs))

        rewrite(uri, change, () if fresh else _ends_of_shared(uri, resource, person))
    forget_history(uri)
    return rows


def _ends_of_shared(uri: str, resource: Resource, person: Person) -> list[pa.RecordBatch]:
    """Deletions of what was somebody else's before it was theirs: else it would be the other's again."""
    things = pa.array(sorted(person.shared), pa.string())
    columns = [name for name in ("id", *OWN_COLUMNS.values()) if name in resource.key_columns]
    if not columns or not person.shared:
        return []
    [column] = columns
    versions = pa.Table.from_batches(
        [batch.filter(pc.is_in(batch.column(column), value_set=things)) for batch in batches_of(uri)]
    ).combine_chunks()
    if not versions.num_rows:
        return []
    [batch] = versions.to_batches()
    is_theirs = person.is_theirs(resource, batch)
    last = newest_versions(resource, pa.Table.from_batches([batch]))
    keys = dict(zip(_keys(resource, last), last["_synced_at"], strict=True))
    others = newest_versions(resource, pa.Table.from_batches([batch.filter(pc.invert(is_theirs))]))
    ended = [keys[key] for key in _keys(resource, others)]
    is_over = pc.and_(
        pc.invert(others["_deleted"]), pc.less(others["_synced_at"], pa.array([at.as_py() for at in ended], INSTANT))
    )
    stamped = others.set_column(
        others.schema.get_field_index("_synced_at"),
        others.schema.field("_synced_at"),
        pa.array([at.as_py() for at in ended], INSTANT),
    )
    place = stamped.schema.get_field_index("_deleted")
    gone = stamped.set_column(place, stamped.schema.field(place), pa.repeat(pa.scalar(True), stamped.num_rows))
    return gone.filter(is_over).to_batches()


def _keys(resource: Resource, rows: pa.Table) -> list[str]:
    return [str(key) for batch in rows.to_batches() for key in key_texts(resource, batch).to_pylist()]


def _without_names(
    resource: Resource, rows: pa.RecordBatch, is_theirs: Any, fresh: Mapping[str, str]
) -> pa.RecordBatch:
    """The rows, of which theirs have no personal value any more, and new ids."""
    emptied = {declared.column for declared in resource.fields if declared.personal} | {"_extra"}
    columns: list[Any] = []
    for name, column in zip(rows.schema.names, rows.columns, strict=True):
        if name in emptied:
            columns.append(pc.if_else(is_theirs, pa.scalar(None, column.type), column))
        elif name == "_row_hash":
            columns.append(pc.if_else(is_theirs, NOBODYS, column))
        elif pa.types.is_string(column.type):
            columns.append(_renamed(column, fresh))
        else:
            columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=rows.schema)


def _renamed(column: pa.Array[Any], fresh: Mapping[str, str]) -> pa.Array[Any]:
    """A column in which ids of theirs, also as `users/<id>`, are new ones."""
    renamed = {
        text: f"{place}{slash}{fresh[id_]}"
        for text in column.unique().to_pylist()
        if text is not None
        for place, slash, id_ in [text.rpartition("/")]
        if id_ in fresh
    }
    if not renamed:
        return column
    texts: pa.Array[Any] = pa.array([renamed.get(text, text) for text in column.to_pylist()], column.type)
    return texts


def _clean_records(uri: str, schema: pa.Schema, wanted: Search) -> int:
    """Records that hold one of the values go; of a run, which stays, its message does."""
    message = schema.get_field_index("message")
    texts = [field.name for field in schema if pa.types.is_string(field.type)]

    def holding(batch: pa.RecordBatch) -> list[bool]:
        held = batch.select([name for name in texts if name in batch.schema.names])
        return [wanted.met_in_columns(held.slice(place, 1).columns) for place in range(batch.num_rows)]

    rows = sum(sum(holding(batch)) for batch in batches_of(uri))
    if rows:

        def change(batch: pa.RecordBatch) -> pa.RecordBatch:
            is_held = pa.array(holding(batch), pa.bool_())
            if message < 0:
                return batch.filter(pc.invert(is_held))
            place = batch.schema.get_field_index("message")
            emptied = pc.if_else(is_held, pa.scalar(None, pa.string()), batch.column(place))
            return batch.set_column(place, batch.schema.field(place), emptied)

        rewrite(uri, change)
    forget_history(uri)
    return rows
