"""Marks from a time that has not come: the API's clock was wrong when they were left, and they would blind every night
until then.

They are set back to where the collection last stood before, by the record of its runs; this is the only place where a
mark falls. What was read since is read again, which costs requests and writes nothing.
Does not belong here: marks that are no instants (pipelines/lake/changelog.TURNED, what a fan-out has seen).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from pipelines.lake import ChangelogTable, Lake
from pipelines.lake.changelog import EPOCH
from pipelines.sync.report import CollectionReport

AHEAD = timedelta(hours=1)
"""By which the API's clock may differ between two runs."""


def set_back(
    lake: Lake,
    table: ChangelogTable,
    app_ids: Iterable[str],
    now: datetime,
    report: CollectionReport,
    *,
    at_most: timedelta,
) -> bool:
    """Set back those marks of a table that lie after the API's clock. Returns whether there were any.

    at_most: how far back, where no run has recorded a watermark that can be believed.
    """
    marks = {app_id: table.watermark(app_id) for app_id in app_ids}
    ahead = {app_id: mark for app_id, mark in marks.items() if mark is not None and mark > now + AHEAD}
    if not ahead:
        return False
    last = _last_believable(lake, report.collection, now) or (EPOCH if at_most > now - EPOCH else now - at_most)
    table.set_back(dict.fromkeys(ahead, last))
    report.notes.append(
        f"an earlier run was told that it is {max(ahead.values()):%Y-%m-%d %H:%M} UTC, where the API's clock says"
        f" {now:%Y-%m-%d %H:%M} now: everything since {last:%Y-%m-%d %H:%M} is read again"
    )
    return True


def _last_believable(lake: Lake, collection: str, now: datetime) -> datetime | None:
    recorded = (run["watermark"] for run in lake.runs().rows() if run["collection"] == collection)
    return max((mark for mark in recorded if mark is not None and mark <= now), default=None)
