"""What time it is on this machine, for whatever is not dated by an answer of the API's.

One function, so that a simulation has one clock for all. Does not belong here: the API's clock (pipelines/sync/run.py),
the client's waiting (pipelines/client/clock.py).
"""

from __future__ import annotations

from datetime import datetime, timezone


def utc_now() -> datetime:
    return datetime.now(timezone.utc)
