"""How fast we may ask: pure arithmetic over instants that the caller names.

One number, the share (0 < share <= 1), says how much of the configured rate and concurrency is in use.
It is multiplied down when the API is overloaded (429, 504) and creeps up by a fixed step for every
good answer. Starts are spaced by the generic cell rate algorithm, so there are no bursts.

Does not belong here: waiting, locks, clocks (gate.py), and what an answer means (judge.py).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

SHRINK_ON_429 = 0.5
"""429 says that we ask too fast: half of the share is gone."""

SHRINK_ON_504 = 0.75
"""504 is documented as normal, so one costs less: 1 % of them cost next to nothing, with 5 % the share
settles near a quarter (RECOVERY_STEP / (0.05 * (1 - SHRINK_ON_504)))."""

RECOVERY_STEP = 1 / 300
"""What one good answer gives back: from half to full takes 150 of them."""

SLOWEST_REQUESTS_PER_SECOND = 1.0
"""Shrinking ends here, or at the configured rate where that is lower; only a hold stops everything."""

CATCH_UP_SECONDS = 0.01
"""A start that comes late because a timer fired late may be made up for, up to this much.

Starts are spaced as much wider as this allows, so that in no second there are more of them than configured.
"""

_SOON_ENOUGH_SECONDS = 1e-6
"""Near the grain of a clock's float: a clock that moves only by sleeping might not move for less."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What was configured: the most that this process may ever do."""

    requests_per_second: float
    concurrency: int

    def tighter(self, other: Limits) -> Limits:
        """Limits that hold both."""
        return Limits(
            min(self.requests_per_second, other.requests_per_second), min(self.concurrency, other.concurrency)
        )


class Pace:
    """Rate and concurrency at one instant. All times are seconds on one monotonic clock."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.share = 1.0
        self._next_start = -math.inf
        self._held_until = -math.inf
        self._shrunk_at = -math.inf

    @property
    def requests_per_second(self) -> float:
        """The rate in use, never above the configured one."""
        return self.limits.requests_per_second * self.share

    @property
    def concurrency(self) -> int:
        """How many requests may be in flight: at least 1, never above the configured number."""
        return math.ceil(self.limits.concurrency * self.share)

    def seconds_to_wait(self, now: float) -> float:
        """0 when a request may start at `now`, else how long until one may."""
        wait = max(self._next_start, self._held_until) - now
        return wait if wait > _SOON_ENOUGH_SECONDS else 0.0

    def start(self, now: float) -> None:
        """Book a request that starts at `now`, when nothing was left to wait."""
        spacing = (1 + CATCH_UP_SECONDS) / self.requests_per_second
        self._next_start = max(self._next_start, now - CATCH_UP_SECONDS) + spacing

    def hold(self, now: float, seconds: float) -> None:
        """Start nothing for so long (Retry-After). A longer hold stays."""
        self._held_until = max(self._held_until, now + seconds)

    def hold_seconds(self, now: float) -> float:
        """How long a hold still lasts, 0 when there is none."""
        return max(0.0, self._held_until - now)

    def shrink(self, now: float, asked_at: float, factor: float) -> None:
        """Slow down, because a request that started at `asked_at` met an overload.

        Once per overload: requests already on their way when the pace shrank say nothing about the new pace.
        """
        if asked_at <= self._shrunk_at:
            return
        self._shrunk_at = now
        slowest = min(1.0, SLOWEST_REQUESTS_PER_SECOND / self.limits.requests_per_second)
        self.share = max(slowest, self.share * factor)
        self._next_start = max(self._next_start, now + 1 / self.requests_per_second)

    def recover(self, asked_at: float) -> None:
        """A request that started at `asked_at` was answered well; it counts if the present pace sent it."""
        if asked_at > self._shrunk_at:
            self.share = min(1.0, self.share + RECOVERY_STEP)
