"""What all parts of one run share.

Does not belong here: what a run is asked to do (run.py), what it did (report.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from pipelines.settings import SyncSettings
from pipelines.sync.fanout.known import Known


@dataclass(frozen=True, slots=True)
class Run:
    """now: the API's clock when it began; until: the end of its windows. known: what the lake knows, for all parts."""

    run_id: str
    until: datetime
    now: datetime
    settings: SyncSettings
    side_by_side: int
    deep: bool
    known: Known
    progress: Callable[[str, int], None]
    """Called with a collection's name and how many rows, or parents, were just read."""
