"""The kinds of faults: how often each is drawn, and what it makes of an exchange.

A kind gives None where it cannot be met: an item cannot be missing from an empty page.
Does not belong here: whether there is a fault at all (plan.py), rows that are broken (malformed.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum

import msgspec

from demo.answers import JSON, ProblemError, Reply, json_reply
from demo.api.model import Shape
from demo.faults.model import Ending, Envelope, Exchange, Outcome, Served, page_in
from demo.world.draw import Draw

HTML = "text/html; charset=utf-8"
WEB_PAGE = (
    b"<!DOCTYPE html>\n<html><head><title>Scheduled maintenance</title></head>"
    b"<body><h1>We will be back soon</h1></body></html>\n"
)
LONGEST_WAIT_SECONDS = 5
MOVES = "moves"


class Where(Enum):
    """Which end points a kind is met at."""

    API = "api"
    TOKEN = "token"  # noqa: S105
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """lies: it looks like a good answer, so nothing tells its reader that it is none."""

    name: str
    weight: int
    where: Where
    make: Callable[[Exchange, Draw], Outcome | None]
    lies: bool = False

    def is_met_at(self, exchange: Exchange) -> bool:
        own = Where.TOKEN if exchange.operation is None else Where.API
        return self.where in {own, Where.BOTH}


def _sent(reply: Reply) -> Outcome:
    return Outcome(Served(reply))


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> Outcome:
    """An error of something between the API and its reader: no JSON, and no problem that the API knows."""
    return _sent(Reply(status, {"Content-Type": HTML, **(headers or {})}, f"<html><body>{text}</body></html>".encode()))


def _wait_seconds(draw: Draw) -> int:
    return 1 + draw.whole(LONGEST_WAIT_SECONDS, "wait")


def _throttled_seconds(_exchange: Exchange, draw: Draw) -> Outcome:
    return _error(429, "Too Many Requests", {"Retry-After": str(_wait_seconds(draw))})


def _throttled_date(exchange: Exchange, draw: Draw) -> Outcome:
    until = formatdate(exchange.now_ms // 1000 + _wait_seconds(draw), usegmt=True)
    return _error(429, "Too Many Requests", {"Retry-After": until})


def _status(status: int, text: str) -> Callable[[Exchange, Draw], Outcome]:
    return lambda _exchange, _draw: _error(status, text)


def _unavailable(_exchange: Exchange, draw: Draw) -> Outcome:
    headers = {"Retry-After": str(_wait_seconds(draw))} if draw.chance(0.3, "says when") else {}
    return _error(503, "Service Unavailable", headers)


def _reset(exchange: Exchange, _draw: Draw) -> Outcome:
    return Outcome(Served(exchange.reply, ending=Ending.RESET))


def _reset_in_body(exchange: Exchange, draw: Draw) -> Outcome | None:
    return _broken_off(exchange, draw, Ending.RESET)


def _cut_body(exchange: Exchange, draw: Draw) -> Outcome | None:
    return _broken_off(exchange, draw, Ending.CLOSED)


def _broken_off(exchange: Exchange, draw: Draw, ending: Ending) -> Outcome | None:
    size = len(exchange.reply.body)
    return Outcome(Served(exchange.reply, ending=ending, sent=draw.whole(size, "sent"))) if size else None


def _cut_json(exchange: Exchange, draw: Draw) -> Outcome | None:
    """Shorter than it should be, and says so honestly."""
    size = len(exchange.reply.body)
    if exchange.reply.status != 200 or size < 2:
        return None
    return _sent(exchange.reply._replace(body=exchange.reply.body[: 1 + draw.whole(size - 1, "sent")]))


def _web_page(_exchange: Exchange, _draw: Draw) -> Outcome:
    return _sent(Reply(200, {"Content-Type": HTML}, WEB_PAGE))


def _other_shape(exchange: Exchange, draw: Draw) -> Outcome | None:
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
    return _sent(json_reply(draw.one_of(wrapped[exchange.shape], "shape")))


def _slow(exchange: Exchange, _draw: Draw) -> Outcome:
    """How slow is the plan's to say."""
    return _sent(exchange.reply)


