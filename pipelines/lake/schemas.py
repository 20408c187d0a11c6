"""The Arrow schema of every lake table, derived from the contract.

Does not belong here: names of the API (pipelines/contract), reading or writing (the sibling modules).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from pipelines.contract import Field, Kind, Resource

INSTANT = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(38, 9)

_ARROW_TYPES: dict[Kind, pa.DataType] = {
    Kind.UUID: pa.string(),
    Kind.TEXT: pa.string(),
    Kind.ENUM: pa.string(),
    Kind.INSTANT: INSTANT,
    Kind.MONEY: MONEY,
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.FLAG: pa.bool_(),
    Kind.TEXT_LIST: pa.list_(pa.string()),
    Kind.ENUM_LIST: pa.list_(pa.string()),
}

MONTH = "start_month"
"""The column by which some tables are partitioned: UTC month of the resource's time, `2026-01`."""

SYSTEM_FIELDS: list[pa.Field[Any]] = [
    pa.field("_synced_at", INSTANT, nullable=False),  # when the row was read
    pa.field("_run_id", pa.string(), nullable=False),
    pa.field("_row_hash", pa.string(), nullable=False),  # over the canonical content
    pa.field("_deleted", pa.bool_(), nullable=False),
    pa.field("_extra", pa.string()),  # JSON object of fields the contract does not know
    pa.field("_deleted_with", pa.string()),  # `users/<id>`: the parent that took the row along; null: on its own
]


def arrow_type(field: Field) -> pa.DataType:
    """How a field is stored."""
    if field.kind is Kind.OBJECT_LIST:
        return pa.list_(pa.struct(_columns(field.members)))
    return _ARROW_TYPES[field.kind]


def content_schema(resource: Resource) -> pa.Schema:
    """The columns that the contract declares, in its order."""
    return pa.schema(_columns(resource.fields))


def table_schema(resource: Resource) -> pa.Schema:
    """The columns of the resource's lake table: content, the month where it is partitioned, then system columns."""
    month = [pa.field(MONTH, pa.string(), nullable=False)] if resource.is_by_month else []
    return pa.schema([*_columns(resource.fields), *month, *SYSTEM_FIELDS])


def _columns(fields: Iterable[Field]) -> list[pa.Field[Any]]:
    return [pa.field(f.column, arrow_type(f)) for f in fields]


def schema_of(*fields: pa.Field[Any]) -> pa.Schema:
    return pa.schema(fields)


QUARANTINE = schema_of(
    pa.field("id", pa.string(), nullable=False),  # hash of collection and raw bytes
    pa.field("collection", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),  # pending, permanent, resolved
    pa.field("reason", pa.string(), nullable=False),  # what was expected and what came, no values
    pa.field("field", pa.string()),  # JSON path at fault
    pa.field("key", pa.string()),  # the row's key, where it could be read
    pa.field("raw", pa.string(), nullable=False),  # the item's JSON as it came
    pa.field("question", pa.string()),  # which question's answer held it
    pa.field("asked_from", INSTANT),  # the window that is asked again
    pa.field("asked_until", INSTANT),
    pa.field("parent_id", pa.string()),  # of the parent whose answer held it, null for a tenant's own list
    pa.field("path_ids", pa.string()),  # JSON object: the ids of the request's path, which belong to the row
    pa.field("first_seen_at", INSTANT, nullable=False),
    *SYSTEM_FIELDS[:2],
)
"""Rows that could not be read. A changelog by `id`: the latest `_synced_at` is the row's state."""

CONTRACT_DRIFT = schema_of(
    pa.field("id", pa.string(), nullable=False),  # hash of collection, kind, path and value
    pa.field("collection", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),  # unknown_field, missing_field, unlisted_value
    pa.field("path", pa.string(), nullable=False),
    pa.field("value", pa.string()),  # the unlisted word; null for fields
    pa.field("rows_seen", pa.int64(), nullable=False),  # in the run that first saw it
    *SYSTEM_FIELDS[:2],
)
"""Where answers differ from the contract, one row for each difference, written when first seen."""

