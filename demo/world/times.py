"""Moments: the whole-week move from the source's time to the tenant's, and how instants are written.

Wall-clock times and weekdays are kept: the local time in Oslo moves, and only then becomes an instant.
Instants are epoch milliseconds, UTC. Does not belong here: whose clock it is (demo/clock.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import cache
from zoneinfo import ZoneInfo

OSLO = ZoneInfo("Europe/Oslo")
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def to_ms(instant: datetime) -> int:
    """Epoch milliseconds of an aware moment, cut."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_ms(instant_ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=instant_ms)


def local(instant_ms: int) -> datetime:
    """The wall clock in Oslo."""
    return from_ms(instant_ms).astimezone(OSLO)


def iso(instant_ms: int) -> str:
    """The API's only form, `yyyy-MM-ddTHH:mm:ss.fffZ`. Hours are kept: many rows are of the same ones."""
    hour, rest = divmod(instant_ms, HOUR_MS)
    if not rest:
        return _hour_text(hour) + ":00:00.000Z"
    minute, rest = divmod(rest, MINUTE_MS)
    second, millisecond = divmod(rest, SECOND_MS)
    return f"{_hour_text(hour)}:{minute:02d}:{second:02d}.{millisecond:03d}Z"


@cache
def _hour_text(hour: int) -> str:
    """An hour since the epoch as `yyyy-MM-ddTHH`."""
    return from_ms(hour * HOUR_MS).replace(tzinfo=None).isoformat(timespec="hours")


def wall_ms(wall: datetime) -> int:
    """The instant at which clocks in Oslo show `wall` (naive).

    Of two such instants in autumn the first; a time that spring skips counts from the hour before it.
    """
    return to_ms(wall.replace(tzinfo=OSLO))


@dataclass(frozen=True, slots=True)
class Shift:
    """A move by whole weeks."""

    weeks: int

    def to_ms(self, wall: datetime) -> int:
        """The tenant's instant of a naive wall-clock time of the source."""
        return wall_ms(wall + timedelta(weeks=self.weeks))


def latest_shift(last_moment: datetime, not_after_ms: int) -> Shift:
    """The largest move after which the naive wall-clock time `last_moment` is not after the given instant."""
    weeks = (local(not_after_ms).replace(tzinfo=None) - last_moment) // timedelta(weeks=1) + 1
    while Shift(weeks).to_ms(last_moment) > not_after_ms:
        weeks -= 1
    return Shift(weeks)
