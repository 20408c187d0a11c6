"""Everything Dagster is told: `defs`, and `build_definitions`, which gives tests and the command fresh ones.

Does not belong here: anything that has a name of its own.
"""

from __future__ import annotations

import os

from dagster import Definitions, definitions, in_process_executor

from assets.jobs import nightly_job, resync_job, schedules, weekly_job
from assets.lake_tables import lake_tables
from assets.maintenance import lake_maintenance
from assets.published import every_collection_complete, published_file
from assets.surroundings import KEY, Surroundings
from assets.warehouse_models import published_models, warehouse_models
from warehouse.dbt import manifest_file


def build_definitions(surroundings: Surroundings | None = None) -> Definitions:
    """All assets, checks, jobs and schedules. Parses the dbt project where it has changed (seconds)."""
    around = surroundings or Surroundings()
    settings = around.lake()
    models = warehouse_models(manifest_file(settings))
    nightly, weekly = nightly_job(), weekly_job()
    return Definitions(
        assets=[*lake_tables(), models, published_file(published_models(models)), lake_maintenance()],
        asset_checks=[every_collection_complete()],
        jobs=[nightly, weekly, resync_job()],
        schedules=schedules(nightly, weekly, settings.time_zone),
        resources={KEY: around},
        # a process for each step costs seconds, and only one step at a time may write
        executor=in_process_executor,
    )


@definitions
def defs() -> Definitions:
    """What workspace.yaml loads, in processes whose runs make files: for the owner only, as the command's are."""
    os.umask(0o077)
    return build_definitions()
