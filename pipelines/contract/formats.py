"""How values are written in requests. Does not belong here: reading answers (pipelines/normalise)."""

from __future__ import annotations

from datetime import datetime, timezone


def format_instant(instant: datetime) -> str:
    """v2's only form, `yyyy-MM-ddTHH:mm:ss.fffZ`, cut to the millisecond."""
    utc = instant.astimezone(timezone.utc)
    return utc.strftime("%Y-%m-%dT%H:%M:%S.") + f"{utc.microsecond // 1000:03d}Z"
