"""Gathers what was read and commits it in slices: first what was set aside, then rows and watermarks together.

Answers are normalised long before a slice is full: as columns they take a fraction of the memory, and what they held is
free for the next ones.

Does not belong here: what to ask (collection.py), how rows are compared and stored (pipelines/lake).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute

from pipelines import local_clock
from pipelines.contract import Question, Resource, column_name
from pipelines.lake import ChangelogTable, RecordTable
from pipelines.lake.held import HeldTimes
from pipelines.normalise import BadRow, Drift, normalise
from pipelines.normalise.drift import bounded
from pipelines.sync.asides import Asides
from pipelines.sync.deletions.absence import Absences
from pipelines.sync.pages import Page
from pipelines.sync.reconciling import MonthCount, reconciliation_news
from pipelines.sync.report import CollectionReport
from pipelines.sync.setting_aside import RESOLVED, SetAside, happened_within
from pipelines.sync.windows import EDGE, Window, shifted

pc: Any = pyarrow.compute  # the stubs allow less than the functions do

PendingWindow = tuple[str | None, Window]

PART_ROWS = 4_000
"""That are normalised at a time. Fewer cost more for each row, more wait in memory."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a page came from."""

    page: Page
    question: Question | None
    window: Window | None

    def asked_again(self, index: int) -> Window | None:
        """The window in which the item at `index` will be met again: between its readable neighbours, if in order."""
        if self.question is None or self.window is None:
            return self.window
        if self.page.oldest_if_newest_first(self.question.time) is None:
            return self.window
        newer = self.page.times(self.question.time, stop=index)
        older = self.page.times(self.question.time, start=index + 1)
        lower = shifted(older[0], -EDGE) if older else self.window.lower
        upper = shifted(newer[-1], EDGE) if newer else self.window.upper
        if lower is not None and upper is not None and lower >= upper:
            return self.window  # at the window's very border, where neighbouring answers overlap
        return Window(lower, upper)


