"""The clock that stamps what was read: never goes back, and never gives one instant twice.

Does not belong here: the API's clock, which only ends windows (run.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta

TICK = timedelta(microseconds=1)


class ReadClock:
    """Read times for one table, each later than all that the table holds.

    newest: the table's greatest `_synced_at`; a local clock that was set back continues from there.
    """

    def __init__(self, newest: datetime | None) -> None:
        self._last = newest

    def stamp(self, received_at: datetime) -> datetime:
        """`received_at`, or the smallest instant after the last stamp if that is later."""
        if self._last is not None and received_at <= self._last:
            received_at = self._last + TICK
        self._last = received_at
        return received_at

    @property
    def last(self) -> datetime | None:
        """The newest stamp. What is asked from now on is answered later."""
        return self._last
