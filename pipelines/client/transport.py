"""Bytes out, bytes in: the only module that imports the HTTP library.

It speaks httpx's transport interface directly: one request, one answer; no cookies, redirects or log lines.
Does not belong here: what an answer means (judge.py), when to ask again (retrying.py), whose turn it is
(gate.py).
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from pipelines.client.faults import Fault, TooLarge
from pipelines.client.pace import SHRINK_ON_504

Transport = httpx.AsyncBaseTransport
"""What may stand in for the network."""

Headers = Sequence[tuple[bytes, bytes]]

CONNECT_TIMEOUT_SECONDS = 15.0
"""A host that does not even answer the phone is given up sooner than one that thinks."""

_HOST = re.compile(r"[\w.:-]+")
_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer as it came, decompressed; header values are empty where there were none.

    wire_bytes: size of the body on the wire.
    """

    status: int
    body: bytes = field(repr=False)
    wire_bytes: int
    content_type: str = ""
    date: str = ""
    retry_after: str = ""
    location: str = field(default="", repr=False)


def host_and_port(url: str) -> tuple[str, int]:
    """Whom an address names. Raises ValueError where requests to it could not be made."""
    port = urlsplit(url).port
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        raise ValueError("not an address") from None
    if not _HOST.fullmatch(parsed.host):
        raise ValueError("not a host name")
    return parsed.host, port or (443 if parsed.scheme == "https" else 80)


@asynccontextmanager
async def open_transport(max_connections: int) -> AsyncIterator[Transport]:
    """The real network: httpx over aiohttp, connections kept alive, certificates checked."""
    context = httpx.create_ssl_context()

    def session() -> aiohttp.ClientSession:
        made = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=max_connections, ssl=context),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        # aiohttp would send a request again on its own when a kept connection drops: unseen by
        # the limits, which promise what the server sees. Asking again is the client's business.
        made._retry_connection = False  # noqa: SLF001 - there is no public switch
        return made

    transport = AiohttpTransport(verify=context, client=session)
    try:
        yield transport
    finally:
        await transport.aclose()


async def exchange(
    transport: Transport,
    method: str,
    url: str,
    headers: Headers,
    content: bytes = b"",
    *,
    timeout_seconds: float,
    max_bytes: int,
) -> Reply:
    """One request and its whole answer, never followed anywhere.

    max_bytes: of the body, on the wire and decompressed alike.
    Raises Fault (refused, timed out, reset, cut short; worth asking again) or TooLarge. Neither has a
    cause or context: those of the library hold the request, and with it the credentials.
    """
    connect = min(timeout_seconds, CONNECT_TIMEOUT_SECONDS)
    request = httpx.Request(
        method, url, headers=list(headers), content=content, extensions={"timeout": {"connect": connect}}
    )
    failure: Exception
    try:
        async with asyncio.timeout(timeout_seconds):
            return await _read(transport, request, max_bytes)
    except TooLarge as error:
        failure = error
    except (httpx.TimeoutException, httpx.TransportError, aiohttp.ClientError, OSError, zlib.error) as error:
        failure = _fault(error, timeout_seconds)
    raise failure


async def _read(transport: Transport, request: httpx.Request, max_bytes: int) -> Reply:
    response = await transport.handle_async_request(request)
    try:
        known = _known_headers(response)
        parts: list[bytes] = []
        size = 0
        stream = response.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError("expected a transport whose answers are read asynchronously")
        async for part in stream:
            size += len(part)
            if size > max_bytes:
                raise TooLarge
            parts.append(part)
    finally:
        await response.aclose()
    body = b"".join(parts)
    encoding = known.get(b"content-encoding", "")
    if encoding and body:
        body = _unpack(body, encoding, max_bytes)
    return Reply(
        status=response.status_code,
        body=body,
        wire_bytes=size,
        content_type=known.get(b"content-type", ""),
        date=known.get(b"date", ""),
        retry_after=known.get(b"retry-after", ""),
        location=known.get(b"location", ""),
    )


_WANTED = frozenset(
    {b"content-encoding", b"content-type", b"date", b"retry-after", b"location"},
)


def _known_headers(response: httpx.Response) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for raw_name, value in response.headers.raw:
        name = raw_name.lower()
        if name in _WANTED:
            found[name] = value.decode("latin-1")
    return found


def _unpack(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """Decompress, never to more than `max_bytes`."""
    encoding = encoding.strip().lower()
    if encoding == "identity":
        return body
    if encoding not in {"gzip", "x-gzip"}:
        raise Fault("a body in an encoding that was not asked for (expected gzip or none)")
    inflater = zlib.decompressobj(wbits=_GZIP)
    unpacked = inflater.decompress(body, max_bytes + 1)
    if len(unpacked) > max_bytes:
        raise TooLarge
    if not inflater.eof:
        raise Fault("a compressed body that was cut short")
    return unpacked


def _fault(error: Exception, timeout_seconds: float) -> Fault:
    """What happened, in words; nothing of the library's text, which could quote anything."""
    chain = _chain(error)
    if any(isinstance(link, ssl.SSLCertVerificationError) for link in chain):
        return Fault("the server's certificate could not be verified", unreachable=True)
    # httpx-aiohttp calls every lost connection a ConnectTimeout, so aiohttp's own error decides where there is one
    engine = next((link for link in chain if isinstance(link, aiohttp.ClientError)), None)
    deciding = engine or error
    if isinstance(deciding, aiohttp.ClientConnectorError | httpx.ConnectError):
        return Fault(f"could not connect{_reason(chain)}", unreachable=True)
    if isinstance(deciding, aiohttp.ConnectionTimeoutError | httpx.ConnectTimeout):
        return Fault("could not connect in time", unreachable=True)
    if isinstance(deciding, TimeoutError | httpx.TimeoutException):
        return Fault(f"no complete answer within {timeout_seconds:g} s", shrink=SHRINK_ON_504)
    if isinstance(error, zlib.error):
        return Fault("a compressed body that could not be read")
    return Fault(f"the connection broke off{_reason(chain)}")


def _chain(error: BaseException | None) -> list[BaseException]:
    found: list[BaseException] = []
    while error is not None and error not in found:
        found.append(error)
        error = getattr(error, "os_error", None) or error.__cause__ or error.__context__
    return found


def _reason(chain: Sequence[BaseException]) -> str:
    for link in reversed(chain):
        if isinstance(link, OSError) and link.strerror:
            # the event loop's text quotes the address; the errno's own text says why
            return f" ({os.strerror(link.errno) if link.errno and link.errno > 0 else link.strerror})"
    return ""
