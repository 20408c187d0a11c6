"""A lake whose every column holds what no sane tenant would send, but what the contract lets through.

Unlisted words, unknown zones and countries, nulls, huge and negative numbers, times from the year 1 to 9999, ends before
starts, intervals that are none, children of parents that are deleted or were never there. Only keys are always there.
"""

from __future__ import annotations

import random
import uuid
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
from support.lake_data import Lake, Row, at, run_record
from support.lake_money import content
from support.lake_tariff_rows import append_by_month

from pipelines.contract import RESOURCES
from pipelines.lake.schemas import table_schema

WORDS = ("", " ", "Wat?", "ForceEnded", "Complete", "Active", "Peak", "OffPeak", "Dynamic", "Standard", "Actual")
WORDS += (
    "Forecast",
    "PaidOut",
    "EUR",
    "NOK",
    "eur",
    "NO",
    "no ",
    "XX",
    "Europe/Oslo",
    "Nowhere/Land",
    "Ünïcødé",
    "'; --",
)
TIMES = ("00:00", "24:00", "25:61", "noon", "", "7:5", "23:59", "-1:00", "12:30:15")
DAYS = ("Monday", "Sunday", "sunday", "Caturday", "")
NUMBERS = (0.0, -0.0, 1.5, -1.5, 1e-300, 1e18, 1e300, -1e300, 17.25)
AMOUNTS = ("0", "-1.5", "0.000000001", "12345.678", "90000000000000000000000000000", "-90000000000000000000000000000")
MOMENTS = ("0001-01-01", "1969-12-31T23:59:59", "2026-03-29T01:30", "2026-10-25T00:30", "2026-10-30", "2038-01-20")
MOMENTS += ("9999-12-31T23:59:59",)


class HostileLake:
    """Rows for every table, from a seed. Ids come from small pools, so that most relations hold and some do not."""

    def __init__(self, lake: Lake, seed: int, without: set[str]) -> None:
        self.lake, self.random, self.without = lake, random.Random(seed), without
        self.ids = {
            name: [self._uuid() for _ in range(30)] for name in ("user", "vehicle", "location", "session", "other")
        }

    def night(self, read: datetime) -> None:
        """Rows of every table, some keys in two versions, some of them deleted."""
        for table in RESOURCES:
            if table in self.without:
                continue
            rows = {tuple(row[key] for key in RESOURCES[table].key_columns): row for row in self._rows(table, 80)}
            self._append(table, list(rows.values()), read)
            some = self.random.sample(list(rows.values()), len(rows) // 5)
            self._append(table, some, read + timedelta(minutes=1), deleted=True)
            self._append(table, some[::2], read + timedelta(minutes=2))
        records = [run_record(read, name) for name in RESOURCES if name not in self.without]
        odd = {"status": "Wat?", "watermark": None, "window_until": None, "rows_read": -1}
        self.lake.append("_runs", [*records, *(row | odd for row in records[::3])], read)

    def _append(self, table: str, rows: list[Row], read: datetime, *, deleted: bool = False) -> None:
        append = append_by_month if RESOURCES[table].is_by_month else _append
        append(self.lake, table, [content(row) for row in rows], read, deleted=deleted)

    def _rows(self, table: str, number: int) -> list[Row]:
        resource = RESOURCES[table]
        rows = [{f.name: self._value(f.name, f.type, depth=0) for f in table_schema(resource)} for _ in range(number)]
        return [row | {key: row[key] or self._key(key, table) for key in resource.key_columns} for row in rows]

    def _value(self, name: str, kind: pa.DataType, depth: int) -> Any:  # noqa: C901 - one line for each type
        chance = self.random.random()
        if chance < 0.15:
            return None
        if name == "id" or name.endswith("_id"):
            return self._id(name)
        if name.endswith(("start_time", "end_time", "created_at")) and pa.types.is_timestamp(kind) and chance < 0.7:
            return at("2026-10-20") + timedelta(minutes=self.random.randrange(0, 20_000, 15))
        if pa.types.is_timestamp(kind):
            return at(self.random.choice(MOMENTS))
        if pa.types.is_decimal(kind):
            return Decimal(self.random.choice(AMOUNTS))
        if pa.types.is_floating(kind):
            return self.random.choice(NUMBERS)
        if pa.types.is_integer(kind):
            return self.random.choice([0, -5, 50, 2**62])
        if pa.types.is_boolean(kind):
            return chance < 0.6
        if pa.types.is_list(kind):
            return [self._value(name, kind.value_type, depth + 1) for _ in range(self.random.randrange(4))]
        if pa.types.is_struct(kind):
            return {part.name: self._value(part.name, part.type, depth + 1) for part in kind}
        if depth and name in {"start_time", "end_time"}:
            return self.random.choice(TIMES)
        return self.random.choice(DAYS if name == "days_of_week" else WORDS)

    def _id(self, name: str) -> str | None:
        pool = {"charging_location_id": "location", "user_id": "user", "vehicle_id": "vehicle", "session_id": "session"}
        return self.random.choice(self.ids[pool.get(name, "other")])

    def _key(self, name: str, table: str) -> Any:
        if name == "id":
            pools = {"users": "user", "vehicles": "vehicle", "charging_locations": "location", "sessions": "session"}
            return self.random.choice(self.ids[pools.get(table, "other")])
        if name.endswith("_id"):
            return self._id(name)
        return at("2026-10-25T00:15") if name.endswith("_time") else self.random.choice(WORDS)

    def _uuid(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))


def _append(lake: Lake, table: str, rows: list[Row], read: datetime, *, deleted: bool = False) -> None:
    lake.append(table, rows, read, deleted=deleted)
