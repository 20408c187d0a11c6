"""The tenant's clock: what it shows, and how it is moved.

Moments are epoch milliseconds, UTC. A clock never goes back.
Does not belong here: where its state is kept (state.py), what depends on it (demo/world).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol


class Clock(Protocol):
    """What the tenant needs of a clock, so that a simulation can bring its own."""

    def now_ms(self) -> int: ...

    def advance_to(self, instant_ms: int) -> None:
        """Show at least this moment from now on; an earlier one changes nothing."""
        ...


class StillClock:
    """Stands until it is moved."""

    def __init__(self, instant_ms: int) -> None:
        self._now_ms = instant_ms

    def now_ms(self) -> int:
        return self._now_ms

    def advance_to(self, instant_ms: int) -> None:
        self._now_ms = max(self._now_ms, instant_ms)


class TickingClock:
    """Runs with real time from a start, plus what it was advanced.

    start_ms: what it showed when it was first started. elapsed_ms: real time since then, counted on while the server
    was down. advanced: told the new sum of advances after each.
    """

    def __init__(
        self,
        start_ms: int,
        *,
        elapsed_ms: int = 0,
        advanced_ms: int = 0,
        advanced: Callable[[int], None] = lambda _advanced_ms: None,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._start_ms = start_ms + max(elapsed_ms, 0)
        self._advanced_ms = advanced_ms
        self._advanced = advanced
        self._monotonic_ns = monotonic_ns
        self._started_ns = monotonic_ns()

    def now_ms(self) -> int:
        return self._start_ms + self._advanced_ms + (self._monotonic_ns() - self._started_ns) // 1_000_000

    def advance_to(self, instant_ms: int) -> None:
        missing_ms = instant_ms - self.now_ms()
        if missing_ms > 0:
            self._advanced(self._advanced_ms + missing_ms)
            self._advanced_ms += missing_ms
