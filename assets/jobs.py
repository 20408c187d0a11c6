"""What runs together, and when: the nightly and the weekly job with their schedules, the resync of a range.

Does not belong here: what a step does.
"""

from enum import Enum

from dagster import (
    AssetObservation,
    AssetSelection,
    Config,
    DefaultScheduleStatus,
    Failure,
    JobDefinition,
    OpExecutionContext,
    ResourceParam,
    ScheduleDefinition,
    define_asset_job,
    job,
    op,
)
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from pydantic import Field

from assets.lake_tables import DEEP_TAG, key_of, numbers
from assets.maintenance import LAKE_MAINTENANCE
from assets.policies import API_POOL
from assets.surroundings import Surroundings, clear_failures
from pipelines.contract import RESOURCES
from pipelines.errors import ConfigurationError
from pipelines.sync import Order, Status, Window, instant_of, run_sync

NIGHTLY = "nightly"
NIGHTLY_CRON = "30 2 * * *"
WEEKLY = "weekly"
WEEKLY_CRON = "30 4 * * 0"
LONGEST_RUN_SECONDS = 12 * 3600

_RUN_TAGS = {"dagster/max_runtime": str(LONGEST_RUN_SECONDS)}
"""Run monitoring ends a run that hangs or whose process was killed, so that its places in the pools are freed."""


def nightly_job() -> UnresolvedAssetJobDefinition:
    return define_asset_job(
        NIGHTLY,
        selection=AssetSelection.all() - AssetSelection.assets(LAKE_MAINTENANCE),
        description="The whole night: pull what is new into the lake, build the models, publish them.",
        run_tags=_RUN_TAGS,
    )


def weekly_job() -> UnresolvedAssetJobDefinition:
    return define_asset_job(
        WEEKLY,
        selection=AssetSelection.all(),
        description="A night in its deep form: long re-reads, the audit of closed months, full listings; at its end the"
        " lake's maintenance.",
        run_tags=_RUN_TAGS | {DEEP_TAG: "true"},
    )


def schedules(
    nightly: UnresolvedAssetJobDefinition, weekly: UnresolvedAssetJobDefinition, time_zone: str
) -> list[ScheduleDefinition]:
    """Stopped until somebody starts them: nights may be run by another clock (`chargelake nightly`)."""
    return [
        ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=time_zone,
            default_status=DefaultScheduleStatus.STOPPED,
            description=f"Every {when}, local time of {time_zone}.",
        )
        for job, cron, when in (
            (nightly, NIGHTLY_CRON, "night at half past two"),
            (weekly, WEEKLY_CRON, "Sunday at half past four"),
        )
    ]


Collection = Enum("Collection", {name: name for name in RESOURCES})  # type: ignore[misc]


class Range(Config):
    """What is read again."""

    collection: Collection = Field(description="Which lake table.")
    begin: str = Field(
        description="ISO 8601, for example 2026-03-01 or 2026-03-01T00:00:00Z; UTC where no zone is given."
    )
    end: str = Field(description="ISO 8601; not part of the range.")

    def window(self) -> Window:
        """Raises ConfigurationError."""
        begin, end = instant_of("begin", self.begin), instant_of("end", self.end)
        if begin >= end:
            raise ConfigurationError(f"begin {self.begin} must lie before end {self.end}")
        return Window(begin, end)


def resync_job() -> JobDefinition:
    @op(
        pool=API_POOL,
        description="Reads a range of a collection, and of what the same answers fill, again; keeps what differs.",
    )
    def resync_range(context: OpExecutionContext, config: Range, surroundings: ResourceParam[Surroundings]) -> None:
        name = str(config.collection.value)
        with clear_failures():
            run = run_sync(
                Order(collections=(name,), ranges={name: config.window()}, run_id=context.run.run_id),
                api=surroundings.api(),
                sync=surroundings.sync(),
                lake=surroundings.lake(),
                progress=surroundings.progress,
            )
        for report in run.collections:
            surroundings.synced(report)
            # an observation: a range read again does not make the table fresh
            context.log_event(AssetObservation(key_of(report.collection), metadata=numbers(report)))
        notes = dict.fromkeys(note for report in run.collections for note in report.notes)
        if run.status is Status.FAILED:
            raise Failure("; ".join(notes), allow_retries=False)
        for note in notes:
            context.log.warning(note)

    @job(
        name="resync",
        description="Read a range of one collection again. Moves no watermark; the next night builds the models.",
        run_tags=_RUN_TAGS,
    )
    def resync() -> None:
        resync_range()

    return resync
