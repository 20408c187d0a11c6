"""One token for everybody: fetched once, renewed once, before it expires or when it is refused."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.http import CLIENT_SECRET, PAGE, Say, Server, api_settings, no_sleep, serving, sync_settings

from pipelines.client import Shared, open_client
from pipelines.client.clock import SYSTEM_CLOCK
from pipelines.client.tokens import Token, TokenStore, lifetime_seconds
from pipelines.errors import ApiUnavailable, CredentialsRefused, UnexpectedAnswer


class MovedClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        return self.seconds

    def utc_now(self) -> datetime:
        return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


async def test_id_secret_and_audience_stand_in_the_form_and_nowhere_else(server: Server) -> None:
    async with open_client(api_settings(server), sync_settings(), shared=Shared(SYSTEM_CLOCK)) as client:
        await client.get("/users")
    (call,) = server.token_calls  # the server compares the form's values, this test where they stand
    assert call.headers["content-type"] == "application/x-www-form-urlencoded"
    assert call.target == "/oauth/token"
    assert "authorization" not in call.headers
    assert CLIENT_SECRET not in call.body.decode()  # it is encoded, since it holds every awkward character


async def test_fifty_waiting_requests_fetch_one_token_and_renew_it_once(server: Server) -> None:
    server.otherwise = Say(delay=0.02)
    api, sync = api_settings(server), sync_settings(max_concurrency=50)
    async with open_client(api, sync, sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
        await asyncio.gather(*(client.get("/users") for _ in range(50)))
        assert len(server.token_calls) == 1
        server.revoke()
        answers = await asyncio.gather(*(client.get("/users") for _ in range(50)))
        assert client.counters.requests == len(server.seen)
    assert len(server.token_calls) == 2
    assert all(answer.data == PAGE for answer in answers)


async def test_a_token_refused_after_it_was_replaced_costs_no_other_token(server: Server) -> None:
    server.otherwise = Say(delay=0.05)
    async with open_client(
        api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        await client.get("/users")
        used = client._tokens.fresh(0.0)
        assert used is not None
        server.revoke()
        early = asyncio.create_task(client.get("/users"))  # is refused at once
        async with asyncio.timeout(10):
            while client._tokens.fresh(0.0) in {None, used}:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.001)
        assert len(server.token_calls) == 2
        client._tokens.drop(used)  # as a request does that left with the old token and is refused late
        await early
        await client.get("/users")
    assert len(server.token_calls) == 2


async def test_a_token_that_dies_early_is_replaced_each_time(server: Server) -> None:
    server.uses_per_token = 3
    async with open_client(
        api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        for _ in range(9):
            assert (await client.get("/users")).data == PAGE
    assert len(server.token_calls) == 3
    assert len(server.gets) == 9 + 2


@pytest.mark.parametrize(
    ("expires_in", "still", "renewed"),
    [(3600, 3539, 3541), (10, 7.9, 8.1), ("100", 79, 81), (None, 1e9, None), (0, 1e9, None), ("soon", 1e9, None)],
)
async def test_a_token_is_renewed_before_it_expires(
    server: Server, expires_in: object, still: float, renewed: float | None
) -> None:
    server.expires_in = expires_in
    clock = MovedClock()
    async with open_client(api_settings(server), sync_settings(), clock=clock, sleep=no_sleep) as client:
        await client.get("/users")
        clock.seconds = still
        await client.get("/users")
        assert len(server.token_calls) == 1
        if renewed is not None:
            clock.seconds = renewed
            await client.get("/users")
            assert len(server.token_calls) == 2
            assert all(seen.headers["authorization"] for seen in server.gets)
            assert server.gets[-1].headers["authorization"] == "Bearer tokenvalue2"


@given(st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.lists(st.integers()))
def test_any_lifetime_makes_sense_or_is_endless(expires_in: object) -> None:
    seconds = lifetime_seconds(expires_in)
    assert seconds > 0
    if isinstance(expires_in, int) and not isinstance(expires_in, bool) and 0 < expires_in < 10**300:
        assert seconds == float(expires_in)


@pytest.mark.parametrize(
    "grant",
    [
        {},
        [],
        None,
        {"access_token": None},
        {"access_token": ""},
        {"access_token": "a b"},
        {"access_token": "a\r\nApiKey: x"},
        {"access_token": "tökén"},
        {"access_token": 5},
        {"access_token": "abc", "token_type": "mac"},
        {"access_token": "abc", "token_type": 1},
    ],
)
async def test_a_grant_without_a_bearer_token_is_final(server: Server, grant: object) -> None:
    server.token_script.append(Say(body=json.dumps(grant).encode()))
    async with open_client(
        api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        with pytest.raises(UnexpectedAnswer, match="SMART_CHARGING_TOKEN_URL"):
            await client.get("/users")
    assert len(server.seen) == 1


async def test_a_wrong_token_address_says_so(server: Server) -> None:
    for say in (Say(404, b"<html>"), Say(405, b"{}")):
        server.token_script.append(say)
        async with open_client(
            api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
        ) as client:
            with pytest.raises(UnexpectedAnswer, match=f"HTTP {say.status}.*SMART_CHARGING_TOKEN_URL"):
                await client.get("/users")


async def test_everyone_who_waits_hears_of_the_refusal(server: Server) -> None:
    server.token_script.append(Say(401, b"", delay=0.1))
    async with open_client(
        api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        results = await asyncio.gather(*(client.get("/users") for _ in range(20)), return_exceptions=True)
    assert all(isinstance(result, CredentialsRefused) for result in results)
    assert len({id(result) for result in results}) == 20  # an error that is raised twice mixes two tracebacks
    assert len(server.seen) == 1


async def test_another_takes_over_when_the_one_who_fetches_is_cancelled(server: Server) -> None:
    server.token_script.append(Say(delay=5))
    async with open_client(
        api_settings(server), sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        fetching = asyncio.create_task(client.get("/users"))
        async with asyncio.timeout(10):
            while not server.token_calls:  # noqa: ASYNC110 - what is waited for tells nobody
                await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(client.get("/users")) for _ in range(5)]
        await asyncio.sleep(0.02)
        waiting[0].cancel()
        fetching.cancel()
        results = await asyncio.gather(fetching, *waiting, return_exceptions=True)
        assert client.pace().in_flight == 0
    assert [isinstance(result, asyncio.CancelledError) for result in results] == [True, True] + [False] * 4
    assert len(server.token_calls) == 2


async def test_clients_one_after_another_and_at_once_share_the_token(server: Server) -> None:
    shared = Shared(SYSTEM_CLOCK)
    for _ in range(2):
        async with (
            open_client(api_settings(server), sync_settings(), shared=shared) as first,
            open_client(api_settings(server), sync_settings(), shared=shared) as second,
        ):
            await asyncio.gather(first.get("/users"), second.get("/users"))
    assert len(server.token_calls) == 1
    wrong = api_settings(server, client_secret="another")
    async with open_client(wrong, sync_settings(), shared=shared) as third:
        with pytest.raises(CredentialsRefused):
            await third.get("/users")


def test_threads_share_one_renewal() -> None:
    store, fetched = TokenStore(), []

    async def fetch() -> Token:
        fetched.append(threading.get_ident())
        await asyncio.sleep(0.05)
        return Token("t", b"Bearer t", math.inf)

    async def ensure_many() -> None:
        await asyncio.gather(*(store.ensure(lambda: 0.0, fetch) for _ in range(20)))

    threads = [threading.Thread(target=lambda: asyncio.run(ensure_many())) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert len(fetched) == 1
    assert store.fresh(0.0) is not None


async def test_a_failed_renewal_is_tried_anew_by_the_next_request(server: Server) -> None:
    server.token_script.extend([Say(503)] * 2)
    async with open_client(
        api_settings(server), sync_settings(max_tries=2), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)
    ) as client:
        with pytest.raises(ApiUnavailable):
            await client.get("/users")
        assert (await client.get("/users")).data == PAGE