class SliceWriter:
    """Buffers pages of one collection and writes them to its table, `slice_rows` rows at a time.

    absences: is told which rows came.
    """

    def __init__(
        self,
        table: ChangelogTable,
        asides: Asides,
        reconciliation: RecordTable,
        report: CollectionReport,
        *,
        run_id: str,
        slice_rows: int,
        absences: Absences | None = None,
    ) -> None:
        self.report = report
        self.absences = absences or Absences(table.resource, judges=False, watches=False)
        self._table = table
        self._asides = asides
        self._reconciliation = reconciliation
        self._run_id = run_id
        self._slice_rows = slice_rows
        self._sources: list[_Source] = []
        self._unread = 0
        self._parts: list[pa.Table] = []
        self._bad: list[SetAside] = []
        self._drift: Counter[Drift] = Counter()
        self._buffered = 0
        self._moves: dict[str, datetime] = {}
        self._erased: dict[str, datetime | None] = {}
        self._marks: dict[str, int] = {}

    @property
    def _resource(self) -> Resource:
        return self._table.resource

    def __len__(self) -> int:
        """Rows that the table holds."""
        return len(self._table)

    def held_times(self, path: str) -> HeldTimes:
        """See ChangelogTable.held_times; what is buffered does not count."""
        return self._table.held_times(path)

    def watermark(self, app_id: str) -> datetime | None:
        """The committed watermark."""
        return self._table.watermark(app_id)

    def add(self, pages: Iterable[Page], question: Question | None, window: Window | None) -> None:
        """Take pages that answer `question` within `window`."""
        for page in pages:
            self._sources.append(_Source(page, question, window))
            self._unread += len(page.items)
            self._buffered += len(page.items)
            if self._unread >= PART_ROWS:
                self._normalise()

    def move(self, app_id: str, instant: datetime) -> None:
        """With the next flush, move a watermark: all before `instant` has been added."""
        self._moves[app_id] = instant

    def mark_of(self, app_id: str) -> int | None:
        """The committed mark."""
        return self._table.mark(app_id)

    def mark(self, app_id: str, version: int) -> None:
        """With the next flush, move a mark that is no instant."""
        self._marks[app_id] = version

    def note(self, text: str, *, harmless: bool) -> None:
        """Something the run's record should say; unless harmless, the run is then partial."""
        if harmless:
            self.report.notes.append(text)
        else:
            self.report.set_aside(text)

    def flush_if_large(self) -> None:
        if self._buffered >= self._slice_rows:
            self.flush()

    def flush(self) -> None:
        """Commit what is buffered. Whatever dies in between, the next run finds it again."""
        self._normalise()
        rows = pa.concat_tables(self._parts).combine_chunks()
        self._asides.set_aside(self._bad)
        self._asides.report_drift(bounded(self._drift))
        self._remember_erased(rows)
        committed = self._table.commit(self._completed(rows), self._moves, self._marks)
        self.report.add(committed)
        self.report.rows_read += rows.num_rows
        self.report.commits += 1 if committed.appended else 0
        self._parts, self._bad, self._drift = [], [], Counter()
        self._buffered, self._moves, self._marks = 0, {}, {}

    def _normalise(self) -> None:
        """Make columns of the pages that came since the last time."""
        normalised = normalise(self._resource, [source.page.raw for source in self._sources])
        self._parts.append(normalised.rows)
        self._bad += [_as_set_aside(row, self._sources[row.page]) for row in normalised.bad]
        self._drift += normalised.drift
        self._tell_absences(normalised.rows, normalised.bad)
        self._sources, self._unread = [], 0

    def _remember_erased(self, rows: pa.Table) -> None:
        """Rows of people who were erased: they are not taken, but the API counts them."""
        kept = self._table.without_erased(rows)
        if kept.num_rows == rows.num_rows or self._resource.listed_by is None:
            return
        erased = rows.filter(pc.invert(pc.is_in(rows["_key"], value_set=kept["_key"].combine_chunks())))
        keys: list[Any] = erased["_key"].to_pylist()
        times: list[Any] = erased[column_name(self._resource.listed_by.time)].to_pylist()
        self._erased.update(zip(keys, times, strict=True))

    def erased_within(self, window: Window) -> int:
        """Rows that this run met in a window and left out because they are of people who were erased."""
        return sum(at is not None and window.holds(at) for at in self._erased.values())

    def _tell_absences(self, rows: pa.Table, bad: Iterable[BadRow]) -> None:
        self.absences.saw(rows["_key"])
        self.absences.saw([row.key for row in bad if row.key is not None])
        for row in bad:
            source = self._sources[row.page]
            if row.key is None and source.question is not None:
                self.absences.cannot_tell(source.question, source.asked_again(row.index))

    def delete(self, rows: pa.Table) -> int:
        """Commit deletions: the rows' last content with `_key`, marked as deleted. How many were not deleted before."""
        committed = self._table.commit(rows, {})
        self.report.add(committed)
        self.report.commits += 1 if committed.appended else 0
        return committed.deleted

    def report_drift(self, found: Counter[Drift]) -> None:
        """Differences from the contract that were met outside of pages."""
        self._asides.report_drift(found)

    def pending(self) -> dict[PendingWindow, list[str]]:
        """Windows to ask again, with the ids of the rows that an earlier run could not read in them."""
        windows: dict[PendingWindow, list[str]] = {}
        for record in self._asides.pending():
            window = Window(record["asked_from"], record["asked_until"])
            windows.setdefault((record["question"], window), []).append(record["id"])
        return windows

    def unreadable_single(self) -> frozenset[str]:
        """Keys of rows that an earlier run asked for by themselves and could not read."""
        return frozenset(r["key"] for r in self._asides.pending() if r["question"] is None and r["key"] is not None)

    def resolve_single(self, keys: Collection[str]) -> None:
        """These were asked for by themselves again, and what was read is committed."""
        found = (r for r in self._asides.pending() if r["question"] is None and r["key"] in keys)
        self._asides.resolve([record["id"] for record in found])

    def set_aside_within(self, window: Window, time: str) -> int:
        """Rows of a window that could not be read. time: their own, by JSON path."""
        return sum(
            record["status"] != RESOLVED and happened_within(record, window, time) for record in self._asides.records()
        )

    def reconcile(self, counts: Mapping[Window, MonthCount]) -> None:
        """Record a month's counts where they are seen first or changed."""
        name, run_id, now = self._resource.name, self._run_id, local_clock.utc_now()
        self._reconciliation.write(lambda held: reconciliation_news(name, run_id, now, counts, held))

    def resolve(self, identities: Iterable[str]) -> None:
        """These pending rows' windows were asked again and committed: those not met again are no longer pending."""
        self._asides.resolve(identities)

    def _completed(self, rows: pa.Table) -> pa.Table:
        """Add the columns that only the run knows."""
        return rows.append_column("_run_id", pa.repeat(pa.scalar(self._run_id), rows.num_rows)).append_column(
            "_deleted", pa.repeat(pa.scalar(False), rows.num_rows)
        )


def _as_set_aside(row: BadRow, source: _Source) -> SetAside:
    question = source.question.name if source.question else None
    return SetAside(row, question, source.asked_again(row.index), source.page.raw.read_at)
