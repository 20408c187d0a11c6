"""The OAuth token: one for everybody, fetched once, renewed once for all who wait.

Does not belong here: sending (channel.py) and trying again (retrying.py); the fetch is handed in.
"""

from __future__ import annotations

import asyncio
import math
import re
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

from authlib.oauth2.auth import ClientAuth  # type: ignore[import-untyped]
from authlib.oauth2.rfc6749.parameters import prepare_token_request  # type: ignore[import-untyped]

from pipelines.client.judge import decode, not_at_all
from pipelines.client.transport import Reply
from pipelines.errors import ApiError, UnexpectedAnswer
from pipelines.settings import ApiSettings

LEEWAY_SECONDS = 60.0
"""A token is renewed this long before it expires, so that none expires on its way."""

LEEWAY_SHARE = 0.2
"""A short-lived token is renewed when this share of its life is left, where that is less than the leeway."""

TOKEN_SETTINGS = "SMART_CHARGING_CLIENT_ID, SMART_CHARGING_CLIENT_SECRET and SMART_CHARGING_AUDIENCE"  # noqa: S105 - names only

_HEADER_SAFE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, eq=False)
class Token:
    """One access token. fresh_until: monotonic seconds; infinite where the lifetime was not told."""

    value: str = field(repr=False)
    header: bytes = field(repr=False)
    fresh_until: float


def token_form(api: ApiSettings) -> bytes:
    """The form body of the client-credentials grant, with id and secret in the body."""
    auth = ClientAuth(api.client_id, api.client_secret.get_secret_value(), "client_secret_post")
    form = prepare_token_request("client_credentials", audience=api.audience)
    _, _, body = auth.prepare("POST", api.token_url, {}, form)
    return str(body).encode()


def read_token(reply: Reply, asked_at: float) -> Token:
    """The token of a 200 of the token endpoint.

    asked_at: monotonic seconds before the request, from which the lifetime counts.
    Raises Fault for a broken body, UnexpectedAnswer for one that holds no bearer token.
    """
    token = _token_or_problem(reply, asked_at)
    if isinstance(token, str):  # raised here, where no local variable holds what was sent
        raise UnexpectedAnswer(f"The token endpoint answered with {token}. Check SMART_CHARGING_TOKEN_URL.")
    return token


def _token_or_problem(reply: Reply, asked_at: float) -> Token | str:
    grant = decode(reply, not_at_all)
    value = grant.get("access_token") if isinstance(grant, dict) else None
    if not isinstance(value, str) or not _HEADER_SAFE.fullmatch(value):
        return "no usable access_token"
    kind = grant.get("token_type") or "Bearer"
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return "a token_type other than Bearer"
    lifetime = lifetime_seconds(grant.get("expires_in"))
    leeway = 0.0 if math.isinf(lifetime) else min(LEEWAY_SECONDS, LEEWAY_SHARE * lifetime)
    return Token(value, b"Bearer " + value.encode(), asked_at + lifetime - leeway)


def lifetime_seconds(expires_in: object) -> float:
    """The lifetime in seconds; infinite (until the API refuses it) where it is missing or makes no sense."""
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float | str):
        return math.inf
    try:
        seconds = float(expires_in)
    except (ValueError, OverflowError):
        return math.inf
    return seconds if seconds > 0 else math.inf


class TokenStore:
    """Holds the one token of a tenant. Every method may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._renewal: Future[ApiError | None] | None = None

    def fresh(self, now: float) -> Token | None:
        """The token, unless it must be renewed first."""
        token = self._token
        return token if token is not None and now < token.fresh_until else None

    def drop(self, refused: Token) -> None:
        """The API refused this token. One that replaced it in the meantime stays."""
        with self._lock:
            if self._token is refused:
                self._token = None

    async def ensure(self, now: Callable[[], float], fetch: Callable[[], Awaitable[Token]]) -> None:
        """Return when there is a fresh token, fetched by one of those who wait.

        Raises what the fetch raised, to everyone who waited for it. When the one who fetches is
        cancelled, another one takes over.
        """
        while self.fresh(now()) is None:
            with self._lock:
                if self.fresh(now()) is not None:
                    return
                renewal, leads = self._renewal, self._renewal is None
                if renewal is None:
                    renewal = self._renewal = Future()
                    renewal.set_running_or_notify_cancel()  # or a cancelled waiter would cancel it for all
            if leads:
                await self._renew(renewal, fetch)
                return
            error = await asyncio.wrap_future(renewal)
            if error is not None:
                raise type(error)(str(error))

    async def _renew(self, renewal: Future[ApiError | None], fetch: Callable[[], Awaitable[Token]]) -> None:
        outcome: ApiError | None = None
        try:
            token = await fetch()
            with self._lock:
                self._token = token
        except ApiError as error:
            outcome = error
            raise
        finally:
            with self._lock:
                self._renewal = None
            renewal.set_result(outcome)
