"""Instants: every spelling that a JSON answer may have, as UTC cut to the millisecond.

Read are `yyyy-MM-ddTHH:mm:ss` with 0 to 9 fractional digits; `T`, `t` or a space between date and time; no zone
(v1, meaning UTC), `Z`, `z`, or an offset `+02:00`, `+0200`, `+02`. Years 0001 to 9999 in UTC: a sentinel such as
9999-12-31 is a value like any other. Everything else is no instant: `24:00:00`, a 60th second, 30 February.
A date without a time is none either.

Does not belong here: local clock times such as a tariff's `24:00`, which are text.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pyarrow as pa

from pipelines.normalise.arrow import Array, compute, fixed_width_bytes

TYPE = pa.timestamp("us", tz="UTC")
UTC = timezone.utc

_FORM = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)?", re.ASCII
)
_V2_FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_V2_WIDTH = 24
_V2_MARKS = b"--T::.Z"
"""What is left of a v2 instant without its digits."""
_FIRST_MICROSECONDS = (datetime(1, 1, 1, tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def parse_instant(text: str) -> datetime | None:
    """The instant in UTC, cut (floored) to the millisecond; None if `text` is none."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, sign, offset_hours, offset_minutes = found.groups()
    milliseconds = int(fraction[:3].ljust(3, "0")) if fraction else 0
    try:
        instant = datetime(
            int(year), int(month), int(day), int(hour), int(minute), int(second), milliseconds * 1000, UTC
        )
        if sign is None:
            return instant
        hours, minutes = int(offset_hours), int(offset_minutes or 0)
        if hours > 23 or minutes > 59:
            return None
        offset = timedelta(hours=hours, minutes=minutes)
        return instant - offset if sign == "+" else instant + offset
    except (ValueError, OverflowError):
        return None


def is_v2_instant(text: str) -> bool:
    """Whether a text is a valid instant in v2's canonical spelling."""
    return _V2_FORM.fullmatch(text) is not None and parse_instant(text) is not None


def instant_text(instant: datetime) -> str:
    """The canonical spelling, v2's `yyyy-MM-ddTHH:mm:ss.fffZ`. instant: UTC."""
    return instant.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def parse_v2_column(texts: Array) -> Array | None:
    """A whole column at once, if every text in it is a valid instant in v2's canonical spelling; else None."""
    data = fixed_width_bytes(texts, _V2_WIDTH)
    if not data or data.translate(None, b"0123456789") != _V2_MARKS * (len(data) // _V2_WIDTH):
        return None
    try:
        instants: Array = compute.cast(texts, TYPE)
    except pa.ArrowInvalid:
        return None
    return None if compute.min(instants).value < _FIRST_MICROSECONDS else instants
