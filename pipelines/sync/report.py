"""What a run did, in numbers: for people, for `_runs`, for metadata.

Does not belong here: how it is shown (pipelines/cli, assets).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any

from pipelines import local_clock
from pipelines.client.answer import Counters
from pipelines.lake import Committed


class Status(Enum):
    COMPLETE = "complete"
    PARTIAL = "partial"
    """Done, with rows or windows set aside."""
    FAILED = "failed"
    CASCADE = "cascade"
    """Not asked for: rows of it were deleted or restored with what they hang under."""


@dataclass(slots=True)
class CollectionReport:
    """What a run did for one collection. Rows are counted once per reading; requests include retries.

    parents, asked, skipped, parents_failed: of a collection that is asked once for each parent; how many there are, how
    many were asked and skipped for which reason, and how many are asked again because they failed. Of a list, asked and
    skipped are rows that are asked for one by one. rows_restored: that had been deleted and are there again.
    """

    collection: str
    started_at: datetime
    finished_at: datetime | None = None
    status: Status = Status.COMPLETE
    window_until: datetime | None = None
    watermark: datetime | None = None
    rows_read: int = 0
    rows_new: int = 0
    rows_changed: int = 0
    rows_deleted: int = 0
    rows_restored: int = 0
    rows_set_aside: int = 0
    commits: int = 0
    refused_commits: int = 0
    parents: int | None = None
    asked: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    parents_failed: int = 0
    counters: Counters = field(default_factory=Counters)
    notes: list[str] = field(default_factory=list)

    def add(self, committed: Committed) -> None:
        self.rows_new += committed.new
        self.rows_restored += committed.returned
        self.rows_changed += committed.changed
        self.rows_deleted += committed.deleted
        self.refused_commits += committed.refusals

    def set_aside(self, note: str) -> None:
        """Something was put aside: the run is partial, and says why."""
        self.notes.append(note)
        if self.status is Status.COMPLETE:
            self.status = Status.PARTIAL

    def fail(self, note: str) -> None:
        self.notes.append(note)
        self.status = Status.FAILED

    def finish(self) -> None:
        """The work is done; another writer of the table is worth a note."""
        self.finished_at = local_clock.utc_now()
        if self.refused_commits:
            self.notes.append(
                f"{self.refused_commits} commits came second to another writer's: the table was read again and what is"
                " news worked out anew, so nothing is lost or doubled"
            )

    @property
    def duration_seconds(self) -> float:
        return 0.0 if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()

    @property
    def rows_written(self) -> int:
        return self.rows_new + self.rows_changed + self.rows_deleted + self.rows_restored

    def as_record(self, run_id: str) -> dict[str, Any]:
        """The row of `_runs`."""
        return {
            "run_id": run_id,
            "collection": self.collection,
            "status": self.status.value,
            "started_at": self.started_at,
            "finished_at": self.finished_at or self.started_at,
            "window_until": self.window_until,
            "watermark": self.watermark,
            "rows_read": self.rows_read,
            "rows_new": self.rows_new,
            "rows_changed": self.rows_changed,
            "rows_deleted": self.rows_deleted,
            "rows_restored": self.rows_restored,
            "rows_set_aside": self.rows_set_aside,
            "requests": self.counters.requests,
            "retries": self.counters.retries,
            "throttles": self.counters.throttles,
            "bytes_received": self.counters.bytes_received,
            "duration_seconds": self.duration_seconds,
            "parents": self.parents,
            "parents_asked": None if self.parents is None else self.asked.total(),
            "parents_skipped": None if self.parents is None else self.skipped.total(),
            "parents_failed": None if self.parents is None else self.parents_failed,
            "asked_because": counted(self.asked) or None,
            "skipped_because": counted(self.skipped) or None,
            "message": "; ".join(self.notes) or None,
        }


def counted(reasons: Counter[str]) -> str:
    """`new 3, in its turn 1`: the most frequent first."""
    return ", ".join(f"{reason} {number:,}" for reason, number in sorted(reasons.items(), key=lambda e: (-e[1], e[0])))


@dataclass(slots=True)
class RunReport:
    """All collections of one run. until: the upper end of its windows.

    began_beside_another: another sync of the same lake was at work when this one began.
    """

    run_id: str
    until: datetime
    collections: list[CollectionReport] = field(default_factory=list)
    began_beside_another: bool = False

    def add_cascade(self, deleted: Mapping[str, int], restored: Mapping[str, int]) -> None:
        """Count what was deleted and brought back with what it hangs under, by table."""
        reports = {report.collection: report for report in self.collections}
        for name in dict.fromkeys((*deleted, *restored)):
            rows = deleted.get(name, 0), restored.get(name, 0)
            if not any(rows):
                continue
            if name not in reports:
                now = local_clock.utc_now()
                self.collections.append(CollectionReport(name, now, now, status=Status.CASCADE))
                reports[name] = self.collections[-1]
            reports[name].rows_deleted += rows[0]
            reports[name].rows_restored += rows[1]

    @property
    def status(self) -> Status:
        """The worst of its collections."""
        found = {report.status for report in self.collections}
        return next((status for status in (Status.FAILED, Status.PARTIAL) if status in found), Status.COMPLETE)
