"""When to ask again: exponential back-off with full jitter, each request with a bound.

Does not belong here: the shared pace (pace.py), which slows everybody and obeys Retry-After; this only spaces
one request's tries.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt

from pipelines.client.clock import Sleep
from pipelines.client.faults import Fault

Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)

FIRST_BACKOFF_SECONDS = 0.5
LONGEST_BACKOFF_SECONDS = 30.0


def backoff_seconds(tries: int, rng: random.Random) -> float:
    """Full jitter: anything between nothing and a bound that doubles with each failed try (tries >= 1)."""
    bound = min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2 ** (tries - 1))
    return rng.uniform(0, bound)


class Retrying:
    """Runs one try after the other until one succeeds or the bound is met."""

    def __init__(self, max_tries: int, sleep: Sleep, rng: random.Random, before_retry: Callable[[], None]) -> None:
        self.max_tries = max_tries
        self._rng = rng
        self._before_retry = before_retry
        self._loop = AsyncRetrying(
            sleep=sleep,
            stop=stop_after_attempt(max_tries),
            wait=self._wait,
            retry=retry_if_exception_type(Fault),
            before_sleep=self._count,
            reraise=True,
        )

    async def run(self, what: str, one_try: Callable[[str], Awaitable[Result]]) -> Result:
        """The result of the first try without a Fault.

        what: names the request, for the log and for `one_try`.
        Raises the last Fault, or whatever else a try raised.
        """
        try:
            return await one_try(what)
        except Fault as fault:
            failed = [fault]

        async def first_failed(again: str) -> Result:
            """The loop's first try is the one that was made already: most requests need no loop."""
            if failed:
                raise failed.pop()
            return await one_try(again)

        return await self._loop.copy()(first_failed, what)

    def _wait(self, state: RetryCallState) -> float:
        return backoff_seconds(state.attempt_number, self._rng)

    def _count(self, state: RetryCallState) -> None:
        self._before_retry()
        fault = state.outcome.exception() if state.outcome else None
        _LOG.info(
            "%s: %s; try %d of %d in %.1f s",
            state.args[0],
            fault,
            state.attempt_number + 1,
            self.max_tries,
            state.upcoming_sleep,
        )
