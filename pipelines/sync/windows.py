"""Time windows: which to ask next, how to cut them. Pure arithmetic on instants.

Does not belong here: asking (listing.py, history.py), storing watermarks (pipelines/lake).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import pairwise

EDGE = timedelta(seconds=1)
"""Neighbouring windows overlap by this on both sides: whether the API's bounds are inclusive is not documented."""

MILLISECOND = timedelta(milliseconds=1)
EARLIEST = datetime(1971, 1, 1, tzinfo=timezone.utc)
"""Where cutting starts in a window without a lower bound whose answers are not in order."""
FURTHEST = timedelta(days=3650)
"""How far cutting reaches in a window without an upper bound whose answers are not in order."""


_FIRST = datetime.min.replace(tzinfo=timezone.utc)
_LAST = datetime.max.replace(tzinfo=timezone.utc)


def shifted(instant: datetime, by: timedelta) -> datetime:
    """`instant + by`, at most the last instant there is: rows may be dated 0001 or 9999."""
    try:
        return instant + by
    except OverflowError:
        return _LAST if by > timedelta(0) else _FIRST


@dataclass(frozen=True, slots=True)
class Window:
    """The instants from `lower` to `upper`; None is no bound on that side."""

    lower: datetime | None
    upper: datetime | None

    def __post_init__(self) -> None:
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise ValueError(f"a window must not be empty: {self.lower} .. {self.upper}")

    @property
    def width(self) -> timedelta | None:
        """None where a side has no bound."""
        return None if self.lower is None or self.upper is None else self.upper - self.lower

    def holds(self, instant: datetime) -> bool:
        """Whether an instant lies within: from `lower` on and before `upper`."""
        return (self.lower is None or instant >= self.lower) and (self.upper is None or instant < self.upper)

    def __str__(self) -> str:
        return f"{self.lower or 'the beginning'} .. {self.upper or 'the future'}"


def next_window(watermark: datetime | None, until: datetime, overlap: timedelta) -> Window:
    """What to ask so that nothing between the watermark and `until` is missed.

    Without a watermark: all of history. With `until` at or below it: a re-read that moves nothing.
    """
    if watermark is None:
        return Window(None, until)
    return Window(shifted(min(watermark, until - MILLISECOND), -overlap), until)


def cut_evenly(window: Window, pieces: int, oldest: datetime | None = None) -> list[Window]:
    """Cut a window into at most `pieces` of equal width, oldest first; together they are the window.

    oldest: where to start cutting when there is no lower bound; the first piece then keeps none.
    A window that cannot be cut (no usable bounds, or narrower than a millisecond a piece) comes back whole.
    """
    start = window.lower or oldest
    end = window.upper
    if start is None or end is None or start >= end:
        return [window]
    step = (end - start) / pieces
    if step < MILLISECOND:
        return [window]
    inner = sorted({to_millisecond(start + step * number) for number in range(1, pieces)} - {start, end})
    borders = [window.lower, *inner, end]
    return [Window(lower, upper) for lower, upper in pairwise(borders)]


def cut_open(window: Window, now: datetime) -> list[Window]:
    """Give a window without bounds pieces that have some, so that they can be cut evenly."""
    lower, upper = window.lower, window.upper
    if lower is None:
        middle = EARLIEST if upper is None or upper > EARLIEST else shifted(upper, -FURTHEST)
        return [Window(None, middle), Window(middle, upper)] if upper is None or middle < upper else [window]
    if upper is None:
        middle = shifted(max(lower, now), FURTHEST)
        return [Window(lower, middle), Window(middle, None)] if lower < middle else [window]
    return [window]


def to_millisecond(instant: datetime) -> datetime:
    """Cut to the millisecond, the API's resolution."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)
