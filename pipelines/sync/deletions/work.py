"""What the parts of a follow-up share, and what single rows' answers become: readings of the list.

Does not belong here: who is asked (unfinished.py, absence.py), what is deleted (deleting.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pipelines import local_clock
from pipelines.client.answer import Answer, Api
from pipelines.contract import Resource
from pipelines.lake import Lake, Record
from pipelines.sync.clock import ReadClock
from pipelines.sync.deletions.absence import Absences, Row
from pipelines.sync.deletions.cascade import Cascade
from pipelines.sync.deletions.details import page_of
from pipelines.sync.deletions.proving import SingleRows
from pipelines.sync.fanout.known import Known
from pipelines.sync.report import CollectionReport
from pipelines.sync.run_context import Run
from pipelines.sync.slices import SliceWriter

Reading = tuple[Row, Answer, dict[str, Any]]
"""A row that is there: its answer, and its item in it."""


@dataclass(frozen=True, slots=True)
class Work:
    """known: with the list's table and the users loaded, and the rows that were `shown`."""

    api: Api
    lake: Lake
    resource: Resource
    run: Run
    clock: ReadClock
    writer: SliceWriter
    absences: Absences
    cascade: Cascade
    known: Known
    single: SingleRows

    @property
    def report(self) -> CollectionReport:
        return self.writer.report

    def take(self, readings: Sequence[Reading]) -> None:
        """Commit what single rows said of themselves."""
        if not readings:
            return
        held = self.held([row.id for row, _, _ in readings])
        for row, answer, item in readings:
            read_at = self.clock.stamp(answer.received_at)
            page, unknown = page_of(self.resource, item, held.get(row.id, {}), read_at)
            self.writer.add([page], None, None)
            self.writer.report_drift(unknown)
        self.writer.flush()
        self.writer.resolve_single({row.id for row, _, _ in readings})

    def held(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The last version of some rows, by id."""
        return {version["id"]: version for version in self.lake.rows(self.resource, ids).to_pylist()}

    def note_candidates(self, news: Callable[[str, str, datetime, Mapping[str, Record]], Iterable[Record]]) -> None:
        """Write records of rows that are missing. news: given collection, run, time and the records that are held."""
        name, run_id, now = self.resource.name, self.run.run_id, local_clock.utc_now()
        self.lake.deletion_candidates().write(lambda held: news(name, run_id, now, held))
