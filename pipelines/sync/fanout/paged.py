"""How one parent is asked where its answers come in pages: by a filter that seeks, or by page numbers.

Does not belong here: how a window of a list is read (listing.py, history.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from pipelines.contract import MAX_PAGE_SIZE, Question
from pipelines.contract.formats import format_instant
from pipelines.sync.fanout.ask import Ask, Piece
from pipelines.sync.fanout.asking import LONG_AGO, NONE, Asking, leaving
from pipelines.sync.history import read_in_order
from pipelines.sync.listing import Ask as AskList
from pipelines.sync.listing import read_pages
from pipelines.sync.pages import Page, empty_page, read_page
from pipelines.sync.windows import Window, shifted

SIDE_BY_SIDE = 2
"""Pieces of one parent that are read at once; other parents are asked at the same time."""
CREATED = "createdAt"
SURE = timedelta(days=1)
"""A page that reaches so far behind the last time asked holds all that has come since."""


async def ask_seeking(asking: Asking, ask: Ask) -> AsyncIterator[Piece]:
    """SEEK: a window of a list in the order of the filter's time."""
    question = asking.fan_out.question
    assert question is not None
    upper = ask.only.upper if ask.only else None
    window = Window(ask.since, upper)
    asker, told = _asker(asking, ask, question)
    with leaving(window):
        async for part in read_in_order(asker, question, window, asking.now, SIDE_BY_SIDE):
            piece = Piece(ask, told.asked_at, judges=frozenset(asking.fan_out.tables))
            piece.pages[asking.fan_out.endpoint.table] = [page.raw for page in part.pages]
            piece.lower, piece.upper = part.window.lower, part.window.upper
            piece.is_none = told.is_none
            if not part.settled:
                piece.judges, piece.problem = frozenset(), "; ".join(part.notes)
            yield piece


async def ask_by_pages(asking: Asking, ask: Ask) -> AsyncIterator[Piece]:
    """PAGES: newest first without a filter: as far as is needed, or the whole list until two walks agree."""
    asker, told = _asker(asking, ask, None)
    piece, table = asking.piece(ask), asking.fan_out.endpoint.table
    with leaving(Window(None, None)):
        first = await asker(None, None, 1)
        piece.asked_at = told.asked_at
        piece.is_none = told.is_none
        piece.pages[table] = [first.raw]
        if not first.is_complete(MAX_PAGE_SIZE):
            if _holds_all_news(first, ask):
                piece.judges = frozenset()
            else:
                walked = await read_pages(asker)
                piece.pages[table] += [page.raw for page in walked.pages]
                if not any(page.items for page in walked.pages):
                    piece.judges, piece.problem = frozenset(), f"{first.total} items are counted and none is shown"
                if not walked.settled:
                    piece.judges, piece.problem = frozenset(), "; ".join(walked.notes)
    yield piece


def _holds_all_news(page: Page, ask: Ask) -> bool:
    """Whether nothing that came since the parent was last asked can lie beyond a page.

    Only where that is all that is wanted: a parent in its turn or in a deep run is read to its end.
    """
    if ask.since is None or ask.last_until is None:
        return False
    oldest = page.oldest_if_newest_first(CREATED)
    return oldest is not None and oldest < shifted(ask.last_until, -SURE)


@dataclass(slots=True)
class _Told:
    """What a list said beside its pages. asked_at: when the first of them was asked for, see Piece."""

    asked_at: datetime
    is_none: bool = False


def _asker(asking: Asking, ask: Ask, question: Question | None) -> tuple[AskList, _Told]:
    endpoint, ids = asking.fan_out.endpoint, ask.path_ids(asking.fan_out)
    told, pages_asked = _Told(asking.clock.last or LONG_AGO), count()

    async def get(lower: datetime | None, upper: datetime | None, number: int) -> Page:
        params = {"pageSize": str(MAX_PAGE_SIZE), "pageIndex": str(number)}
        if question is not None and lower is not None:
            params[question.lower] = format_instant(lower)
        if question is not None and upper is not None:
            params[question.upper] = format_instant(upper)
        none = NONE if number == 1 else NONE | {400}
        answer = await asking.get(endpoint, ids, params, none)
        if next(pages_asked) == 0:
            told.asked_at = max(told.asked_at, answer.asked_at)
        read_at = asking.clock.stamp(answer.received_at)
        if answer.status != 200:
            told.is_none = told.is_none or number == 1
            return empty_page(read_at)
        return read_page(answer, read_at, endpoint.path, ids)

    return get, told
