"""The client against a real HTTP server that misbehaves on the level of bytes."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from support.http import API_KEY, PAGE, SILENCE, Say, Server, api_settings, no_sleep, serving, sync_settings

from pipelines.client import ApiClient, Shared, open_client
from pipelines.client.clock import SYSTEM_CLOCK
from pipelines.client.judge import MAX_PAUSE_SECONDS
from pipelines.client.retrying import FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS
from pipelines.errors import ApiUnavailable, ConfigurationError, CredentialsRefused, UnexpectedAnswer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@asynccontextmanager
async def client_of(server: Server, sleep=no_sleep, **changes: object) -> AsyncIterator[ApiClient]:
    api, sync = api_settings(server), sync_settings(**changes)
    async with open_client(api, sync, sleep=sleep, shared=Shared(SYSTEM_CLOCK)) as client:
        yield client


async def test_an_answer_holds_the_page_the_bytes_and_the_times(server: Server) -> None:
    server.otherwise = Say(headers={"Date": "Mon, 23 Nov 2026 20:00:00 GMT"})
    before = datetime.now(UTC)
    async with client_of(server) as client:
        answer = await client.get("/sessions", {"pageSize": "100", "startTimeFrom": "2026-01-01T00:00:00+01:00"})
        assert client.counters.requests == len(server.seen) == 2
        assert client.counters.bytes_received > len(answer.body)
    assert (answer.status, answer.data, json.loads(answer.body)) == (200, PAGE, PAGE)
    assert answer.api_date == datetime(2026, 11, 23, 20, tzinfo=UTC)
    assert before <= answer.asked_at <= answer.received_at <= datetime.now(UTC) + timedelta(seconds=0.1)
    assert (
        server.gets[0].target == "/api/v2/sessions?pageSize=100&startTimeFrom=2026-01-01T00:00:00%2B01:00"
        or server.gets[0].target == "/api/v2/sessions?pageSize=100&startTimeFrom=2026-01-01T00%3A00%3A00%2B01%3A00"
    )


async def test_headers_of_every_request(server: Server) -> None:
    async with client_of(server) as client:
        await client.get("/users")
        await client.get("/users")
    for seen in server.gets:
        assert seen.headers["authorization"] == "Bearer tokenvalue1"
        assert seen.headers["apikey"] == API_KEY
        assert seen.headers["jedlix-clientname"] == "chargelake"
        assert seen.headers["jedlix-clientversion"]
        assert seen.headers["accept"] == "application/json"
        assert seen.headers["accept-encoding"] == "gzip"
        assert "cookie" not in seen.headers
    ids = {seen.headers["jedlix-correlationid"] for seen in server.gets}
    assert len(ids) == 2
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", one) for one in ids)
    assert "apikey" not in server.token_calls[0].headers


async def test_cookies_are_not_kept(server: Server) -> None:
    server.otherwise = Say(headers={"Set-Cookie": "a=b; Path=/"})
    server.url = server.url.replace("127.0.0.1", "localhost")  # a jar may ignore cookies of bare addresses
    async with client_of(server) as client:
        await client.get("/users")
        await client.get("/users")
    assert all("cookie" not in seen.headers for seen in server.seen)


async def test_gzip_is_read(server: Server) -> None:
    server.script.append(Say(body=gzip.compress(json.dumps(PAGE).encode()), headers={"Content-Encoding": "gzip"}))
    async with client_of(server) as client:
        answer = await client.get("/users")
    assert answer.data == PAGE
    assert json.loads(answer.body) == PAGE


async def test_no_content_is_an_answer_without_data(server: Server) -> None:
    server.script.append(Say(204, b""))
    async with client_of(server) as client:
        answer = await client.get("/users")
    assert (answer.status, answer.data) == (204, None)


PAGE_BYTES = json.dumps(PAGE).encode()
PASSING = {
    "429": Say(429, b""),
    "500": Say(500, b"{}"),
    "502 web page": Say(502, b"<html>", content_type="text/html"),
    "503": Say(503, b""),
    "504": Say(504, b'{"title":"Internal api timeout"}'),
    "dropped": SILENCE,
    "reset in mid-body": Say(cut_after=10, reset=True),
    "closed in mid-body": Say(cut_after=10),
    "cut short without a length": Say(cut_after=10, sized=False),
    "empty": Say(body=b""),
    "empty without a length": Say(body=b"", sized=False),
    "not JSON": Say(body=b"{'a': 1}"),
    "not UTF-8": Say(body=b'{"a": "\xff"}'),
    "deeper than any page": Say(body=b"[" * 100_000 + b"]" * 100_000),
    "web page": Say(body=b"<!doctype html><p>Maintenance", content_type="text/html"),
    "gzip cut short": Say(body=gzip.compress(PAGE_BYTES)[:-9], headers={"Content-Encoding": "gzip"}),
    "gzip broken": Say(body=b"\x1f\x8b" + b"x" * 50, headers={"Content-Encoding": "gzip"}),
    "unknown encoding": Say(body=b"abc", headers={"Content-Encoding": "br"}),
    "slow": Say(delay=30),
}


@pytest.mark.parametrize("name", PASSING)
async def test_a_passing_fault_is_asked_again(server: Server, name: str) -> None:
    server.script.extend([PASSING[name], PASSING[name]])
    async with client_of(server, timeout_seconds=0.3 if name == "slow" else 10) as client:
        answer = await client.get("/sessions")
        assert client.counters.retries == 2
        assert client.counters.requests == len(server.seen)  # nothing is sent behind the client's back
    assert answer.data == PAGE
    assert len(server.gets) == 3


@pytest.mark.parametrize("name", PASSING)
async def test_tries_are_bounded(server: Server, name: str) -> None:
    server.otherwise = PASSING[name]
    kind = UnexpectedAnswer if name == "web page" else ApiUnavailable
    async with client_of(server, timeout_seconds=0.3 if name == "slow" else 10, max_tries=3) as client:
        with pytest.raises(kind) as caught:
            await client.get("/sessions")
    assert len(server.gets) == 3
    assert "3 tries at 127.0.0.1:" in str(caught.value)
    assert "GET /sessions" in str(caught.value)
    if name.startswith("web"):
        assert "SMART_CHARGING_BASE_URL" in str(caught.value)
    if name[:3].isdigit():
        assert f"HTTP {name[:3]}" in str(caught.value)


async def test_the_token_is_asked_for_again_after_a_passing_fault(server: Server) -> None:
    server.token_script.extend([Say(503), SILENCE, Say(body=b"{", sized=False), Say(429, headers={"Retry-After": "0"})])
    async with client_of(server, max_tries=5) as client:
        assert (await client.get("/users")).data == PAGE
    assert len(server.token_calls) == 5


async def test_the_token_is_not_asked_for_without_end(server: Server) -> None:
    server.token_script.extend([Say(503)] * 10)
    async with client_of(server, max_tries=3) as client:
        with pytest.raises(ApiUnavailable, match=r"Fetching a token: 3 tries at .* HTTP 503"):
            await client.get("/users")
    assert (len(server.token_calls), len(server.gets)) == (3, 0)


@pytest.mark.parametrize(("status", "words"), [(400, "Bad: startTimeFrom ***"), (404, "Bad"), (409, ""), (418, "")])
async def test_other_errors_are_final(server: Server, status: int, words: str) -> None:
    problem = {"type": "x", "title": "Bad", "status": status, "detail": f"startTimeFrom {API_KEY} a@b.nl" + "y" * 500}
    server.script.append(Say(status, json.dumps(problem).encode(), content_type="application/problem+json"))
    async with client_of(server) as client:
        with pytest.raises(UnexpectedAnswer) as caught:
            await client.get("/sessions")
    text = str(caught.value)
    assert f"HTTP {status}" in text
    assert words in text
    assert API_KEY not in text
    assert "a@b.nl" not in text
    assert len(text) < 500
    assert len(server.gets) == 1
    assert ("SMART_CHARGING_BASE_URL" in text) == (status == 404)


async def test_a_status_that_means_none_is_an_answer(server: Server) -> None:
    server.script.extend([Say(404, b'{"title":"Not Found"}'), Say(404, b"<html>"), Say(404, b""), Say(400, b"[]")])
    async with client_of(server) as client:
        none = frozenset({400, 404})
        answers = [await client.get("/users/one", none_statuses=none) for _ in range(4)]
    assert [answer.status for answer in answers] == [404, 404, 404, 400]
    assert [answer.data for answer in answers] == [{"title": "Not Found"}, None, None, []]
    assert answers[1].body == b"<html>"


async def test_an_overload_is_never_an_answer(server: Server) -> None:
    server.script.extend([Say(429), Say(504)])
    async with client_of(server) as client:
        assert (await client.get("/users", none_statuses=frozenset({429, 504, 401}))).status == 200


@pytest.mark.parametrize(
    ("location", "named"),
    [
        ("https://evil.example/steal?a=secretive", "evil.example"),
        ("/elsewhere", "the same host"),
        ("https://[", "an unreadable address"),
    ],
)
async def test_redirects_are_not_followed(server: Server, location: str, named: str) -> None:
    async with serving() as other:
        server.script.append(Say(302, b"", headers={"Location": location}))
        server.script.append(Say(307, b"", headers={"Location": f"{other.url}/api/v2/users"}))
        async with client_of(server) as client:
            with pytest.raises(UnexpectedAnswer, match=re.escape(f"a redirect to {named}")) as caught:
                await client.get("/users")
            with pytest.raises(UnexpectedAnswer, match="a redirect to 127"):
                await client.get("/users")
        assert other.seen == []
    assert "secretive" not in str(caught.value)
    assert "SMART_CHARGING_BASE_URL" in str(caught.value)


async def test_a_redirect_of_the_token_is_not_followed(server: Server) -> None:
    server.token_script.append(Say(302, b"", headers={"Location": "https://evil.example/"}))
    async with client_of(server) as client:
        with pytest.raises(UnexpectedAnswer, match=r"evil\.example.*SMART_CHARGING_TOKEN_URL"):
            await client.get("/users")


async def test_an_endless_body_is_refused_early(server: Server) -> None:
    server.script.append(Say(endless=True))
    async with client_of(server, max_answer_megabytes=1) as client:
        with pytest.raises(UnexpectedAnswer, match=r"larger than 1 MB.*CHARGELAKE_MAX_ANSWER_MEGABYTES"):
            await client.get("/users")
        assert (await client.get("/users")).data == PAGE
    assert server.bytes_sent < 20_000_000


async def test_a_decompression_bomb_is_refused(server: Server) -> None:
    bomb = gzip.compress(b'"' + b"0" * 3_000_000 + b'"')
    server.script.append(Say(body=bomb, headers={"Content-Encoding": "gzip"}))
    async with client_of(server, max_answer_megabytes=2) as client:
        with pytest.raises(UnexpectedAnswer, match="larger than 2 MB"):
            await client.get("/users")
    assert len(bomb) < 10_000


async def test_a_body_of_exactly_the_bound_passes(server: Server) -> None:
    body = b'"' + b"0" * 999_998 + b'"'
    server.script.extend([Say(body=body), Say(body=gzip.compress(body), headers={"Content-Encoding": "gzip"})])
    async with client_of(server, max_answer_megabytes=1) as client:
        assert len((await client.get("/users")).data) == 999_998
        assert len((await client.get("/users")).data) == 999_998


@pytest.mark.parametrize(
    "path",
    [
        "users", "", "/", "//evil.example/x", "/users/../admin", "/users/..", "/users//x", "/users?x=1", "/users#x",
        "/users/%2e%2e", "/users/a\\b", "/users/a b", "/users/\r\nX: y", "/users/é", "/users/.", "/users/x/", "/@evil",
        "/users/x\n",
    ],
)  # fmt: skip
async def test_a_path_that_could_lead_elsewhere_is_refused(server: Server, path: str) -> None:
    async with client_of(server) as client:
        with pytest.raises(UnexpectedAnswer, match="nothing was asked"):
            await client.get(path)
    assert server.seen == []


async def test_a_query_cannot_break_out(server: Server) -> None:
    async with client_of(server) as client:
        await client.get("/users", {"createdFrom": "a&b=c#d\r\nX: y"})
    target = server.gets[0].target
    assert target.startswith("/api/v2/users?createdFrom=a%26b")
    assert "%0D%0A" in target
    assert "x" not in server.gets[0].headers


async def test_a_host_that_is_not_there_names_host_and_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with serving() as server:
        base = f"http://127.0.0.1:{port}/api/v2"
        for changes, setting in (
            ({"base_url": base}, "SMART_CHARGING_BASE_URL"),
            ({"token_url": f"http://127.0.0.1:{port}/token"}, "SMART_CHARGING_TOKEN_URL"),
            ({"token_url": "https://no-such-host.invalid/token"}, "SMART_CHARGING_TOKEN_URL"),
        ):
            api = api_settings(server, **changes)
            async with open_client(api, sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
                with pytest.raises(ApiUnavailable) as caught:
                    await client.get("/users")
            assert setting in str(caught.value)
            assert f"127.0.0.1:{port}" in str(caught.value) or "no-such-host.invalid" in str(caught.value)
            assert "could not connect (" in str(caught.value)
            assert "Check the network" in str(caught.value)


async def test_an_address_that_cannot_be_used_is_a_wrong_setting(server: Server) -> None:
    for changes, setting in (
        ({"base_url": "https://host:99999/api/v2"}, "SMART_CHARGING_BASE_URL"),
        ({"token_url": "https://ho st/token"}, "SMART_CHARGING_TOKEN_URL"),
    ):
        with pytest.raises(ConfigurationError, match=setting):
            async with open_client(api_settings(server, **changes), sync_settings()):
                pass


async def test_wrong_credentials_name_their_settings(server: Server) -> None:
    api = api_settings(server, client_secret="wrong")
    async with open_client(api, sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
        with pytest.raises(CredentialsRefused) as caught:
            await client.get("/users")
    for name in ("CLIENT_ID", "CLIENT_SECRET", "AUDIENCE"):
        assert f"SMART_CHARGING_{name}" in str(caught.value)
    assert "access_denied" in str(caught.value)
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
async def test_every_refusal_of_the_token_endpoint(server: Server, status: int) -> None:
    server.token_script.append(Say(status, b"<html>", content_type="text/html"))
    async with client_of(server) as client:
        with pytest.raises(CredentialsRefused, match="SMART_CHARGING_CLIENT_SECRET"):
            await client.get("/users")
    assert len(server.seen) == 1


async def test_a_wrong_key_names_its_setting(server: Server) -> None:
    api = api_settings(server, api_key="wrong")
    async with open_client(api, sync_settings(), sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
        with pytest.raises(CredentialsRefused, match=r"HTTP 401.*SMART_CHARGING_API_KEY"):
            await client.get("/users")
    assert (len(server.gets), len(server.token_calls)) == (2, 2)


async def test_not_being_let_in_is_never_an_answer(server: Server) -> None:
    server.script.extend([Say(401), Say(401)])
    async with client_of(server) as client:
        with pytest.raises(CredentialsRefused, match="HTTP 401"):
            await client.get("/users", none_statuses=frozenset({401, 404}))


async def test_forbidden_is_final(server: Server) -> None:
    server.script.append(Say(403, b""))
    async with client_of(server) as client:
        with pytest.raises(CredentialsRefused, match=r"HTTP 403.*SMART_CHARGING_API_KEY"):
            await client.get("/users")
    assert len(server.gets) == 1


class Naps:
    """Records what was slept, and sleeps none of it."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


