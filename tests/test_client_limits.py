"""Rate and concurrency, as the server sees them: over clients, event loops and threads."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.http import SILENCE, Say, Server, api_settings, no_sleep, serving, sync_settings

from pipelines.client import ApiClient, Shared, open_client
from pipelines.client.clock import SYSTEM_CLOCK
from pipelines.client.gate import Gate
from pipelines.client.pace import Limits


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


def assert_never_faster(server: Server, rate: float) -> None:
    """The whole run exactly; single seconds with what a busy machine may bunch between client and server."""
    assert server.rate_seen() <= rate * 1.01
    assert server.most_in_a_second() <= rate * 1.25


async def test_concurrency_is_never_exceeded(server: Server) -> None:
    server.otherwise = Say(delay=0.02)
    async with open_client(
        api_settings(server), sync_settings(max_concurrency=5), shared=Shared(SYSTEM_CLOCK)
    ) as client:
        await asyncio.gather(*(client.get("/users") for _ in range(60)))
    assert server.most_in_flight == 5  # and it is used to the full


async def test_the_rate_is_never_exceeded(server: Server) -> None:
    api, sync = api_settings(server), sync_settings(max_requests_per_second=200, max_concurrency=64)
    async with open_client(api, sync, shared=Shared(SYSTEM_CLOCK)) as client:
        await asyncio.gather(*(client.get("/users") for _ in range(300)))
    assert_never_faster(server, 200)


async def test_the_rate_holds_when_every_request_fails(server: Server) -> None:
    server.script.extend([SILENCE, Say(500), Say(cut_after=3)] * 25)
    api, sync = api_settings(server), sync_settings(max_requests_per_second=100, max_tries=20)
    async with open_client(api, sync, shared=Shared(SYSTEM_CLOCK), rng=NoJitter()) as client:
        await asyncio.gather(*(client.get("/users") for _ in range(30)))
        assert client.counters.requests == len(server.seen) == 30 + 75 + 1
        assert client.counters.retries == 75
    assert_never_faster(server, 100)


class NoJitter(random.Random):
    """Chance that always says: at once."""

    def uniform(self, a: float, b: float) -> float:
        return 0.0


async def test_several_threads_and_loops_share_the_limits(server: Server) -> None:
    server.otherwise = Say(delay=0.01)
    shared = Shared(SYSTEM_CLOCK)
    api, sync = api_settings(server), sync_settings(max_requests_per_second=150, max_concurrency=3)

    async def step() -> None:
        async with open_client(api, sync, shared=shared) as client:
            await asyncio.gather(*(client.get("/users") for _ in range(20)))

    with ThreadPoolExecutor(6) as pool:
        loop = asyncio.get_running_loop()
        await asyncio.gather(*(loop.run_in_executor(pool, asyncio.run, step()) for _ in range(6)))
        await loop.run_in_executor(pool, asyncio.run, step())  # and one after the others are gone
    assert len(server.gets) == 7 * 20
    assert len(server.token_calls) == 1
    assert server.most_in_flight <= 3
    assert_never_faster(server, 150)


async def test_the_tightest_of_several_settings_holds(server: Server) -> None:
    server.otherwise = Say(delay=0.01)
    shared = Shared(SYSTEM_CLOCK)
    async with open_client(api_settings(server), sync_settings(max_concurrency=9), shared=shared) as wide:
        async with open_client(api_settings(server), sync_settings(max_concurrency=2), shared=shared):
            await asyncio.gather(*(wide.get("/users") for _ in range(20)))
        assert server.most_in_flight == 2
        await asyncio.gather(*(wide.get("/users") for _ in range(40)))
        assert server.most_in_flight == 9


@pytest.mark.parametrize(("status", "share"), [(429, 0.5), (504, 0.75)])
async def test_an_overload_shrinks_what_the_server_sees(server: Server, status: int, share: float) -> None:
    server.otherwise = Say(delay=0.02)
    api = api_settings(server)
    sync = sync_settings(max_requests_per_second=400, max_concurrency=8)
    async with open_client(api, sync, shared=Shared(SYSTEM_CLOCK), rng=NoJitter()) as client:
        await client.get("/users")
        server.script.extend([Say(status, delay=0.02)] * 8)
        await asyncio.gather(*(client.get("/users") for _ in range(8)))
        pace = client.pace()
        assert client.counters.throttles == 8  # one wave of eight, one step down
        assert share <= pace.share < share + 0.03
        assert pace.requests_per_second == 400 * pace.share
        server.most_in_flight = 0
        await asyncio.gather(*(client.get("/users") for _ in range(20)))
        assert server.most_in_flight == pace.concurrency < 8


async def test_the_pace_recovers_but_not_at_once(server: Server) -> None:
    async with open_client(
        api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        server.script.append(Say(429))
        await client.get("/users")
        assert client.pace().share < 0.51
        for _ in range(100):
            await client.get("/users")
        assert 0.8 < client.pace().share < 0.85
        for _ in range(60):
            await client.get("/users")
        assert client.pace().share == 1


async def test_what_was_learnt_outlives_a_client(server: Server) -> None:
    shared = Shared(SYSTEM_CLOCK)
    server.script.append(Say(429))
    async with open_client(api_settings(server), sync_settings(), sleep=no_sleep, shared=shared) as client:
        await client.get("/users")
    async with open_client(api_settings(server), sync_settings(), sleep=no_sleep, shared=shared) as client:
        assert client.pace().share < 0.6


async def test_a_process_shares_by_default_and_a_simulation_does_not(server: Server) -> None:
    async with (
        open_client(api_settings(server), sync_settings()) as first,
        open_client(api_settings(server), sync_settings()) as second,
        open_client(api_settings(server), sync_settings(), clock=StillClock()) as simulated,
    ):
        assert gate_of(first) is gate_of(second)
        assert gate_of(first) is not gate_of(simulated)


def gate_of(client: ApiClient) -> Gate:
    return client._channel.gate


class StillClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = 50.0

    def monotonic(self) -> float:
        return self.seconds

    def utc_now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.seconds)


async def test_cancelled_requests_give_everything_back(server: Server) -> None:
    server.otherwise = Say(delay=0.05)
    api, sync = api_settings(server), sync_settings(max_concurrency=2, max_requests_per_second=100)
    async with open_client(api, sync, shared=Shared(SYSTEM_CLOCK)) as client:
        await client.get("/users")
        tasks = [asyncio.create_task(client.get("/users")) for _ in range(30)]
        await asyncio.sleep(0.08)
        assert client.pace().waiting > 0
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert (client.pace().in_flight, client.pace().waiting) == (0, 0)
        await asyncio.sleep(0.1)  # the server is still busy with what was cancelled
        server.most_in_flight = 0
        await asyncio.gather(*(client.get("/users") for _ in range(4)))
    assert server.most_in_flight == 2


plans = st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.booleans()), min_size=1, max_size=25)


@given(plans, st.integers(1, 4))
def test_the_gate_keeps_its_count_whatever_is_cancelled(plan: list[tuple[int, bool, bool]], most: int) -> None:
    """Turns are first come first served, never more than allowed, and all come back."""

    async def play() -> None:
        gate = Gate(SYSTEM_CLOCK)
        inside, order = 0, []

        async def visit(number: int, steps: int) -> None:
            nonlocal inside
            await gate.enter(no_sleep)
            inside += 1
            order.append(number)
            assert inside <= most
            try:
                for _ in range(steps):
                    await asyncio.sleep(0)
            finally:
                inside -= 1
                gate.leave()

        with gate.member(Limits(1e9, most)):
            tasks = []
            for number, (steps, pause, cancel) in enumerate(plan):
                tasks.append(asyncio.create_task(visit(number, steps)))
                if pause:
                    await asyncio.sleep(0)
                if cancel:
                    tasks[number // 2].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for task in tasks:
                assert task.cancelled() or task.exception() is None
            assert order == sorted(order)
            assert (gate.now().in_flight, gate.now().waiting) == (0, 0)

    asyncio.run(asyncio.wait_for(play(), 10))


def test_a_loop_that_died_while_waiting_does_not_block_the_line() -> None:
    gate = Gate(SYSTEM_CLOCK)
    with gate.member(Limits(1e9, 1)):
        dead = asyncio.new_event_loop()
        assert dead.run_until_complete(gate.enter(no_sleep)) is not None
        abandoned = dead.create_task(gate.enter(no_sleep))
        dead.run_until_complete(asyncio.sleep(0))
        dead.close()

        async def alive() -> float | None:
            entering = asyncio.create_task(gate.enter(no_sleep))
            await asyncio.sleep(0)
            gate.leave()
            return await asyncio.wait_for(entering, 5)

        assert asyncio.run(alive()) is not None
        abandoned.get_coro().close()
        abandoned._log_destroy_pending = False
