"""One asset for each lake table, generated from the contract, and the records that every sync leaves behind.

A collection that fails does not fail its step: its check `complete` fails, so that the models are still built from
what the lake holds (docs/decisions/0006-dagster.md). Does not belong here: syncing (pipelines/sync).
"""

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

import pyarrow as pa
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    RetryRequested,
    TableColumn,
    TableColumnConstraints,
    TableSchema,
    asset,
)

from assets.policies import API_POOL, FRESHNESS
from assets.surroundings import Surroundings, clear_failures
from pipelines.contract import RESOURCES, Resource
from pipelines.errors import ApiUnavailable
from pipelines.lake.schemas import OPERATIONS, SYSTEM_FIELDS, table_schema
from pipelines.sync import CollectionReport, Order, Status, run_sync

LAYER = "lake"
RECORDS = "records"
"""Their own group, so that the graph reads from left to right: lake, records, operations."""
COMPLETE = "complete"
DEEP_TAG = "chargelake/deep"
"""A run that carries it is a deep one."""
RETRIES = 2
"""Of a collection whose first request got no answer. The client has tried each request several times before."""

_RECORDS = {
    "_runs": "One row for each collection of each sync run.",
    "_quarantine": "Rows that could not be read, as they came.",
    "_contract_drift": "Where answers differ from what the API documents.",
    "_reconciliation": "Closed months, the API's count against ours; written by deep runs.",
}
_SEVERITY = {Status.PARTIAL: AssetCheckSeverity.WARN, Status.FAILED: AssetCheckSeverity.ERROR}


def key_of(name: str) -> AssetKey:
    """The asset of a lake table."""
    return AssetKey([LAYER, name])


def lake_tables() -> list[AssetsDefinition | AssetSpec]:
    """An asset for each resource of the contract, and one for each table of records that syncs write beside it."""
    records = [
        AssetSpec(
            key_of(name),
            deps=[key_of(resource) for resource in RESOURCES],
            group_name=RECORDS,
            description=_RECORDS[name],
            metadata={"dagster/column_schema": _record_columns(schema)},
            kinds={"deltalake"},
        )
        for name, schema in OPERATIONS.items()
    ]
    return [*(_lake_table(resource) for resource in RESOURCES.values()), *records]


def _lake_table(resource: Resource) -> AssetsDefinition:
    key = key_of(resource.name)
    parents_first = str(-list(RESOURCES).index(resource.name))

    @asset(
        key=key,
        group_name=LAYER,
        description=resource.description,
        metadata={"dagster/column_schema": _columns(resource), "api_path": resource.path},
        kinds={"deltalake"},
        pool=API_POOL,
        freshness_policy=FRESHNESS,
        op_tags={"dagster/priority": parents_first},
        check_specs=[
            AssetCheckSpec(
                COMPLETE,
                asset=key,
                description="Nothing failed (error) and nothing was set aside (warning) in the latest sync.",
            )
        ],
    )
    def lake_table(context: AssetExecutionContext, surroundings: ResourceParam[Surroundings]) -> MaterializeResult:  # type: ignore[type-arg]  # Dagster knows only the bare name
        with clear_failures():
            order = Order((resource.name,), run_id=context.run.run_id, deep=DEEP_TAG in context.run.tags)
            report = _pull(order, surroundings, context.retry_number)
        surroundings.synced(report)
        for note in report.notes:
            context.log.warning(note)
        return MaterializeResult(metadata=numbers(report), check_results=[_completeness(report)])

    return lake_table


def _pull(order: Order, surroundings: Surroundings, tries: int) -> CollectionReport:
    """Sync one collection. Where the API gives no answer at all: RetryRequested, in the end a failed report."""
    silence: ApiUnavailable
    began = datetime.now(timezone.utc)
    try:
        run = run_sync(
            order,
            api=surroundings.api(),
            sync=surroundings.sync(),
            lake=surroundings.lake(),
            progress=surroundings.progress,
        )
    except ApiUnavailable as error:
        silence = error
    else:
        return run.collections[0]
    if tries < RETRIES:
        raise RetryRequested(RETRIES, surroundings.first_pause_seconds * 2**tries) from silence
    report = CollectionReport(order.collections[0], began, datetime.now(timezone.utc))
    report.fail(str(silence))
    return report


def numbers(report: CollectionReport) -> dict[str, Any]:
    """A collection's report as metadata: exactly what its row in `_runs` says."""
    record = report.as_record("")
    metadata: dict[str, Any] = {
        name: MetadataValue.timestamp(value) if isinstance(value, datetime) else value
        for name, value in record.items()
        if value is not None and name not in {"run_id", "collection", "message"}
    }
    if report.notes:
        metadata["notes"] = MetadataValue.md("\n".join(f"- {note}" for note in report.notes))
    return metadata


def _completeness(report: CollectionReport) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=COMPLETE,
        passed=report.status is Status.COMPLETE,
        severity=_SEVERITY.get(report.status, AssetCheckSeverity.ERROR),
        description="; ".join(report.notes) or None,
        metadata={"status": report.status.value, "rows_set_aside": report.rows_set_aside},
    )


def _columns(resource: Resource) -> TableSchema:
    """The table's columns with unit, personal mark and evidence as tags."""
    declared = {field.column: field for field in resource.fields}
    columns = []
    for column in table_schema(resource):
        field = declared.get(column.name)
        tags: dict[str, str] = {}
        if field is not None:
            tags = {"evidence": field.evidence} | ({"unit": field.unit} if field.unit else {})
            tags |= {"personal": ""} if field.personal else {}
        is_key = column.name in resource.key_columns
        columns.append(_column(column, tags, is_required=is_key or (column in SYSTEM_FIELDS and not column.nullable)))
    return TableSchema(columns)


def _record_columns(schema: pa.Schema) -> TableSchema:
    return TableSchema([_column(column, {}, is_required=not column.nullable) for column in schema])


def _column(column: "pa.Field[Any]", tags: Mapping[str, str], *, is_required: bool) -> TableColumn:
    return TableColumn(
        column.name, str(column.type), constraints=TableColumnConstraints(nullable=not is_required), tags=tags
    )
