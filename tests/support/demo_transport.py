"""The demo tenant as an HTTP transport in this process: what a client meets on a socket, without one.

Answers are those that the server would send, faults included: a connection that breaks off is raised as what the real
transport raises, and waiting is done by a sleep that is handed in, so that a simulation's clock decides.
Does not belong here: the faults themselves (demo/faults).
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime

import aiohttp
import httpx
from httpx_aiohttp.transport import map_aiohttp_exceptions

from demo.clock import Clock
from demo.faults.model import Served
from demo.server import headers_of
from demo.tenant import Tenant
from demo.world.times import from_ms

ADDRESS = "https://tenant.example"


class VirtualTime:
    """Time that passes only when somebody waits: the clock and the sleep of a client, and the tenant's own clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._begun_ms = clock.now_ms()
        self._seconds = 0.0

    def monotonic(self) -> float:
        return self._seconds

    def utc_now(self) -> datetime:
        return from_ms(self._clock.now_ms())

    async def sleep(self, seconds: float) -> None:
        self._seconds += seconds
        self._clock.advance_to(self._begun_ms + int(self._seconds * 1000))
        await asyncio.sleep(0)


class DemoTransport(httpx.AsyncBaseTransport):
    """sleep: how to wait, in seconds. gives_up_seconds: after that a slow answer is a timeout, as the client's own would
    be; None: never. before_each: called before each request, for a scheduler of other things.
    """

    def __init__(
        self,
        tenant: Tenant,
        clock: Clock,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        gives_up_seconds: float | None = None,
        before_each: Callable[[httpx.Request], None] = lambda _request: None,
    ) -> None:
        self._tenant = tenant
        self._clock = clock
        self._sleep = sleep
        self._gives_up_seconds = gives_up_seconds
        self._before_each = before_each

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._before_each(request)
        path, _, query = request.url.raw_path.decode("ascii").partition("?")
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in request.headers.raw}
        served = self._tenant.exchange(request.method, path, query, headers, await request.aread())
        if served.delay_seconds:
            await self._wait(served.delay_seconds)
        if served.ending is not None and served.sent is None:
            with map_aiohttp_exceptions():
                raise aiohttp.ClientOSError(errno.ECONNRESET, "Connection reset by peer")
        reply = served.reply
        told = {**headers_of(reply, self._clock), "Content-Length": str(len(reply.body))}
        return httpx.Response(reply.status, headers=told, stream=_Body(served), request=request)

    async def _wait(self, seconds: float) -> None:
        if self._gives_up_seconds is not None and seconds >= self._gives_up_seconds:
            await self._sleep(self._gives_up_seconds)
            with map_aiohttp_exceptions():
                raise aiohttp.SocketTimeoutError("Timeout on reading data from socket")
        await self._sleep(seconds)


class _Body(httpx.AsyncByteStream):
    def __init__(self, served: Served) -> None:
        self._served = served

    async def __aiter__(self) -> AsyncIterator[bytes]:
        reply, sent, ending = self._served.reply, self._served.sent, self._served.ending
        part = reply.body[:sent]
        if part:
            yield part
        if ending is not None:
            with map_aiohttp_exceptions():
                raise aiohttp.ClientPayloadError("Response payload is not completed")
