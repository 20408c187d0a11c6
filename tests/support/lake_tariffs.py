"""What the models must make of tariffs, prices, settings and forced ends in a small lake, in plain Python.

Prices are worked out minute by minute, each minute turned into the wall clock of the location: slow, and nothing to
get wrong. Does not belong here: rows (lake_tariff_rows.py), the lake itself and its sessions (lake_data.py).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

if TYPE_CHECKING:
    from support.lake_data import Lake

Row = dict[str, Any]
MINUTE = timedelta(minutes=1)
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
TYPES = {
    "standard": "Standard",
    "peak": "Peak",
    "off_peak": "OffPeak",
    "super_off_peak": "SuperOffPeak",
    "dynamic": "Dynamic",
}
SEED = Path(__file__).parents[2] / "warehouse" / "seeds" / "public_holidays.csv"


@cache
def public_holidays() -> frozenset[tuple[str, date]]:
    """(country, day) of every holiday that the project ships."""
    with SEED.open() as file:
        return frozenset(
            (row["country"], date.fromisoformat(day)) for row in csv.DictReader(file) for day in row["days"].split()
        )


def history(lake: Lake, table: str, *key: str) -> dict[tuple[Any, ...], list[Row]]:
    """Every version of every key, oldest first."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in sorted(lake.versions[table], key=lambda row: row["_synced_at"]):
        found[tuple(row[name] for name in key)].append(row)
    return found


# What a kWh costs.


@dataclass(frozen=True)
class Price:
    """type, price and currency of one moment; what is not known is None."""

    type: str
    price: Decimal | None
    currency: str | None
    slot: datetime | None = None


def minute_of_day(text: str | None, otherwise: int) -> int:
    if text is None:
        return otherwise
    hours, minutes = text.split(":")[:2]
    return int(hours) * 60 + int(minutes)


def tariff_at(versions: list[Row], created_at: datetime | None, instant: datetime) -> Row | None:
    """The version of a location's tariff that holds at an instant."""
    found = None
    for number, row in enumerate(versions):
        begins = row["_synced_at"]
        if number == 0 and created_at is not None:
            begins = min(begins, created_at)
        if begins <= instant:
            found = row
    return None if found is None or found["_deleted"] else found


def type_at(tariff: Row, wall: datetime, *, is_holiday: bool) -> str | None:
    """The tariff type at a wall-clock time. An interval over midnight goes on on the next weekday."""
    intervals = tariff["tariff_intervals"]
    if not intervals and len(tariff["tariffs"] or []) == 1:
        return tariff["tariffs"][0]["type"]
    if is_holiday and tariff["holiday_tariff_intervals"]:
        intervals = tariff["holiday_tariff_intervals"]
    minute, today, yesterday = wall.hour * 60 + wall.minute, DAYS[wall.weekday()], DAYS[wall.weekday() - 1]
    for interval in intervals or []:
        start, end = minute_of_day(interval["start_time"], 0), minute_of_day(interval["end_time"], 1440)
        days = interval["days_of_week"] or DAYS
        if start < end:
            fits = today in days and start <= minute < end
        else:
            fits = (today in days and minute >= start) or (yesterday in days and minute < end)
        if fits:
            return interval["tariff_type"]
    return None


