"""No secret and no token in any log record, at any level, nor in any error, however it is printed."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import traceback
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from support.http import (
    API_KEY,
    CLIENT_SECRET,
    SILENCE,
    TOKEN_PREFIX,
    Say,
    Server,
    api_settings,
    no_sleep,
    serving,
    sync_settings,
)

import pipelines
from pipelines.client import Shared, open_client
from pipelines.client.clock import SYSTEM_CLOCK
from pipelines.errors import (
    ApiError,
    ApiUnavailable,
    CredentialsRefused,
    HostUnreachable,
    NotPermitted,
    UnexpectedAnswer,
)

NEVER = (CLIENT_SECRET, quote(CLIENT_SECRET, safe=""), quote_plus(CLIENT_SECRET), API_KEY, TOKEN_PREFIX)

ECHO = json.dumps({
    "title": f"You sent {API_KEY} and {CLIENT_SECRET}",
    "detail": f"and Bearer {TOKEN_PREFIX}1",
    "error": CLIENT_SECRET,
    "error_description": CLIENT_SECRET,
}).encode()  # fmt: skip

ANSWERS = [
    Say(400, ECHO), Say(401, ECHO), Say(403, ECHO), Say(404, ECHO), Say(409, ECHO), Say(429, ECHO), Say(500, ECHO),
    Say(302, ECHO, headers={"Location": f"https://elsewhere.example/?key={API_KEY}&token={TOKEN_PREFIX}1"}),
    Say(body=ECHO[:-5], sized=False), Say(body=b"<html>" + ECHO), SILENCE, Say(cut_after=20, reset=True),
    Say(delay=30), Say(headers={"Content-Encoding": "br"}), Say(endless=True),
]  # fmt: skip


async def failures(server: Server) -> list[ApiError]:
    """One error of every kind, from the API and from the token endpoint."""
    found: list[ApiError] = []
    sync = sync_settings(max_tries=2, timeout_seconds=0.5, max_answer_megabytes=1)
    for script in (server.script, server.token_script):
        for say in ANSWERS:
            script.clear()
            script.extend([say] * 4)
            async with open_client(api_settings(server), sync, sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
                try:
                    await client.get("/users")
                except ApiError as error:
                    found.append(error)
        script.clear()
    for kind in ("mac", 5):
        server.token_script.append(
            Say(body=json.dumps({"access_token": f"{TOKEN_PREFIX}1", "token_type": kind}).encode())
        )
        async with open_client(api_settings(server), sync, sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
            try:
                await client.get("/users")
            except ApiError as error:
                found.append(error)
    for changes in (
        {"base_url": "http://127.0.0.1:1/api/v2"},
        {"token_url": "http://127.0.0.1:1/token"},
        {"api_key": API_KEY + "x"},
        {"client_secret": CLIENT_SECRET + "x"},
    ):
        api = api_settings(server, **changes)
        async with open_client(api, sync, sleep=no_sleep, shared=Shared(SYSTEM_CLOCK)) as client:
            try:
                await client.get("/users")
            except ApiError as error:
                found.append(error)
    return found


async def test_nothing_shows_in_logs_or_errors(caplog: pytest.LogCaptureFixture) -> None:
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.slow_callback_duration = 0.0  # asyncio describes every callback it runs
    logging.getLogger("asyncio").setLevel(logging.DEBUG)
    caplog.set_level(logging.DEBUG)
    async with serving() as server:
        errors = await failures(server)
    assert len(errors) == 2 * len(ANSWERS) + 6
    kinds = {ApiUnavailable, CredentialsRefused, HostUnreachable, NotPermitted, UnexpectedAnswer}
    assert {type(error) for error in errors} == kinds
    printed = [record.getMessage() + str(record.__dict__) for record in caplog.records]
    assert any("try 2 of 2" in line for line in printed)
    for error in errors:
        assert error.__cause__ is None
        assert error.__context__ is None
        printed.append("".join(traceback.format_exception(error)) + repr(error) + str(error.args))
        printed.extend(locals_of_the_project(error))
    for text in printed:
        for secret in NEVER:
            assert secret not in text


def locals_of_the_project(error: ApiError) -> list[str]:
    """What a traceback that shows local variables prints of the project's own frames."""
    root = str(Path(pipelines.__file__).parent)
    walked = traceback.TracebackException.from_exception(error, capture_locals=True)
    shown = [f"{frame.name} {frame.locals}" for frame in walked.stack if frame.filename.startswith(root)]
    assert shown
    return shown


def test_the_http_library_is_imported_in_one_module_only() -> None:
    root = Path(pipelines.__file__).parent
    users = [
        str(path.relative_to(root))
        for path in sorted(root.rglob("*.py"))
        if re.search(
            r"^\s*(import|from)\s+(httpx|aiohttp|httpx_aiohttp|authlib\.integrations)\b", path.read_text(), re.MULTILINE
        )
    ]
    assert users == ["client/transport.py"]
