"""What is remembered of rows that a list lacks until they are proved gone or turn up again. Pure decisions on records.

A row is a `candidate` while nothing is proved, `proved` from the proof on until its deletion and that of all below it
has been committed, then `deleted`; `alive` once it was seen again. Only what one run does not finish is written down.
Does not belong here: storing records (pipelines/lake), proving (proving.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from pipelines.lake import Record
from pipelines.sync.deletions.absence import Row

CANDIDATE, PROVED, DELETED, ALIVE = "candidate", "proved", "deleted", "alive"
OPEN = frozenset({CANDIDATE, PROVED})
MOST_CHARACTERS = 300


def identity(collection: str, row_id: str) -> str:
    """The record's id."""
    return f"{collection}/{row_id}"


def unproved_news(
    collection: str,
    run_id: str,
    at: datetime,
    unproved: Mapping[Row, str],
    attempted: Collection[str],
    held: Mapping[str, Record],
) -> list[Record]:
    """Records of rows that stay candidates. unproved: why, by row. attempted: ids of those that were asked."""
    news = []
    for row, reason in unproved.items():
        before = _open(held, collection, row.id)
        attempts = (before["attempts"] if before else 0) + (row.id in attempted)
        status = before["status"] if before else CANDIDATE
        record = _record(collection, run_id, at, row, status, before)
        record |= {"attempts": attempts, "reason": reason[:MOST_CHARACTERS]}
        told = ("status", "attempts", "reason")
        if before is None or any(before[name] != record[name] for name in told):
            news.append(record)
    return news


def proved_news(
    collection: str,
    run_id: str,
    at: datetime,
    gone: Iterable[Row],
    kept: Mapping[str, Collection[str]],
    held: Mapping[str, Record],
) -> list[Record]:
    """Records of rows that are about to be deleted; to be written before what is below them is.

    kept: by id, the tables whose rows stay.
    """
    return [
        _record(collection, run_id, at, row, PROVED, _open(held, collection, row.id))
        | {"kept": sorted(kept.get(row.id, ())) or None}
        for row in gone
    ]


def settled_news(
    collection: str, run_id: str, at: datetime, ids: Iterable[str], status: str, held: Mapping[str, Record]
) -> list[Record]:
    """Records of rows of which nothing is open any more: deleted, or alive."""
    found = [_open(held, collection, row_id) for row_id in ids]
    return [
        {**record, "status": status, "reason": None, "_synced_at": at, "_run_id": run_id}
        for record in found
        if record is not None
    ]


def _open(held: Mapping[str, Record], collection: str, row_id: str) -> Record | None:
    record = held.get(identity(collection, row_id))
    return record if record is not None and record["status"] in OPEN else None


def _record(
    collection: str, run_id: str, at: datetime, row: Row, status: str, before: Record | None
) -> dict[str, object]:
    return {
        "id": identity(collection, row.id),
        "collection": collection,
        "row_id": row.id,
        "user_id": row.user_id,
        "status": status,
        "attempts": before["attempts"] if before else 0,
        "missing_since": before["missing_since"] if before else at,
        "reason": None,
        "kept": None,
        "_synced_at": at,
        "_run_id": run_id,
    }
