"""Reads under a vehicle: itself, its state, its settings.

Does not belong here: its sessions (tenant_lists.py).
"""

from __future__ import annotations

from demo.reads.call import Call, Handler, encoded
from demo.world.people import Vehicle
from demo.world.render import Item
from demo.world.states import charge_settings_item, vehicle_detail_item, vehicle_state_item


def vehicle_detail(call: Call, vehicle: Vehicle) -> Item:
    sessions = call.world.sessions_by_user[vehicle.user_id]
    return vehicle_detail_item(call.world.draw, vehicle, sessions, call.now_ms)


def _vehicle(call: Call) -> Vehicle:
    call.row_of_user("vehicles", "Vehicle")
    return call.household.vehicle


def _list(call: Call) -> bytes:
    vehicle = call.household.vehicle
    is_there = call.rows_of_user("vehicles").get(vehicle.id) is not None
    return encoded([vehicle_detail(call, vehicle)] if is_there else [])


def _state(call: Call) -> bytes:
    vehicle = _vehicle(call)
    sessions = call.world.sessions_by_user[vehicle.user_id]
    return encoded(vehicle_state_item(call.world.draw, vehicle, sessions, call.now_ms))


def _settings(call: Call) -> bytes:
    _vehicle(call)
    return encoded(charge_settings_item(call.world.draw, call.household))


HANDLERS: dict[str, Handler] = {
    "listVehiclesOfUser": _list,
    "getVehicle": lambda call: encoded(vehicle_detail(call, _vehicle(call))),
    "getVehicleState": _state,
    "getChargeSettings": _settings,
}
