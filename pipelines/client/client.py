"""The client itself: a GET with everything that belongs to it. The face is answer.Api.

Does not belong here: which paths exist (contract) and what to ask for (sync).
"""

from __future__ import annotations

import random
import re
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from urllib.parse import quote, urlencode, urlsplit

from pipelines.client.answer import Answer, Counters
from pipelines.client.channel import Channel, Exchange
from pipelines.client.clock import SYSTEM_CLOCK, Clock, Sleep, system_sleep
from pipelines.client.faults import Fault, TooLarge
from pipelines.client.gate import PaceNow
from pipelines.client.judge import (
    Leniently,
    decode,
    decode_if_json,
    http_date,
    is_web_page,
    not_at_all,
    oauth_error,
    problem_text,
    tidy,
    unexpected,
)
from pipelines.client.pace import Limits
from pipelines.client.retrying import Result, Retrying
from pipelines.client.shared import PROCESS, Shared
from pipelines.client.tokens import TOKEN_SETTINGS, Token, TokenStore, read_token, token_form
from pipelines.client.transport import Headers, Transport, open_transport
from pipelines.errors import (
    ApiError,
    ApiUnavailable,
    CredentialsRefused,
    HostUnreachable,
    NotPermitted,
    UnexpectedAnswer,
)
from pipelines.settings import ApiSettings, SyncSettings

CLIENT_NAME = "chargelake"
MEGABYTE = 1_000_000
_PLAIN_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9_.~-]*)+")
"""Segments of unreserved characters that do not start with a dot. Ids come from outside: nothing in one
may reach another address, so what is allowed is listed, not what is forbidden."""


def _client_version() -> str:
    try:
        return version(CLIENT_NAME)
    except PackageNotFoundError:
        return "0"


class ApiClient:
    """Asks one tenant's API. Made by open_client; implements answer.Api for one event loop."""

    def __init__(
        self,
        api: ApiSettings,
        channel: Channel,
        tokens: TokenStore,
        retrying: Retrying,
        rng: random.Random,
        leniently: Leniently,
    ) -> None:
        self.counters = channel.counters
        self._api = api
        self._channel = channel
        self._tokens = tokens
        self._retrying = retrying
        self._rng = rng
        self._leniently = leniently
        agent = f"{CLIENT_NAME}/{_client_version()}".encode()
        self._common: Headers = (
            (b"Accept", b"application/json"),
            (b"Accept-Encoding", b"gzip"),
            (b"User-Agent", agent),
        )
        self._of_the_api: Headers = (
            *self._common,
            (b"ApiKey", api.api_key.get_secret_value().encode()),
            (b"Jedlix-ClientName", CLIENT_NAME.encode()),
            (b"Jedlix-ClientVersion", _client_version().encode()),
        )

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        none_statuses: frozenset[int] = frozenset(),
    ) -> Answer:
        """GET `path` (from the base URL, starting with `/`) and decode its JSON.

        none_statuses: error statuses that the caller takes as an answer (for example 404); 401, 429 and
        5xx never are.
        Raises CredentialsRefused, ApiUnavailable or UnexpectedAnswer.
        """
        if not _PLAIN_PATH.fullmatch(path):
            raise UnexpectedAnswer(
                f"GET {tidy(ascii(path))}: expected a path of letters, digits and -_.~ between slashes. "
                "An id that came from the API holds something else; nothing was asked."
            )
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        trace = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        what = f"GET {path} (correlation id {trace})"
        url = self._api.base_url + path + query
        one_try = partial(self._try, url=url, trace=trace.encode(), none_statuses=none_statuses)
        return await self._within_bounds(what, "SMART_CHARGING_BASE_URL", self._api.base_url, one_try)

    def pace(self) -> PaceNow:
        """How fast this process asks the API at this moment."""
        return self._channel.gate.now()

    async def _try(self, what: str, url: str, trace: bytes, none_statuses: frozenset[int]) -> Answer:
        """One try, which is two requests where the first one's token is refused."""
        token, sent = await self._send(url, trace)
        if sent.reply.status == 401:
            self._tokens.drop(token)
            token, sent = await self._send(url, trace)
        reply = sent.reply
        if reply.status in none_statuses and reply.status != 401:
            data = decode_if_json(reply.body)
        elif reply.status == 200:
            data = decode(reply, self._leniently)
        elif reply.status == 204:
            data = None
        else:
            raise self._refusal(what, sent, token)
        return Answer(
            status=reply.status,
            body=reply.body,
            data=data,
            asked_at=sent.asked_at,
            received_at=sent.received_at,
            api_date=http_date(reply.date),
        )

    async def _send(self, url: str, trace: bytes) -> tuple[Token, Exchange]:
        """Ask once with the token that is fresh when the turn has come."""
        monotonic = self._channel.clock.monotonic
        used: list[Token] = []

        def headers() -> Headers | None:
            token = self._tokens.fresh(monotonic())
            if token is None:
                return None  # it went stale while this request stood in line
            used.append(token)
            return (*self._of_the_api, (b"Authorization", token.header), (b"Jedlix-CorrelationId", trace))

        while True:
            await self._tokens.ensure(monotonic, self._fetch_token)
            sent = await self._channel.send("GET", url, headers)
            if sent is not None:
                return used[-1], sent

    def _refusal(self, what: str, sent: Exchange, token: Token) -> ApiError:
        reply = sent.reply
        if reply.status in {401, 403}:
            page = " A web page came with it: is SMART_CHARGING_BASE_URL right?" if is_web_page(reply) else ""
            after = " with a token just fetched" if reply.status == 401 else ""
            kind = NotPermitted if reply.status == 403 else CredentialsRefused
            return kind(
                f"{what}: the API refuses us (HTTP {reply.status}{after}). Check SMART_CHARGING_API_KEY, and "
                f"that {TOKEN_SETTINGS} are of the same tenant and environment and may read this.{page}"
            )
        if reply.status == 404 or 300 <= reply.status < 400 or is_web_page(reply):
            hint = f"Check SMART_CHARGING_BASE_URL (now {self._api.base_url})."
        else:
            hint = "The API wants something else than the contract says, or an id in the address is wrong."
        api_key, client_secret = self._api.api_key, self._api.client_secret
        secrets = (api_key.get_secret_value(), client_secret.get_secret_value(), token.value)
        return unexpected(what, reply, problem_text(reply.body, secrets), hint)

    async def _fetch_token(self) -> Token:
        """A new token. Raises CredentialsRefused, ApiUnavailable or UnexpectedAnswer."""
        url = self._api.token_url
        return await self._within_bounds("Fetching a token", "SMART_CHARGING_TOKEN_URL", url, self._try_token)

    async def _try_token(self, what: str) -> Token:
        headers = (*self._common, (b"Content-Type", b"application/x-www-form-urlencoded"))
        asked_at = self._channel.clock.monotonic()
        sent = await self._channel.send("POST", self._api.token_url, lambda: headers, token_form(self._api))
        if sent is None:
            raise AssertionError("headers were given")
        reply = sent.reply
        if reply.status == 200:
            return read_token(reply, asked_at)
        if reply.status in {400, 401, 403}:
            code = oauth_error(reply.body)
            raise CredentialsRefused(
                f"The token endpoint {_host(self._api.token_url)} refuses us (HTTP {reply.status}"
                f"{', ' + code if code else ''}). Check {TOKEN_SETTINGS}."
            )
        hint = f"Check SMART_CHARGING_TOKEN_URL (now {self._api.token_url})."
        raise unexpected(what, reply, oauth_error(reply.body), hint)

    async def _within_bounds(
        self, what: str, setting: str, url: str, one_try: Callable[[str], Awaitable[Result]]
    ) -> Result:
        # the final errors are raised outside of `except`, so that they have no context that a log would print
        failure: Fault | None = None
        try:
            return await self._retrying.run(what, one_try)
        except Fault as fault:
            failure = fault
        except TooLarge:
            pass
        if failure is None:
            raise UnexpectedAnswer(
                f"{what}: the answer is larger than {self._channel.max_bytes // MEGABYTE} MB. "
                "If that is right, raise CHARGELAKE_MAX_ANSWER_MEGABYTES."
            )
        raise _gave_up(what, failure, self._retrying.max_tries, setting, _host(url))


