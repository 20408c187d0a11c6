"""The source files as they are: charging sessions and day-ahead prices.

Belongs here: reading. Does not belong here: moving anything in time, or inventing anything.
"""

from __future__ import annotations

import csv
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
    """All rows, in the file's order (by start)."""
    with gzip.open(SESSIONS_FILE, "rt", encoding="utf-8-sig", newline="") as file:
        return tuple(
            SourceSession(
                number=int(row["session_ID"]),
                user=row["User_ID"],
                garage=row["Garage_ID"],
                start=_wall_time(row["Start_plugin"]),
                end=_wall_time(row["End_plugout"]) if row["End_plugout"] not in {"", "NA"} else None,
                energy_kwh=float(row["El_kWh"].replace(",", ".")),
            )
            for row in csv.DictReader(file, delimiter=";")
        )


def _wall_time(text: str) -> datetime:
    """`21.12.2018 10:20`; taken apart by hand because strptime would be half of the start-up time."""
    return datetime(int(text[6:10]), int(text[3:5]), int(text[:2]), int(text[11:13]), int(text[14:16]))  # noqa: DTZ001


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@cache
def read_prices() -> dict[tuple[date, int], float]:
    """EUR per kWh by local date and hour in Brussels. Of the hour that autumn repeats, the second stands.

    The file holds EUR/MWh with two decimals, seen through 32-bit floats: five decimals here.
    """
    with gzip.open(PRICES_FILE, "rt", encoding="utf-8", newline="") as file:
        rows = csv.reader(file)
        next(rows)
        return {
            (date(int(text[5:9]), MONTHS.index(text[2:5]) + 1, int(text[:2])), int(text[10:12])): round(float(price), 5)
            for text, price in rows
            if price
        }
