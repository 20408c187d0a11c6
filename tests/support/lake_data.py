"""Small lakes for tests of the warehouse, and what its marts must be, worked out in plain Python.

Rows are written straight to Delta tables; nothing of the pipelines' own writer is used.
"""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import deltalake
import pyarrow as pa
from support.lake_tariffs import SessionColumns

from pipelines.contract import RESOURCES
from pipelines.lake.schemas import OPERATIONS, table_schema

Row = dict[str, Any]
TENANT_ZONE = "Europe/Amsterdam"
ZONES = {"NO": "Europe/Oslo", "GB": "Europe/London", "FI": "Europe/Helsinki"}
FINAL = {"Complete", "ForceEnded"}
PERSONAL_VALUES = {
    "first_name": "Gunhildur-Personal",
    "last_name": "Xylophonsson-Personal",
    "email": "gunhildur.personal@mail.invalid",
    "address_street": "Verysecretstreet Personal",
    "address_house_number": "77-Personal",
    "address_postal_code": "7010-Personal",
    "external_data": "Gunhildur with the cat, Personal",
    "coordinates_latitude": 63.4301231,
    "coordinates_longitude": 10.3987654,
    "contract_number": "C-4711-Personal",
    "meter_code": "M-0815-Personal",
    "title": "Dear Gunhildur Personal",
    "body": "Your car stands in Verysecretlane Personal",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@dataclass
class Lake:
    """A lake on disk, and every row ever appended to it."""

    root: str
    versions: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))

    def append(self, table: str, rows: list[Row], synced_at: datetime, *, deleted: bool = False) -> None:
        """Append changelog rows in one commit; columns that a row does not name are null."""
        schema = table_schema(RESOURCES[table]) if table in RESOURCES else OPERATIONS[table]
        system = {"_synced_at": synced_at, "_run_id": f"run {synced_at:%Y%m%d%H}", "_deleted": deleted}
        complete = [
            {name: (system | {"_row_hash": uuid.uuid4().hex} | row).get(name) for name in schema.names} for row in rows
        ]
        self.versions[table] += complete
        deltalake.write_deltalake(f"{self.root}/{table}", pa.Table.from_pylist(complete, schema), mode="append")

    def compact(self, table: str) -> None:
        deltalake.DeltaTable(f"{self.root}/{table}").optimize.compact()

    def erase(self, table: str, predicate: str, gone: Any) -> None:
        """Rewrite the table's files without some rows, as an erasure does."""
        deltalake.DeltaTable(f"{self.root}/{table}").delete(predicate)
        self.versions[table] = [row for row in self.versions[table] if not gone(row)]

    def current(self, table: str) -> dict[str, Row]:
        """Current row of every key, tombstones included."""
        rows: dict[str, Row] = {}
        for row in self.versions[table]:
            if row["id"] not in rows or row["_synced_at"] > rows[row["id"]]["_synced_at"]:
                rows[row["id"]] = row
        return rows


def expected_sessions(lake: Lake, known_until: datetime, correction_days: float = 7) -> dict[str, Row]:
    """fct_sessions by session_id, without SQL."""
    places = lake.current("charging_locations")
    columns = SessionColumns(lake)
    facts: dict[str, Row] = {}
    for key, row in lake.current("sessions").items():
        if row["_deleted"]:
            continue
        place = places.get(row["charging_location_id"] or "")
        country = (place or {}).get("address_country")
        zone = ZoneInfo(ZONES.get(country.strip().upper(), TENANT_ZONE) if country else TENANT_ZONE)
        start, end, energy, costs = row["start_time"], row["end_time"], row["charged_energy"], row["charge_costs"]
        begins = known_until - timedelta(days=correction_days)
        start_local = start.astimezone(zone).replace(tzinfo=None)
        facts[key] = {
            "session_id": key,
            "user_id": row["user_id"],
            "vehicle_id": row["vehicle_id"],
            "charger_id": row["charger_id"],
            "charging_location_id": row["charging_location_id"],
            "status": row["status"],
            "calibration_state": row["calibration_state"],
            "is_managed": row["is_managed"],
            "started_at": start,
            "ended_at": end,
            "time_zone": zone.key,
            "start_local": start_local,
            "end_local": end.astimezone(zone).replace(tzinfo=None) if end else None,
            "local_date": start_local.date(),
            "local_hour": start_local.hour,
            "duration_minutes": (end - start) / timedelta(minutes=1) if end else None,
            "energy_kwh": energy,
            "start_battery_level_percent": row["start_battery_level"],
            "end_battery_level_percent": row["end_battery_level"],
            "charge_costs": costs,
            "savings": row["savings"],
            "currency": row["currency"],
            "price_per_kwh": float(costs) / energy if costs is not None and energy and energy > 0 else None,
            "is_provisional": row["status"] not in FINAL or start >= begins or (end is not None and end >= begins),
            "synced_at": row["_synced_at"],
        } | columns.of(row)
    return facts


