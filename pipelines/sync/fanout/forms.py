"""How one parent is asked, in the forms in which fan-outs are answered by one request or by windows.

Each form gives pieces: what an answer said, and within which bounds it is whole. What cannot be read to its end is
Interrupted; the pieces before it stand.
Does not belong here: pages (paged.py), rich lists (rich.py), what is done with pieces (writing.py).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from pipelines.client.answer import Answer
from pipelines.contract.formats import format_instant
from pipelines.sync.fanout.ask import Ask, Piece
from pipelines.sync.fanout.asking import NONE, Asking, Interrupted, leaving
from pipelines.sync.fanout.spans import left_of, stretches
from pipelines.sync.windows import EDGE, Window, shifted

REFUSED = 400
SHORTEST = timedelta(days=1)
"""A window that is refused is halved down to this."""


async def ask_once(asking: Asking, ask: Ask) -> AsyncIterator[Piece]:
    """OBJECT, ARRAY and SPAN: one request, the whole answer."""
    fan_out, ids, piece = asking.fan_out, ask.path_ids(asking.fan_out), asking.piece(ask)
    params: dict[str, str] = {}
    if fan_out.span is not None:
        piece.lower, piece.upper = ask.since, ask.only.upper if ask.only else None
        if piece.lower is not None:
            params[fan_out.span.lower] = format_instant(shifted(piece.lower, -EDGE))
        if piece.upper is not None:
            params[fan_out.span.upper] = format_instant(shifted(piece.upper, EDGE))
    with leaving(Window(ask.since, None)):
        answer = await asking.get(fan_out.endpoint, ids, params or None)
        piece.asked(answer.asked_at)
        if answer.status in NONE:
            piece.is_none = True
        elif answer.data is None:
            asking.nothing(piece)
        else:
            piece.pages[fan_out.endpoint.table] = [asking.page(answer, ids, fan_out.endpoint)]
    yield piece


async def ask_in_windows(asking: Asking, ask: Ask) -> AsyncIterator[Piece]:
    """WINDOWS: newest first, each window an answer of its own."""
    span = asking.fan_out.span
    assert span is not None
    parts = stretches(ask, shifted(asking.until, timedelta(days=span.ahead_days)))
    met_any, empty = not ask.is_history, 0
    for part in parts:
        upper = part.upper
        while upper > part.lower:
            if part.is_history and asking.budget <= 0:
                raise Interrupted(left_of(parts, upper), None)
            with leaving(left_of(parts, upper)):
                piece = await _ask_window(asking, ask, part.lower, upper)
            asking.budget -= part.is_history
            if part.is_history and not piece.items:
                # an empty past means that the tenant does not keep it, not that it never was
                piece.judges = frozenset()
            yield piece
            if piece.is_none:
                return
            met_any, empty = met_any or piece.items > 0, 0 if piece.items else empty + 1
            if span.empty_windows is not None and not met_any and empty >= span.empty_windows:
                return
            assert piece.lower is not None
            upper = piece.lower


async def _ask_window(asking: Asking, ask: Ask, lower: datetime, upper: datetime) -> Piece:
    """The newest window within bounds that the tenant answers: a refused one is halved."""
    span = asking.fan_out.span
    assert span is not None
    assert span.longest_days is not None
    longest = asking.longest or timedelta(days=span.longest_days)
    while True:
        piece = asking.piece(ask)
        piece.lower, piece.upper = max(lower, upper - longest + 2 * EDGE), upper
        answer = await _answer(asking, ask, piece.lower, upper, none=NONE | {REFUSED})
        if answer.status == REFUSED and upper - piece.lower > SHORTEST:
            longest = max((upper - piece.lower) / 2, SHORTEST)
            continue
        if answer.status == REFUSED and REFUSED not in asking.fan_out.none:
            answer = await _answer(asking, ask, piece.lower, upper, none=NONE)  # raises what the API said
        if answer.status == 200:
            asking.longest = min(longest, asking.longest or longest)
        break
    piece.asked(answer.asked_at)
    if answer.status != 200:
        piece.is_none = True
    elif answer.data is None:
        asking.nothing(piece)
    else:
        ids, endpoint = ask.path_ids(asking.fan_out), asking.fan_out.endpoint
        piece.pages[endpoint.table] = [asking.page(answer, ids, endpoint)]
    return piece


async def _answer(asking: Asking, ask: Ask, lower: datetime, upper: datetime, none: frozenset[int]) -> Answer:
    span, ids = asking.fan_out.span, ask.path_ids(asking.fan_out)
    assert span is not None
    params = {span.lower: format_instant(shifted(lower, -EDGE)), span.upper: format_instant(shifted(upper, EDGE))}
    return await asking.get(asking.fan_out.endpoint, ids, params, none)
