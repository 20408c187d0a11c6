"""The thin HTTP shell around the tenant: sockets, Content-Length, keep-alive, and a Date that shows the tenant's clock.

aiohttp's low-level server: measured, it answers several times the pages that the tenant must serve on one core, so
nothing leaner is worth its own HTTP code (docs/demo-tenant.md).
Does not belong here: any decision about an answer (tenant.py).
"""

from __future__ import annotations

import asyncio
import signal
import socket
import struct
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

from demo.answers import Reply
from demo.clock import Clock
from demo.faults.model import Ending, Served
from demo.tenant import Tenant

ON_ITS_WAY_SECONDS = 0.02


async def run_server(tenant: Tenant, clock: Clock, host: str, port: int, ready: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT. ready: told the port when requests are accepted.

    Raises OSError where the port cannot be had.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        path, _, query = request.raw_path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        served = tenant.exchange(request.method, path, query, headers, body)
        if served.delay_seconds:
            await asyncio.sleep(served.delay_seconds)
        if served.ending is not None:
            return await _broken_off(request, served, headers_of(served.reply, clock))
        return web.Response(status=served.reply.status, body=served.reply.body, headers=headers_of(served.reply, clock))

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, shutdown_timeout=1)
        await site.start()
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()


def headers_of(reply: Reply, clock: Clock) -> dict[str, str]:
    """The headers of an answer besides Content-Length and Connection."""
    return {**reply.headers, "Date": formatdate(clock.now_ms() / 1000, usegmt=True), "Server": "chargelake-demo"}


async def _broken_off(request: web.BaseRequest, served: Served, headers: dict[str, str]) -> web.StreamResponse:
    """Send as much of an answer as is to arrive, and end the connection."""
    reply, transport = served.reply, request.transport
    response = web.StreamResponse(status=reply.status, headers={**headers, "Content-Length": str(len(reply.body))})
    if transport is None:
        return response
    if served.sent is not None:
        await response.prepare(request)
        await response.write(reply.body[: served.sent])
        # What is still on its way when a connection is reset never arrives.
        await asyncio.sleep(ON_ITS_WAY_SECONDS)
    if served.ending is Ending.RESET:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()
    return response
