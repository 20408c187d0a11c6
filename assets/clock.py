"""One clock for all steps of a run: the first step asks the API for the time, the others take it from there.

Each step is a sync of its own; with a clock each, every table of a night would end at another instant.
Does not belong here: asking (pipelines/sync).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class RunClocks:
    """The API's clock as runs of this process saw it first, by run id. A step in another process asks again."""

    def __init__(self) -> None:
        self._began: dict[str, datetime] = {}
        self._doubtful: set[str] = set()

    def now(self, run_id: str, ask: Callable[[], datetime]) -> datetime:
        """When the run began. `ask` may raise ApiError: where the API is silent, no step should begin."""
        if run_id not in self._began or run_id in self._doubtful:
            answered = ask()
            self._began.setdefault(run_id, answered)
            self._doubtful.discard(run_id)
        return self._began[run_id]

    def doubt(self, run_id: str) -> None:
        """Something failed: the next step asks again, to see whether the API answers at all."""
        self._doubtful.add(run_id)
