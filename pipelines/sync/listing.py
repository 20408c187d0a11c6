"""Reading one window of a paged list so that nothing in it can be lost, whatever moves meanwhile.

One answer is atomic, a walk over page numbers is not. So a window is covered by answers to `page 1` alone: each
covers from its oldest item's time upwards, and the next asks below that. Where answers are not in the filter's
order the window is cut in time until each answer holds it whole. Page numbers remain for more than a page of
items within one second; there two walks in a row must agree.

Does not belong here: which windows to ask (windows.py, history.py), what items mean (pipelines/normalise).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from pipelines.contract import MAX_PAGE_SIZE, Question
from pipelines.sync.pages import Page
from pipelines.sync.windows import EDGE, MILLISECOND, Window, cut_evenly, cut_open, shifted

LARGE = 30 * MAX_PAGE_SIZE
"""A window with more items than this is cut, so that its pieces can be read side by side."""
PIECE_ROWS = 10 * MAX_PAGE_SIZE
MAX_PIECES = 512
CUT_ROWS = MAX_PAGE_SIZE * 7 // 10
"""Items that a piece should hold where each answer must hold its piece whole."""
DOUBTS = 3
"""Times that an answer may fail to join the one above it, before seeking in a window is given up."""
WALKS = 6
"""Walks over page numbers before a window counts as never settling."""

Ask = Callable[[datetime | None, datetime | None, int], Awaitable[Page]]
"""Asks a list for the items between two bounds: (from, to, page number)."""


@dataclass(slots=True)
class Piece:
    """What was read of a window. settled: False if two walks never agreed; then the watermark must stay."""

    window: Window
    pages: list[Page] = field(default_factory=list)
    settled: bool = True
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Cut:
    """A window that is to be read in pieces, oldest first."""

    pieces: list[Window]


@dataclass(frozen=True, slots=True)
class _Step:
    """An answer to `page 1` with the upper bound it was asked with; page: None where a walk stood in for it."""

    upper: datetime | None
    reach: timedelta
    page: Page | None

    def is_continued_by(self, following: Page) -> bool:
        """Whether the following answer shows this one's last item again, so that nothing lies between them."""
        if self.page is None:
            return True
        last = _identity(self.page.items[-1])
        return any(_identity(item) == last for item in following.items)


async def read_window(ask: Ask, question: Question, window: Window, now: datetime) -> Piece | Cut:
    """Read a window, or say how to cut it.

    now: only says where cutting a window without an upper bound may start.
    """
    piece = Piece(window)
    page = await _ask_within(ask, window.lower, window.upper)
    piece.pages.append(page)
    if page.is_complete(MAX_PAGE_SIZE):
        return piece
    oldest = _oldest(page, question, window.lower)
    if oldest is None:
        return await _cut_to_answers(ask, question, piece, page, now)
    # an answer that is not full contradicts such a total: it may be that of the whole list, in whatever window
    is_large = page.total > LARGE and len(page.items) >= MAX_PAGE_SIZE
    if is_large and (pieces := await _cut_to_pieces(ask, question, window, page.total)):
        return Cut(pieces)
    return await _seek(ask, question, piece, oldest, now)


async def read_pages(ask: Ask, until: Callable[[Page], bool] = lambda _page: False) -> Piece:
    """Read a list that has no filter by page numbers, until two walks in a row agree.

    until: ends a walk early, after a page beyond which nothing is wanted.
    """
    piece = Piece(Window(None, None))
    await _walk(ask, piece, None, None, until)
    return piece


async def _seek(ask: Ask, question: Question, piece: Piece, oldest: datetime, now: datetime) -> Piece | Cut:
    """Ask again and again below the oldest item seen, always page 1.

    Each answer reaches a little over the one above it and must show that one's last item again. Where it does not
    (the item was deleted, or shows a wrong time), the answer above is asked again, and at last the window is cut.
    """
    lower = piece.window.lower
    above = _Step(piece.window.upper, EDGE, piece.pages[-1])
    reach, doubts = EDGE, 0
    while True:
        following = await _ask_within(ask, lower, oldest, reach)
        piece.pages.append(following)
        if not above.is_continued_by(following):
            doubts += 1
            page = await _ask_within(ask, lower, above.upper, above.reach)
            piece.pages.append(page)
            above = _Step(above.upper, above.reach, page)
            if page.is_complete(MAX_PAGE_SIZE):
                return piece
            again = _oldest(page, question, lower)
            if doubts > DOUBTS or again is None:
                return await _cut_to_answers(ask, question, piece, page, now)
            oldest, reach = again, EDGE
            continue
        if following.is_complete(MAX_PAGE_SIZE):
            return piece
        next_oldest = _oldest(following, question, lower)
        if next_oldest is not None and next_oldest < oldest:
            above = _Step(oldest, reach, following)
            oldest, reach, doubts = next_oldest, EDGE, 0
        elif len(following.items) < MAX_PAGE_SIZE or len(following.times(question.time)) < len(following.items):
            # there is no time to ask below
            await _walk(ask, piece, *_asked(lower, oldest, EDGE))
            return piece
        elif reach > MILLISECOND:
            reach = MILLISECOND
        else:
            second = oldest.replace(microsecond=0)
            await _walk(ask, piece, shifted(second, -2 * EDGE), shifted(second, 2 * EDGE))
            below = shifted(second, -EDGE)
            if below >= oldest or (lower is not None and below < lower):
                return piece
            oldest, reach = below, EDGE
            above = _Step(oldest, reach, None)


