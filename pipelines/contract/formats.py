"""How values are written in requests. Does not belong here: reading answers (pipelines/normalise)."""

from __future__ import annotations

from datetime import datetime, timezone


def format_instant(instant: datetime) -> str:
    """v2's only form, `yyyy-MM-ddTHH:mm:ss.fffZ`, cut to the millisecond."""
    return instant.astimezone(timezone.utc).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"
