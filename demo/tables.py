"""The tenant's current rows, encoded, by table and by user; kept up with the clock.

A thing of the world enters its table when it comes into being, and its row is written anew at each moment that
changes it. Nothing here looks at more than what changed.
Does not belong here: what the rows say (demo/world/render.py), how they are asked for (tenant.py).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import msgspec

from demo.edits import Edits
from demo.listing import Listing, Row
from demo.world.cars import CAR_MODELS
from demo.world.messages import Message, build_messages, message_item
from demo.world.people import Household
from demo.world.render import Item, car_model_item, location_item, session_item, user_item, vehicle_item
from demo.world.rewards import Payout, Reward, build_account, payout_item, reward_item
from demo.world.sessions import Session, as_of
from demo.world.world import World

TABLES = ("users", "vehicles", "charging_locations", "sessions", "messages", "rewards", "payouts")


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that has a row. moments: when it comes into being and when it changes, in order."""

    table: str
    user_id: str
    moments: tuple[int, ...]
    row_at: Callable[[int], Row]


class Rows(Protocol):
    """The rows of one world at a moment, with what was changed behind the API's back."""

    @property
    def edits(self) -> Edits: ...

    def __getitem__(self, name: str) -> Listing: ...

    def of_user(self, name: str, user_id: str) -> Listing:
        """A user's part of a table; empty where there is none."""
        ...


class Tables:
    """The current rows of every list of the API that is in the order of its rows' time."""

    def __init__(self, world: World, now_ms: int) -> None:
        self.edits = Edits()
        self._pending: list[tuple[int, int, Thing]] = []
        self._by_user: dict[tuple[str, str], Listing] = {}
        loaded: dict[str, list[Row]] = {name: [] for name in TABLES}
        of_user: dict[tuple[str, str], list[Row]] = {}
        for number, thing in enumerate(things(world)):
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

    def show_edit(self, name: str, id_: str) -> None:
        """Put a changed row in the place of the one that was shown."""
        row = self._tables[name].get(id_)
        assert row is not None
        changed = self.edits.row(name, row)
        user_id = id_ if name == "users" else msgspec.json.decode(changed.body)["userId"]
        for listing in (self._tables[name], self._by_user[name, user_id]):
            listing.put(changed)


CAR_MODEL_BODIES = tuple(msgspec.json.encode(car_model_item(model)) for model in CAR_MODELS)


def things(world: World) -> Iterator[Thing]:
    """Everything that ever has a row."""
    for household in world.households.values():
        yield from _of_household(household)
        user_id = household.user.id
        sessions = world.sessions_by_user[user_id]
        yield from map(_of_session, sessions)
        yield from map(_of_message, build_messages(world.draw, household, sessions))
        account = build_account(world.draw, user_id, sessions)
        yield from map(_of_reward, account.rewards)
        yield from map(_of_payout, account.payouts)


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


def _of_session(session: Session) -> Thing:
    def row_at(now_ms: int) -> Row:
        body = msgspec.json.encode(session_item(session, now_ms))
        return Row(session.id, session.start_ms, as_of(session, now_ms).end_ms, body)

    return Thing("sessions", session.user_id, _moments(session.start_ms, session.end_ms), row_at)


def _of_message(message: Message) -> Thing:
    def row_at(now_ms: int) -> Row:
        return Row(message.id, message.created_ms, None, msgspec.json.encode(message_item(message, now_ms)))

    return Thing("messages", message.user_id, _moments(message.created_ms, message.dismissed_ms), row_at)


def _of_reward(reward: Reward) -> Thing:
    def row_at(now_ms: int) -> Row:
        return Row(reward.session_id, reward.start_ms, None, msgspec.json.encode(reward_item(reward, now_ms)))

    return Thing("rewards", reward.user_id, _moments(reward.earned_ms, reward.paid_ms), row_at)


def _of_payout(payout: Payout) -> Thing:
    def row_at(now_ms: int) -> Row:
        return Row(payout.id, payout.created_ms, None, msgspec.json.encode(payout_item(payout, now_ms)))

    return Thing("payouts", payout.user_id, tuple(moment for moment, _ in payout.steps), row_at)


def _moments(begin_ms: int, change_ms: int | None) -> tuple[int, ...]:
    return (begin_ms,) if change_ms is None or change_ms == begin_ms else (begin_ms, change_ms)
