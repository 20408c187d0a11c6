"""Faults that lie: answers that nothing tells from good ones.

Does not belong here: what fails openly (failing.py), how often each is met (kinds.py).
"""

from __future__ import annotations

import msgspec

from demo.answers import ProblemError, Reply, json_reply
from demo.api.model import Shape
from demo.faults.model import Envelope, Exchange, Outcome, Served, page_in, sent
from demo.world.draw import Draw


def _page(page: Envelope, reply: Reply) -> Outcome:
    return sent(reply._replace(body=msgspec.json.encode(page)))


def wrong_total(exchange: Exchange, draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    wrong = [page.total_count + step for step in (-2, -1, 1, 2, 57) if page.total_count + step >= 0]
    page.total_count = draw.one_of(wrong, "total")
    page.total_pages = -(-page.total_count // page.page_size)
    return _page(page, exchange.reply)


def wrong_echo(exchange: Exchange, draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    if draw.chance(0.5, "which"):
        page.page_index += draw.one_of((-1, 1), "index")
    else:
        page.page_size = draw.one_of([size for size in (10, 20, 100) if size != page.page_size], "size")
    return _page(page, exchange.reply)


def empty_page(exchange: Exchange, _draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    page.items = []
    return _page(page, exchange.reply)


def doubled_item(exchange: Exchange, draw: Draw) -> Outcome | None:
    """Beside itself; a full page may lose its last item by that."""
    page = page_in(exchange)
    if page is None:
        return None
    at = draw.whole(len(page.items), "which")
    page.items.insert(at, page.items[at])
    if len(page.items) > page.page_size and draw.chance(0.5, "pushes one out") and page.page_size > 1:
        page.items.pop(0 if at else -1)
    return _page(page, exchange.reply)


def missing_item(exchange: Exchange, draw: Draw) -> Outcome | None:
    page = page_in(exchange)
    if page is None:
        return None
    del page.items[draw.whole(len(page.items), "which")]
    return _page(page, exchange.reply)


def stale(exchange: Exchange, _draw: Draw) -> Outcome | None:
    """What the same target was answered a moment ago, where it is answered otherwise now."""
    earlier = exchange.earlier
    return None if earlier is None or earlier.body == exchange.reply.body else sent(earlier)


def moves(exchange: Exchange, draw: Draw) -> Outcome | None:
    """The answer is right, and the tenant is another one when the next page is asked for."""
    if not exchange.evolves or exchange.shape is not Shape.PAGED:
        return None
    return Outcome(Served(exchange.reply), changes=1 + draw.whole(3, "changes"))


def false_404(exchange: Exchange, _draw: Draw) -> Outcome | None:
    if not (exchange.is_good and exchange.has_parent):
        return None
    return sent(ProblemError(404, "User does not exist.").reply(exchange.target.partition("?")[0]))


def false_empty(exchange: Exchange, _draw: Draw) -> Outcome | None:
    """Nothing, where a parent has something."""
    if not exchange.has_parent:
        return None
    if exchange.shape is Shape.ARRAY and exchange.reply.body != b"[]":
        return sent(json_reply(b"[]"))
    page = page_in(exchange)
    if page is None:
        return None
    return _page(Envelope(page.page_index, page.page_size, 0, 0, []), exchange.reply)
