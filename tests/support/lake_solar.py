"""Solar energy for lakes of tests, and what the marts must make of it, in plain Python with exact fractions."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

from support.lake_data import FINAL, Lake, Row, Tenant
from support.lake_money import Key, current, zone_of

HOUR = timedelta(hours=1)


def production(seed: int, location_id: str, first: datetime, last: datetime, step: timedelta = HOUR) -> list[Row]:
    """An interval for each step; some without a figure, some missing; at night a system may use a little."""
    chance, rows, start = random.Random(f"{seed}{location_id}"), [], first
    while start < last:
        odd = chance.random()
        if odd < 0.02:
            energy = None
        elif 5 < start.hour < 20:
            energy = round(chance.uniform(0, 6), 3)
        else:
            energy = round(-0.5 * chance.random(), 3) if odd < 0.5 else 0.0
        if odd < 0.97:
            row = {"charging_location_id": location_id, "user_id": "u", "start_time": start, "end_time": start + step}
            rows.append(row | {"energy": energy, "start_month": f"{start:%Y-%m}"})
        start += step
    return rows


def solar_sessions(tenant: Tenant, number: int, first: datetime, last: datetime) -> list[Row]:
    """Sessions of which every other tells its power."""
    rows = tenant.sessions(number, first, last)
    return [row | {"charge_speed": 7.4 if number % 2 else None} for number, row in enumerate(rows)]


def expected_intervals(lake: Lake, known_until: datetime, revision_days: float = 4) -> dict[Key, Row]:
    """fct_solar_energy by (charging_location_id, started_at), without SQL."""
    facts: dict[Key, Row] = {}
    for key, row in current(lake, "solar_energy").items():
        zone = zone_of(lake, row["charging_location_id"])
        local = row["start_time"].astimezone(zone).replace(tzinfo=None)
        facts[key] = {
            "charging_location_id": row["charging_location_id"],
            "user_id": row["user_id"],
            "started_at": row["start_time"],
            "ended_at": row["end_time"],
            "time_zone": zone.key,
            "start_local": local,
            "local_date": local.date(),
            "local_hour": local.hour,
            "duration_minutes": (row["end_time"] - row["start_time"]) / timedelta(minutes=1),
            "energy_kwh": row["energy"],
            "is_provisional": row["end_time"] > known_until - timedelta(days=revision_days),
            "synced_at": row["_synced_at"],
        }
    return facts


def charging_time(session: Row) -> tuple[datetime, datetime] | None:
    """From when to when a session is taken to charge: at once where it was not steered, else all the time."""
    start, end, energy = session["start_time"], session["end_time"], session["charged_energy"]
    if end is None or energy is None or end <= start:
        return None
    if not session["is_managed"] and session["charge_speed"] and energy > 0:
        return start, min(end, start + timedelta(hours=energy / session["charge_speed"]))
    return start, end


def expected_days(lake: Lake, facts: dict[Key, Row], known_until: datetime) -> dict[Key, dict[str, Any]]:
    """agg_daily_solar by (charging_location_id, local_date): every session is laid over every interval of its place."""
    begins = known_until - timedelta(days=7)
    sessions = defaultdict(list)
    for row in current(lake, "sessions").values():
        if (spread := charging_time(row)) is not None:
            changes = row["status"] not in FINAL or row["start_time"] >= begins or row["end_time"] >= begins
            sessions[row["charging_location_id"]].append((*spread, Fraction(row["charged_energy"]), changes))
    days: dict[Key, dict[str, Any]] = {}
    for fact in facts.values():
        day = days.setdefault(
            (fact["charging_location_id"], fact["local_date"]),
            {"intervals": 0, "hours": Fraction(0), "energy": None, "charged": None, "solar": None, "changes": False},
        )
        length = Fraction((fact["ended_at"] - fact["started_at"]) / HOUR)
        day["intervals"] += 1
        day["hours"] += length
        day["changes"] |= fact["is_provisional"]
        if fact["energy_kwh"] is None:
            continue
        produced = Fraction(fact["energy_kwh"])
        day["energy"] = (day["energy"] or 0) + produced
        sun, covered = max(produced, Fraction(0)), Fraction(0)
        for start, end, energy, changes in sessions[fact["charging_location_id"]]:
            overlap = min(end, fact["ended_at"]) - max(start, fact["started_at"])
            if overlap > timedelta(0):
                hours, power = Fraction(overlap / HOUR), energy / Fraction((end - start) / HOUR)
                day["charged"] = (day["charged"] or 0) + power * hours
                day["solar"] = day["solar"] or Fraction(0)
                day["changes"] |= changes
                covered += min(power, sun / length) * hours
        if covered:
            day["solar"] += min(covered, sun)
    return days