def expected_kpis(lake: Lake, facts: dict[str, Row]) -> dict[tuple[Any, ...], Row]:
    """agg_daily_kpis by (local_date, country, vehicle_brand, currency), without SQL. Energy as exact fractions."""
    places, cars = lake.current("charging_locations"), lake.current("vehicles")
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for fact in facts.values():
        country = places.get(fact["charging_location_id"] or "", {}).get("address_country")
        brand = cars.get(fact["vehicle_id"] or "", {}).get("details_brand")
        country = country.strip().upper() if country else None
        groups[fact["local_date"], country, brand, fact["currency"]].append(fact)
    kpis: dict[tuple[Any, ...], Row] = {}
    for grain, rows in groups.items():
        managed = [row for row in rows if row["is_managed"]]
        priced = [row for row in rows if None not in {row["off_peak_energy_share_estimate"], row["energy_kwh"]}]
        cheap = [row["off_peak_energy_share_estimate"] + row["super_off_peak_energy_share_estimate"] for row in priced]
        kpis[grain] = {
            "sessions": len(rows),
            "active_users": len({row["user_id"] for row in rows}),
            "managed_sessions": len(managed),
            "energy_kwh": _sum(Decimal(str(r["energy_kwh"])) for r in rows if r["energy_kwh"] is not None),
            "managed_energy_kwh": _sum(Decimal(str(r["energy_kwh"])) for r in managed if r["energy_kwh"] is not None),
            "charge_costs": _sum(row["charge_costs"] for row in rows if row["charge_costs"] is not None),
            "savings": _sum(row["savings"] for row in rows if row["savings"] is not None),
            "force_ended_sessions": sum(row["status"] == "ForceEnded" for row in rows),
            "flexible_hours": _sum(Decimal(r["flexible_hours"]) for r in rows if r["flexible_hours"] is not None),
            "tariff_energy_kwh": _sum(Decimal(row["energy_kwh"]) for row in priced),
            "off_peak_energy_kwh_estimate": _sum(
                Decimal(row["energy_kwh"] * share) for row, share in zip(priced, cheap, strict=True)
            ),
            "provisional_sessions": sum(row["is_provisional"] for row in rows),
        }
    return kpis


def _sum(values: Any) -> Decimal | None:
    values = list(values)
    return sum(values, Decimal(0)) if values else None


class Tenant:
    """Makes plausible and odd rows from a seed: daylight-saving nights, missing values, several currencies."""

    def __init__(self, seed: int = 7) -> None:
        self.random = random.Random(seed)
        self.users = [self.user() for _ in range(12)]
        self.vehicles = [self.vehicle() for _ in range(15)]
        self.locations = [self.location(country) for country in ("NO", "no ", "GB", "FI", "US", None) for _ in range(2)]

    def identifier(self) -> str:
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def user(self) -> Row:
        created = at("2025-01-01") + timedelta(days=self.random.randrange(300))
        personal = {name: PERSONAL_VALUES[name] for name in ("first_name", "last_name", "email", "external_data")}
        return {"id": self.identifier(), "locale": "nb", "default_country": "NO", "created_at": created} | personal

    def vehicle(self) -> Row:
        return {
            "id": self.identifier(),
            "user_id": self.random.choice(self.users)["id"],
            "details_brand": self.random.choice(["Tesla", "Kia", None]),
            "details_model": "Model 'quoted'",
            "is_connected": True,
            "is_connectable": True,
            "capabilities": ["StartStopCharging", "StateOfCharge"],
            "created_at": at("2025-02-01"),
        }

    def location(self, country: str | None) -> Row:
        return {
            "id": self.identifier(),
            "user_id": self.random.choice(self.users)["id"],
            "address_country": country,
            "address_city": "Trondheim",
            "created_at": at("2025-02-01"),
            "updated_at": at("2025-02-01"),
        } | {name: value for name, value in PERSONAL_VALUES.items() if name.startswith(("address", "coordinates"))}

    def sessions(self, number: int, first: datetime, last: datetime) -> list[Row]:
        return [self.session(first + (last - first) * self.random.random()) for _ in range(number)]

    def session(self, start: datetime) -> Row:
        chance = self.random.random
        start = start.replace(microsecond=self.random.randrange(1000) * 1000)
        is_open = chance() < 0.05
        has_costs = chance() < 0.8
        return {
            "id": self.identifier(),
            "user_id": self.random.choice(self.users)["id"] if chance() < 0.97 else self.identifier(),
            "vehicle_id": self.random.choice(self.vehicles)["id"] if chance() < 0.9 else None,
            "charging_location_id": self.random.choice(self.locations)["id"] if chance() < 0.85 else None,
            "status": "Active" if is_open else self.random.choice(["Complete", "Complete", "ForceEnded", "Paused"]),
            "calibration_state": "InProgress" if is_open else None,
            "is_managed": chance() < 0.6,
            "start_time": start,
            "end_time": None if is_open else start + timedelta(milliseconds=self.random.randrange(60_000_000)),
            "charged_energy": round(self.random.uniform(0, 60), 3) if chance() < 0.9 else None,
            "start_battery_level": self.random.randrange(60),
            "end_battery_level": None if is_open else self.random.randrange(60, 101),
            "charge_costs": Decimal(self.random.randrange(-100, 10**9)).scaleb(-7) if has_costs else None,
            "savings": Decimal(self.random.randrange(-(10**6), 10**6)).scaleb(-6) if has_costs else None,
            "currency": self.random.choice(["NOK", "EUR"]) if has_costs else None,
        }


