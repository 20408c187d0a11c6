"""What a change does to a world: things are put in the place of others, removed and restored, with all that follows.

What follows: sessions under way take a location's new tariff with them; rewards and payouts that are still to come are
reckoned again, those that were made stay; what hangs under a user who is gone is gone as well.
Does not belong here: which changes there are (demo/change, demo/editing.py), rows (demo/tables.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from demo.world.messages import Message
from demo.world.people import Household, Location, User, Vehicle
from demo.world.rewards import Account, Payout, Reward, build_account
from demo.world.sessions import Session
from demo.world.world import Entity, Place, World

TABLE_OF: dict[type, str] = {
    User: "users",
    Vehicle: "vehicles",
    Location: "charging_locations",
    Session: "sessions",
    Message: "messages",
    Reward: "rewards",
    Payout: "payouts",
}


class Shown(NamedTuple):
    """What is told at a place from now on; None: nothing."""

    place: Place
    entity: Entity | None


def place_of(entity: Entity) -> Place:
    id_ = entity.session_id if isinstance(entity, Reward) else entity.id
    return TABLE_OF[type(entity)], id_


def entities(world: World, user_id: str) -> Iterator[Entity]:
    """Everything of a user that has a row now or later; nothing of one who is gone."""
    if ("users", user_id) in world.gone:
        return
    household, account = world.households[user_id], world.accounts[user_id]
    own: Iterable[Entity] = (
        household.user,
        household.vehicle,
        *household.locations.values(),
        *world.sessions_by_user[user_id],
        *world.messages[user_id].values(),
        *account.rewards.values(),
        *account.payouts,
    )
    yield from (entity for entity in own if place_of(entity) not in world.gone)


Puttable = Household | User | Vehicle | Location | Session | Message


def put(thing: Puttable, world: World, now_ms: int) -> list[Shown]:
    """Put a thing in the place of the one with its id, or add it. Gives what is shown otherwise from now on."""
    match thing:
        case Household():
            return _household(thing, world, now_ms)
        case User():
            world.households[thing.id] = replace(world.households[thing.id], user=thing)
            return _told(world, thing)
        case Vehicle():
            world.households[thing.user_id] = replace(world.households[thing.user_id], vehicle=thing)
            return _told(world, thing)
        case Location():
            return _location(thing, world, now_ms)
        case Session():
            return _session(thing, world, now_ms)
        case Message():
            world.messages[thing.user_id] = world.messages[thing.user_id] | {thing.id: thing}
            return _told(world, thing)


def _household(household: Household, world: World, now_ms: int) -> list[Shown]:
    """A new user with car and locations."""
    user_id = household.user.id
    world.households[user_id] = household
    world.location_by_id |= household.locations
    world.sessions_by_user[user_id] = []
    world.sessions_by_location |= {location_id: [] for location_id in household.locations}
    world.messages[user_id] = {}
    world.accounts[user_id] = build_account(world.draw, user_id, [], now_ms=now_ms)
    return [Shown(place_of(entity), entity) for entity in entities(world, user_id)]


def _location(location: Location, world: World, now_ms: int) -> list[Shown]:
    """Sessions under way are charged by what the location has when they end."""
    household = world.households[location.user_id]
    world.households[location.user_id] = replace(household, locations={**household.locations, location.id: location})
    world.location_by_id[location.id] = location
    shown = _told(world, location)
    for session in world.sessions_by_location.setdefault(location.id, []):
        if session.end_ms is None or session.end_ms > now_ms:
            shown += _session(replace(session, location=location), world, now_ms)
    return shown


def _session(session: Session, world: World, now_ms: int) -> list[Shown]:
    before = world.session_by_id.get(session.id)
    world.session_by_id[session.id] = session
    if ("sessions", session.id) in world.gone:
        return []
    if before is not None:
        _take_out(world, before)
    _put_in(world, session)
    shown = [] if before is None or before.user_id == session.user_id else _reckon(world, before.user_id, now_ms)
    shown += _told(world, session)
    return (
        shown if before and _earning(before) == _earning(session) else shown + _reckon(world, session.user_id, now_ms)
    )


def _earning(session: Session) -> tuple[object, ...]:
    """All that a session's reward depends on."""
    at = session.location
    place = None if at is None else (at.id, at.rate_version)
    return session.user_id, place, session.start_ms, session.end_ms, session.energy_kwh, session.is_managed


def remove(place: Place, world: World, now_ms: int) -> list[Shown]:
    """Let a user, vehicle, charging location, charger or session be gone, with all that hangs under it."""
    table, id_ = place
    if place in world.gone:
        return []
    if table == "users":
        shown = [Shown(place_of(entity), None) for entity in entities(world, id_)]
        world.gone[place] = now_ms
        return shown
    world.gone[place] = now_ms
    if table != "sessions":
        return [] if table == "chargers" else [Shown(place, None)]
    session = world.session_by_id[id_]
    _take_out(world, session)
    return [Shown(place, None), *_reckon(world, session.user_id, now_ms)]


def restore(place: Place, world: World, now_ms: int) -> list[Shown]:
    """Let what was removed be there again, as it was and with what has happened to it meanwhile."""
    table, id_ = place
    if world.gone.pop(place, None) is None:
        return []
    if table == "users":
        return [Shown(place_of(entity), entity) for entity in entities(world, id_)]
    if table == "vehicles":
        return _told(world, next(home.vehicle for home in world.households.values() if home.vehicle.id == id_))
    if table == "charging_locations":
        return _told(world, world.location_by_id[id_])
    if table == "sessions":
        session = world.session_by_id[id_]
        _put_in(world, session)
        return [*_told(world, session), *_reckon(world, session.user_id, now_ms)]
    return []


def _told(world: World, entity: Entity) -> list[Shown]:
    """Nothing where it is gone, or its user."""
    user_id = entity.id if isinstance(entity, User) else entity.user_id
    place = place_of(entity)
    return [] if {place, ("users", user_id)} & world.gone.keys() else [Shown(place, entity)]


def _reckon(world: World, user_id: str, now_ms: int) -> list[Shown]:
    """Rewards and payouts of a user after their sessions changed. Gives those that are other than before."""
    past = world.accounts[user_id]
    account = build_account(world.draw, user_id, world.sessions_by_user[user_id], past, now_ms)
    world.accounts[user_id] = account
    if ("users", user_id) in world.gone:
        return []
    before, after = _places(past), _places(account)
    gone = [Shown(place, None) for place in before if place not in after]
    return gone + [Shown(place, entity) for place, entity in after.items() if before.get(place) != entity]


def _places(account: Account) -> dict[Place, Entity]:
    own: tuple[Entity, ...] = (*account.rewards.values(), *account.payouts)
    return {place_of(entity): entity for entity in own}


def _take_out(world: World, session: Session) -> None:
    for by_id, id_ in _lists(world, session):
        by_id[id_] = [other for other in by_id[id_] if other.id != session.id]


def _put_in(world: World, session: Session) -> None:
    for by_id, id_ in _lists(world, session):
        by_id[id_] = sorted([*by_id.get(id_, ()), session], key=lambda other: (other.start_ms, other.id))


def _lists(world: World, session: Session) -> Iterator[tuple[dict[str, list[Session]], str]]:
    yield world.sessions_by_user, session.user_id
    if session.location is not None:
        yield world.sessions_by_location, session.location.id
