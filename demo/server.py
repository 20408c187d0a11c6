"""The thin HTTP shell around the tenant: sockets, Content-Length, keep-alive, and a Date that shows the tenant's clock.

aiohttp's low-level server: measured, it answers several times the pages that the tenant must serve on one core, so
nothing leaner is worth its own HTTP code (docs/demo-tenant.md).
Does not belong here: any decision about an answer (tenant.py).
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from email.utils import formatdate

from aiohttp import web

from demo.answers import Reply
from demo.clock import Clock
from demo.tenant import Tenant


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
        reply = tenant.respond(request.method, path, query, headers, body)
        return _response(reply, clock)

    runner = web.ServerRunner(web.Server(answer, access_log=None))
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, shutdown_timeout=1)
        await site.start()
        ready(runner.addresses[0][1])
        await stop.wait()
    finally:
        await runner.cleanup()


def _response(reply: Reply, clock: Clock) -> web.Response:
    headers = {**reply.headers, "Date": formatdate(clock.now_ms() / 1000, usegmt=True), "Server": "chargelake-demo"}
    return web.Response(status=reply.status, body=reply.body, headers=headers)
