"""The night as one call for the command: the nightly job in this process, recorded where the page shows it.

Does not belong here: what the job does (the sibling modules), how the result is shown (pipelines/views.py).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    ExecuteInProcessResult,
    JobDefinition,
    RunsFilter,
)
from dagster._core.execution.plan.objects import ErrorSource
from sqlalchemy.exc import OperationalError

from assets.definitions import build_definitions
from assets.instance import open_instance, prepare_home
from assets.jobs import NIGHTLY, WEEKLY
from assets.published import EVERY_COLLECTION_COMPLETE
from assets.surroundings import Surroundings
from pipelines.check import check_reach
from pipelines.errors import ChargelakeError
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings, load
from pipelines.sync import CollectionReport, RunReport, Status
from warehouse.build import BuildReport
from warehouse.publish import PublishReport

EXIT_CODES = {Status.COMPLETE: 0, Status.FAILED: 1, Status.PARTIAL: 3}

_BY_COMMAND = {"chargelake/started_by": "command"}
# the page lists a run under its job when it carries the name of the code location in workspace.yaml
_SHOWN_UNDER = {".dagster/repository": "__repository__@chargelake"}
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
_UNDER_WAY = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class NightResult:
    """What a night did. build, published: None where it did not come that far.

    status: FAILED where a collection, the build or the publication failed; PARTIAL where rows were set aside.
    problems: why, one text each, for what the reports do not say themselves.
    """

    run_id: str
    status: Status
    sync: RunReport
    build: BuildReport | None
    published: PublishReport | None
    problems: tuple[str, ...]
    duration_seconds: float

    @property
    def exit_code(self) -> int:
        return EXIT_CODES[self.status]


@dataclass
class _Heard:
    """What the steps reported."""

    collections: list[CollectionReport] = field(default_factory=list)
    builds: list[BuildReport] = field(default_factory=list)
    published: list[PublishReport] = field(default_factory=list)


def run_night(
    progress: Callable[[str, int], None] = lambda _collection, _rows: None, *, deep: bool = False
) -> NightResult:
    """Run the nightly job, or the weekly one for a deep night, and wait for its end.

    progress: see Surroundings. Raises ConfigurationError, ApiError or LakeError when the tenant cannot be reached or
    the lake not be written, before anything is run, KeyboardInterrupt when it was interrupted; what was committed
    until then is kept.
    """
    began = time.monotonic()
    api, sync, lake = load(ApiSettings), load(SyncSettings), load(LakeSettings)
    check_reach(api, sync, lake)
    heard = _Heard()
    surroundings = Surroundings(
        progress=progress,
        synced=heard.collections.append,
        built=heard.builds.append,
        published=heard.published.append,
    )
    try:
        with _only_night(lake), open_instance(lake) as instance:
            _bury_the_dead(instance)
            result = _run(build_definitions(surroundings).resolve_job_def(WEEKLY if deep else NIGHTLY), instance)
    except OperationalError as error:
        raise ChargelakeError(
            f"Dagster's records in {lake.dagster_folder} cannot be written: {error.orig}. Free some space, or make it a"
            " place this user may write to, and run again; what was committed to the lake until then is kept."
        ) from None
    if any(event.step_failure_data.error_source is ErrorSource.INTERRUPT for event in _failures(result)):
        raise KeyboardInterrupt
    return _summary(result, heard, time.monotonic() - began)


def _run(job: JobDefinition, instance: DagsterInstance) -> ExecuteInProcessResult:
    """Execute; what dbt says goes to its own log and not to the terminal."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        return job.execute_in_process(
            instance=instance, raise_on_error=False, run_config=_QUIET, tags=_BY_COMMAND | _SHOWN_UNDER
        )


def _summary(result: ExecuteInProcessResult, heard: _Heard, seconds: float) -> NightResult:
    sync = RunReport(result.run_id, _until(heard.collections), heard.collections)
    status = sync.status if result.success else Status.FAILED
    return NightResult(
        run_id=result.run_id,
        status=status,
        sync=sync,
        build=heard.builds[-1] if heard.builds else None,
        published=heard.published[-1] if heard.published else None,
        problems=tuple(dict.fromkeys(_problems(result))),
        duration_seconds=seconds,
    )


def _until(reports: list[CollectionReport]) -> datetime:
    """Up to when all collections were asked: all steps share one end, and those that came to nothing have none."""
    return next((report.window_until for report in reports if report.window_until), datetime.now(timezone.utc))


def _failures(result: ExecuteInProcessResult) -> list[DagsterEvent]:
    return [event for event in result.all_events if event.event_type is DagsterEventType.STEP_FAILURE]


def _problems(result: ExecuteInProcessResult) -> Iterator[str]:
    """What the failed steps say; a step that failed on purpose says it in its own words."""
    for event in _failures(result):
        if str(event.step_key).endswith(EVERY_COLLECTION_COMPLETE):
            continue  # the collections' own notes say it
        data = event.step_failure_data
        said = data.user_failure_data.description if data.user_failure_data else None
        if said is None and data.error is not None:
            inner = data.error.cause or data.error
            said = f"{event.step_key}: {inner.message.strip()}"
        yield said or f"{event.step_key} failed"


@contextlib.contextmanager
def _only_night(settings: LakeSettings) -> Iterator[None]:
    """Hold the lock of this home's nights. Raises ChargelakeError at once when another process holds it."""
    handle = os.open(prepare_home(settings) / "night.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ChargelakeError(
                f"another `chargelake nightly` is at work in {settings.home}; wait until it has ended"
            ) from None
        yield
    finally:
        os.close(handle)


def _bury_the_dead(instance: DagsterInstance) -> None:
    """End the records of nights whose process was killed, and take back their places in the pools.

    We hold the lock, so that no other night of the command is alive. Without this a place would stay taken for
    ever, and this run would wait for it.
    """
    for run in instance.get_runs(RunsFilter(tags=_BY_COMMAND, statuses=_UNDER_WAY)):
        instance.report_run_failed(run, "The process of this run was killed.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