def _early_401(exchange: Exchange, _draw: Draw) -> Outcome | None:
    if exchange.reply.status == 401:
        return None
    problem = ProblemError(
        401,
        "The access token is missing, unknown or expired.",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
    return Outcome(Served(problem.reply(exchange.target.partition("?")[0])), ends_token=True)


def _token_failure(_exchange: Exchange, draw: Draw) -> Outcome:
    status, error = draw.one_of(((500, "server_error"), (503, "temporarily_unavailable")), "error")
    body = msgspec.json.encode({"error": error, "error_description": "Try again later."})
    return _sent(Reply(status, {"Content-Type": JSON}, body))


def _page(page: Envelope, reply: Reply) -> Outcome:
    return _sent(reply._replace(body=msgspec.json.encode(page)))


def _wrong_total(exchange: Exchange, draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    wrong = [page.total_count + step for step in (-2, -1, 1, 2, 57) if page.total_count + step >= 0]
    page.total_count = draw.one_of(wrong, "total")
    page.total_pages = -(-page.total_count // page.page_size)
    return _page(page, exchange.reply)


def _wrong_echo(exchange: Exchange, draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    if draw.chance(0.5, "which"):
        page.page_index += draw.one_of((-1, 1), "index")
    else:
        page.page_size = draw.one_of([size for size in (10, 20, 100) if size != page.page_size], "size")
    return _page(page, exchange.reply)


def _empty_page(exchange: Exchange, _draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    page.items = []
    return _page(page, exchange.reply)


def _doubled_item(exchange: Exchange, draw: Draw) -> Outcome | None:
    """Beside itself; a full page may lose its last item by that."""
    page = page_in(exchange)
    if page is None:
        return None
    at = draw.whole(len(page.items), "which")
    page.items.insert(at, page.items[at])
    if len(page.items) > page.page_size and draw.chance(0.5, "pushes one out") and page.page_size > 1:
        page.items.pop(0 if at else -1)
    return _page(page, exchange.reply)


def _missing_item(exchange: Exchange, draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    del page.items[draw.whole(len(page.items), "which")]
    return _page(page, exchange.reply)


def _stale(exchange: Exchange, _draw: Draw) -> Outcome | None:
    """What the same target was answered a moment ago, where it is answered otherwise now."""
    earlier = exchange.earlier
    return None if earlier is None or earlier.body == exchange.reply.body else _sent(earlier)


def _moves(exchange: Exchange, draw: Draw) -> Outcome | None:
    """The answer is right, and the tenant is another one when the next page is asked for."""
    if not exchange.evolves or exchange.shape is not Shape.PAGED:
        return None
    return Outcome(Served(exchange.reply), changes=1 + draw.whole(3, "changes"))


def _false_404(exchange: Exchange, _draw: Draw) -> Outcome | None:
    if not (exchange.is_good and exchange.has_parent):
        return None
    return _sent(ProblemError(404, "User does not exist.").reply(exchange.target.partition("?")[0]))


def _false_empty(exchange: Exchange, _draw: Draw) -> Outcome | None:
    """Nothing, where a parent has something."""
    if not exchange.has_parent:
        return None
    if exchange.shape is Shape.ARRAY and exchange.reply.body != b"[]":
        return _sent(json_reply(b"[]"))
    page = page_in(exchange)
    if page is None:
        return None
    return _page(Envelope(page.page_index, page.page_size, 0, 0, []), exchange.reply)


FAULT_KINDS = (
    FaultKind("throttled_seconds", 2, Where.BOTH, _throttled_seconds),
    FaultKind("throttled_date", 2, Where.BOTH, _throttled_date),
    FaultKind("throttled", 1, Where.BOTH, _status(429, "Too Many Requests")),
    FaultKind("http_500", 3, Where.BOTH, _status(500, "Internal Server Error")),
    FaultKind("http_502", 2, Where.BOTH, _status(502, "Bad Gateway")),
    FaultKind("http_503", 2, Where.BOTH, _unavailable),
    FaultKind("http_504", 4, Where.BOTH, _status(504, "Internal api timeout")),
    FaultKind("reset", 2, Where.BOTH, _reset),
    FaultKind("reset_in_body", 2, Where.BOTH, _reset_in_body),
    FaultKind("cut_body", 2, Where.BOTH, _cut_body),
    FaultKind("cut_json", 2, Where.BOTH, _cut_json),
    FaultKind("web_page", 2, Where.BOTH, _web_page),
    FaultKind("other_shape", 2, Where.API, _other_shape),
    FaultKind("slow", 2, Where.BOTH, _slow),
    FaultKind("early_401", 2, Where.API, _early_401),
    FaultKind("token_failure", 10, Where.TOKEN, _token_failure),
    FaultKind("wrong_total", 2, Where.API, _wrong_total, lies=True),
    FaultKind("wrong_echo", 2, Where.API, _wrong_echo, lies=True),
    FaultKind("empty_page", 1, Where.API, _empty_page, lies=True),
    FaultKind("doubled_item", 2, Where.API, _doubled_item, lies=True),
    FaultKind("missing_item", 1, Where.API, _missing_item, lies=True),
    FaultKind("stale", 2, Where.API, _stale, lies=True),
    FaultKind(MOVES, 4, Where.API, _moves, lies=True),
    FaultKind("false_404", 1, Where.API, _false_404, lies=True),
    FaultKind("false_empty", 1, Where.API, _false_empty, lies=True),
)

FAULT_KIND_BY_NAME = {kind.name: kind for kind in FAULT_KINDS}
