"""Rows in the order of a list, found by time without looking at all of them.

Rows are kept as encoded JSON; a page is a slice, a count is two binary searches. Rows can be added, replaced and
removed at any time.
Does not belong here: query parameters (parameters.py), envelopes (tenant.py).
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

Key = tuple[int, str]
KEPT_SELECTIONS = 64


class Row(NamedTuple):
    """One item. listed_ms: the list's order. ended_ms: what an end filter compares, None: never matches one."""

    id: str
    listed_ms: int
    ended_ms: int | None
    body: bytes


@dataclass(frozen=True, slots=True)
class Span:
    """Moments in [lower, upper), each bound optional."""

    lower_ms: int | None = None
    upper_ms: int | None = None

    @property
    def is_open(self) -> bool:
        return self.lower_ms is None and self.upper_ms is None


EVER = Span()


class Paged(Protocol):
    """What a list must be able to do to be asked for in pages."""

    def __len__(self) -> int: ...

    def page(self, index: int, size: int, listed: Span = EVER, ended: Span = EVER) -> tuple[int, list[bytes]]:
        """How many rows match, and the bodies of one page of them (1-based)."""
        ...


class Listing:
    """A list newest first; of two rows of one moment the one with the larger id comes first."""

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self._rows = {row.id: row for row in rows}
        self._keys: list[Key] = sorted((row.listed_ms, row.id) for row in self._rows.values())
        self._ends: list[tuple[int, Key]] = sorted(
            (row.ended_ms, (row.listed_ms, row.id)) for row in self._rows.values() if row.ended_ms is not None
        )
        self._selections: OrderedDict[tuple[Span, Span], list[Key]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[Row]:
        """Newest first."""
        return (self._rows[id_] for _, id_ in reversed(self._keys))

    def get(self, id_: str) -> Row | None:
        return self._rows.get(id_)

    def at(self, rank: int) -> Row:
        """The row at a place in the list, counted from 0, newest first."""
        return self._rows[self._keys[-1 - rank][1]]

    def put(self, row: Row) -> None:
        """Add a row, or put it in the place of the one with its id."""
        self.remove(row.id)
        self._rows[row.id] = row
        key = (row.listed_ms, row.id)
        insort(self._keys, key)
        if row.ended_ms is not None:
            insort(self._ends, (row.ended_ms, key))

    def remove(self, id_: str) -> None:
        """Take a row away, if it is there."""
        self._selections.clear()
        row = self._rows.pop(id_, None)
        if row is None:
            return
        key = (row.listed_ms, id_)
        del self._keys[bisect_left(self._keys, key)]
        if row.ended_ms is not None:
            del self._ends[bisect_left(self._ends, (row.ended_ms, key))]

    def page(self, index: int, size: int, listed: Span = EVER, ended: Span = EVER) -> tuple[int, list[bytes]]:
        """How many rows match, and the bodies of one page of them (1-based)."""
        keys: Sequence[Key]
        if ended.is_open:
            keys = self._keys
            low, high = _range(keys, listed)
        else:
            keys = self._select(listed, ended)
            low, high = 0, len(keys)
        last = high - (index - 1) * size
        page = keys[max(last - size, low) : last] if last > low else ()
        return high - low, [self._rows[id_].body for _, id_ in reversed(page)]

    def rows(self, listed: Span = EVER, ended: Span = EVER) -> list[Row]:
        """All matching rows, newest first."""
        if ended.is_open:
            low, high = _range(self._keys, listed)
            keys = self._keys[low:high]
        else:
            keys = self._select(listed, ended)
        return [self._rows[id_] for _, id_ in reversed(keys)]

    def _select(self, listed: Span, ended: Span) -> list[Key]:
        """The keys of both spans; kept, because a walk over pages asks for them again."""
        kept = self._selections.get((listed, ended))
        if kept is not None:
            self._selections.move_to_end((listed, ended))
            return kept
        low, high = _range(self._ends, ended)
        first, after = listed.lower_ms, listed.upper_ms
        keys = sorted(
            key
            for _, key in self._ends[low:high]
            if (first is None or key[0] >= first) and (after is None or key[0] < after)
        )
        self._selections[listed, ended] = keys
        if len(self._selections) > KEPT_SELECTIONS:
            self._selections.popitem(last=False)
        return keys


def _range(keys: Sequence[tuple[int, object]], span: Span) -> tuple[int, int]:
    """The positions of a span in a sequence that is sorted by moment first."""
    low = 0 if span.lower_ms is None else bisect_left(keys, span.lower_ms, key=_moment)
    high = len(keys) if span.upper_ms is None else bisect_left(keys, span.upper_ms, key=_moment)
    return low, max(low, high)


def _moment(key: tuple[int, object]) -> int:
    return key[0]
