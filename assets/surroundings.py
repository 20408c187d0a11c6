"""What assets get from outside: settings, loaded when a run needs them, and listeners to what was done.

The graph can so be shown without one setting of the tenant, and tests hand in their own. It is a plain object and
not a configurable resource, because Dagster stores the configuration of those, and settings hold secrets.
Does not belong here: what a setting means (pipelines/settings.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dagster import Failure

from assets.clock import RunClocks
from pipelines.errors import ChargelakeError
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings, load
from pipelines.sync import CollectionReport, ask_clock
from warehouse.build import BuildReport
from warehouse.publish import PublishReport

KEY = "surroundings"
"""Under which the definitions hold it."""


def _ignore(*_: Any) -> None:
    pass


@dataclass(frozen=True)
class Surroundings:
    """api, sync, lake: load settings, raise ConfigurationError. The rest is told of what is done, as it is done.

    first_pause_seconds: before a collection whose API gives no answer is asked again; doubles each time.
    """

    api: Callable[[], ApiSettings] = lambda: load(ApiSettings)
    sync: Callable[[], SyncSettings] = lambda: load(SyncSettings)
    lake: Callable[[], LakeSettings] = lambda: load(LakeSettings)
    progress: Callable[[str, int], None] = _ignore
    """Called with the name of a collection or a fan-out and how many rows, or parents, were just read."""
    synced: Callable[[CollectionReport], None] = _ignore
    built: Callable[[BuildReport], None] = _ignore
    published: Callable[[PublishReport], None] = _ignore
    first_pause_seconds: float = 30
    clocks: RunClocks = field(default_factory=RunClocks)

    def now(self, run_id: str) -> datetime:
        """The API's clock when the run began: one for all of its steps. Raises ApiError, ConfigurationError."""
        return self.clocks.now(run_id, lambda: ask_clock(self.api(), self.sync()))


@contextmanager
def clear_failures() -> Iterator[None]:
    """Turn an error that chargelake raised on purpose into a failure that shows its text, and is not tried again."""
    failure: Failure | None = None
    try:
        yield
    except ChargelakeError as error:
        failure = Failure(str(error) or type(error).__name__, allow_retries=False)
    if failure is not None:
        raise failure