async def test_backoff_has_full_jitter_and_a_bound(server: Server) -> None:
    server.otherwise = Say(500)
    api, sync = api_settings(server), sync_settings(max_tries=12)
    taken: list[list[float]] = []
    for seed in (1, 1, 2):
        naps = Naps()
        shared = Shared(SYSTEM_CLOCK)
        async with open_client(api, sync, sleep=naps, rng=random.Random(seed), shared=shared) as client:
            with pytest.raises(ApiUnavailable):
                await client.get("/users")
        assert len(naps.seconds) == 11
        for tries, seconds in enumerate(naps.seconds):
            assert 0 <= seconds <= min(LONGEST_BACKOFF_SECONDS, FIRST_BACKOFF_SECONDS * 2**tries)
        taken.append(naps.seconds)
    assert taken[0] == taken[1] != taken[2]


class VirtualTime:
    """A clock that moves by sleeping only."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.start = datetime(2026, 11, 23, 20, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.seconds

    def utc_now(self) -> datetime:
        return self.start + timedelta(seconds=self.seconds - 1_000)

    async def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        await asyncio.sleep(0)


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date", "date by a skewed clock", "a year", "past", "nonsense"])
async def test_retry_after_is_honoured_up_to_a_bound(server: Server, status: int, form: str) -> None:
    time = VirtualTime()
    skew = timedelta(hours=7) if form == "date by a skewed clock" else timedelta()
    api_now = time.utc_now() + skew
    text, least = {
        "seconds": ("17", 17),
        "date": (format_datetime(api_now + timedelta(seconds=17), usegmt=True), 17),
        "date by a skewed clock": (format_datetime(api_now + timedelta(seconds=17), usegmt=True), 17),
        "a year": ("31536000", MAX_PAUSE_SECONDS),
        "past": (format_datetime(api_now - timedelta(days=1), usegmt=True), 0),
        "nonsense": ("soon", 0),
    }[form]
    headers = {"Retry-After": text, "Date": format_datetime(api_now, usegmt=True)}
    server.script.append(Say(status, b"", headers=headers))
    shared = Shared(time)
    async with open_client(
        api_settings(server), sync_settings(), clock=time, sleep=time.sleep, shared=shared
    ) as client:
        await client.get("/users")
        assert time.seconds - 1_000 >= least
        assert time.seconds - 1_000 <= least + FIRST_BACKOFF_SECONDS + 1.1
        assert client.counters.throttles == (1 if status == 429 else 0)


async def test_the_whole_process_waits_when_one_request_is_told_to(server: Server) -> None:
    time = VirtualTime()
    shared = Shared(time)
    opening = {"clock": time, "sleep": time.sleep, "shared": shared}
    server.script.append(Say(429, headers={"Retry-After": "40"}))
    async with (
        open_client(api_settings(server), sync_settings(max_tries=1), **opening) as first,
        open_client(api_settings(server), sync_settings(), **opening) as second,
    ):
        with pytest.raises(ApiUnavailable, match="the wish to wait 40 s"):
            await first.get("/users")
        assert second.pace().hold_seconds == 40
        answer = await second.get("/users")
        assert answer.asked_at - time.start >= timedelta(seconds=40)
