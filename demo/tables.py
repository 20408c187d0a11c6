"""The tenant's current rows, encoded, by table and by user; kept up with the clock.

A thing of the world enters its table when it comes into being, and its row is written anew at each moment that
changes it. Nothing here looks at more than what changed.
Does not belong here: what the rows say (demo/world/render.py), how they are asked for (tenant.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import msgspec

from demo.listing import Listing, Row
from demo.world.cars import CAR_MODELS
from demo.world.people import Household
from demo.world.render import Item, car_model_item, location_item, session_item, user_item, vehicle_item
from demo.world.sessions import Session, as_of
from demo.world.world import World


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that has a row. moments: when it comes into being and when it changes, in order."""

    table: str
    user_id: str
    moments: tuple[int, ...]
    row_at: Callable[[int], Row]


class Tables:
    """The current rows of the tables that change: users, vehicles, charging_locations, sessions."""

    def __init__(self, world: World, now_ms: int) -> None:
        self._pending: list[tuple[int, int, Thing]] = []
        self._by_user: dict[tuple[str, str], Listing] = {}
        loaded: dict[str, list[Row]] = {"users": [], "vehicles": [], "charging_locations": [], "sessions": []}
        of_user: dict[tuple[str, str], list[Row]] = {}
        for number, thing in enumerate(_things(world)):
            if thing.moments[0] <= now_ms:
                row = thing.row_at(now_ms)
                loaded[thing.table].append(row)
                of_user.setdefault((thing.table, thing.user_id), []).append(row)
            self._pending += [(moment, number, thing) for moment in thing.moments if moment > now_ms]
        heapq.heapify(self._pending)
        self._tables = {name: Listing(rows) for name, rows in loaded.items()}
        self._by_user = {place: Listing(rows) for place, rows in of_user.items()}

    def __getitem__(self, name: str) -> Listing:
        return self._tables[name]

    def of_user(self, name: str, user_id: str) -> Listing:
        """A user's part of a table; empty where there is none."""
        return self._by_user.get((name, user_id)) or Listing()

    def catch_up(self, now_ms: int) -> None:
        """Let everything happen that was due by now."""
        while self._pending and self._pending[0][0] <= now_ms:
            moment, _, thing = heapq.heappop(self._pending)
            row = thing.row_at(moment)
            self._tables[thing.table].put(row)
            self._by_user.setdefault((thing.table, thing.user_id), Listing()).put(row)


CAR_MODEL_BODIES = tuple(msgspec.json.encode(car_model_item(model)) for model in CAR_MODELS)


def _things(world: World) -> Iterator[Thing]:
    for household in world.households.values():
        yield from _of_household(household)
    for session in world.sessions:
        moments: tuple[int, ...] = (session.start_ms,)
        if session.end_ms is not None and session.end_ms > session.start_ms:
            moments = (session.start_ms, session.end_ms)
        yield Thing("sessions", session.user_id, moments, partial(_session_row, session))


def _of_household(household: Household) -> Iterator[Thing]:
    user, vehicle = household.user, household.vehicle
    yield _still(("users", user.id), user.id, user.created_ms, user_item(user))
    yield _still(("vehicles", vehicle.id), user.id, vehicle.created_ms, vehicle_item(vehicle))
    for location in household.locations.values():
        yield _still(("charging_locations", location.id), user.id, location.created_ms, location_item(location))


def _still(place: tuple[str, str], user_id: str, created_ms: int, item: Item) -> Thing:
    """A thing that does not change."""
    table, id_ = place
    row = Row(id_, created_ms, None, msgspec.json.encode(item))
    return Thing(table, user_id, (created_ms,), lambda _now_ms: row)


def _session_row(session: Session, now_ms: int) -> Row:
    end_ms = as_of(session, now_ms).end_ms
    return Row(session.id, session.start_ms, end_ms, msgspec.json.encode(session_item(session, now_ms)))
