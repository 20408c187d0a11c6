"""Which rows a run's answers should have shown and did not. Absence makes a candidate, never a deletion.

A row may be judged by a window only if its stored time lies within it, it was last read before the window was asked,
and the window's answers were settled. What was seen anywhere in the run, in whatever form, is no candidate.
Does not belong here: reading windows (pipelines/sync/collection.py), proving that a candidate is gone (proving.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import groupby

import pyarrow as pa

from pipelines.contract import Question, Resource
from pipelines.sync.fanout.known import Known
from pipelines.sync.rereads import joined
from pipelines.sync.windows import EDGE, Window, shifted

_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a list. user_id: whose it is, None where that is not known. begun: the time its list compares."""

    id: str
    user_id: str | None
    begun: datetime | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """rows: candidates. judged: how many rows the lake holds within the windows that judged."""

    rows: Sequence[Row]
    judged: int

    @property
    def is_mass(self) -> bool:
        """Whether so much is missing at once that the list itself is in doubt."""
        return len(self.rows) > MASS and 2 * len(self.rows) > self.judged


MASS = 5
"""So many missing rows that are most of those that were to be seen are taken for a fault until some are proved gone."""

NOTHING = Missing((), 0)


class Absences:
    """What one run's answers showed of one list, and within which windows they were whole.

    judges: False where no window may judge. watches: False where not even what came need be remembered, as in a first
    pull, which reads everything.
    """

    def __init__(self, resource: Resource, *, judges: bool, watches: bool = True) -> None:
        self._resource = resource
        self.judges = judges
        self._watches = watches
        self._seen: list[pa.Array] = []  # type: ignore[type-arg]
        self._windows: list[tuple[str, datetime, Window]] = []
        self._blind: list[tuple[str, Window]] = []

    def asked(self, question: Question, window: Window, known_until: datetime | None) -> None:
        """A window was read and its answers are settled.

        known_until: the newest read time of the table when the window began to be asked, None where it was empty.
        """
        if self.judges and known_until is not None:
            self._windows.append((self._column(question), known_until, window))

    def saw(self, keys: pa.ChunkedArray | Sequence[str]) -> None:  # type: ignore[type-arg]
        """Rows with these keys came, readable or not."""
        if self._watches:
            self._seen += keys.chunks if isinstance(keys, pa.ChunkedArray) else [pa.array(keys, pa.string())]

    def cannot_tell(self, question: Question, window: Window | None) -> None:
        """A row without a readable key came: it may be any row within the window (None: any at all)."""
        if self.judges:
            self._blind.append((self._column(question), window or Window(None, None)))

    def has_judged(self) -> bool:
        return bool(self._windows)

    def register(self, known: Known) -> None:
        """Make the table `shown`: ids of the rows that came."""
        found = pa.Table.from_arrays([pa.chunked_array(self._seen, pa.string())], names=["id"])
        known.sql.register("seen_in", found)
        known.sql.execute(
            "create or replace temp table shown as select distinct try_cast(id as uuid) as id from seen_in"
        )
        known.sql.unregister("seen_in")

    def missing(self, known: Known) -> Missing:
        """The candidates among what the lake holds. known: with the list's table loaded, and `shown`."""
        if not self._windows:
            return NOTHING
        name = self._resource.name
        known.sql.register("windows_in", _windows(self._merged()))
        known.sql.register("blind_in", _windows([(column, None, window) for column, window in self._widened()]))
        known.sql.execute(
            f"""create or replace temp table judged as
                select distinct k.id, k.user_id, k.begun, s.id is not null as is_shown
                from known_{name} k
                join windows_in w on k.seen <= w.known_until
                  and (w.lower is null or if(w.by_begin, k.begun, k.ended) >= w.lower)
                  and (w.upper is null or if(w.by_begin, k.begun, k.ended) < w.upper)
                  and if(w.by_begin, k.begun, k.ended) is not null
                left join shown s on s.id = k.id
                where not k.gone and not exists (
                  select 1 from blind_in b
                  where if(b.by_begin, k.begun, k.ended) is not null
                    and (b.lower is null or if(b.by_begin, k.begun, k.ended) >= b.lower)
                    and (b.upper is null or if(b.by_begin, k.begun, k.ended) <= b.upper)
                )"""  # noqa: S608 - a name of the contract
        )
        known.sql.unregister("windows_in")
        known.sql.unregister("blind_in")
        judged = known.sql.execute("select count(*) from judged").fetchone()
        rows = known.sql.execute(
            "select id::varchar, user_id::varchar, begun from judged where not is_shown order by begun, id"
        ).fetchall()
        return Missing([row_of(*row) for row in rows], int(judged[0]) if judged else 0)

    def _column(self, question: Question) -> str:
        return "begun" if question is self._resource.listed_by else "ended"

    def _merged(self) -> list[tuple[str, datetime | None, Window]]:
        """The windows, those that touch made one: a window is read in many pieces."""
        ordered = sorted(self._windows, key=lambda entry: (entry[0], entry[1], _start(entry[2])))
        return [
            (column, known_until, window)
            for (column, known_until), group in groupby(ordered, key=lambda entry: entry[:2])
            for window in joined(entry[2] for entry in group)
        ]

    def _widened(self) -> Iterable[tuple[str, Window]]:
        for column, window in self._blind:
            lower = None if window.lower is None else shifted(window.lower, -EDGE)
            yield column, Window(lower, None if window.upper is None else shifted(window.upper, EDGE))


def row_of(id_: str, user_id: str | None, begun: datetime | None) -> Row:
    """A row as DuckDB gives it, its instant in UTC."""
    return Row(id_, user_id, None if begun is None else begun.astimezone(timezone.utc))


def _start(window: Window) -> datetime:
    return window.lower or datetime.min.replace(tzinfo=timezone.utc)


def _windows(entries: Sequence[tuple[str, datetime | None, Window]]) -> pa.Table:
    return pa.table(
        {
            "by_begin": pa.array([column == "begun" for column, _, _ in entries], pa.bool_()),
            "known_until": pa.array([known for _, known, _ in entries], _INSTANT),
            "lower": pa.array([window.lower for _, _, window in entries], _INSTANT),
            "upper": pa.array([window.upper for _, _, window in entries], _INSTANT),
        }
    )
