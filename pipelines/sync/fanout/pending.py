"""Parents that could not be asked to the end: what is remembered of them, and when it is over. Pure.

A parent that fails keeps the range that is missing and since when it fails; it is asked first the next time. One whose
history is only too long for a night is remembered the same way, without counting as failing.
Does not belong here: storing records (pipelines/lake), asking (fan_out.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from pipelines.lake import Record
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.windows import Window

PENDING, DONE = "pending", "done"
MOST_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Left:
    """What is missing of a parent. reason: why, None where only the night's budget was spent."""

    ask: Ask
    window: Window
    reason: str | None


def identity(fan_out: str, parent_id: str) -> str:
    """The record's id."""
    return f"{fan_out}/{parent_id}"


def is_failing(record: Record) -> bool:
    """Whether something is wrong with the parent, rather than that its history is long."""
    return bool(record["status"] == PENDING and record["attempts"] > 0)


def pending_news(
    fan_out: str, run_id: str, at: datetime, left: Iterable[Left], held: Mapping[str, Record]
) -> list[Record]:
    """Records of parents that this run leaves; to be written before the bucket's state moves on."""
    news = []
    for one in left:
        record = held.get(identity(fan_out, one.ask.parent_id))
        before = record if record is not None and record["status"] == PENDING else None
        failed_before = before is not None and before["attempts"] > 0
        news.append(
            {
                "id": identity(fan_out, one.ask.parent_id),
                "fan_out": fan_out,
                "parent_id": one.ask.parent_id,
                "user_id": one.ask.user_id,
                "asked_from": one.window.lower,
                "asked_until": one.window.upper,
                "status": PENDING,
                "attempts": 0 if one.reason is None else (before["attempts"] if before else 0) + 1,
                "failing_since": before["failing_since"] if before is not None and failed_before else at,
                "reason": None if one.reason is None else one.reason[:MOST_CHARACTERS],
                "_synced_at": at,
                "_run_id": run_id,
            }
        )
    return news


def resolutions(
    fan_out: str, run_id: str, at: datetime, parents: Iterable[str], held: Mapping[str, Record]
) -> list[Record]:
    """The records of parents that were asked to the end, or are gone; to be written after their rows."""
    found = []
    for parent in parents:
        record = held.get(identity(fan_out, parent))
        if record is not None and record["status"] == PENDING and record["_run_id"] != run_id:
            found.append({**record, "status": DONE, "_synced_at": at, "_run_id": run_id})
    return found
