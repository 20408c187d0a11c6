"""Which parents of a plan are asked together, so that their rows come into one commit. Pure.

Does not belong here: whom to ask at all (choosing.py), asking and committing (fan_out.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

from pipelines.contract import FanOut
from pipelines.contract.fan_outs import Form
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.fanout.choosing import Plan
from pipelines.sync.windows import shifted

BEFORE = timedelta(days=2)
"""How long before its parent's begin a row may lie, for a price that began to hold earlier."""


@dataclass(slots=True)
class Group:
    """Consecutive buckets and who is asked in them."""

    buckets: tuple[int, ...]
    asks: list[Ask]


def groups(plan: Plan, size: int) -> Iterator[Group]:
    """The plan's asks, cut between buckets, `size` or more together; buckets without any go along with the next."""
    buckets: list[int] = []
    asks: list[Ask] = []
    waiting = iter(plan.buckets)
    for bucket, mine in groupby(plan.asks, key=lambda ask: ask.bucket):
        if len(asks) >= size:
            yield Group(tuple(buckets), asks)
            buckets, asks = [], []
        asks.extend(mine)
        buckets.extend(_up_to(bucket, waiting))
    yield Group((*buckets, *waiting), asks)


def _up_to(last: int, buckets: Iterator[int]) -> Iterator[int]:
    """The next buckets up to and with `last`."""
    for bucket in buckets:
        yield bucket
        if bucket == last:
            return


def by_reach(asks: Sequence[Ask]) -> tuple[list[Ask], list[Ask]]:
    """Those that are asked for some days only, and those whose history is read."""
    older = [ask for ask in asks if ask.is_history or ask.left is not None]
    return [ask for ask in asks if not (ask.is_history or ask.left is not None)], older


def earliest(asks: Sequence[Ask], fan_out: FanOut) -> datetime | None:
    """Before what no row of these asks lies, where that can be said."""
    if fan_out.form is Form.WINDOWS:
        begins = [ask.since for ask in asks]
    elif fan_out.parent == "sessions":
        begins = [ask.created_at for ask in asks]
    else:
        return None
    known = [begin for begin in begins if begin is not None]
    return shifted(min(known), -BEFORE) if known and len(known) == len(begins) else None