def run_record(until: datetime, collection: str = "sessions") -> Row:
    """One row of `_runs`."""
    counts = ("rows_read", "rows_new", "rows_changed", "rows_deleted", "rows_set_aside")
    costs = ("requests", "retries", "throttles", "bytes_received")
    return dict.fromkeys((*counts, *costs), 1) | {
        "run_id": f"run {until:%Y%m%d%H}",
        "collection": collection,
        "status": "complete",
        "started_at": until,
        "finished_at": until + timedelta(minutes=1),
        "window_until": until,
        "watermark": until,
        "duration_seconds": 60.0,
    }


def first_night(root: Path | str, seed: int = 7) -> tuple[Lake, Tenant]:
    """A lake after its first pull: a year of sessions with both daylight-saving nights, known until 1 November."""
    lake, tenant, read = Lake(str(root)), Tenant(seed), at("2026-11-01T00:30")
    lake.append("users", tenant.users, read)
    lake.append("vehicles", tenant.vehicles, read)
    lake.append("charging_locations", tenant.locations, read)
    rows = tenant.sessions(300, at("2026-01-01"), at("2026-11-01"))
    for night in ("2026-03-28T20:00", "2026-10-24T20:00"):
        rows += tenant.sessions(60, at(night), at(night) + timedelta(hours=10))
    lake.append("sessions", rows[:200], read)
    lake.append("sessions", rows[200:], read + timedelta(minutes=1))
    lake.append("supported_car_models", [{"id": "m1", "brand": "Kia"}, {"brand": "Kia", "model": "EV6"}], read)
    lake.append("supported_car_models", [{"brand": "Kia", "model": "EV6"}], read + timedelta(days=1))
    contract = {name: PERSONAL_VALUES[name] for name in ("contract_number", "meter_code")}
    lake.append("utility_contracts", [{"charging_location_id": tenant.locations[0]["id"]} | contract], read)
    texts = {name: PERSONAL_VALUES[name] for name in ("title", "body")}
    lake.append("messages", [{"id": "m1", "user_id": tenant.users[0]["id"], "created_at": read} | texts], read)
    mail = PERSONAL_VALUES["email"]
    failing = {"fan_out": "messages", "status": "pending", "attempts": 1, "failing_since": read, "reason": "500"}
    lake.append("_pending_parents", [failing | {"id": f"messages/{mail}", "parent_id": mail, "user_id": mail}], read)
    spoilt = {"collection": "sessions", "reason": "expected a number, came text", "raw": f'{{"mail": "{mail}"}}'}
    spoilt |= {"status": "pending", "first_seen_at": read}
    lake.append("_quarantine", [spoilt | {"id": "q1", "key": rows[0]["id"]}, spoilt | {"id": "q2", "key": mail}], read)
    lake.append(
        "_quarantine", [spoilt | {"id": "q1", "key": rows[0]["id"], "status": "resolved"}], read + timedelta(days=1)
    )
    drift = {"collection": "sessions", "kind": "unlisted_value", "path": "status", "value": "Paused", "rows_seen": 3}
    lake.append("_contract_drift", [drift | {"id": "d1"}], read)
    counted = {"id": "sessions/2026-09", "collection": "sessions", "month": date(2026, 9, 1), "was_read_again": True}
    lake.append("_reconciliation", [counted | {"api_rows": 12, "held_rows": 11}], read)
    lake.append("_runs", [run_record(at("2026-11-01")), run_record(at("2026-11-01"), "users")], read)
    return lake, tenant


def second_night(lake: Lake, tenant: Tenant) -> None:
    """A week later: new, corrected, deleted and revived sessions, a moved location, a deleted user."""
    read = at("2026-11-08T00:30")
    keys = sorted(lake.current("sessions"))
    rows = [lake.current("sessions")[key] for key in keys]
    stripped = [{name: value for name, value in row.items() if not name.startswith("_")} for row in rows]
    lake.append("sessions", tenant.sessions(80, at("2026-11-01"), at("2026-11-08")), read)
    corrected = [row | {"charge_costs": Decimal("1.234567891"), "currency": "NOK"} for row in stripped[:15]]
    lake.append("sessions", corrected, read + timedelta(minutes=1))
    lake.append("sessions", stripped[10:25], read + timedelta(minutes=2), deleted=True)
    lake.append("sessions", stripped[20:23], read + timedelta(minutes=3))
    moved = tenant.locations[0] | {"address_country": "FI", "updated_at": read}
    lake.append("charging_locations", [moved], read)
    lake.append("users", [tenant.users[0]], read, deleted=True)
    lake.append("_runs", [run_record(at("2026-11-08"))], read)
