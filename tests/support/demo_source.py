"""The demo tenant's source file, read with the csv module and nothing of the demo's own code."""

from __future__ import annotations

import csv
import gzip
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cache
from pathlib import Path

FILE = Path(__file__).parents[2] / "demo" / "data" / "trondheim-ev-sessions.csv.gz"


@dataclass(frozen=True)
class SourceRow:
    user: str
    garage: str
    start: datetime
    end: datetime | None
    energy_kwh: Decimal


@cache
def source_rows() -> list[SourceRow]:
    with gzip.open(FILE, "rt", encoding="utf-8-sig", newline="") as file:
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
