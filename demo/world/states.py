"""What cars and chargers do at a moment, and how they are set: readings without a history, as JSON items.

A car that is asked tells something new every few hours, one that pushes only when something happens; both tell of a
plug-in when it begins and ends.
Does not belong here: sessions themselves (sessions.py).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from demo.world.draw import Draw, version_of
from demo.world.people import Household, Location, Vehicle
from demo.world.render import Item, vehicle_item
from demo.world.sessions import Session
from demo.world.tariffs import DAYS
from demo.world.times import HOUR_MS, iso

READ_EVERY_MS = 6 * HOUR_MS
KM_PER_KWH = 5.5
CHARGERS = (("Easee", "Home"), ("Zaptec", "Go"), ("Zaptec", "Pro"), ("Garo", "Entity"))


def _last_event(sessions: Sequence[Session], now_ms: int) -> tuple[Session | None, int]:
    """The session that began last, and the last moment at which it began or ended; 0 where there was none."""
    number = bisect_right(sessions, now_ms, key=lambda session: session.start_ms)
    if not number:
        return None, 0
    session = sessions[number - 1]
    is_over = session.end_ms is not None and session.end_ms <= now_ms
    return session, session.end_ms if is_over and session.end_ms else session.start_ms


def _read_ms(draw: Draw, id_: str, event_ms: int, now_ms: int) -> int:
    """When something that is asked every few hours was last read."""
    phase_ms = draw.whole(READ_EVERY_MS, "phase", id_)
    return max(event_ms, now_ms - (now_ms - phase_ms) % READ_EVERY_MS)


def _charge_state(session: Session | None, read_ms: int) -> str:
    if session is None or (session.end_ms is not None and session.end_ms <= read_ms):
        return "Disconnected"
    hours = (read_ms - session.start_ms) / HOUR_MS
    if hours * session.power_kw >= session.energy_kwh:
        return "Complete"
    return "Stopped" if session.is_managed and hours < 0.5 else "Charging"


def vehicle_state_item(draw: Draw, vehicle: Vehicle, sessions: Sequence[Session], now_ms: int) -> Item:
    """The car's last reading. sessions: its own, in order of start."""
    session, event_ms = _last_event(sessions, now_ms)
    read_ms = event_ms = max(event_ms, vehicle.created_ms)
    if vehicle.is_connected and not vehicle.model.sends_pushes:
        read_ms = _read_ms(draw, vehicle.id, event_ms, now_ms)
    read_ms = max(read_ms, vehicle.told_ms)
    level = _level(session, (read_ms - event_ms) / HOUR_MS) if vehicle.model.tells_level else None
    return {
        "batteryLevel": level,
        "range": None if level is None else round(level / 100 * vehicle.model.battery_kwh * KM_PER_KWH),
        "chargeState": _charge_state(session, read_ms),
        "updatedAt": iso(read_ms),
    }


def _level(session: Session | None, hours_since: float) -> int:
    """Percent; a car that is driven loses half a percent an hour."""
    if session is None or session.end_level is None:
        return 50
    if session.end_ms is None:
        return session.end_level
    return max(session.end_level - int(hours_since / 2), min(session.end_level, 12))


def charger_state_item(draw: Draw, location: Location, sessions: Sequence[Session], now_ms: int) -> Item:
    """The charger's last reading. sessions: those at its location, in order of start."""
    assert location.charger_id is not None
    session, event_ms = _last_event(sessions, now_ms)
    read_ms = _read_ms(draw, location.charger_id, max(event_ms, location.created_ms, location.told_ms), now_ms)
    state = _charge_state(session, read_ms)
    return {
        "chargeState": state,
        "chargePower": session.power_kw if session is not None and state == "Charging" else 0.0,
        "timeStamp": iso(read_ms),
    }


def charger_item(draw: Draw, location: Location, sessions: Sequence[Session], now_ms: int) -> Item:
    charger_id = location.charger_id
    brand, model = draw.one_of(CHARGERS, "charger model", charger_id)
    external_id = f"NO*DEM*E{draw.whole(10**6, 'evse', charger_id):06d}"
    return {
        "id": charger_id,
        "chargingLocationId": location.id,
        "detail": {"brand": brand, "model": model},
        "externalId": external_id if draw.chance(0.5, "has evse", charger_id) else None,
        "chargerState": charger_state_item(draw, location, sessions, now_ms),
    }


def vehicle_detail_item(draw: Draw, vehicle: Vehicle, sessions: Sequence[Session], now_ms: int) -> Item:
    """A user's own view of the car: the tenant's list and its last reading."""
    return {**vehicle_item(vehicle), "chargeState": vehicle_state_item(draw, vehicle, sessions, now_ms)}


def charge_settings_item(draw: Draw, household: Household) -> Item:
    """How the user wants the car to be charged."""
    vehicle = household.vehicle
    what = version_of(vehicle.id, vehicle.settings_version)
    leaves = f"{6 + draw.whole(3, 'departure', what):02d}:{15 * draw.whole(4, 'departure minute', what):02d}"
    return {
        "isSmartChargingEnabled": vehicle.model.can_be_managed,
        "enableSmartChargingAt": None,
        "departureTimes": {day: leaves if day in DAYS[:5] else None for day in DAYS},
        "timeZone": "Europe/Oslo",
        "directChargingBatteryLevel": 10 * draw.whole(4, "direct", what),
        "desiredBatteryLevel": 70 + 10 * draw.whole(4, "desired", what),
        "defaultStartBatteryLevel": None if vehicle.model.tells_level else 30,
        "isSolarChargingEnabled": any(location.panels for location in household.locations.values()),
        "isBidirectionalChargingEnabled": "StartStopDischarging" in vehicle.model.capabilities or None,
    }


def active_setting_items(draw: Draw, session: Session) -> list[Item]:
    """Settings of a session that goes on; none of one that has ended."""
    if session.end_ms is not None:
        return []
    found: list[Item] = []
    if draw.chance(0.3, "boost", session.id):
        found.append({"type": "boostCharging", "enabled": True})
    if draw.chance(0.2, "told level", session.id):
        found.append({"type": "currentBatteryLevel", "currentSateOfCharge": 5 * draw.whole(19, "level", session.id)})
    return found
