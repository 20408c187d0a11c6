"""The same client on an in-process transport and a virtual clock: no network, no waiting, the same run each time."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
from support.http import PAGE, sync_settings

from pipelines.client import open_client
from pipelines.settings import ApiSettings

API = ApiSettings.model_validate(
    {
        "base_url": "https://tenant.example/api/v2",
        "token_url": "https://login.example/oauth/token",
        "audience": "a",
        "client_id": "b",
        "client_secret": "c",
        "api_key": "d",
    }
)


class World(httpx.AsyncBaseTransport):
    """A tenant behind a link of chance, and the clock by which it lives: time passes when nothing else can happen."""

    def __init__(self, seed: int) -> None:
        self.seconds = 0.0
        self.chance = random.Random(seed)
        self.log: list[tuple[float, str]] = []
        self._timers: list[tuple[float, asyncio.Future[None]]] = []
        self.closed = False

    def monotonic(self) -> float:
        return self.seconds

    def utc_now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.seconds)

    async def sleep(self, seconds: float) -> None:
        timer = asyncio.get_running_loop().create_future()
        self._timers.append((self.seconds + seconds, timer))
        await timer

    async def run(self, jobs: asyncio.Future[object]) -> None:
        while not jobs.done():
            for _ in range(20):  # let everybody come to rest
                await asyncio.sleep(0)
            if self._timers:
                self._timers.sort(key=lambda timer: timer[0])
                at, timer = self._timers.pop(0)
                self.seconds = max(self.seconds, at)
                if not timer.done():
                    timer.set_result(None)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.log.append((self.seconds, request.url.host))
        await self.sleep(self.chance.uniform(0.05, 0.2))
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 20})
        luck = self.chance.random()
        if luck < 0.05:
            raise httpx.ConnectError("cut")
        if luck < 0.1:
            return httpx.Response(504)
        if luck < 0.12:
            return httpx.Response(429, headers={"Retry-After": "3"})
        return httpx.Response(200, json=PAGE)

    async def aclose(self) -> None:
        self.closed = True


async def play(seed: int) -> tuple[list[tuple[float, str]], list[datetime], float]:
    world = World(seed)
    sync = sync_settings(max_requests_per_second=20, max_concurrency=6, max_tries=12)
    opening = {"transport": world, "clock": world, "sleep": world.sleep, "rng": random.Random(seed)}
    async with open_client(API, sync, **opening) as client:
        jobs = asyncio.gather(*(client.get("/users") for _ in range(400)))
        await world.run(jobs)
        answers = await jobs
        assert all(answer.data == PAGE and json.loads(answer.body) == PAGE for answer in answers)
        assert client.counters.requests == len(world.log)
    assert not world.closed  # who opens a transport closes it
    return world.log, [answer.asked_at for answer in answers], world.seconds


async def test_a_simulated_night_keeps_the_limits_and_is_the_same_each_time() -> None:
    first, again, other = await play(1), await play(1), await play(2)
    assert first == again
    assert first != other
    starts = [at for at, _ in first[0]]
    for start in starts:
        assert sum(1 for at in starts if start <= at < start + 1) <= 20
    token_calls = [at for at, host in first[0] if host == "login.example"]
    assert first[2] / 20 <= len(token_calls) <= first[2] / 16 + 2  # renewed at 80 % of its 20 s, never twice
    # a Retry-After of 3 s stops everybody; a stale token does not: the long line must not use up its turns on that
    assert max(later - at for at, later in pairwise(starts)) < 3 + 2
