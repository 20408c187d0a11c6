"""The same client and nothing else: asks, decodes, throws away. What no sync over this client can do without.

    python -m benchmarks.clients.bare sessions     # every page of the list, by number
    python -m benchmarks.clients.bare tariffs      # the list's pages, then, measured, one request for each session

Does not belong here: keeping anything.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from benchmarks.clients.taken import telling
from pipelines.client.answer import Api
from pipelines.client.client import open_client
from pipelines.settings import ApiSettings, SyncSettings, load

PAGE = "100"


async def main(work: str) -> None:
    sync = load(SyncSettings)
    async with open_client(load(ApiSettings), sync) as api:
        if work == "sessions":
            with telling() as told:
                told["rows"] = len(await _sessions(api, sync.max_concurrency, keep=False))
        else:
            sessions = await _sessions(api, sync.max_concurrency, keep=True)
            paths = [f"/users/{one['userId']}/sessions/{one['id']}/tariffs" for one in sessions]
            with telling() as told:
                told["rows"] = sum(await _at_once(sync.max_concurrency, paths, lambda path: _count(api, path)))


async def _sessions(api: Api, concurrency: int, *, keep: bool) -> list[Any]:
    first = (await api.get("/sessions", {"pageSize": PAGE, "pageIndex": "1"})).data
    found: list[Any] = [item if keep else None for item in first["items"]]

    async def page(number: str) -> list[Any]:
        items = (await api.get("/sessions", {"pageSize": PAGE, "pageIndex": number})).data["items"]
        return list(items) if keep else [None] * len(items)

    for items in await _at_once(concurrency, [str(n) for n in range(2, first["totalPages"] + 1)], page):
        found += items
    return found


async def _count(api: Api, path: str) -> int:
    return len((await api.get(path)).data)


async def _at_once(workers: int, orders: Sequence[str], done: Any) -> list[Any]:
    waiting = iter(orders)

    async def work() -> list[Any]:
        return [await done(order) for order in waiting]

    return [result for part in await asyncio.gather(*(work() for _ in range(workers))) for result in part]


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
