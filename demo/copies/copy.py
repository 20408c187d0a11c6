"""One copy: how what is true of the original is told of it, and how what is asked about it is asked of the original.

Ids that belong to a household are swapped for the copy's own, moments move by whole hours, so that hours of prices and
sun stay hours. Everything else is the original's word for word, names and addresses included.
Does not belong here: which rows there are (merged.py), at which moment (history.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache

from demo.routes import UUID
from demo.world.cars import CAR_MODELS
from demo.world.contracts import SUPPLIERS
from demo.world.draw import stable_id
from demo.world.people import AGREEMENT_ID
from demo.world.times import HOUR_MS, iso, to_ms

ID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
HOUR = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d)(?=:\d\d:\d\d\.\d{3}Z)")
ID_OR_HOUR = re.compile(b"(%b)|%b" % (ID.pattern, HOUR.pattern))
ASKED_HOUR = re.compile(r"(\d{4}-\d\d-\d\dT\d\d)(:.*)", re.ASCII)

SHARED_IDS = frozenset(
    id_.encode()
    for id_ in (
        AGREEMENT_ID,
        *(stable_id("energy supplier", name) for name in SUPPLIERS),
        *(model.id for model in CAR_MODELS),
    )
)
"""Ids of what does not belong to a household."""

CHANGED_BITS = 0x0000_FFFF_FFFF_0FFF_3FFF_FFFF_FFFF_FFFF
"""The first bits stay, so that rows of one moment keep their order; version and variant stay, so that it is a UUID."""


class Copy:
    """number: 0 is the original; each copy lives one hour before the one with the number below."""

    def __init__(self, number: int) -> None:
        self.number = self.hours_early = number
        self.early_ms = number * HOUR_MS
        self.mask = id_number(stable_id("copy", number).encode()) & CHANGED_BITS if number else 0
        self._told_heads: dict[bytes, bytes] = {}

    def swapped(self, id_: str) -> str:
        """The copy's id of an id of the original, and the other way round."""
        return id_text(id_number(id_.encode()) ^ self.mask).decode()

    def told(self, body: bytes) -> bytes:
        """What is true of the original, as it is true of the copy."""
        return ID_OR_HOUR.sub(self._told_part, body) if self.hours_early else body

    def told_head(self, head: bytes) -> bytes:
        """The same for a part that many rows have: kept."""
        told = self._told_heads.get(head)
        if told is None:
            told = self._told_heads[head] = self.told(head)
        return told

    def _told_part(self, match: re.Match[bytes]) -> bytes:
        id_, hour = match.groups()
        if id_ is None:
            return hour_text(hour_number(hour) - self.hours_early)
        return id_ if id_ in SHARED_IDS else id_text(id_number(id_) ^ self.mask)

    def asked(self, values: Mapping[str, str]) -> dict[str, str]:
        """The parameters of a read of the copy, as they are for the original."""
        return {name: self._asked_value(value) for name, value in values.items()}

    def _asked_value(self, value: str) -> str:
        if UUID.fullmatch(value):
            return self.swapped(value)
        match = ASKED_HOUR.fullmatch(value)
        if match is None:
            return value
        hour, rest = match.groups()
        try:
            return hour_text(hour_number(hour.encode()) + self.hours_early).decode() + rest
        except (ValueError, OverflowError):
            # No such moment, or none later: as good for the original as for the copy.
            return value


def id_number(text: bytes) -> int:
    """The bits of a UUID; several times faster than uuid.UUID, which is felt where a page has hundreds."""
    return int(text.replace(b"-", b""), 16)


def id_text(number: int) -> bytes:
    """A UUID as it is written."""
    digits = b"%032x" % number
    return b"%b-%b-%b-%b-%b" % (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])


@cache
def hour_number(text: bytes) -> int:
    """Hours since the epoch of `yyyy-MM-ddTHH`. Raises ValueError."""
    return to_ms(datetime.fromisoformat(f"{text.decode()}:00:00+00:00")) // HOUR_MS


@cache
def hour_text(number: int) -> bytes:
    return iso(number * HOUR_MS)[:13].encode()
