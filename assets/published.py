"""The published file as an asset downstream of all models, and the check that turns a night red.

Does not belong here: publishing (warehouse/publish.py).
"""

from collections.abc import Sequence

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetChecksDefinition,
    AssetCheckSeverity,
    AssetKey,
    AssetsDefinition,
    DagsterEventType,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    asset_check,
)

from assets.lake_tables import COMPLETE
from assets.policies import FRESHNESS, WRITER_POOL
from assets.surroundings import Surroundings, clear_failures
from warehouse.publish import PublishReport, publish

PUBLISHED_FILE = AssetKey("published_file")
EVERY_COLLECTION_COMPLETE = "every_collection_complete"


def published_file(models: Sequence[AssetKey]) -> AssetsDefinition:
    """The asset, downstream of `models`."""

    @asset(
        key=PUBLISHED_FILE,
        deps=models,
        group_name="published",
        description="The DuckDB file that analysts and dashboards open: an immutable generation behind a symlink.",
        kinds={"duckdb"},
        pool=WRITER_POOL,
        freshness_policy=FRESHNESS,
    )
    def published_file(surroundings: ResourceParam[Surroundings]) -> MaterializeResult:  # type: ignore[type-arg]  # Dagster knows only the bare name
        with clear_failures():
            settings = surroundings.lake()
            report = publish(settings)
        surroundings.published(report)
        return MaterializeResult(
            metadata={
                "path": MetadataValue.path(str(settings.published_file)),
                "generation": report.file.name,
                "bytes_written": report.bytes_written,
                "duration_seconds": report.duration_seconds,
                "tables": len(report.rows),
                "rows": _rows(report),
            }
        )

    return published_file


def _rows(report: PublishReport) -> MetadataValue[str]:
    lines = [f"| {name} | {count:,} |" for name, count in sorted(report.rows.items())]
    return MetadataValue.md("\n".join(["| table | rows |", "| --- | ---: |", *lines]))


def every_collection_complete() -> AssetChecksDefinition:
    """Fails the run, after everything else was done, when a collection of the same run has failed."""

    @asset_check(
        asset=PUBLISHED_FILE,
        name=EVERY_COLLECTION_COMPLETE,
        blocking=True,
        description="No collection failed in this run. What is published holds what the lake had of the others.",
    )
    def every_collection_complete(context: AssetCheckExecutionContext) -> AssetCheckResult:
        failed = failed_collections(context)
        return AssetCheckResult(
            passed=not failed,
            severity=AssetCheckSeverity.ERROR,
            description=f"failed: {', '.join(failed)}; asked again next time" if failed else None,
            metadata={"failed_collections": failed},
        )

    return every_collection_complete


def failed_collections(context: AssetCheckExecutionContext) -> list[str]:
    """Names of lake tables whose check of completeness failed with an error in this run."""
    entries = context.instance.all_logs(context.run.run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    found = [entry.get_dagster_event().asset_check_evaluation_data for entry in entries]
    return sorted(
        check.asset_key.path[-1]
        for check in found
        if check.check_name == COMPLETE and not check.passed and check.severity is AssetCheckSeverity.ERROR
    )
