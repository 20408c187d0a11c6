"""A small real HTTP server that does what a test tells it to: the client's opponent.

It speaks just enough HTTP/1.1 over asyncio streams to misbehave on the level of bytes. It hands out tokens, checks
token and key, and records what it saw. Does not belong here: anything of the API's content (that is the demo tenant).
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from pipelines.settings import ApiSettings, SyncSettings

CLIENT_SECRET = "s3cret+/=& %40\"{}'~" + "x" * 12
API_KEY = "key-4711-very-private"
TOKEN_PREFIX = "tokenvalue"
PAGE = {"pageIndex": 1, "pageSize": 100, "totalPages": 1, "totalCount": 1, "items": [{"id": "one", "n": 1.5}]}


@dataclass(frozen=True)
class Say:
    """One scripted answer.

    cut_after: send so many bytes of the body, then drop the connection (reset: with RST instead of FIN).
    sized: whether there is a Content-Length; without, the end of the connection ends the body.
    endless: keep sending zeros, whatever the body is.
    """

    status: int = 200
    body: bytes = json.dumps(PAGE).encode()
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    delay: float = 0.0
    cut_after: int | None = None
    reset: bool = False
    sized: bool = True
    endless: bool = False


SILENCE = Say(cut_after=-1)
"""The connection is dropped without a single byte."""


@dataclass(frozen=True)
class Seen:
    """One request as it came. at: monotonic seconds."""

    at: float
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Server:
    """Answers from `script` (and `token_script`) while they last, then well."""

    def __init__(self) -> None:
        self.url = ""
        self.script: deque[Say] = deque()
        self.token_script: deque[Say] = deque()
        self.otherwise = Say()
        self.seen: list[Seen] = []
        self.tokens: dict[str, int] = {}
        self.uses_per_token: int | None = None
        self.expires_in: object = 3600
        self.in_flight = 0
        self.most_in_flight = 0
        self.bytes_sent = 0
        self._serving: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """Drop whoever is still being answered."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving)

    @property
    def gets(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == "GET"]

    @property
    def token_calls(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == "POST"]

    def most_in_a_second(self) -> int:
        """The largest number of requests that came within any second."""
        times = [seen.at for seen in self.seen]
        return max(sum(1 for other in times if start <= other < start + 1) for start in times)

    def rate_seen(self) -> float:
        """Requests per second from the first to the last."""
        times = [seen.at for seen in self.seen]
        return (len(times) - 1) / (max(times) - min(times))

    def revoke(self) -> None:
        """No token handed out so far is accepted any more."""
        self.tokens.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                try:
                    if not await self._answer(head, reader, writer):
                        break
                finally:
                    self.in_flight -= 1
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._serving.discard(task)
            writer.close()

    async def _answer(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        self.seen.append(Seen(time.monotonic(), method, target, headers, body))
        say = self._token_answer(body) if method == "POST" else self._api_answer(headers)
        await asyncio.sleep(say.delay)
        return await self._send(say, writer)

    def _token_answer(self, body: bytes) -> Say:
        if self.token_script:
            return self.token_script.popleft()
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        expected = {
            "grant_type": "client_credentials",
            "client_id": "tenant-id",
            "client_secret": CLIENT_SECRET,
            "audience": "https://audience.example",
        }
        if form != expected:
            return Say(
                403, json.dumps({"error": "access_denied", "error_description": form.get("client_secret")}).encode()
            )
        token = f"{TOKEN_PREFIX}{len(self.token_calls)}"
        self.tokens[token] = 0
        grant = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        return Say(body=json.dumps({key: value for key, value in grant.items() if value is not None}).encode())

    def _api_answer(self, headers: dict[str, str]) -> Say:
        token = headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens or headers.get("apikey") != API_KEY:
            return Say(401, b"")
        self.tokens[token] += 1
        if self.uses_per_token is not None and self.tokens[token] >= self.uses_per_token:
            del self.tokens[token]
        return self.script.popleft() if self.script else self.otherwise

    async def _send(self, say: Say, writer: asyncio.StreamWriter) -> bool:
        """True when the connection may be used again."""
        if say.cut_after == -1:
            return False
        headers = {"Content-Type": say.content_type, **say.headers}
        if say.sized and not say.endless:
            headers["Content-Length"] = str(len(say.body))
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {say.status} Whatever\r\n{lines}\r\n".encode())
        while say.endless:
            writer.write(bytes(100_000))
            self.bytes_sent += 100_000
            await writer.drain()
        writer.write(say.body if say.cut_after is None else say.body[: say.cut_after])
        await writer.drain()
        if say.reset:
            await asyncio.sleep(0.02)
            raw = writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return say.sized and say.cut_after is None


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    """A server on a free port of this machine."""
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0, backlog=512)
    server.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    try:
        yield server
    finally:
        listener.close()
        await server.stop()


def api_settings(server: Server, **changes: object) -> ApiSettings:
    """Settings of the server's one tenant."""
    values = {
        "base_url": f"{server.url}/api/v2",
        "token_url": f"{server.url}/oauth/token",
        "audience": "https://audience.example",
        "client_id": "tenant-id",
        "client_secret": CLIENT_SECRET,
        "api_key": API_KEY,
    }
    return ApiSettings.model_validate(values | changes)


def sync_settings(**changes: object) -> SyncSettings:
    """Settings that do not slow a test down, unless it says so."""
    values = {"max_requests_per_second": 100_000, "max_concurrency": 16, "max_tries": 4, "timeout_seconds": 10}
    return SyncSettings.model_validate(values | changes)


async def no_sleep(_seconds: float) -> None:
    """Waits for nothing, but lets others go on."""
    await asyncio.sleep(0)
