"""The token endpoint and who may ask: OAuth client credentials, short-lived tokens, the static key.

Does not belong here: what a token opens (tenant.py). Errors never repeat what was sent.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

import msgspec

from demo.answers import JSON, ProblemError, Reply
from demo.clock import Clock

FORM = "application/x-www-form-urlencoded"
FIELDS = frozenset({"grant_type", "client_id", "client_secret", "audience"})


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who the tenant's one client is. The defaults are public: they open nothing but a demo."""

    client_id: str = "demo-client"
    client_secret: str = "demo-secret"  # noqa: S105
    api_key: str = "demo-key"
    audience: str = "https://demo.chargelake.example"


class Tokens:
    """Hands out tokens and knows which of them still hold, by the tenant's clock."""

    def __init__(self, credentials: Credentials, clock: Clock, lifetime_seconds: int) -> None:
        self._credentials = credentials
        self._clock = clock
        self._lifetime_seconds = lifetime_seconds
        self._ends_ms: dict[str, int] = {}

    def issue(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Answer a token request; errors in OAuth's form (RFC 6749, 5.2)."""
        if headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
            return _refusal(400, "invalid_request", f"Expected a body of type {FORM}.")
        try:
            pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=20)
        except ValueError:
            return _refusal(400, "invalid_request", "The form cannot be read.")
        form = dict(pairs)
        if len(form) != len(pairs) or not form.keys() >= FIELDS:
            return _refusal(400, "invalid_request", f"Expected each of {', '.join(sorted(FIELDS))} once.")
        if form["grant_type"] != "client_credentials":
            return _refusal(400, "unsupported_grant_type", "Expected grant_type=client_credentials.")
        own = self._credentials
        if not (_same(form["client_id"], own.client_id) & _same(form["client_secret"], own.client_secret)):
            return _refusal(401, "invalid_client", "Unknown client or wrong secret.")
        if not _same(form["audience"], own.audience):
            return _refusal(403, "access_denied", "Unknown audience.")
        return self._grant()

    def check(self, headers: Mapping[str, str]) -> None:
        """Raise ProblemError 401 unless the request carries a token that holds and the key."""
        if self._ends_ms.get(_token_in(headers), 0) <= self._clock.now_ms():
            headers_401 = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
            raise ProblemError(401, "The access token is missing, unknown or expired.", headers=headers_401)
        if not _same(headers.get("apikey", ""), self._credentials.api_key):
            raise ProblemError(401, "The ApiKey header is missing or wrong.", headers={"WWW-Authenticate": "ApiKey"})

    def end(self, headers: Mapping[str, str]) -> None:
        """Let the token of a request hold no more."""
        self._ends_ms.pop(_token_in(headers), None)

    def _grant(self) -> Reply:
        now_ms = self._clock.now_ms()
        self._ends_ms = {token: ends_ms for token, ends_ms in self._ends_ms.items() if ends_ms > now_ms}
        token = secrets.token_urlsafe(32)
        self._ends_ms[token] = now_ms + self._lifetime_seconds * 1000
        grant = {"access_token": token, "token_type": "Bearer", "expires_in": self._lifetime_seconds}
        return _oauth(200, grant)


def _token_in(headers: Mapping[str, str]) -> str:
    """The token that a request carries; empty where it carries none."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "surrogateescape"), expected.encode())


def _refusal(status: int, error: str, description: str) -> Reply:
    return _oauth(status, {"error": error, "error_description": description})


def _oauth(status: int, body: Mapping[str, object]) -> Reply:
    return Reply(status, {"Content-Type": JSON, "Cache-Control": "no-store"}, msgspec.json.encode(body))
