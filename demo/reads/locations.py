"""Reads under a charging location: itself, its tariffs and prices, sun, contract, chargers.

Does not belong here: how any of it comes about (demo/world).
"""

from __future__ import annotations

from demo.answers import ProblemError, not_found
from demo.parameters import read_instant
from demo.reads.call import Call, Handler, encoded
from demo.world.contracts import contract_item, reward_rate_item
from demo.world.people import Location
from demo.world.render import Item, location_item
from demo.world.sessions import Session
from demo.world.states import charger_item, charger_state_item
from demo.world.tariff_items import dynamic_tariff_items, location_tariffs_item, solar_items
from demo.world.times import DAY_MS

LONGEST_DYNAMIC_WINDOW_DAYS = 14


def location_detail(call: Call, location: Location) -> Item:
    """A user's own view of a location: the tenant's list, its contract, tariffs and chargers."""
    return {
        **location_item(location),
        "energySupplierDetails": contract_item(call.world.draw, location),
        "tariffDetails": location_tariffs_item(call.world.draw, location),
        "chargers": chargers_at(call, location),
    }


def chargers_at(call: Call, location: Location) -> list[Item]:
    if call.world.charger_id(location) is None:
        return []
    sessions = call.world.sessions_by_location[location.id]
    return [charger_item(call.world.draw, location, sessions, call.now_ms)]


def locations_of(call: Call) -> list[Location]:
    """The user's locations, newest first."""
    return [call.world.location_by_id[row.id] for row in call.rows_of_user("charging_locations")]


def _list(call: Call) -> bytes:
    items = [location_detail(call, location) for location in locations_of(call)]
    wanted = {name: call.values[name] for name in ("area", "region", "country") if name in call.values}
    return encoded([item for item in items if wanted.items() <= item["address"].items()])


def _tariffs(call: Call) -> bytes:
    item = location_tariffs_item(call.world.draw, call.location)
    if item is None:
        raise not_found("The charging location has no tariff.")
    return encoded(item)


def _window(call: Call) -> tuple[int, int]:
    """The window that was asked for; a bound within a millisecond counts from the next."""
    bounds = [read_instant(call.values, name) for name in ("startTime", "endTime")]
    start_ms, end_ms = (floor + (not is_whole) for floor, is_whole in bounds)
    if end_ms < start_ms:
        raise ProblemError(400, "endTime: Expected a moment that is not before startTime.")
    return start_ms, end_ms


def _dynamic_tariffs(call: Call) -> bytes:
    start_ms, end_ms = _window(call)
    if end_ms - start_ms > LONGEST_DYNAMIC_WINDOW_DAYS * DAY_MS:
        raise ProblemError(400, f"endTime: Expected at most {LONGEST_DYNAMIC_WINDOW_DAYS} days after startTime.")
    return encoded(list(dynamic_tariff_items(call.world.draw, call.location, start_ms, end_ms, call.now_ms)))


def _solar_energy(call: Call) -> bytes:
    start_ms, end_ms = _window(call)
    return encoded(list(solar_items(call.location, start_ms, end_ms, call.now_ms)))


def _contract(call: Call) -> bytes:
    item = contract_item(call.world.draw, call.location)
    if item is None:
        raise not_found("The charging location has no utility contract.")
    return encoded(item)


def _charger(call: Call) -> bytes:
    return encoded(charger_item(call.world.draw, *_charger_of(call), call.now_ms))


def _charger_state(call: Call) -> bytes:
    return encoded(charger_state_item(call.world.draw, *_charger_of(call), call.now_ms))


def _charger_of(call: Call) -> tuple[Location, list[Session]]:
    location = call.location
    if call.world.charger_id(location) != call.ids[2]:
        raise not_found("Charger does not exist.")
    return location, call.world.sessions_by_location[location.id]


def _chargers_of_user(call: Call) -> bytes:
    return encoded([item for location in locations_of(call) for item in chargers_at(call, location)])


HANDLERS: dict[str, Handler] = {
    "listChargingLocationsOfUser": _list,
    "getChargingLocation": lambda call: encoded(location_detail(call, call.location)),
    "getLocationTariffs": _tariffs,
    "listDynamicTariffs": _dynamic_tariffs,
    "listSolarEnergy": _solar_energy,
    "getUtilityContract": _contract,
    "getRewardRate": lambda call: encoded(reward_rate_item(call.world.draw, call.location)),
    "listChargersOfLocation": lambda call: encoded(chargers_at(call, call.location)),
    "getCharger": _charger,
    "getChargerState": _charger_state,
    "listChargersOfUser": _chargers_of_user,
}
