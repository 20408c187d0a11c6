"""The same work for many things, a few at a time.

Does not belong here: pieces that must come in an order (history.py), limits of requests (pipelines/client).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

T = TypeVar("T")


async def each_at_once(
    things: Iterable[T], do: Callable[[T], Awaitable[None]], most: int, goes_on: Callable[[], bool] = lambda: True
) -> None:
    """`do` each of these, at most so many at once; no further one is begun once `goes_on` says no.

    The first exception of any ends all of it, and is raised when none is at work any more.
    """
    waiting = iter(things)

    async def work() -> None:
        for thing in waiting:
            if not goes_on():
                return
            await do(thing)

    workers = [asyncio.ensure_future(work()) for _ in range(most)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
