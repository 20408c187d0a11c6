"""How many single rows of a list a run would ask for, from the lake alone: for a dry run.

Does not belong here: asking (follow_up.py), windows (pipelines/sync/forecast.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from pipelines.contract import Question, Resource
from pipelines.contract.fan_outs import Worth
from pipelines.lake import Lake
from pipelines.settings import SyncSettings
from pipelines.sync.deletions.candidates import OPEN
from pipelines.sync.deletions.follow_up import NOT_LISTED
from pipelines.sync.deletions.owners import USERS
from pipelines.sync.deletions.unfinished import asked_app_id, choose, failed_before, has_unfinished, turn_app_id
from pipelines.sync.fanout.known import Known
from pipelines.sync.fanout.reasons import sql_instant
from pipelines.sync.windows import Window

SingleRowCounts = tuple[Counter[str], Counter[str]]
"""How many are asked and how many wait, by reason."""


def plan_single_rows(
    known: Known,
    lake: Lake,
    resource: Resource,
    windows: Sequence[tuple[Question, Window]],
    until: datetime,
    settings: SyncSettings,
) -> SingleRowCounts:
    """windows: what the run would ask the list for. What it will lack is not known before it is read."""
    asked, waiting = Counter[str](), Counter[str]()
    known.load(resource.name)
    known.load(USERS)
    table = lake.table(resource)
    question = resource.listed_by
    watermark = None if question is None else table.watermark(resource.app_id(question))
    last, mark = table.watermark(asked_app_id(resource)), table.mark(turn_app_id(resource)) or 0
    table.close()
    if has_unfinished(resource) and (last is None or last < until):
        failed = failed_before(lake, resource)
        shown = _shown(resource, windows)
        chosen = choose(known, resource, failed, mark, settings.unfinished_requests, shown)
        asked += chosen.asked
        waiting[Worth.UNFINISHED.value] += chosen.left
    if watermark is not None and watermark < until:
        missing = _open_records(lake, resource)
        asked[NOT_LISTED] += min(missing, settings.deletion_proofs)
        waiting[NOT_LISTED] += max(0, missing - settings.deletion_proofs)
    return +asked, +waiting


def _open_records(lake: Lake, resource: Resource) -> int:
    if not lake.holds("_deletion_candidates"):
        return 0
    records = lake.deletion_candidates().current().values()
    return sum(record["collection"] == resource.name and record["status"] in OPEN for record in records)


def _shown(resource: Resource, windows: Sequence[tuple[Question, Window]]) -> str:
    """SQL of the rows that the windows show, as far as the lake knows."""
    parts = []
    for question, window in windows:
        column = "begun" if question is resource.listed_by else "ended"
        bounds = [f"{column} is not null"]
        bounds += [f"{column} >= {sql_instant(window.lower)}"] if window.lower is not None else []
        bounds += [f"{column} < {sql_instant(window.upper)}"] if window.upper is not None else []
        parts.append(f"({' and '.join(bounds)})")
    return f"(select id from known_{resource.name} where {' or '.join(parts) or 'false'})"  # noqa: S608 - names of ours
