"""Waiting for one's turn: rate and concurrency for the whole process.

A gate is shared by every client that talks to the same API, from whatever thread or event loop (Dagster
runs steps in threads, each with a loop of its own). Waiters stand in one line, first come first served;
only the first one watches the clock. Does not belong here: the arithmetic (pace.py).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipelines.client.clock import Clock, Sleep
from pipelines.client.pace import Limits, Pace


@dataclass(frozen=True, slots=True)
class PaceNow:
    """How fast we go at this moment, for a progress line.

    share: of the configured limits, 1 when nothing slowed us down.
    hold_seconds: how long the API still asked us to be silent.
    """

    requests_per_second: float
    concurrency: int
    in_flight: int
    waiting: int
    share: float
    hold_seconds: float


class _Waiter:
    """One coroutine in the line, and how to wake it from any thread."""

    __slots__ = ("_event", "_loop")

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()

    def nap(self) -> None:
        self._event.clear()

    async def woken(self) -> None:
        await self._event.wait()

    def wake(self) -> bool:
        """False when nobody will ever wake there, because that event loop is gone."""
        try:
            if asyncio.get_running_loop() is self._loop:
                self._event.set()
            else:
                self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:
            return False
        return True


class Gate:
    """The one door to one API. Every method may be called from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._line: deque[_Waiter] = deque()
        self._members: list[Limits] = []
        self._pace: Pace | None = None
        self._in_flight = 0

    @contextmanager
    def member(self, limits: Limits) -> Iterator[None]:
        """Hold to these limits too while the context lasts; what was learnt about the API outlives it."""
        with self._lock:
            self._members.append(limits)
            self._set_limits()
        try:
            yield
        finally:
            with self._lock:
                self._members.remove(limits)
                self._set_limits()

    def _set_limits(self) -> None:
        if not self._members:
            return
        tightest = self._members[0]
        for limits in self._members[1:]:
            tightest = tightest.tighter(limits)
        if self._pace is None:
            self._pace = Pace(tightest)
        self._pace.limits = tightest

    def _known_pace(self) -> Pace:
        if self._pace is None:
            raise RuntimeError("a gate was used outside of member()")
        return self._pace

    async def enter(self, sleep: Sleep, ready: Callable[[], bool] = lambda: True) -> float | None:
        """Wait until a request may start, and book it; returns the instant (monotonic seconds).

        ready: asked when one stands first. Who is not ready (a token went stale meanwhile) is sent away
        with None and books nothing; else a long line would use up its turns before the token's own came.
        Whoever enters must leave.
        """
        with self._lock:
            now = self._clock.monotonic()
            if not self._line:
                if not ready():
                    return None
                if self._try_start(now) == 0.0:
                    return now
            waiter = _Waiter()
            self._line.append(waiter)
        try:
            while True:
                with self._lock:
                    now = self._clock.monotonic()
                    wait = None
                    if self._line[0] is waiter:
                        if not ready():
                            return None
                        wait = self._try_start(now)
                    if wait == 0.0:
                        return now
                    waiter.nap()
                if wait is None:
                    await waiter.woken()
                else:
                    await sleep(wait)
        finally:
            with self._lock:
                if waiter in self._line:
                    self._line.remove(waiter)
                self._wake_first()

    def _try_start(self, now: float) -> float | None:
        """Start now (0), or say how long the pace wants to wait, or None: until somebody leaves."""
        pace = self._known_pace()
        if self._in_flight >= pace.concurrency:
            return None
        wait = pace.seconds_to_wait(now)
        if wait == 0.0:
            pace.start(now)
            self._in_flight += 1
        return wait

    def _wake_first(self) -> None:
        while self._line and not self._line[0].wake():
            self._line.popleft()

    def leave(self) -> None:
        """The request that entered is over, however it ended."""
        with self._lock:
            self._in_flight -= 1
            self._wake_first()

    def answered(self, asked_at: float) -> None:
        """A request that entered at `asked_at` was answered well."""
        pace = self._known_pace()
        if pace.share < 1.0:
            with self._lock:
                pace.recover(asked_at)

    def overloaded(self, asked_at: float, factor: float | None, hold_seconds: float | None) -> None:
        """A request that entered at `asked_at` met an overload, or was told to wait."""
        with self._lock:
            now = self._clock.monotonic()
            if factor is not None:
                self._known_pace().shrink(now, asked_at, factor)
            if hold_seconds is not None:
                self._known_pace().hold(now, hold_seconds)

    def now(self) -> PaceNow:
        """How fast we go."""
        with self._lock:
            pace = self._known_pace()
            return PaceNow(
                requests_per_second=pace.requests_per_second,
                concurrency=pace.concurrency,
                in_flight=self._in_flight,
                waiting=len(self._line),
                share=pace.share,
                hold_seconds=pace.hold_seconds(self._clock.monotonic()),
            )
