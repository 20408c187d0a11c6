"""Rows of tariffs and prices for small lakes: every kind, and odd ones.

Does not belong here: what the models must make of them (lake_tariffs.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import deltalake
from support.lake_data import Lake, Row, Tenant
from support.lake_tariffs import DAYS

from pipelines.contract import RESOURCES
from pipelines.lake.schemas import table_schema


def append_by_month(lake: Lake, table: str, rows: list[Row], synced_at: datetime, *, deleted: bool = False) -> None:
    """As `Lake.append`, for a table that is partitioned by the month of its start."""
    path = f"{lake.root}/{table}"
    if not deltalake.DeltaTable.is_deltatable(path):
        schema: Any = table_schema(RESOURCES[table])
        deltalake.DeltaTable.create(path, schema, partition_by=["start_month"])
    dated = [row | {"start_month": f"{row['start_time']:%Y-%m}"} for row in rows]
    lake.append(table, dated, synced_at, deleted=deleted)


def interval(start: str | None, end: str | None, days: str | None, type_: str) -> Row:
    """days: `1-5`, `67`, ... or None."""
    if days is None:
        chosen = None
    elif "-" in days:
        chosen = list(DAYS[int(days[0]) - 1 : int(days[2])])
    else:
        chosen = [DAYS[int(day) - 1] for day in days]
    return {"start_time": start, "end_time": end, "days_of_week": chosen, "tariff_type": type_}


def layers(currency: str | None, **prices: str) -> list[Row]:
    return [{"currency": currency, "price": Decimal(price), "type": type_} for type_, price in prices.items()]


DOUBLE = [
    interval("07:00", "23:00", "1-5", "Peak"),
    interval("00:00", "07:00", "1-5", "OffPeak"),
    interval("23:00", "24:00", "1-5", "OffPeak"),
    interval("00:00", "24:00", "67", "OffPeak"),
]
TRIPLE = [
    interval("00:00", "02:30", "1-7", "SuperOffPeak"),
    interval("02:30", "06:45", "1-7", "OffPeak"),
    interval("06:45", "24:00", "1-7", "Peak"),
]
OVER_MIDNIGHT = [interval("22:30", "06:15", "1-7", "OffPeak"), interval("06:15", "22:30", "1-7", "Peak")]
HOLIDAY = [interval("00:00", "24:00", "1-7", "OffPeak")]


def tariff_rows(locations: list[Row]) -> list[Row]:
    """Every kind of tariff, at as many locations; the last three locations have none."""
    kinds: list[Row] = [
        {
            "tariffs": layers("NOK", Peak="1.31", OffPeak="0.8"),
            "tariff_intervals": DOUBLE,
            "holiday_tariff_intervals": HOLIDAY,
        },
        {"tariffs": layers("NOK", Peak="2", OffPeak="1.5", SuperOffPeak="0.123456789"), "tariff_intervals": TRIPLE},
        {"tariffs": layers("GBP", Peak="0.3", OffPeak="0.1"), "tariff_intervals": OVER_MIDNIGHT},
        {"tariffs": layers("GBP", Standard="0.25"), "tariff_intervals": [interval(None, None, None, "Standard")]},
        {"tariffs": layers("EUR", Standard="0.2"), "tariff_intervals": None},
        {
            "tariffs": layers("EUR", Peak="0.4", OffPeak="0.2"),
            "tariff_intervals": DOUBLE,
            "holiday_tariff_intervals": [],
        },
        {"tariffs": layers(None, Dynamic="0"), "tariff_intervals": [interval(None, None, "1-7", "Dynamic")]},
        {"tariffs": layers("", Dynamic="0"), "tariff_intervals": [interval("00:00", "24:00", "1-7", "Dynamic")]},
        {"tariffs": layers("EUR", Peak="0.4"), "tariff_intervals": DOUBLE, "holiday_tariff_intervals": HOLIDAY},
    ]
    return [
        {
            "user_id": place["user_id"],
            "charging_location_id": place["id"],
            "off_peak_charging_only": number % 2 == 0,
            "holiday_tariff_intervals": None,
        }
        | kind
        for number, (place, kind) in enumerate(zip(locations, kinds, strict=False))
    ]


def slot_rows(tenant: Tenant, location: Row, first: datetime, hours: int, minutes: int, data_type: str) -> list[Row]:
    """Prices of all slots over some hours, but for a gap of three hours six hours behind the middle."""
    step = timedelta(minutes=minutes)
    starts = [first + n * step for n in range(hours * 60 // minutes)]
    gap = first + timedelta(hours=hours // 2 + 6)
    return [
        {
            "user_id": location["user_id"],
            "charging_location_id": location["id"],
            "start_time": start,
            "end_time": start + step,
            "price": Decimal(tenant.random.randrange(-(10**8), 10**9)).scaleb(-9),
            "currency": "EUR",
            "data_type": data_type,
        }
        for start in starts
        if not gap <= start < gap + timedelta(hours=3)
    ]


def session_tariff_rows(tenant: Tenant, session: Row) -> list[Row]:
    """Segments over a session as the API might give them: not cut to it, some without an end or a price."""
    start = session["start_time"].replace(minute=0, second=0, microsecond=0)
    end = session["end_time"] or start + timedelta(hours=5)
    rows, chance = [], tenant.random.random
    currency = session["currency"] or tenant.random.choice(["NOK", "EUR"])
    while start < end:
        stop = start + timedelta(minutes=tenant.random.choice([30, 60, 240]))
        rows.append(
            {
                "user_id": session["user_id"],
                "session_id": session["id"],
                "start_time": start,
                "end_time": stop,
                "price": Decimal(tenant.random.randrange(10**12)).scaleb(-9) if chance() < 0.98 else None,
                "currency": currency if chance() < 0.99 else "GBP",
                "tariff_type": tenant.random.choice(["Peak", "OffPeak", "SuperOffPeak", "Midday"]),
            }
        )
        start = stop
    if rows and chance() < 0.3:
        rows[-1]["end_time"] = None
    return rows