RUNS = schema_of(
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("collection", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),  # complete, partial (rows set aside), failed, cascade
    pa.field("started_at", INSTANT, nullable=False),
    pa.field("finished_at", INSTANT, nullable=False),
    pa.field("window_until", INSTANT),  # upper end of the run's windows
    pa.field("watermark", INSTANT),  # asked without a gap up to here
    pa.field("rows_read", pa.int64(), nullable=False),
    pa.field("rows_new", pa.int64(), nullable=False),
    pa.field("rows_changed", pa.int64(), nullable=False),
    pa.field("rows_deleted", pa.int64(), nullable=False),
    pa.field("rows_restored", pa.int64()),  # that had been deleted; null in records of before there was this column
    pa.field("rows_set_aside", pa.int64(), nullable=False),
    pa.field("requests", pa.int64(), nullable=False),
    pa.field("retries", pa.int64(), nullable=False),
    pa.field("throttles", pa.int64(), nullable=False),
    pa.field("bytes_received", pa.int64(), nullable=False),
    pa.field("duration_seconds", pa.float64(), nullable=False),
    pa.field("parents", pa.int64()),  # that a fan-out knew, null for a tenant's own list
    pa.field("parents_asked", pa.int64()),
    pa.field("parents_skipped", pa.int64()),  # because nothing can have changed there
    pa.field("parents_failed", pa.int64()),  # asked again by the next run
    pa.field("asked_because", pa.string()),  # how many parents were asked for which reason
    pa.field("skipped_because", pa.string()),  # how many were left out for which reason
    pa.field("message", pa.string()),  # why, where the status is not complete
)
"""One row for each collection of each run that came to its end; of status cascade where the run did not ask for the
collection, but rows of it were deleted or restored with what they hang under.
"""

RECONCILIATION = schema_of(
    pa.field("id", pa.string(), nullable=False),  # collection and month
    pa.field("collection", pa.string(), nullable=False),
    pa.field("month", pa.date32(), nullable=False),  # first day, UTC
    pa.field("api_rows", pa.int64(), nullable=False),  # what the API counts
    pa.field("held_rows", pa.int64(), nullable=False),  # ours, rows set aside included, after reading again
    pa.field("was_read_again", pa.bool_(), nullable=False),
    *SYSTEM_FIELDS[:2],
)
"""The audit of closed months: a row where a month's counts are seen first or changed."""

PENDING_PARENTS = schema_of(
    pa.field("id", pa.string(), nullable=False),  # fan-out and parent
    pa.field("fan_out", pa.string(), nullable=False),
    pa.field("parent_id", pa.string(), nullable=False),
    pa.field("user_id", pa.string()),  # under whom the parent hangs
    pa.field("asked_from", INSTANT),  # the range that is asked again, null = open
    pa.field("asked_until", INSTANT),
    pa.field("status", pa.string(), nullable=False),  # pending, done
    pa.field("attempts", pa.int64(), nullable=False),  # runs in a row that failed
    pa.field("failing_since", INSTANT, nullable=False),
    pa.field("reason", pa.string()),
    *SYSTEM_FIELDS[:2],
)
"""Parents whose answer failed, first to be asked by the next run. A changelog by `id`, like the quarantine."""

DELETION_CANDIDATES = schema_of(
    pa.field("id", pa.string(), nullable=False),  # collection and row
    pa.field("collection", pa.string(), nullable=False),
    pa.field("row_id", pa.string(), nullable=False),
    pa.field("user_id", pa.string()),  # under whom the row hangs
    pa.field("status", pa.string(), nullable=False),  # candidate, proved (being deleted), deleted, alive
    pa.field("attempts", pa.int64(), nullable=False),  # runs that asked and proved nothing
    pa.field("missing_since", INSTANT, nullable=False),  # when a list first lacked it
    pa.field("reason", pa.string()),  # why it is not proved
    pa.field("kept", pa.list_(pa.string())),  # tables whose rows the tenant still lists although their user is gone
    *SYSTEM_FIELDS[:2],
)
"""Rows that a list no longer shows and whose deletion could not be proved in the same run. A changelog by `id`."""

OPERATIONS = {
    "_quarantine": QUARANTINE,
    "_pending_parents": PENDING_PARENTS,
    "_deletion_candidates": DELETION_CANDIDATES,
    "_contract_drift": CONTRACT_DRIFT,
    "_reconciliation": RECONCILIATION,
    "_runs": RUNS,
}
