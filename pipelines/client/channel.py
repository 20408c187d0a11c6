"""One request in its turn: gate, exchange, counting, and what an overload does to the shared pace.

Does not belong here: tries, tokens, and the meaning of a good answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.client.answer import Counters
from pipelines.client.clock import Clock, Sleep
from pipelines.client.faults import Fault
from pipelines.client.gate import Gate
from pipelines.client.judge import fault_of_status
from pipelines.client.transport import Headers, Reply, Transport, exchange


@dataclass(frozen=True, slots=True)
class Exchange:
    """A reply that is neither 429 nor 5xx, and when it was asked for and there (UTC)."""

    reply: Reply
    asked_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Channel:
    """The way to one API."""

    transport: Transport
    gate: Gate
    clock: Clock
    sleep: Sleep
    counters: Counters
    timeout_seconds: float
    max_bytes: int

    async def send(
        self, method: str, url: str, headers: Callable[[], Headers | None], content: bytes = b""
    ) -> Exchange | None:
        """Wait for a turn, then ask once.

        headers: called when the turn has come; where it returns None, the turn is not taken, and None returned.
        Raises Fault or TooLarge.
        """
        ready: Headers | None = None

        def make_ready() -> bool:
            nonlocal ready
            ready = headers()
            return ready is not None

        turn = await self.gate.enter(self.sleep, make_ready)
        if turn is None or ready is None:
            return None
        try:
            asked_at = self.clock.utc_now()
            self.counters.requests += 1
            try:
                reply = await exchange(
                    self.transport,
                    method,
                    url,
                    ready,
                    content,
                    timeout_seconds=self.timeout_seconds,
                    max_bytes=self.max_bytes,
                )
            except Fault as fault:
                self._slow_down(turn, fault)
                raise
            self.counters.bytes_received += reply.wire_bytes
            # measured on the clock that never goes back, so that it is never before asked_at
            received_at = asked_at + timedelta(seconds=self.clock.monotonic() - turn)
            met = fault_of_status(reply, received_at)
            if met is not None:
                self._slow_down(turn, met)
                raise met
            self.gate.answered(turn)
            return Exchange(reply, asked_at, received_at)
        finally:
            self.gate.leave()

    def _slow_down(self, turn: float, fault: Fault) -> None:
        if fault.shrink is not None:
            self.counters.throttles += 1
        if fault.shrink is not None or fault.pause_seconds is not None:
            self.gate.overloaded(turn, fault.shrink, fault.pause_seconds)
