"""Answers as values: status, headers and body, and the API's one form of errors.

Does not belong here: sockets (server.py), who decides on an answer (tenant.py).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

JSON = "application/json"


class Reply(NamedTuple):
    """One answer. headers: besides Date, Content-Length and Connection, which are the server's."""

    status: int
    headers: dict[str, str]
    body: bytes


def json_reply(body: bytes, status: int = 200) -> Reply:
    return Reply(status, {"Content-Type": JSON}, body)


TITLES = {
    400: ("Bad Request", "https://tools.ietf.org/html/rfc7231#section-6.5.1"),
    401: ("Unauthorized", "https://tools.ietf.org/html/rfc7235#section-3.1"),
    404: ("Not Found", "https://tools.ietf.org/html/rfc7231#section-6.5.4"),
    405: ("Method Not Allowed", "https://tools.ietf.org/html/rfc7231#section-6.5.5"),
    500: ("Internal Server Error", "https://tools.ietf.org/html/rfc7231#section-6.6.1"),
}


class ProblemError(Exception):
    """Why a request gets no good answer. errors: what is wrong, by parameter."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        errors: dict[str, list[str]] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def reply(self, instance: str) -> Reply:
        """RFC 7807's fields, under the content type under which the API's own clients read them."""
        title, kind = TITLES[self.status]
        body: dict[str, Any] = {
            "type": kind,
            "title": title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
        }
        if self.errors:
            body["errors"] = self.errors
        return Reply(self.status, {"Content-Type": JSON, **self.headers}, msgspec.json.encode(body))


def not_found(detail: str) -> ProblemError:
    return ProblemError(404, detail)
