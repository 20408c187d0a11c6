"""Dagster's own records, in CHARGELAKE_HOME: run history, event log, schedules, output of steps.

`python -m assets.instance` makes the folder ready and prints it, for DAGSTER_HOME. Does not belong here: running.
"""

from __future__ import annotations

import os
from pathlib import Path

import yaml  # type: ignore[import-untyped]
from dagster import DagsterInstance

from assets.event_log import OpenEventLog
from pipelines.errors import ConfigurationError
from pipelines.settings import LakeSettings, load
from warehouse.files import private_folder

CONFIGURATION = "dagster.yaml"
_OF_THE_COMMAND = "command.yaml"
_STORAGES = {"storage", "run_storage", "event_log_storage", "schedule_storage"}

_TEMPLATE = """\
# Written once by chargelake, then yours to change: see docs.dagster.io, "dagster.yaml".
# Everything is kept in this folder (SQLite) unless a `storage` is named here.

telemetry: {enabled: false}
nux: {enabled: false}
freshness: {enabled: true}

# One step at a time asks the API, one writes the warehouse, whatever runs are under way. A run that was killed
# must give its place back, else everything stops for ever: hence run_monitoring.
concurrency:
  pools: {default_limit: 1, granularity: op}
run_monitoring:
  enabled: true
  free_slots_after_run_end_seconds: 300

# Steps retry what is worth it themselves.
run_retries: {enabled: false}

# Days.
retention:
  schedule: {purge_after_days: {skipped: 7, failure: 90, success: 90}}
  sensor: {purge_after_days: {skipped: 7, failure: 30, success: 30}}
"""


def prepare_home(settings: LakeSettings) -> Path:
    """The folder for DAGSTER_HOME, for its owner only, with a configuration; an existing one is kept.

    Raises WarehouseError when the folder cannot be written.
    """
    folder = private_folder(settings.dagster_folder)
    file = folder / CONFIGURATION
    if not file.exists():
        _write(file, _TEMPLATE)
    return folder


def open_instance(settings: LakeSettings) -> DagsterInstance:
    """The instance that the page shows too, for runs in the command's own process.

    Such runs do not have their output captured: it would swallow the progress shown on the terminal. Events are written
    to the same files in a quicker way, unless somebody has chosen another place for them.
    """
    folder = prepare_home(settings)
    file = folder / CONFIGURATION
    try:
        configuration = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{file}: expected Dagster's configuration in YAML: {error}") from error
    configuration["compute_logs"] = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    if not configuration.keys() & _STORAGES:
        configuration["event_log_storage"] = {
            "module": OpenEventLog.__module__,
            "class": OpenEventLog.__name__,
            "config": {"base_dir": str(folder / "history" / "runs")},
        }
    _write(folder / _OF_THE_COMMAND, yaml.safe_dump(configuration))
    return DagsterInstance.from_config(str(folder), _OF_THE_COMMAND)


def _write(file: Path, text: str) -> None:
    """Replace a file in one step, for its owner only."""
    unfinished = file.with_name(f"{file.name}.{os.getpid()}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        stream.write(text)
    unfinished.replace(file)


if __name__ == "__main__":
    os.umask(0o077)
    print(prepare_home(load(LakeSettings)))