def _gave_up(what: str, fault: Fault, tries: int, setting: str, host: str) -> ApiError:
    came = f"{what}: {tries} {'try' if tries == 1 else 'tries'} at {host}, the last one met: {fault}."
    if fault.not_the_api:
        return UnexpectedAnswer(f"{came} Something else than the API answers there. Check {setting}.")
    if fault.unreachable:
        return HostUnreachable(f"{came} Check the network, and {setting}.")
    return ApiUnavailable(
        f"{came} The host may be down or overloaded: run again later, what is missing is asked again."
    )


def _host(url: str) -> str:
    return urlsplit(url).netloc


@asynccontextmanager
async def open_client(
    api: ApiSettings,
    sync: SyncSettings,
    *,
    transport: Transport | None = None,
    clock: Clock = SYSTEM_CLOCK,
    sleep: Sleep = system_sleep,
    rng: random.Random | None = None,
    shared: Shared | None = None,
    leniently: Leniently = not_at_all,
) -> AsyncIterator[ApiClient]:
    """A client for as long as the context lasts, on the running event loop.

    transport: stands in for the network, and stays open afterwards.
    clock, sleep, rng: what time it is, how to wait, and chance (back-off, correlation ids).
    leniently: a second reader for bodies that are whole, but no strict JSON because of one item.
    shared: gate and token; by default the process's own, or fresh ones where transport or clock is not real.
    """
    real = transport is None and clock is SYSTEM_CLOCK
    shared = shared or (PROCESS if real else Shared(clock))
    rng = rng or random.Random()  # noqa: S311 - chance, not secrecy
    gate, counters = shared.gate(api), Counters()

    def count_retry() -> None:
        counters.retries += 1

    async with AsyncExitStack() as stack:
        stack.enter_context(gate.member(Limits(sync.max_requests_per_second, sync.max_concurrency)))
        if transport is None:
            transport = await stack.enter_async_context(open_transport(sync.max_concurrency + 1))
        channel = Channel(
            transport=transport,
            gate=gate,
            clock=clock,
            sleep=sleep,
            counters=counters,
            timeout_seconds=sync.timeout_seconds,
            max_bytes=sync.max_answer_megabytes * MEGABYTE,
        )
        retrying = Retrying(sync.max_tries, sleep, rng, count_retry)
        yield ApiClient(api, channel, shared.tokens(api), retrying, rng, leniently)
