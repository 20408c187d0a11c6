"""One list of the tenant over all copies: which rows it has by now and in which order, as two arrays of numbers.

Row `number` is the thing `number % things` of the copy `number // things`; its body is put together when somebody asks.
Does not belong here: what the rows are (history.py), what a copy makes of them (copy.py).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from demo.copies.copy import Copy, id_number
from demo.copies.edits import Edits
from demo.copies.history import Versions
from demo.listing import EVER, Span

KEPT_SELECTIONS = 16
NUMBER_BITS = 32
ID_BITS = 32
NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Order:
    """Numbers of rows, oldest first, and the moments by which they are in that order."""

    moments: array[int]
    numbers: array[int]

    def range(self, span: Span) -> tuple[int, int]:
        """The positions of a span."""
        low = 0 if span.lower_ms is None else bisect_left(self.moments, span.lower_ms)
        high = len(self.moments) if span.upper_ms is None else bisect_left(self.moments, span.upper_ms)
        return low, max(low, high)

    def part(self, low: int, high: int) -> Order:
        return Order(self.moments[low:high], self.numbers[low:high])


class Merged:
    """A list newest first, as `demo.listing.Listing` is; of two rows of one moment the larger id first."""

    def __init__(self, table: str, things: Sequence[Versions], copies: Sequence[tuple[Copy, Edits]]) -> None:
        self._table = table
        self._things = things
        self._copies = copies
        last = [each.last for each in things]
        self._listed_ms = [row.listed_ms for row in last]
        self._ended_ms = [NEVER_MS if row.ended_ms is None else row.ended_ms for row in last]
        self._ids = [id_number(row.id.encode()) >> (128 - ID_BITS) for row in last]
        self._begins_ms = [each.moments[0] for each in things]
        self._begins_in_order_ms = sorted(self._begins_ms)
        # A row comes into the list when it begins and gets an end when that is over; all else changes only its body.
        self._events = sorted({*self._begins_ms, *self._ended_ms} - {NEVER_MS})
        self._now_ms = 0
        self._kept_until_ms = NEVER_MS
        self._kept: Order | None = None
        self._kept_ends: Order | None = None
        self._selections: OrderedDict[tuple[Span, Span], Order] = OrderedDict()

    def catch_up(self, now_ms: int) -> None:
        """Show what is true at this moment from now on."""
        self._now_ms = now_ms
        if now_ms >= self._kept_until_ms:
            self._kept = self._kept_ends = None
            self._kept_until_ms = NEVER_MS
            self._selections.clear()

    def prepare(self) -> None:
        """Make what the first walks over the list would wait for."""
        self._order()
        self._order_of_ends()
        heads = {each.template_at(NEVER_MS).head for each in self._things}
        for copy, _ in self._copies:
            for head in heads:
                copy.told_head(head)

    def __len__(self) -> int:
        return sum(bisect_right(self._begins_in_order_ms, self._now_ms + copy.early_ms) for copy, _ in self._copies)

    def __iter__(self) -> Iterator[bytes]:
        """The bodies, newest first."""
        return map(self._body, reversed(self._order().numbers))

    def page(self, index: int, size: int, listed: Span = EVER, ended: Span = EVER) -> tuple[int, list[bytes]]:
        """How many rows match, and the bodies of one page of them (1-based)."""
        order = self._order()
        if ended.is_open:
            low, high = order.range(listed)
        else:
            order = self._select(listed, ended)
            low, high = 0, len(order.numbers)
        last = high - (index - 1) * size
        numbers = order.numbers[max(last - size, low) : last] if last > low else ()
        return high - low, [self._body(number) for number in reversed(numbers)]

    def _body(self, number: int) -> bytes:
        copy_number, thing_number = divmod(number, len(self._things))
        copy, edits = self._copies[copy_number]
        thing = self._things[thing_number]
        now_ms = self._now_ms + copy.early_ms
        if edits.touch(self._table) and (row := thing.at(now_ms)) is not None:
            changed = edits.row(self._table, row, now_ms)
            if changed is not row:
                return copy.told(changed.body)
        return thing.template_at(now_ms).row_of(copy)

    def _order(self) -> Order:
        if self._kept is None:
            self._kept = self._in_order(self._numbers(self._begins_ms), self._listed_ms)
            self._kept_until_ms = min(self._next_event_ms(copy) for copy, _ in self._copies)
        return self._kept

    def _order_of_ends(self) -> Order:
        """The rows that have ended, by their end."""
        if self._kept_ends is None:
            self._kept_ends = self._in_order(self._numbers(self._ended_ms), self._ended_ms)
        return self._kept_ends

    def _select(self, listed: Span, ended: Span) -> Order:
        """The rows of both spans; kept, because a walk over pages asks for them again."""
        kept = self._selections.get((listed, ended))
        if kept is not None:
            self._selections.move_to_end((listed, ended))
            return kept
        ends = self._order_of_ends()
        found = self._in_order(ends.part(*ends.range(ended)).numbers, self._listed_ms)
        found = found.part(*found.range(listed))
        self._selections[listed, ended] = found
        if len(self._selections) > KEPT_SELECTIONS:
            self._selections.popitem(last=False)
        return found

    def _numbers(self, since_ms: Sequence[int]) -> Iterator[int]:
        """The rows of which something is true since a moment that is over by now."""
        for copy, _ in self._copies:
            now_ms, first = self._now_ms + copy.early_ms, copy.number * len(self._things)
            yield from (first + i for i, moment_ms in enumerate(since_ms) if moment_ms <= now_ms)

    def _in_order(self, numbers: Iterable[int], moments_ms: Sequence[int]) -> Order:
        """Rows sorted by a moment, then by id. Of an id its begin is enough."""
        keys = sorted(self._key(number, moments_ms) for number in numbers)
        return Order(
            array("q", (key >> (ID_BITS + NUMBER_BITS) for key in keys)),
            array("I", (key & ((1 << NUMBER_BITS) - 1) for key in keys)),
        )

    def _key(self, number: int, moments_ms: Sequence[int]) -> int:
        """Moment, begin of the id and number as one whole number, which is small and quick to compare."""
        copy_number, thing_number = divmod(number, len(self._things))
        copy, _ = self._copies[copy_number]
        moment_ms = moments_ms[thing_number] - copy.early_ms
        id_ = self._ids[thing_number] ^ (copy.mask >> (128 - ID_BITS))
        return (moment_ms << ID_BITS | id_) << NUMBER_BITS | number

    def _next_event_ms(self, copy: Copy) -> int:
        """When a copy next gets a row or an end."""
        number = bisect_right(self._events, self._now_ms + copy.early_ms)
        return self._events[number] - copy.early_ms if number < len(self._events) else NEVER_MS
