"""Which stretches of time to read of a parent whose answers need windows, newest first. Pure arithmetic.

Does not belong here: asking (forms.py), since when something is worth asking (choosing.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pipelines.contract import FanOut
from pipelines.contract.fan_outs import Form
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.rereads import FIRST_DAY
from pipelines.sync.windows import Window, shifted

DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Instants from `lower` to `upper`. is_history: what was long before, read under a budget."""

    lower: datetime
    upper: datetime
    is_history: bool


def stretches(ask: Ask, end: datetime) -> list[Stretch]:
    """What to read of a parent, newest first; they do not overlap. end: how far ahead rows may be dated."""
    floor = shifted(max(ask.created_at or FIRST_DAY, FIRST_DAY), -DAY)
    if ask.only is not None:
        return _kept([Stretch(ask.only.lower or floor, ask.only.upper or end, is_history=False)])
    left = ask.left or Window(None, None)
    if ask.is_history or ask.since is None:
        return _kept([Stretch(floor, end, is_history=True)])
    tonight = Stretch(min(ask.since, end), end, is_history=False)
    if ask.left is None:
        return _kept([tonight])
    older = min(left.upper or end, tonight.lower)
    return _kept([tonight, Stretch(left.lower or floor, older, is_history=True)])


def left_of(parts: Sequence[Stretch], read_down_to: datetime) -> Window:
    """What remains of the stretches when all from `read_down_to` upwards was read.

    History's beginning is left open: it is worked out again from the parent.
    """
    remaining = [part for part in parts if part.lower < read_down_to]
    if not remaining or any(part.is_history for part in remaining):
        return Window(None, read_down_to)
    return Window(min(part.lower for part in remaining), read_down_to)


def requests_of(fan_out: FanOut, ask: Ask, until: datetime) -> int:
    """How many requests a parent takes at the least."""
    span = fan_out.span
    if fan_out.form is not Form.WINDOWS or span is None or span.longest_days is None:
        return 1
    parts = stretches(ask, shifted(until, timedelta(days=span.ahead_days)))
    if span.empty_windows is not None and ask.is_history:
        # 404 says at once that there never was any
        return 1
    return sum(-(-(part.upper - part.lower) // timedelta(days=span.longest_days)) for part in parts)


def _kept(parts: Sequence[Stretch]) -> list[Stretch]:
    return [part for part in parts if part.lower < part.upper]
