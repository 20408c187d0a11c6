"""The weekly maintenance of the lake as an asset: few files instead of many, and no leftovers.

It comes last, when everything else that can run has run, so that it also runs after a night that went wrong.
Does not belong here: maintaining (pipelines/lake/maintenance.py).
"""

from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    Failure,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from assets.lake_tables import key_of
from assets.policies import API_POOL
from assets.surroundings import Surroundings
from pipelines.contract import RESOURCES
from pipelines.errors import LakeError
from pipelines.lake.maintenance import TableMaintenance, maintain
from pipelines.occupancy import sharing

LAKE_MAINTENANCE = AssetKey("lake_maintenance")
AFTER_EVERYTHING = "-2000"
"""The step's priority: below the models', which so find the files that the sync has just written."""


def lake_maintenance() -> AssetsDefinition:
    @asset(
        key=LAKE_MAINTENANCE,
        deps=[key_of(name) for name in RESOURCES],
        group_name="maintenance",
        description="Weekly: files of the lake put together, a checkpoint of each log, what no reader needs removed.",
        kinds={"deltalake"},
        # whoever asks the API writes the lake: one of both at a time, where Dagster is the only one to write
        pool=API_POOL,
        op_tags={"dagster/priority": AFTER_EVERYTHING},
    )
    def lake_maintenance(
        context: AssetExecutionContext, surroundings: ResourceParam[Surroundings]
    ) -> MaterializeResult:  # type: ignore[type-arg]  # Dagster knows only the bare name
        settings = surroundings.lake()
        try:
            with sharing(settings.home.absolute()):
                done = list(maintain(settings.lake_root))
        except LakeError as error:
            raise Failure(str(error)) from error
        left = [f"{table.table}: {table.left}" for table in done if table.left]
        for text in left:
            context.log.warning(text)
        if done and len(left) == len(done):
            raise Failure("; ".join(left), allow_retries=False)
        return MaterializeResult(metadata=_numbers(done) | {"left_for_next_time": left})

    return lake_maintenance


def _numbers(done: list[TableMaintenance]) -> dict[str, Any]:
    names = ("files_before", "files_after", "bytes_before", "bytes_after", "log_before", "log_after", "removed")
    lines = [
        f"| {table.table} | {table.files_before} | {table.files_after} | {table.removed} | {table.seconds:.1f} |"
        for table in done
    ]
    heading = "| table | files before | after | removed | seconds |\n| --- | ---: | ---: | ---: | ---: |"
    return {name: sum(getattr(table, name) for table in done) for name in names} | {
        "duration_seconds": sum(table.seconds for table in done),
        "tables": MetadataValue.md("\n".join([heading, *lines])),
    }
