"""The source files as they are: charging sessions and day-ahead prices.

Belongs here: reading. Does not belong here: moving anything in time, or inventing anything.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent.parent / "data"
SESSIONS_FILE = DATA / "trondheim-ev-sessions.csv.gz"
PRICES_FILE = DATA / "day-ahead-prices-be-2022-2024.csv.gz"


@dataclass(frozen=True, slots=True)
class SourceSession:
    """One row of the source. start, end: wall-clock time in Trondheim, to the minute; end None where unknown."""

    number: int
    user: str
    garage: str
    start: datetime
    end: datetime | None
    energy_kwh: float


@cache
def read_sessions() -> tuple[SourceSession, ...]:
    """All rows, in the file's order (by start). The file quotes nothing, so lines are taken apart without the csv
    module: what a tenant of a few users waits for is mostly this.
    """
    header, *lines = gzip.decompress(SESSIONS_FILE.read_bytes()).decode("utf-8-sig").splitlines()
    names = header.split(";")
    number, user, garage, start, end, energy = map(
        names.index, ("session_ID", "User_ID", "Garage_ID", "Start_plugin", "End_plugout", "El_kWh")
    )
    return tuple(
        SourceSession(
            number=int(row[number]),
            user=row[user],
            garage=row[garage],
            start=_wall_time(row[start]),
            end=_wall_time(row[end]) if row[end] not in {"", "NA"} else None,
            energy_kwh=float(row[energy].replace(",", ".")),
        )
        for row in (line.split(";") for line in lines)
    )


def _wall_time(text: str) -> datetime:
    """`21.12.2018 10:20`; taken apart by hand because strptime would be half of the start-up time."""
    return datetime(int(text[6:10]), int(text[3:5]), int(text[:2]), int(text[11:13]), int(text[14:16]))  # noqa: DTZ001


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def source_price(day: date, hour: int) -> float | None:
    """EUR per kWh in an hour of a local day in Brussels, None where the file has no such hour.

    Of the hour that autumn repeats, the second stands. The file holds a thousandth of EUR/MWh with two decimals, seen
    through 32-bit floats: five decimals here. Each is read when it is asked for, because few users need few of them.
    """
    text = _price_lines().get(f"{day.day:02d}{MONTHS[day.month - 1]}{day.year} {hour:02d}:00:00")
    return round(float(text), 5) if text else None


@cache
def _price_lines() -> dict[str, str]:
    lines = gzip.decompress(PRICES_FILE.read_bytes()).decode().splitlines()
    pairs = (line.partition(",") for line in lines[1:])
    return {moment: price for moment, _, price in pairs if price}
