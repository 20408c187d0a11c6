"""Reading a window of any size in pieces: several side by side, handed on oldest first.

Because pieces come in the order of time, whatever has been handed on is a complete beginning of the window, and
its end may become a watermark.

Does not belong here: how one piece is read (listing.py), what is done with it (collection.py).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from pipelines.contract import Question
from pipelines.sync.listing import Ask, Cut, Piece, read_window
from pipelines.sync.windows import Window


@dataclass(slots=True)
class _Turn:
    """A window waiting for its turn; reading: None until it is started."""

    window: Window
    reading: asyncio.Task[Piece | Cut] | None = None


async def read_in_order(
    ask: Ask, question: Question, window: Window, now: datetime, side_by_side: int
) -> AsyncIterator[Piece]:
    """The pieces of a window, oldest first; about `side_by_side` are being read at once.

    A fault of one piece is raised when its turn comes; the pieces before it have been handed on by then.
    """
    turns = deque([_Turn(window)])
    try:
        while turns:
            for turn in islice(turns, side_by_side):
                if turn.reading is None:
                    turn.reading = asyncio.ensure_future(read_window(ask, question, turn.window, now))
            first = turns[0].reading
            assert first is not None
            outcome = await first
            turns.popleft()
            if isinstance(outcome, Piece):
                yield outcome
            else:
                turns.extendleft(_Turn(piece) for piece in reversed(outcome.pieces))
    finally:
        started = [turn.reading for turn in turns if turn.reading is not None]
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
