"""The Arrow schema of every lake table, derived from the contract.

Does not belong here: names of the API (pipelines/contract), reading or writing (the sibling modules).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from pipelines.contract import Kind, Resource

INSTANT = pa.timestamp("us", tz="UTC")
MONEY = pa.decimal128(38, 9)

ARROW_TYPES: dict[Kind, pa.DataType] = {
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

SYSTEM_FIELDS: list[pa.Field[Any]] = [
    pa.field("_synced_at", INSTANT, nullable=False),  # when the row was read
    pa.field("_run_id", pa.string(), nullable=False),
    pa.field("_row_hash", pa.string(), nullable=False),  # over the canonical content
    pa.field("_deleted", pa.bool_(), nullable=False),
    pa.field("_extra", pa.string()),  # JSON object of fields the contract does not know
]


def content_schema(resource: Resource) -> pa.Schema:
    """The columns that the contract declares, in its order."""
    return pa.schema(_content_fields(resource))


def table_schema(resource: Resource) -> pa.Schema:
    """The columns of the resource's lake table: content, then system columns."""
    return pa.schema([*_content_fields(resource), *SYSTEM_FIELDS])


def _content_fields(resource: Resource) -> list[pa.Field[Any]]:
    return [pa.field(f.column, ARROW_TYPES[f.kind]) for f in resource.fields]


def _schema(*fields: pa.Field[Any]) -> pa.Schema:
    return pa.schema(fields)


QUARANTINE = _schema(
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
    pa.field("first_seen_at", INSTANT, nullable=False),
    *SYSTEM_FIELDS[:2],
)
"""Rows that could not be read. A changelog by `id`: the latest `_synced_at` is the row's state."""

CONTRACT_DRIFT = _schema(
    pa.field("id", pa.string(), nullable=False),  # hash of collection, kind, path and value
    pa.field("collection", pa.string(), nullable=False),
    pa.field("kind", pa.string(), nullable=False),  # unknown_field, missing_field, unlisted_value
    pa.field("path", pa.string(), nullable=False),
    pa.field("value", pa.string()),  # the unlisted word; null for fields
    pa.field("rows_seen", pa.int64(), nullable=False),  # in the run that first saw it
    *SYSTEM_FIELDS[:2],
)
"""Where answers differ from the contract, one row for each difference, written when first seen."""

RUNS = _schema(
    pa.field("run_id", pa.string(), nullable=False),
    pa.field("collection", pa.string(), nullable=False),
    pa.field("status", pa.string(), nullable=False),  # complete, partial (rows set aside), failed
    pa.field("started_at", INSTANT, nullable=False),
    pa.field("finished_at", INSTANT, nullable=False),
    pa.field("window_until", INSTANT),  # upper end of the run's windows
    pa.field("watermark", INSTANT),  # asked without a gap up to here
    pa.field("rows_read", pa.int64(), nullable=False),
    pa.field("rows_new", pa.int64(), nullable=False),
    pa.field("rows_changed", pa.int64(), nullable=False),
    pa.field("rows_deleted", pa.int64(), nullable=False),
    pa.field("rows_set_aside", pa.int64(), nullable=False),
    pa.field("requests", pa.int64(), nullable=False),
    pa.field("retries", pa.int64(), nullable=False),
    pa.field("throttles", pa.int64(), nullable=False),
    pa.field("bytes_received", pa.int64(), nullable=False),
    pa.field("duration_seconds", pa.float64(), nullable=False),
    pa.field("message", pa.string()),  # why, where the status is not complete
)
"""One row for each collection of each run that came to its end."""

RECONCILIATION = _schema(
    pa.field("id", pa.string(), nullable=False),  # collection and month
    pa.field("collection", pa.string(), nullable=False),
    pa.field("month", pa.date32(), nullable=False),  # first day, UTC
    pa.field("api_rows", pa.int64(), nullable=False),  # what the API counts
    pa.field("held_rows", pa.int64(), nullable=False),  # ours, rows set aside included, after reading again
    pa.field("was_read_again", pa.bool_(), nullable=False),
    *SYSTEM_FIELDS[:2],
)
"""The audit of closed months: a row where a month's counts are seen first or changed."""

OPERATIONS = {
    "_quarantine": QUARANTINE,
    "_contract_drift": CONTRACT_DRIFT,
    "_reconciliation": RECONCILIATION,
    "_runs": RUNS,
}
