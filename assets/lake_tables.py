"""One asset for each lake table, generated from the contract, and the records that every sync leaves behind.

Tables that the same answers fill are one step, and none of them can be pulled without the others.
A collection that fails does not fail its step: its check `complete` fails, so that the models are still built from
what the lake holds (docs/decisions/0006-dagster.md). Does not belong here: syncing (pipelines/sync).
"""

from collections.abc import Iterator, Mapping, Sequence
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
    multi_asset,
)

from assets.policies import API_POOL, FRESHNESS
from assets.surroundings import Surroundings, clear_failures
from pipelines.contract import FAN_OUTS, LISTS, RESOURCES, FanOut, Resource
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
    "_pending_parents": "Users, locations, vehicles and sessions whose answers failed or whose history goes on.",
    "_deletion_candidates": "Rows that a list no longer shows and whose deletion took more than one run to prove.",
    "_contract_drift": "Where answers differ from what the API documents.",
    "_reconciliation": "Closed months, the API's count against ours; written by deep runs.",
}
_SEVERITY = {Status.PARTIAL: AssetCheckSeverity.WARN, Status.FAILED: AssetCheckSeverity.ERROR}


def key_of(name: str) -> AssetKey:
    """The asset of a lake table."""
    return AssetKey([LAYER, name])


def lake_tables() -> list[AssetsDefinition | AssetSpec]:
    """An asset for each lake table, in steps as they are asked, and one for each table of records written beside."""
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
    lists = [_step(name, (name,), place=place) for place, name in enumerate(LISTS)]
    fan_outs = [
        _step(fan_out.name, fan_out.tables, after=_upstream(fan_out), place=place)
        for place, fan_out in enumerate(FAN_OUTS.values(), start=len(LISTS))
    ]
    return [*lists, *fan_outs, *records]


def _upstream(fan_out: FanOut) -> list[AssetKey]:
    """The table of those who are asked, and the tables that tell whether it is worth asking them."""
    return [key_of(name) for name in dict.fromkeys((fan_out.parent, *sorted(fan_out.watches.values())))]


def _step(name: str, tables: Sequence[str], *, after: Sequence[AssetKey] = (), place: int) -> AssetsDefinition:
    """One step for the tables that the same answers fill. place: in the order of asking."""

    @multi_asset(
        name=f"{LAYER}__{name}",
        specs=[_lake_table(RESOURCES[table], after) for table in tables],
        check_specs=[
            AssetCheckSpec(
                COMPLETE,
                asset=key_of(table),
                description="Nothing failed (error) and nothing was set aside (warning) in the latest sync.",
            )
            for table in tables
        ],
        can_subset=False,
        pool=API_POOL,
        op_tags={"dagster/priority": str(-place)},
    )
    def lake_step(
        context: AssetExecutionContext, surroundings: ResourceParam[Surroundings]
    ) -> Iterator[MaterializeResult]:  # type: ignore[type-arg]  # Dagster knows only the bare name
        with clear_failures():
            order = Order(tuple(tables), run_id=context.run.run_id, deep=DEEP_TAG in context.run.tags)
            reports = _pull(order, surroundings, context.run.run_id, context.retry_number)
        for note in dict.fromkeys(note for report in reports for note in report.notes):
            context.log.warning(note)
        for report in reports:
            surroundings.synced(report)
            yield MaterializeResult(
                asset_key=key_of(report.collection), metadata=numbers(report), check_results=[_completeness(report)]
            )

    return lake_step


def _lake_table(resource: Resource, after: Sequence[AssetKey]) -> AssetSpec:
    return AssetSpec(
        key_of(resource.name),
        deps=after,
        group_name=LAYER,
        description=resource.description,
        metadata={"dagster/column_schema": _columns(resource), "api_path": resource.path},
        kinds={"deltalake"},
        freshness_policy=FRESHNESS,
    )


def _pull(order: Order, surroundings: Surroundings, run_id: str, tries: int) -> list[CollectionReport]:
    """Sync what one step fills. Where the API gives no answer at all: RetryRequested, in the end failed reports."""
    silence: ApiUnavailable
    began = datetime.now(timezone.utc)
    try:
        run = run_sync(
            order,
            api=surroundings.api(),
            sync=surroundings.sync(),
            lake=surroundings.lake(),
            progress=surroundings.progress,
            now=surroundings.now(run_id),
        )
    except ApiUnavailable as error:
        silence = error
    else:
        if run.status is Status.FAILED:
            surroundings.clocks.doubt(run_id)
        # what went with deleted rows in other tables is told by notes and in _runs
        return [report for report in run.collections if report.status is not Status.CASCADE]
    if tries < RETRIES:
        raise RetryRequested(RETRIES, surroundings.first_pause_seconds * 2**tries) from silence
    reports = [CollectionReport(name, began, datetime.now(timezone.utc)) for name in order.collections]
    for report in reports:
        report.fail(str(silence))
    return reports


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
        asset_key=key_of(report.collection),
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