async def _cut_to_answers(ask: Ask, question: Question, piece: Piece, page: Page, now: datetime) -> Piece | Cut:
    """Cut a window whose answers cannot be seeked in, until an answer holds a piece whole.

    Items that do not have the time that is asked for match every window: where there are any, cutting does not help.
    """
    window = piece.window
    if len(page.items) >= MAX_PAGE_SIZE and len(page.times(question.time)) == len(page.items):
        if window.width is None and len(pieces := cut_open(window, now)) > 1:
            return Cut(pieces)
        if window.width is not None and window.width > 2 * EDGE:
            pieces = cut_evenly(window, max(2, min(-(-page.total // CUT_ROWS), MAX_PIECES)))
            if len(pieces) > 1:
                return Cut(pieces)
    await _walk(ask, piece, *_asked(window.lower, window.upper, EDGE))
    return piece


async def _cut_to_pieces(ask: Ask, question: Question, window: Window, total: int) -> list[Window]:
    """Cut a large window evenly in time; without a lower bound the last page hints where its items begin."""
    oldest = None
    if window.lower is None:
        last = await ask(*_asked(None, window.upper, EDGE), -(-total // MAX_PAGE_SIZE))
        oldest = min(last.times(question.time), default=None)
    pieces = cut_evenly(window, min(-(-total // PIECE_ROWS), MAX_PIECES), oldest)
    return pieces if len(pieces) > 1 else []


async def _walk(
    ask: Ask,
    piece: Piece,
    lower: datetime | None,
    upper: datetime | None,
    until: Callable[[Page], bool] = lambda _page: False,
) -> None:
    """Walk over page numbers until two walks in a row see the same ids and totals; keep all that was seen."""
    previous: tuple[frozenset[str], int] | None = None
    for _ in range(WALKS):
        seen: set[str] = set()
        number, more, total, is_enough = 0, True, 0, False
        while more:
            number += 1
            page = await ask(lower, upper, number)
            piece.pages.append(page)
            fresh = {_identity(item) for item in page.items} - seen
            seen |= fresh
            total = page.total if page.items or number == 1 else total
            is_enough = until(page)
            more = bool(fresh) and not is_enough and (len(seen) < total or len(page.items) >= MAX_PAGE_SIZE)
        outcome = (frozenset(seen), total)
        if outcome == previous:
            if len(seen) != total and not is_enough:
                piece.notes.append(f"{lower} .. {upper}: the API counts {total} items and shows {len(seen)}")
            return
        previous = outcome
    piece.settled = False
    piece.notes.append(f"{lower} .. {upper}: {WALKS} walks over page numbers never agreed")


def _oldest(page: Page, question: Question, lower: datetime | None) -> datetime | None:
    """The time below which to ask next; None if the answer is not in order or shows times that were not asked for."""
    oldest = page.oldest_if_newest_first(question.time)
    return None if oldest is not None and lower is not None and oldest < shifted(lower, -EDGE) else oldest


async def _ask_within(ask: Ask, lower: datetime | None, upper: datetime | None, reach: timedelta = EDGE) -> Page:
    return await ask(*_asked(lower, upper, reach), 1)


def _asked(lower: datetime | None, upper: datetime | None, reach: timedelta) -> tuple[datetime | None, datetime | None]:
    return (None if lower is None else shifted(lower, -EDGE)), (None if upper is None else shifted(upper, reach))


def _identity(item: object) -> str:
    value = item.get("id") if isinstance(item, dict) else None
    return value if isinstance(value, str) else repr(item)
