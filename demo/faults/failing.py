"""Faults that fail openly: statuses, broken connections, bodies that are no answer.

Does not belong here: answers that look good (lying.py), how often each is met (kinds.py).
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

import msgspec

from demo.answers import JSON, ProblemError, Reply, json_reply
from demo.api.model import Shape
from demo.faults.model import Ending, Exchange, Outcome, Served, page_in, sent
from demo.world.draw import Draw

HTML = "text/html; charset=utf-8"
WEB_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Scheduled maintenance</title></head>"
    b"<body><h1>We will be back soon</h1></body></html>\n"
)
LONGEST_WAIT_SECONDS = 5


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Outcome:
    """An error of something between the API and its reader: no JSON, and no problem that the API knows."""
    return sent(Reply(status, {"Content-Type": HTML, **(headers or {})}, f"<html><body>{text}</body></html>".encode()))


def _wait_seconds(draw: Draw) -> int:
    return 1 + draw.whole(LONGEST_WAIT_SECONDS, "wait")


def throttled_seconds(_exchange: Exchange, draw: Draw) -> Outcome:
    return _error(429, "Too Many Requests", {"Retry-After": str(_wait_seconds(draw))})


def throttled_date(exchange: Exchange, draw: Draw) -> Outcome:
    until = formatdate(exchange.now_ms // 1000 + _wait_seconds(draw), usegmt=True)
    return _error(429, "Too Many Requests", {"Retry-After": until})


def error_of(status: int, text: str) -> Callable[[Exchange, Draw], Outcome]:
    return lambda _exchange, _draw: _error(status, text)


def unavailable(_exchange: Exchange, draw: Draw) -> Outcome:
    headers = {"Retry-After": str(_wait_seconds(draw))} if draw.chance(0.3, "says when") else {}
    return _error(503, "Service Unavailable", headers)


def reset(exchange: Exchange, _draw: Draw) -> Outcome:
    return Outcome(Served(exchange.reply, ending=Ending.RESET))


def reset_in_body(exchange: Exchange, draw: Draw) -> Outcome | None:
    return _broken_off(exchange, draw, Ending.RESET)


def cut_body(exchange: Exchange, draw: Draw) -> Outcome | None:
    return _broken_off(exchange, draw, Ending.CLOSED)


def _broken_off(exchange: Exchange, draw: Draw, ending: Ending) -> Outcome | None:
    size = len(exchange.reply.body)
    return Outcome(Served(exchange.reply, ending=ending, sent=draw.whole(size, "sent"))) if size else None


def cut_json(exchange: Exchange, draw: Draw) -> Outcome | None:
    """Shorter than it should be, and says so honestly."""
    size = len(exchange.reply.body)
    if exchange.reply.status != 200 or size < 2:
        return None
    return sent(exchange.reply._replace(body=exchange.reply.body[: 1 + draw.whole(size - 1, "sent")]))


def web_page(_exchange: Exchange, _draw: Draw) -> Outcome:
    return sent(Reply(200, {"Content-Type": HTML}, WEB_PAGE))


def other_shape(exchange: Exchange, draw: Draw) -> Outcome | None:
    """JSON, but not what the end point gives."""
    body = exchange.reply.body
    if not exchange.is_good:
        return None
    page = page_in(exchange)
    bare = b"[]" if page is None else msgspec.json.encode(page.items)
    wrapped = {
        Shape.PAGED: [b"null", b"{}", b'""', b"", b'{"data":%b}' % body, bare],
        Shape.ARRAY: [b"null", b"{}", b'""', b"", b'{"data":%b}' % body],
        Shape.OBJECT: [b"null", b"[]", b'""', b"", b'{"data":%b}' % body, b"[%b]" % body],
    }
    assert exchange.shape is not None, "a good answer has a shape"
    return sent(json_reply(draw.one_of(wrapped[exchange.shape], "shape")))


def slow(exchange: Exchange, _draw: Draw) -> Outcome:
    """How slow is the plan's to say."""
    return sent(exchange.reply)


def early_401(exchange: Exchange, _draw: Draw) -> Outcome | None:
    if exchange.reply.status == 401:
        return None
    problem = ProblemError(
        401,
        "The access token is missing, unknown or expired.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
    return Outcome(Served(problem.reply(exchange.target.partition("?")[0])), ends_token=True)


def token_failure(_exchange: Exchange, draw: Draw) -> Outcome:
    status, error = draw.one_of(((500, "server_error"), (503, "temporarily_unavailable")), "error")
    body = msgspec.json.encode({"error": error, "error_description": "Try again later."})
    return sent(Reply(status, {"Content-Type": JSON}, body))
