"""Which windows to read again although they were read before: corrections leave no trace in any filter.

Pure arithmetic on instants. Does not belong here: reading (collection.py), counting what is held (pipelines/lake).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone

from pipelines.sync.windows import Window

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
FIRST_DAY = datetime(2015, 1, 1, tzinfo=timezone.utc)
"""Where days and months begin to be told apart. No tenant charged smartly before; what is dated earlier (the year 1,
say, where a clock failed) is one part, not 700,000 days.
"""


def rotation(
    oldest: datetime | None, upper: datetime, last: datetime | None, until: datetime, nights: int
) -> list[Window]:
    """The part of history that is tonight's turn, so that all of it has its turn within `nights` nights.

    History is a fixed grid of UTC days, from before `oldest` (the oldest row held) up to `upper`; day number n has its
    turn in nights n, n + nights, ... A night that was missed is caught up with. Where no row that is held is older
    than `upper`, all before it is asked for each night: one request, as long as nothing is there. last: `until` of the
    night that rotated last, None if none did. The same `until` twice gives nothing the second time.
    """
    if not has_a_turn(last, until):
        return []
    if oldest is None or oldest >= upper:
        return [Window(None, upper)]
    tonight = _day_number(until)
    first = tonight if last is None else _day_number(last) + 1
    turns = {night % nights for night in range(max(first, tonight - nights + 1), tonight + 1)}
    begin = _day_number(max(oldest, FIRST_DAY))
    windows = []
    for day in range(begin, _day_number(upper) + 1):
        if day % nights in turns:
            lower = None if day == begin else EPOCH + day * DAY
            end = min(EPOCH + (day + 1) * DAY, upper)
            if lower is None or lower < end:
                windows.append(Window(lower, end))
    return joined(windows)


def has_a_turn(last: datetime | None, until: datetime) -> bool:
    """Whether any day may have its turn: on one day, nothing has it twice. last, until: see rotation."""
    return last is None or _day_number(last) < _day_number(until)


def before_months(oldest: datetime | None, upper: datetime) -> Window:
    """All before `upper` and before the months that `closed_months` gives."""
    return Window(None, upper if oldest is None else min(upper, _first_month(oldest)))


def closed_months(oldest: datetime | None, upper: datetime) -> list[Window]:
    """The UTC months from the one that holds `oldest` (or FIRST_DAY) to the last that ends at or before `upper`."""
    if oldest is None:
        return []
    months = []
    lower = _first_month(oldest)
    while lower < upper and (after := _next_month(lower)) <= upper:
        months.append(Window(lower, after))
        lower = after
    return months


def joined(windows: Iterable[Window]) -> list[Window]:
    """Windows that touch made one."""
    whole: list[Window] = []
    for window in windows:
        if whole and whole[-1].upper is not None and whole[-1].upper == window.lower:
            whole[-1] = Window(whole[-1].lower, window.upper)
        else:
            whole.append(window)
    return whole


def _first_month(oldest: datetime) -> datetime:
    return max(oldest, FIRST_DAY).astimezone(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def _next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def _day_number(instant: datetime) -> int:
    return (instant - EPOCH) // DAY
