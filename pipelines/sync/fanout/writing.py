"""What pieces become: rows, rows that cannot be read, rows that are gone; committed table by table.

Does not belong here: asking again where rows seem to be gone (fan_out.py), comparing with what is held (lake).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import pyarrow as pa

from pipelines.lake import ChildTable
from pipelines.lake.children import JUDGED
from pipelines.normalise import Normalised, normalise
from pipelines.sync.asides import Asides
from pipelines.sync.fanout.ask import Piece
from pipelines.sync.report import CollectionReport
from pipelines.sync.setting_aside import SetAside
from pipelines.sync.windows import Window

MASS = 5
"""So many parents that lose all they have in one go, and that are most of those who have anything, are not believed."""
EMPTIES_BY_ITSELF = frozenset({"session_settings"})
"""Tables that are empty for every parent sooner or later: settings of sessions that go on."""


@dataclass(slots=True)
class Read:
    """What one table got from some pieces. unreadable: parents of whom some row could not be read."""

    pieces: Sequence[Piece]
    normalised: Normalised
    set_aside: list[SetAside]
    unreadable: frozenset[str]

    def answered(self) -> pa.Table:
        """`_key` of every row that came, where it can be told, whatever became of the row."""
        bad = [row.key for row in self.normalised.bad if row.key is not None]
        good = self.normalised.rows.select(["_key"])
        return pa.concat_tables([good, pa.table({"_key": pa.array(bad, pa.string())}, schema=good.schema)])


class Absent(NamedTuple):
    """Parents whose answers lack rows that are held. unbelieved: those who lack all, with too many others."""

    parents: set[str]
    unbelieved: set[str]


class TableWriter:
    """One lake table of a fan-out, for one run."""

    def __init__(self, table: ChildTable, asides: Asides, report: CollectionReport, run_id: str) -> None:
        self.table = table
        self.asides = asides
        self.report = report
        self._run_id = run_id
        self._holding = 0
        self._emptied = 0

    @property
    def name(self) -> str:
        return self.table.resource.name

    def read(self, pieces: Sequence[Piece]) -> Read:
        """Normalise what the pieces say of this table."""
        sources = [(piece, page) for piece in pieces for page in piece.pages.get(self.name, ())]
        normalised = normalise(self.table.resource, [page for _, page in sources])
        set_aside = []
        for row in normalised.bad:
            piece, page = sources[row.page]
            set_aside.append(
                SetAside(
                    row,
                    None,
                    Window(piece.lower, piece.upper),
                    page.read_at,
                    parent_id=piece.ask.parent_id,
                    path_ids=page.path_ids,
                )
            )
        unreadable = frozenset(met.parent_id for met in set_aside if met.parent_id is not None)
        return Read(pieces, normalised, set_aside, unreadable)

    def judged(self, read: Read, parents: Collection[str] | None = None) -> pa.Table:
        """The answers in which absence means something; parents: only of these."""
        rows = [
            (piece.ask.parent_id, piece.lower, piece.upper, piece.asked_at)
            for piece in read.pieces
            if self.name in piece.judges
            and piece.ask.parent_id not in read.unreadable
            and (parents is None or piece.ask.parent_id in parents)
        ]
        columns = zip(*rows, strict=True) if rows else [()] * len(JUDGED)
        arrays = [pa.array(column, field.type) for column, field in zip(columns, JUDGED, strict=True)]
        return pa.Table.from_arrays(arrays, schema=JUDGED)

    def absent(self, read: Read) -> Absent:
        """Parents that hold rows here which their answers lack; nobody where that looks like a fault of the API's.

        All that the run has met so far counts, so that a fault does not get through in small portions.
        """
        found = self.table.absent(self.judged(read), read.answered())
        lacking = {parent for parent, rows in found.items() if rows.rows}
        emptied = {parent for parent in lacking if found[parent].rows == found[parent].held}
        self._holding += len(found)
        self._emptied += len(emptied)
        is_mass = self.name not in EMPTIES_BY_ITSELF and self._emptied >= MASS and 2 * self._emptied > self._holding
        return Absent(lacking - emptied, emptied) if is_mass else Absent(lacking, set())

    def commit(
        self, read: Read, second: Read | None, confirmed: Collection[str], at: datetime, marks: Mapping[str, int]
    ) -> None:
        """Write what was set aside, then rows, deletions and marks in one commit.

        second: answers to the same questions again. confirmed: parents of whom what both answers lack is gone.
        """
        reads = [read] if second is None else [read, second]
        for one in reads:
            self.asides.set_aside(one.set_aside)
            self.asides.report_drift(one.normalised.drift)
        rows = pa.concat_tables([self.table.complete(_living(one.normalised.rows, self._run_id)) for one in reads])
        if confirmed:
            answered = pa.concat_tables([one.answered() for one in reads])
            gone = self.table.tombstones(self.judged(read, confirmed), answered, self._run_id, at)
            rows = pa.concat_tables([rows, gone.select(rows.schema.names).cast(rows.schema)])
        committed = self.table.commit_marks(rows, marks)
        self.report.add(committed)
        self.report.rows_read += read.normalised.rows.num_rows
        self.report.commits += 1 if committed.appended else 0


def _living(rows: pa.Table, run_id: str) -> pa.Table:
    """Rows with the columns that only the run knows."""
    with_run = rows.append_column("_run_id", pa.repeat(pa.scalar(run_id), rows.num_rows))
    return with_run.append_column("_deleted", pa.repeat(pa.scalar(False), rows.num_rows))
