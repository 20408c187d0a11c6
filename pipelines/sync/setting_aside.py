"""What becomes of rows that cannot be read, and of what the contract does not know. Pure decisions on records.

A row is set aside as `pending` with the window that is asked again; met with the same bytes in another run it is
`permanent`; not met when its window is asked again it is `resolved`.
Does not belong here: finding such rows (pipelines/normalise), storing records (pipelines/lake).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import xxhash

from pipelines.lake import Record
from pipelines.normalise import BadRow, Drift
from pipelines.sync.pages import item_time
from pipelines.sync.windows import EDGE, Window, shifted

PENDING, PERMANENT, RESOLVED = "pending", "permanent", "resolved"


@dataclass(frozen=True, slots=True)
class SetAside:
    """An unreadable row with where it came from.

    question: None where the list has no filter. parent_id: of the parent that was asked, None for a tenant's list.
    path_ids: ids of the request's path, by JSON name; they belong to the row.
    """

    row: BadRow
    question: str | None
    window: Window | None
    read_at: datetime
    parent_id: str | None = None
    path_ids: Mapping[str, str] = field(default_factory=dict)

    def identity(self, collection: str) -> str:
        whose = "" if self.parent_id is None else f"{self.parent_id}\n"
        return xxhash.xxh3_128_hexdigest(f"{collection}\n{whose}{self.row.raw}".encode())


def quarantine_news(collection: str, run_id: str, met: Iterable[SetAside], held: Mapping[str, Record]) -> list[Record]:
    """The records of rows that this run could not read; to be written before the rows around them.

    held: current records by id.
    """
    news: dict[str, Record] = {}
    for row in sorted(met, key=_width, reverse=True):
        identity = row.identity(collection)
        record = held.get(identity)
        if record is None or record["status"] == RESOLVED:
            news[identity] = _pending(collection, run_id, identity, row, record)
        elif record["status"] == PENDING and record["_run_id"] != run_id:
            news[identity] = {**record, "status": PERMANENT, "_synced_at": row.read_at, "_run_id": run_id}
    return list(news.values())


def resolutions(asked_again: Iterable[str], run_id: str, at: datetime, held: Mapping[str, Record]) -> list[Record]:
    """The records of pending rows that were not met when their window was asked again in full.

    To be written after what that window brought instead.
    """
    return [
        {**held[identity], "status": RESOLVED, "_synced_at": at, "_run_id": run_id}
        for identity in asked_again
        if identity in held and held[identity]["status"] == PENDING and held[identity]["_run_id"] != run_id
    ]


def happened_within(record: Record, window: Window, time: str) -> bool:
    """Whether a row that could not be read is one of a window: by its own time at the path `time`, where that can be
    read, else by the window in which it was met.
    """
    at = _time_of(record["raw"], time)
    if at is not None:
        return window.holds(at)
    lower, upper = window.lower, window.upper
    begin, end = record["asked_from"], record["asked_until"]
    return (lower is None or (begin is not None and begin >= shifted(lower, -EDGE))) and (
        upper is None or (end is not None and end <= shifted(upper, EDGE))
    )


def _time_of(raw: str, path: str) -> datetime | None:
    try:
        return item_time(json.loads(raw), path)
    except (ValueError, RecursionError):
        return None


def _width(met: SetAside) -> float:
    """Seconds of the window that is asked again: of several sightings the one that costs least is kept."""
    width = met.window.width if met.window else None
    return float("inf") if width is None else width.total_seconds()


def _pending(collection: str, run_id: str, identity: str, met: SetAside, earlier: Record | None) -> Record:
    return {
        "id": identity,
        "collection": collection,
        "status": PENDING,
        "reason": met.row.reason,
        "field": met.row.field,
        "key": met.row.key,
        "raw": met.row.raw,
        "question": met.question,
        "asked_from": met.window.lower if met.window else None,
        "asked_until": met.window.upper if met.window else None,
        "parent_id": met.parent_id,
        "path_ids": json.dumps(dict(met.path_ids), sort_keys=True) if met.path_ids else None,
        "first_seen_at": earlier["first_seen_at"] if earlier else met.read_at,
        "_synced_at": met.read_at,
        "_run_id": run_id,
    }


def drift_news(
    collection: str, run_id: str, at: datetime, found: Mapping[Drift, int], held: Mapping[str, Record]
) -> list[Record]:
    """Records of drift that no earlier run has reported."""
    news = []
    for drift, rows_seen in found.items():
        identity = xxhash.xxh3_128_hexdigest(
            "\n".join((collection, drift.kind, drift.path, drift.value or "")).encode()
        )
        if identity not in held:
            news.append(
                {
                    "id": identity,
                    "collection": collection,
                    "kind": drift.kind,
                    "path": drift.path,
                    "value": drift.value,
                    "rows_seen": rows_seen,
                    "_synced_at": at,
                    "_run_id": run_id,
                }
            )
    return news
