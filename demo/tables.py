"""The tenant's current rows, encoded, by table and by user; kept up with the clock and with changes.

A thing of the world enters its table when it comes into being, and its row is written anew at each moment that
changes it. Nothing here looks at more than what changed.
Does not belong here: what the rows say (demo/world/render.py), what a change does to the world (demo/world/putting.py),
how rows are asked for (tenant.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial, singledispatch
from itertools import count
from typing import Protocol

import msgspec

from demo.listing import Listing, Row
from demo.world.cars import CAR_MODELS
from demo.world.messages import Message, message_item
from demo.world.people import Location, User, Vehicle
from demo.world.putting import Shown, entities, place_of
from demo.world.render import Item, car_model_item, location_item, session_item, user_item, vehicle_item
from demo.world.rewards import Payout, Reward, payout_item, reward_item
from demo.world.sessions import Session, as_of
from demo.world.world import Entity, Place, World

TABLES = ("users", "vehicles", "charging_locations", "sessions", "messages", "rewards", "payouts")


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that has a row. moments: when it comes into being and when it changes, in order."""

    table: str
    id: str
    user_id: str
    moments: tuple[int, ...]
    row_at: Callable[[int], Row]


class Rows(Protocol):
    """The rows of one world at a moment, with what was changed behind the API's back."""

    def __getitem__(self, name: str) -> Listing: ...

    def of_user(self, name: str, user_id: str) -> Listing:
        """A user's part of a table; empty where there is none."""
        ...


class Tables:
    """The current rows of every list of the API that is in the order of its rows' time."""

    def __init__(self, world: World, now_ms: int) -> None:
        self._numbers = count()
        self._pending: list[tuple[int, int, Thing]] = []
        self._things: dict[Place, Thing] = {}
        loaded: dict[str, list[Row]] = {name: [] for name in TABLES}
        of_user: dict[tuple[str, str], list[Row]] = {}
        for thing in things(world):
            self._things[thing.table, thing.id] = thing
            if thing.moments[0] <= now_ms:
                row = thing.row_at(now_ms)
                loaded[thing.table].append(row)
                of_user.setdefault((thing.table, thing.user_id), []).append(row)
            self._pending += self._moments_after(thing, now_ms)
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
            # Things that were replaced or removed meanwhile are still in line.
            if self._things.get((thing.table, thing.id)) is thing:
                self._put(thing, moment)

    def show(self, shown: Iterable[Shown], now_ms: int) -> None:
        """Tell from now on what a change made of things."""
        for place, entity in shown:
            before = self._things.pop(place, None)
            if before is not None:
                for listing in (self._tables[before.table], self._by_user.get((before.table, before.user_id))):
                    if listing is not None:
                        listing.remove(before.id)
            if entity is not None:
                thing = self._things[place] = thing_of(entity)
                if thing.moments[0] <= now_ms:
                    self._put(thing, now_ms)
                for pending in self._moments_after(thing, now_ms):
                    heapq.heappush(self._pending, pending)

    def _put(self, thing: Thing, now_ms: int) -> None:
        row = thing.row_at(now_ms)
        self._tables[thing.table].put(row)
        self._by_user.setdefault((thing.table, thing.user_id), Listing()).put(row)

    def _moments_after(self, thing: Thing, now_ms: int) -> Iterator[tuple[int, int, Thing]]:
        return ((moment, next(self._numbers), thing) for moment in thing.moments if moment > now_ms)


CAR_MODEL_BODIES = tuple(msgspec.json.encode(car_model_item(model)) for model in CAR_MODELS)


def things(world: World) -> Iterator[Thing]:
    """Everything that has a row now or later."""
    return (thing_of(entity) for user_id in world.households for entity in entities(world, user_id))


@singledispatch
def thing_of(entity: Entity) -> Thing:
    """The rows of an entity of the world."""
    raise TypeError(f"expected something that has a row, not {entity!r}")


@thing_of.register
def _of_user(user: User) -> Thing:
    return _still(user, user.id, user.created_ms, partial(user_item, user))


@thing_of.register
def _of_vehicle(vehicle: Vehicle) -> Thing:
    return _still(vehicle, vehicle.user_id, vehicle.created_ms, partial(vehicle_item, vehicle))


@thing_of.register
def _of_location(location: Location) -> Thing:
    return _still(location, location.user_id, location.created_ms, partial(location_item, location))


def _still(entity: Entity, user_id: str, created_ms: int, item: Callable[[], Item]) -> Thing:
    """A thing that does not change by itself."""
    table, id_ = place_of(entity)
    row = Row(id_, created_ms, None, msgspec.json.encode(item()))
    return Thing(table, id_, user_id, (created_ms,), lambda _now_ms: row)


@thing_of.register
def _of_session(session: Session) -> Thing:
    def row_at(now_ms: int) -> Row:
        body = msgspec.json.encode(session_item(session, now_ms))
        return Row(session.id, session.start_ms, as_of(session, now_ms).end_ms, body)

    return Thing("sessions", session.id, session.user_id, _moments(session.start_ms, session.end_ms), row_at)


@thing_of.register
def _of_message(message: Message) -> Thing:
    def row_at(now_ms: int) -> Row:
        return Row(message.id, message.created_ms, None, msgspec.json.encode(message_item(message, now_ms)))

    return Thing("messages", message.id, message.user_id, _moments(message.created_ms, message.dismissed_ms), row_at)


@thing_of.register
def _of_reward(reward: Reward) -> Thing:
    def row_at(now_ms: int) -> Row:
        return Row(reward.session_id, reward.start_ms, None, msgspec.json.encode(reward_item(reward, now_ms)))

    return Thing("rewards", reward.session_id, reward.user_id, _moments(reward.earned_ms, reward.paid_ms), row_at)


@thing_of.register
def _of_payout(payout: Payout) -> Thing:
    def row_at(now_ms: int) -> Row:
        return Row(payout.id, payout.created_ms, None, msgspec.json.encode(payout_item(payout, now_ms)))

    return Thing("payouts", payout.id, payout.user_id, tuple(moment for moment, _ in payout.steps), row_at)


def _moments(begin_ms: int, change_ms: int | None) -> tuple[int, ...]:
    return (begin_ms,) if change_ms is None or change_ms == begin_ms else (begin_ms, change_ms)
