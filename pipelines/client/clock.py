"""What time it is, for everything in the client, so that a simulation can say it instead.

Does not belong here: waiting (a `sleep` is handed in beside the clock) and the API's own clock
(that is `Answer.api_date`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Protocol

Sleep = Callable[[float], Awaitable[None]]


class Clock(Protocol):
    """Two readings of one time."""

    def monotonic(self) -> float:
        """Seconds since any fixed instant; never goes back."""
        ...

    def utc_now(self) -> datetime:
        """The wall clock, with time zone UTC; may jump."""
        ...


class SystemClock:
    """The machine's clock."""

    def monotonic(self) -> float:
        return time.monotonic()

    def utc_now(self) -> datetime:
        return datetime.now(UTC)


SYSTEM_CLOCK = SystemClock()


async def system_sleep(seconds: float) -> None:
    """Wait on the running event loop."""
    await asyncio.sleep(seconds)
