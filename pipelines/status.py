"""What the lake holds and up to when it is complete, read from the lake alone.

Does not belong here: how it is shown (console.py), the warehouse's own freshness (warehouse/).
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.contract import RESOURCES, Answer
from pipelines.lake import Lake
from pipelines.settings import LakeSettings
from pipelines.sync.setting_aside import PENDING, PERMANENT


@dataclass(slots=True)
class TableStatus:
    """One lake table. watermarks: by question, up to when it was asked without a gap (UTC)."""

    collection: str
    rows: int = 0
    watermarks: dict[str, datetime | None] = field(default_factory=dict)
    last_run_at: datetime | None = None
    last_status: str | None = None
    last_message: str | None = None
    pending: int = 0
    permanent: int = 0
    drift: int = 0


def lake_status(settings: LakeSettings) -> list[TableStatus]:
    """The state of every table that a sync has made. Writes nothing."""
    lake = Lake(settings.lake_root)
    aside = _count(lake, "_quarantine", ("collection", "status"))
    drift = _count(lake, "_contract_drift", ("collection",))
    last_runs = _last_runs(lake)
    found = []
    for name, resource in RESOURCES.items():
        if not lake.holds(name):
            continue
        table = lake.table(resource)
        run = last_runs.get(name, {})
        app_ids = [resource.app_id(question) for question in resource.all_questions]
        if resource.answer is Answer.ARRAY:
            app_ids = [name]
        found.append(
            TableStatus(
                collection=name,
                rows=len(table),
                watermarks={app_id: table.watermark(app_id) for app_id in app_ids},
                last_run_at=run.get("finished_at"),
                last_status=run.get("status"),
                last_message=run.get("message"),
                pending=aside[name, PENDING],
                permanent=aside[name, PERMANENT],
                drift=drift[(name,)],
            )
        )
        table.close()
    return found


def _count(lake: Lake, table: str, fields: tuple[str, ...]) -> Counter[tuple[str, ...]]:
    if not lake.holds(table):
        return Counter()
    records = (lake.quarantine() if table == "_quarantine" else lake.drift()).current().values()
    return Counter(tuple(record[name] for name in fields) for record in records)


def _last_runs(lake: Lake) -> dict[str, dict[str, Any]]:
    last: dict[str, dict[str, Any]] = {}
    for row in lake.runs().rows() if lake.holds("_runs") else []:
        held = last.get(row["collection"])
        if held is None or held["started_at"] <= row["started_at"]:
            last[row["collection"]] = row
    return last
