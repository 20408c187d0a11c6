"""A small lake after its first night, with tariffs, prices, cars and settings under its sessions.

Does not belong here: the rows themselves (lake_tariff_rows.py), what the models must make of them (lake_tariffs.py).
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from support.lake_data import Lake, Tenant, at, first_night
from support.lake_tariff_rows import DOUBLE, append_by_month, layers, session_tariff_rows, slot_rows, tariff_rows

PRICE_ZONES = {"NO": "Europe/Oslo", "GB": "Europe/London", "FI": "Europe/Helsinki", "": "Europe/Amsterdam"}
"""Zones by country; the empty one is the tenant's."""


def priced_night(root: Path | str) -> tuple[Lake, Tenant]:
    lake, tenant = first_night(root)
    add_tariffs(lake, tenant)
    with_power(lake)
    add_under_sessions(lake, tenant)
    return lake, tenant


def add_tariffs(lake: Lake, tenant: Tenant) -> None:
    """Tariffs first read in February, some replaced in June, one deleted and back, one read with news of other kind."""
    told = tariff_rows(tenant.locations)
    lake.append("location_tariffs", told, at("2026-02-01"))
    lake.append("location_tariffs", [told[0] | {"_extra": '{"novel": 1}'}], at("2026-05-01"))
    dearer = told[0] | {"tariffs": layers("NOK", Peak="3", OffPeak="1")}
    lake.append("location_tariffs", [dearer], at("2026-06-15T13:17:23"))
    lake.append("location_tariffs", [told[1]], at("2026-06-01"), deleted=True)
    lake.append("location_tariffs", [told[1]], at("2026-08-01"))
    lake.append(
        "location_tariffs", [told[3] | {"tariffs": told[0]["tariffs"], "tariff_intervals": DOUBLE}], at("2026-07-01")
    )
    lake.append("location_tariffs", [told[2] | {"charging_location_id": tenant.identifier()}], at("2026-07-01"))
    for location, minutes in ((tenant.locations[6], 60), (tenant.locations[7], 15)):
        for first in ("2026-03-26", "2026-10-22"):
            slots = slot_rows(tenant, location, at(first), 144, minutes, "Forecast")
            append_by_month(lake, "dynamic_tariffs", slots, at(first))
            revised = [slot | {"price": slot["price"] + Decimal("0.01")} for slot in slots[20:]]
            append_by_month(lake, "dynamic_tariffs", revised, at(first) + timedelta(days=1))
            actual = [slot | {"price": slot["price"] - Decimal("0.02"), "data_type": "Actual"} for slot in slots[10:-9]]
            append_by_month(lake, "dynamic_tariffs", actual, at(first) + timedelta(days=2))
            append_by_month(lake, "dynamic_tariffs", actual[:2], at(first) + timedelta(days=3), deleted=True)


def add_under_sessions(lake: Lake, tenant: Tenant) -> None:
    """Prices of two thirds of the sessions; cars of all kinds, chargers, settings that were switched."""
    sessions = [row for row in lake.current("sessions").values() if not row["_deleted"]]
    priced = [row for session in sessions[::3] + sessions[1::3] for row in session_tariff_rows(tenant, session)]
    append_by_month(lake, "session_tariffs", priced, at("2026-11-01T01:00"))
    append_by_month(lake, "session_tariffs", priced[:3], at("2026-11-01T02:00"), deleted=True)
    changed = [row | {"price": Decimal("0.5"), "currency": "EUR"} for row in priced[3:9]]
    append_by_month(lake, "session_tariffs", changed, at("2026-11-01T03:00"))
    able = ["StartStopCharging", "GeoLocation"]
    for number, car in enumerate(tenant.vehicles):
        car["capabilities"] = [*able, "StateOfCharge"] if number % 3 else [None, able[:1], [None]][number % 2]
    lake.append("vehicles", tenant.vehicles, at("2026-11-01T01:00"))
    settings = [
        {"user_id": car["user_id"], "vehicle_id": car["id"], "is_smart_charging_enabled": number % 4 > 0}
        for number, car in enumerate(tenant.vehicles[:12])
    ]
    lake.append("charge_settings", settings, at("2026-04-01"))
    switched = [row | {"is_smart_charging_enabled": not row["is_smart_charging_enabled"]} for row in settings[2:6]]
    lake.append("charge_settings", switched, at("2026-07-01"))
    lake.append("charge_settings", switched[:1], at("2026-09-01"), deleted=True)
    place = tenant.locations[0]
    chargers = [
        {
            "id": tenant.identifier(),
            "charging_location_id": place["id"],
            "user_id": place["user_id"],
            "detail_brand": "Easee",
        }
        for _ in range(2)
    ]
    lake.append("chargers", chargers, at("2026-11-01"))
    lake.append("chargers", chargers[:1], at("2026-11-02"), deleted=True)
    for number, read in enumerate((at("2026-11-01"), at("2026-11-02"))):
        state = {"charge_state": "Charging", "charge_power": 11.0 - number, "time_stamp": read}
        lake.append("charger_states", [{"charger_id": chargers[0]["id"]} | state], read)
        reading = {"vehicle_id": tenant.vehicles[0]["id"], "charge_state": "Charging", "updated_at": read}
        lake.append("vehicle_states", [reading | {"battery_level": 50 + number}], read)


def with_power(lake: Lake) -> None:
    """Some sessions of which the API tells the power and the sun's part."""
    stripped = [
        {name: value for name, value in row.items() if not name.startswith("_")}
        for row in list(lake.current("sessions").values())[:40]
    ]
    lake.append(
        "sessions", [row | {"charge_speed": 7.4, "solar_energy": 3.3} for row in stripped], at("2026-11-01T00:45")
    )