class PriceBook:
    """Prices at the locations of a lake."""

    def __init__(self, lake: Lake, zones: dict[str, str]) -> None:
        self.tariffs = history(lake, "location_tariffs", "charging_location_id")
        self.locations = {key: rows[-1] for (key,), rows in history(lake, "charging_locations", "id").items()}
        self.zones = {name: ZoneInfo(zone) for name, zone in zones.items()}
        self.slots: dict[str, list[Row]] = defaultdict(list)
        for (location, _), rows in history(lake, "dynamic_tariffs", "charging_location_id", "start_time").items():
            if not rows[-1]["_deleted"]:
                actual = [row for row in rows if row["data_type"] == "Actual" and not row["_deleted"]]
                self.slots[location].append(actual[-1] if actual else rows[-1])

    def at(self, location_id: str, instant: datetime) -> Price | None:
        """The price at an instant; None where no tariff tells one."""
        location = self.locations.get(location_id)
        if location is None:
            return None
        tariff = tariff_at(self.tariffs[location_id,], location["created_at"], instant)
        if tariff is None:
            return None
        country = (location["address_country"] or "").strip().upper()
        wall = instant.astimezone(self.zones.get(country, self.zones[""]))
        type_ = type_at(tariff, wall, is_holiday=(country, wall.date()) in public_holidays())
        if type_ is None:
            return None
        if type_ == "Dynamic":
            for slot in self.slots[location_id]:
                if slot["start_time"] <= instant < slot["end_time"]:
                    return Price(type_, slot["price"], slot["currency"], slot["start_time"])
            return Price(type_, None, None)
        layer = next((layer for layer in tariff["tariffs"] if layer["type"] == type_), {})
        return Price(type_, layer.get("price"), layer.get("currency") or None)

    def segments(self, location_id: str, start: datetime, end: datetime) -> list[Row]:
        """Neighbouring minutes with the same price, and with a dynamic one of the same slot."""

        def moments() -> Iterator[datetime]:
            yield start
            # Versions begin at any moment; everything else changes at whole minutes.
            versions = [row["_synced_at"] for row in self.tariffs[location_id,]]
            whole = start.replace(second=0, microsecond=0) + MINUTE
            minutes = (whole + n * MINUTE for n in range(max(0, (end - whole) // MINUTE + 1)))
            yield from sorted(moment for moment in {*minutes, *versions} if start < moment < end)

        found: list[Row] = []
        for price, group in groupby(((self.at(location_id, moment), moment) for moment in moments()), lambda p: p[0]):
            begins = next(group)[1]
            if found and found[-1]["ended_at"] is None:
                found[-1]["ended_at"] = begins
            if price is not None:
                found.append(
                    {
                        "started_at": begins,
                        "ended_at": None,
                        "tariff_type": price.type,
                        "price_per_kwh": price.price,
                        "currency": price.currency,
                    }
                )
        if found and found[-1]["ended_at"] is None:
            found[-1]["ended_at"] = end
        return found


# What fct_sessions and fct_plug_ins know beside the session's own row.


class SessionColumns:
    """The columns of fct_sessions that come from prices, cars and settings."""

    def __init__(self, lake: Lake) -> None:
        self.forced = [
            row for row in lake.current("sessions").values() if row["status"] == "ForceEnded" and not row["_deleted"]
        ]
        self.cars = {key: rows[-1] for (key,), rows in history(lake, "vehicles", "id").items()}
        self.settings = history(lake, "charge_settings", "vehicle_id")
        self.parts: dict[str, list[Row]] = defaultdict(list)
        for rows in history(lake, "session_tariffs", "session_id", "start_time", "tariff_type").values():
            if not rows[-1]["_deleted"]:
                self.parts[rows[-1]["session_id"]].append(rows[-1])

    def of(self, row: Row) -> Row:
        """Of one current session."""
        start, end, energy, speed = row["start_time"], row["end_time"], row["charged_energy"], row["charge_speed"]
        duration = (end - start) / MINUTE if end else None
        charging = None
        if energy is not None and energy >= 0 and speed and (duration is None or duration >= 0):
            charging = energy / speed * 60 if duration is None else min(energy / speed * 60, duration)
        average, currency, shares = self.average_price(row)
        is_charged = energy is not None and energy > 0
        paid = float(row["charge_costs"]) / energy if row["charge_costs"] is not None and is_charged else None
        is_comparable = paid is not None and average is not None and row["currency"] == currency
        solar = row["solar_energy"]
        return {
            "unmanaged_reason": self.unmanaged_reason(row),
            "charging_minutes": charging,
            "flexible_hours": (duration - charging) / 60 if duration is not None and charging is not None else None,
            "average_tariff_price_per_kwh": None if average is None else pytest.approx(average, rel=1e-12),
            "tariff_currency": currency,
            "price_against_average": pytest.approx(paid - average, rel=1e-9, abs=1e-12) if is_comparable else None,
            **{f"{name}_energy_share_estimate": shares and shares[type_] for name, type_ in TYPES.items()},
            "solar_share_estimate": min(solar / energy, 1) if is_charged and solar is not None else None,
        }

    def average_price(self, row: Row) -> tuple[float | None, str | None, dict[str, float] | None]:
        """(average price, currency, share of the time by type) of the prices over a session, all of them known."""
        parts = []
        for part in self.parts[row["id"]]:
            ends = [moment for moment in (part["end_time"], row["end_time"]) if moment]
            length = min(ends, default=part["start_time"]) - max(part["start_time"], row["start_time"])
            if length > timedelta(0):
                parts.append((part, length // timedelta(milliseconds=1)))
        if not parts:
            return None, None, None
        total = sum(millis for _, millis in parts)
        shares = {type_: sum(m for p, m in parts if p["tariff_type"] == type_) / total for type_ in TYPES.values()}
        currencies = {part["currency"] for part, _ in parts}
        currency = next(iter(currencies)) if len(currencies) == 1 else None
        if currency is None or any(part["price"] is None for part, _ in parts):
            return None, currency, shares
        return float(sum(part["price"] * millis for part, millis in parts) / total), currency, shares

    def unmanaged_reason(self, row: Row) -> str | None:
        if row["is_managed"] is not False:
            return None
        if row["charging_location_id"] is None:
            return "unknown_location"
        capabilities = self.cars.get(row["vehicle_id"], {}).get("capabilities")
        if capabilities is not None and not {"StartStopCharging", "GeoLocation"} <= set(capabilities):
            return "missing_capability"
        settings = self.settings[row["vehicle_id"],]
        seen = [version for version in settings[1:] if version["_synced_at"] <= row["start_time"]]
        in_force = seen[-1] if seen else settings[0] if settings else None
        if in_force and in_force["is_smart_charging_enabled"] is False and not in_force["_deleted"]:
            return "smart_charging_off"
        return "after_forced_end" if any(follows(other, row) for other in self.forced) else None


def follows(earlier: Row, later: Row) -> bool:
    """Whether a session comes soon enough after another of the same user and car (or place) to belong to it."""
    if earlier["end_time"] is None or earlier["user_id"] != later["user_id"]:
        return False
    if not timedelta(0) <= later["start_time"] - earlier["end_time"] <= timedelta(minutes=10):
        return False
    if (later["start_time"], later["id"]) <= (earlier["start_time"], earlier["id"]):
        return False
    same = [
        earlier[name] == later[name]
        for name in ("vehicle_id", "charging_location_id")
        if earlier[name] is not None and later[name] is not None
    ]
    return bool(same) and all(same)


def expected_plug_ins(sessions: list[Row]) -> set[tuple[str, ...]]:
    """Ids of the sessions of each plug-in, in order of start. sessions: current rows of the lake that are not deleted.

    Chains are walked session by session, in order of time.
    """
    after: dict[str, str] = {}
    claims: dict[str, list[Row]] = defaultdict(list)
    for forced in sessions:
        if forced["status"] == "ForceEnded":
            heirs = [other for other in sessions if follows(forced, other)]
            if heirs:
                heir = min(heirs, key=lambda row: (row["start_time"], row["id"]))
                claims[heir["id"]].append(forced)
    for heir_id, claimants in claims.items():
        latest = max(row["end_time"] for row in claimants)
        after[min(row["id"] for row in claimants if row["end_time"] == latest)] = heir_id
    firsts = {row["id"] for row in sessions} - set(after.values())
    chains = set()
    for first in firsts:
        chain = [first]
        while chain[-1] in after:
            chain.append(after[chain[-1]])
        chains.add(tuple(chain))
    return chains
