"""The demo tenant's source files, read with the csv module and nothing of the demo's own code."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

DATA = Path(__file__).parents[2] / "demo" / "data"


@dataclass(frozen=True)
class SourceRow:
    user: str
    garage: str
    start: datetime
    end: datetime | None
    energy_kwh: Decimal


@cache
def source_rows() -> list[SourceRow]:
    with gzip.open(DATA / "trondheim-ev-sessions.csv.gz", "rt", encoding="utf-8-sig", newline="") as file:
        return [
            SourceRow(
                row["User_ID"],
                row["Garage_ID"],
                wall_time(row["Start_plugin"]),
                None if row["End_plugout"] == "NA" else wall_time(row["End_plugout"]),
                Decimal(row["El_kWh"].replace(",", ".")),
            )
            for row in csv.DictReader(file, delimiter=";")
        ]


def wall_time(text: str) -> datetime:
    return datetime.strptime(text, "%d.%m.%Y %H:%M")  # noqa: DTZ007 - the source has wall-clock times


@cache
def source_prices() -> dict[tuple[date, int], float]:
    """EUR per kWh by local date and hour in Brussels; of the hour that autumn repeats, the second."""
    with gzip.open(DATA / "day-ahead-prices-be-2022-2024.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = [(_hour(row["time"]), row["DAM_price"]) for row in csv.DictReader(file)]
        return {(hour.date(), hour.hour): round(float(price), 5) for hour, price in rows if price}


def _hour(text: str) -> datetime:
    return datetime.strptime(text, "%d%b%Y %H:%M:%S")  # noqa: DTZ007 - the source has wall-clock times
