"""What tests ask of Dagster's records: opened as the page opens them, from the folder alone.

Does not belong here: running anything.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dagster import AssetKey, DagsterEventType, DagsterInstance, ExecuteInProcessResult


def page_instance(home: Path) -> DagsterInstance:
    """The instance that `dagster dev` uses on this home."""
    return DagsterInstance.from_config(str(home / "dagster"))


def materialised(instance: DagsterInstance, run_id: str) -> dict[str, dict[str, Any]]:
    """Metadata of what one run materialised, by asset; numbers and texts as they are, times as seconds."""
    records = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_MATERIALIZATION)
    events = [record.get_dagster_event().materialization for record in records]
    found = {event.asset_key.to_user_string(): event for event in events}
    assert len(found) == len(events), "an asset was materialised twice"
    return {name: {key: value.value for key, value in event.metadata.items()} for name, event in sorted(found.items())}


def failed_checks(instance: DagsterInstance, run_id: str) -> dict[str, str]:
    """Severity of each check that did not pass in one run, by `asset:check`."""
    records = instance.all_logs(run_id, of_type=DagsterEventType.ASSET_CHECK_EVALUATION)
    checks = [record.get_dagster_event().asset_check_evaluation_data for record in records]
    return {
        f"{check.asset_key.to_user_string()}:{check.check_name}": check.severity.value
        for check in checks
        if not check.passed
    }


def slots_taken(instance: DagsterInstance, pool: str) -> int:
    """Places of a pool that runs hold or wait for."""
    info = instance.event_log_storage.get_concurrency_info(pool)
    return info.active_slot_count + info.pending_step_count


def said(result: ExecuteInProcessResult) -> list[str]:
    """In what words steps failed on purpose."""
    return [
        event.step_failure_data.user_failure_data.description
        for event in result.all_events
        if event.event_type is DagsterEventType.STEP_FAILURE and event.step_failure_data.user_failure_data
    ]


def lake(name: str) -> AssetKey:
    """The asset of a lake table."""
    return AssetKey(["lake", name])
