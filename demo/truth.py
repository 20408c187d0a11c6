"""Everything that the tenant has at a moment, by the name of the lake's table: what tests compare with.

A row is the API's JSON item; what hangs under others has the ids of its path beside it (`userId`,
`chargingLocationId`, `vehicleId`, `sessionId`, `chargerId`), because the item itself need not say them.
Does not belong here: paging, filters, windows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import msgspec

from demo.reads.call import decoded
from demo.reads.users import financials
from demo.tables import CAR_MODEL_BODIES, TABLES, Rows
from demo.world.contracts import contract_item, reward_rate_item
from demo.world.people import Household, Location
from demo.world.render import Item
from demo.world.rewards import balance_items
from demo.world.sessions import Session, as_of
from demo.world.states import (
    active_setting_items,
    charge_settings_item,
    charger_item,
    charger_state_item,
    vehicle_state_item,
)
from demo.world.tariff_items import dynamic_tariff_items, location_tariffs_item, session_tariff_items, solar_items
from demo.world.world import World

NEVER_MS = 1 << 62


@dataclass(frozen=True, slots=True)
class Scene:
    """One world at a moment; the tables have caught up with it."""

    world: World
    tables: Rows
    now_ms: int

    def locations(self) -> Iterator[Location]:
        return (self.world.location_by_id[row.id] for row in self.tables["charging_locations"])

    def sessions(self) -> Iterator[Session]:
        """As they are known by now."""
        return (as_of(self.world.session_by_id[row.id], self.now_ms) for row in self.tables["sessions"])

    def drivers(self) -> Iterator[Household]:
        """The households whose car is there."""
        return (
            self.world.households[user.id]
            for user in self.tables["users"]
            if len(self.tables.of_user("vehicles", user.id))
        )


def _of_locations(items: Callable[[Scene, Location], Iterable[Item | None]]) -> Callable[[Scene], Iterator[Item]]:
    def rows(scene: Scene) -> Iterator[Item]:
        for location in scene.locations():
            path = {"userId": location.user_id, "chargingLocationId": location.id}
            yield from (path | item for item in items(scene, location) if item is not None)

    return rows


def _of_sessions(items: Callable[[Scene, Session], Iterable[Item]]) -> Callable[[Scene], Iterator[Item]]:
    def rows(scene: Scene) -> Iterator[Item]:
        for session in scene.sessions():
            path = {"userId": session.user_id, "sessionId": session.id}
            yield from (path | item for item in items(scene, session))

    return rows


def _of_vehicles(item: Callable[[Scene, Household], Item]) -> Callable[[Scene], Iterator[Item]]:
    def rows(scene: Scene) -> Iterator[Item]:
        for household in scene.drivers():
            path = {"userId": household.user.id, "vehicleId": household.vehicle.id}
            yield path | item(scene, household)

    return rows


def _of_users(items: Callable[[Scene, str], Iterable[Item]]) -> Callable[[Scene], Iterator[Item]]:
    def rows(scene: Scene) -> Iterator[Item]:
        for user in scene.tables["users"]:
            yield from ({"userId": user.id} | item for item in items(scene, user.id))

    return rows


def _chargers(scene: Scene, location: Location) -> Iterator[Item]:
    if scene.world.charger_id(location) is not None:
        sessions = scene.world.sessions_by_location[location.id]
        yield charger_item(scene.world.draw, location, sessions, scene.now_ms)


def _charger_states(scene: Scene, location: Location) -> Iterator[Item]:
    if scene.world.charger_id(location) is not None:
        sessions = scene.world.sessions_by_location[location.id]
        state = charger_state_item(scene.world.draw, location, sessions, scene.now_ms)
        yield {"chargerId": location.charger_id} | state


def _vehicle_state(scene: Scene, household: Household) -> Item:
    sessions = scene.world.sessions_by_user[household.user.id]
    return vehicle_state_item(scene.world.draw, household.vehicle, sessions, scene.now_ms)


_UNDER: dict[str, Callable[[Scene], Iterator[Item]]] = {
    "location_tariffs": _of_locations(lambda s, location: [location_tariffs_item(s.world.draw, location)]),
    "utility_contracts": _of_locations(lambda s, location: [contract_item(s.world.draw, location)]),
    "reward_rates": _of_locations(lambda s, location: [reward_rate_item(s.world.draw, location)]),
    "dynamic_tariffs": _of_locations(
        lambda s, location: dynamic_tariff_items(s.world.draw, location, 0, NEVER_MS, s.now_ms)
    ),
    "solar_energy": _of_locations(lambda s, location: solar_items(location, 0, NEVER_MS, s.now_ms)),
    "chargers": _of_locations(_chargers),
    "charger_states": _of_locations(_charger_states),
    "vehicle_states": _of_vehicles(_vehicle_state),
    "charge_settings": _of_vehicles(lambda s, household: charge_settings_item(s.world.draw, household)),
    "session_tariffs": _of_sessions(lambda _s, session: session_tariff_items(session)),
    "session_settings": _of_sessions(lambda s, session: active_setting_items(s.world.draw, session)),
    "financials": _of_users(lambda s, user_id: financials(decoded(s.tables.of_user("sessions", user_id)))),
    "rewards": _of_users(lambda s, user_id: decoded(s.tables.of_user("rewards", user_id))),
    "reward_balances": _of_users(lambda s, user_id: balance_items(decoded(s.tables.of_user("rewards", user_id)))),
}

LISTED_TABLES = tuple(name for name in TABLES if name not in _UNDER)
"""Those whose rows are the items of a list of the API, in its order."""
TRUE_TABLES = (*LISTED_TABLES, "supported_car_models", *_UNDER)
"""The lake's tables that the tenant can tell the truth about."""


def truth(scene: Scene, table: str) -> Iterator[bytes]:
    """Every row of a table, encoded."""
    if table in _UNDER:
        return map(msgspec.json.encode, _UNDER[table](scene))
    if table == "supported_car_models":
        return iter(CAR_MODEL_BODIES)
    return (row.body for row in scene.tables[table])
