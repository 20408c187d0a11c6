"""Whose turn it is when more rows are to be asked one by one than a night may ask: the oldest reading first. Pure.

The rows stand in a ring, in the order of their last reading. Every night goes on where the last one stopped, so that a
row that is read again and has not changed (and so keeps its place) does not keep the others waiting.
Does not belong here: asking (unfinished.py), keeping the mark (pipelines/lake).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from hashlib import md5

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DRAW_BITS, SECOND_BITS = 16, 32
ROUND = 1 << (DRAW_BITS + SECOND_BITS)
"""Marks only rise, and a ring has no end: so a mark counts the rounds too, 32,767 of them at the most."""


def place(read_at: datetime, id_: str) -> int:
    """Where a row stands in the ring: by the second of its reading; a draw sets those of one answer apart."""
    second = max(0, (read_at - EPOCH) // timedelta(seconds=1)) % (1 << SECOND_BITS)
    draw = int.from_bytes(md5(id_.encode(), usedforsecurity=False).digest()[: DRAW_BITS // 8], "big")
    return second << DRAW_BITS | draw


def turn(waiting: Sequence[tuple[datetime, str]], mark: int, most: int) -> tuple[list[str], int]:
    """The ids whose turn it is, at most `most`, and the new mark.

    waiting: last reading and id of each row. mark: where the last night stopped, 0 before the first.
    """
    ring = sorted((place(read_at, id_), id_) for read_at, id_ in waiting)
    if len(ring) <= most:
        return [id_ for _, id_ in ring], mark
    if most <= 0:
        return [], mark
    rounds, stopped = divmod(mark, ROUND)
    ahead = [entry for entry in ring if entry[0] > stopped]
    behind = [entry for entry in ring if entry[0] <= stopped]
    chosen = (ahead + behind)[:most]
    last = chosen[-1][0]
    return [id_ for _, id_ in chosen], (rounds + (most > len(ahead))) * ROUND + last
