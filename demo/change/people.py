"""Edits of users, cars and charging locations, and users and locations that are new.

Does not belong here: what is agreed for them (agreements.py), deletions (vanishing.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from demo.change.model import Change, Effect
from demo.change.occasion import Occasion
from demo.change.plug_ins import first_session
from demo.world.cars import CAR_MODELS
from demo.world.draw import stable_id
from demo.world.people import Address, Household, Location, User, Vehicle
from demo.world.solar import draw_panels
from demo.world.tariffs import draw_tariff
from demo.world.times import DAY_MS, HOUR_MS
from demo.world.words import FIRST_NAMES, LAST_NAMES, LOCALES, STREETS

ADDED_CAPABILITIES = ("DepartureTimes", "DesiredStateOfCharge", "GeoFencing", "Pairing")
"""What a car can learn without being driven or steered otherwise."""


def edited_user(at: Occasion) -> Change | None:
    user_id = at.pick(at.user_ids(), "who")
    if user_id is None:
        return None
    user = at.scene.world.households[user_id].user
    reference = f"CRM-{at.draw.whole(9000, 'reference') + 1000}"
    choices: dict[str, tuple[str | None, ...]] = {
        "first_name": FIRST_NAMES,
        "last_name": LAST_NAMES,
        "email": (None, f"{reference}@example.com".lower()),
        "locale": LOCALES,
        "external_data": (None, reference),
    }
    fields: dict[str, Any] = {}
    for name in {at.draw.one_of(list(choices), "field", number): None for number in range(2)}:
        others = [value for value in choices[name] if value != getattr(user, name)]
        fields[name] = at.draw.one_of(others, "value", name)
    return at.change("edited_user", replace(user, **fields, updated_ms=at.now_ms))


def edited_vehicle(at: Occasion) -> Change | None:
    """Connected or not any more, or with one capability more or less."""
    household = at.pick(at.drivers(), "who")
    if household is None:
        return None
    vehicle = household.vehicle
    if at.draw.chance(0.5, "connection"):
        return at.change("edited_vehicle", replace(vehicle, is_connected=not vehicle.is_connected))
    capability = at.draw.one_of(ADDED_CAPABILITIES, "capability")
    has = vehicle.model.capabilities
    capabilities = tuple(word for word in has if word != capability) if capability in has else (*has, capability)
    return at.change("edited_vehicle", replace(vehicle, model=replace(vehicle.model, capabilities=capabilities)))


def edited_location(at: Occasion) -> Change | None:
    """It moved house."""
    location = at.pick(at.locations(), "where")
    if location is None:
        return None
    return at.change("edited_location", replace(location, address=_address(at, location.address), updated_ms=at.now_ms))


def _address(at: Occasion, near: Address) -> Address:
    """Another one of the same town, never quite the same as `near`."""
    return replace(
        near,
        street=at.draw.one_of([street for street in STREETS if street != near.street], "street"),
        house_number=str(1 + at.draw.whole(80, "house")),
        latitude=round(near.latitude + 0.01 * at.draw.fraction("latitude"), 6),
        longitude=round(near.longitude + 0.01 * at.draw.fraction("longitude"), 6),
    )


def new_location(at: Occasion) -> Change | None:
    """Another location of a user who is there."""
    user_id = at.pick(at.user_ids(), "who")
    near = at.pick(at.locations(), "near")
    if user_id is None or near is None:
        return None
    user = at.scene.world.households[user_id].user
    created_ms = max(user.created_ms, at.now_ms - at.draw.whole(DAY_MS, "created"))
    return at.change("new_location", _location(at, at.name, user, created_ms, near.address))


def new_users(at: Occasion) -> Change | None:
    """One or two users who signed up within the last day, two in the same millisecond, with all that is theirs."""
    near = at.pick(at.locations(), "near")
    if near is None:
        return None
    created_ms = at.now_ms - at.draw.between(HOUR_MS, DAY_MS, "created")
    effects: list[Effect] = []
    for number in range(1 + at.draw.chance(0.3, "two")):
        household = _household(at, f"{at.name}/{number}", created_ms, near.address)
        effects += [household, *first_session(at, f"{at.name}/{number}", household)]
    return at.change("new_users", *effects)


def _household(at: Occasion, name: str, created_ms: int, near: Address) -> Household:
    draw = at.draw
    first_name, last_name = draw.one_of(FIRST_NAMES, "first name", name), draw.one_of(LAST_NAMES, "last name", name)
    user = User(
        id=stable_id("user", name),
        first_name=first_name,
        last_name=last_name,
        email=f"{first_name}.{last_name}@example.com".lower() if draw.chance(0.9, "email", name) else None,
        locale=draw.one_of(LOCALES, "locale", name),
        external_data=None,
        created_ms=created_ms,
        updated_ms=created_ms,
    )
    vehicle = Vehicle(
        id=stable_id("vehicle", name),
        user_id=user.id,
        model=draw.one_of(CAR_MODELS, "car", name),
        is_connected=True,
        created_ms=created_ms + draw.whole(HOUR_MS // 2, "vehicle", name),
    )
    count = 1 + draw.chance(0.3, "two locations", name)
    locations = [_location(at, f"{name}/{number}", user, created_ms, near) for number in range(count)]
    return Household(user, vehicle, {location.id: location for location in locations})


def _location(at: Occasion, name: str, user: User, created_ms: int, near: Address) -> Location:
    draw = at.scene.world.draw
    return Location(
        id=stable_id("charging location", name),
        user_id=user.id,
        address=_address(at, near),
        tariff=draw_tariff(draw, name, name),
        charger_id=stable_id("charger", name) if draw.chance(0.6, "charger", name) else None,
        panels=draw_panels(draw, name),
        created_ms=created_ms,
        updated_ms=created_ms,
    )
