"""The audit's records: what the API counts in a closed month against what the lake holds. Pure.

Does not belong here: counting (pipelines/lake/held.py), reading a month again (collection.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from pipelines.lake import Record
from pipelines.sync.windows import Window


@dataclass(frozen=True, slots=True)
class MonthCount:
    """Of a month, or of all before the first.

    api_rows: the API's `totalCount`. held_rows: ours, rows set aside included, after reading again where they differed.
    """

    api_rows: int
    held_rows: int
    was_read_again: bool

    @property
    def differs(self) -> bool:
        return self.api_rows != self.held_rows


def reconciliation_news(
    collection: str, run_id: str, at: datetime, counts: Mapping[Window, MonthCount], held: Mapping[str, Record]
) -> list[Record]:
    """Records of months that are counted for the first time or otherwise than before; none of what is before them."""
    news = []
    for window, count in counts.items():
        if window.lower is None:
            continue
        identity = f"{collection}/{window.lower:%Y-%m}"
        record = held.get(identity)
        if record is None or (record["api_rows"], record["held_rows"]) != (count.api_rows, count.held_rows):
            news.append(
                {
                    "id": identity,
                    "collection": collection,
                    "month": window.lower.date(),
                    "api_rows": count.api_rows,
                    "held_rows": count.held_rows,
                    "was_read_again": count.was_read_again,
                    "_synced_at": at,
                    "_run_id": run_id,
                }
            )
    return news
