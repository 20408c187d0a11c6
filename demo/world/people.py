"""Users, their car and their charging locations, drawn for the people and garages of the source.

Does not belong here: sessions (sessions.py), JSON (render.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from demo.world.cars import CAR_MODELS, CarModel
from demo.world.draw import Draw, stable_id
from demo.world.solar import Panels, draw_panels
from demo.world.source import SourceSession
from demo.world.tariffs import Tariff, draw_tariff
from demo.world.times import DAY_MS, MINUTE_MS, Shift
from demo.world.words import FIRST_NAMES, LAST_NAMES, LOCALES, STREETS

AGREEMENT_ID = stable_id("agreement", "demo")


@dataclass(frozen=True, slots=True)
class User:
    """A person of the source under an invented name."""

    id: str
    first_name: str
    last_name: str
    email: str | None
    locale: str
    external_data: str | None
    created_ms: int
    updated_ms: int


@dataclass(frozen=True, slots=True)
class Vehicle:
    """The one car of a user. settings_version: how often its charge settings were overwritten. told_ms: when it last
    told of itself out of turn.
    """

    id: str
    user_id: str
    model: CarModel
    is_connected: bool
    created_ms: int
    settings_version: int = 0
    told_ms: int = 0


@dataclass(frozen=True, slots=True)
class Address:
    """A garage of the source under an invented street. Degrees."""

    street: str
    house_number: str
    postal_code: str
    latitude: float
    longitude: float
    city: str = "Trondheim"
    region: str = "Trøndelag"
    country: str = "NO"
    area: str = "NO3"


@dataclass(frozen=True, slots=True)
class Location:
    """A garage as one user has it: where, at which tariff (None: nobody told), with which charger (None: unknown) and
    panels (None: none).

    tariff_since_ms: since when it has this tariff, 0: always. contract_version, rate_version: how often the energy
    contract and what a kWh earns were overwritten. told_ms: when the charger last told of itself out of turn.
    """

    id: str
    user_id: str
    address: Address
    tariff: Tariff | None
    charger_id: str | None
    panels: Panels | None
    created_ms: int
    updated_ms: int
    tariff_since_ms: int = 0
    contract_version: int = 0
    rate_version: int = 0
    told_ms: int = 0


@dataclass(frozen=True, slots=True)
class Household:
    """A user with everything of theirs. locations: by id."""

    user: User
    vehicle: Vehicle
    locations: Mapping[str, Location]


def build_households(draw: Draw, shift: Shift, sources: Sequence[SourceSession]) -> dict[str, Household]:
    """Every household, by user of the source, in the order of their first session."""
    addresses = _addresses(draw, sorted({source.garage for source in sources}))
    by_user: dict[str, list[SourceSession]] = {}
    for source in sources:
        by_user.setdefault(source.user, []).append(source)
    return {name: _household(draw, shift, name, rows, addresses) for name, rows in by_user.items()}


def _household(
    draw: Draw, shift: Shift, name: str, rows: Sequence[SourceSession], addresses: Mapping[str, Address]
) -> Household:
    first_ms = min(shift.to_ms(row.start) for row in rows)
    user = _user(draw, name, first_ms)
    vehicle = Vehicle(
        id=stable_id("vehicle", name),
        user_id=user.id,
        model=_car(draw, name, max(row.energy_kwh for row in rows)),
        is_connected=draw.chance(0.94, "connected", name),
        created_ms=draw.between(user.created_ms, user.created_ms + DAY_MS, "vehicle", name),
    )
    firsts: dict[str, int] = {}
    for row in rows:
        firsts.setdefault(row.garage, shift.to_ms(row.start))
    locations = [_location(draw, user, name, garage, ms, addresses) for garage, ms in firsts.items()]
    return Household(user, vehicle, {location.id: location for location in locations})


@cache
def location_id(name: str, garage: str) -> str:
    """The id under which a user of the source has a garage."""
    return stable_id("charging location", f"{name}/{garage}")


def _user(draw: Draw, name: str, first_ms: int) -> User:
    first_name = draw.one_of(FIRST_NAMES, "first name", name)
    last_name = draw.one_of(LAST_NAMES, "last name", name)
    created_ms = draw.between(first_ms - 40 * DAY_MS, first_ms - 2 * DAY_MS, "created", name)
    edited = draw.chance(0.3, "edited", name)
    number = draw.whole(9000, "reference", name) + 1000
    return User(
        id=stable_id("user", name),
        first_name=first_name,
        last_name=last_name,
        email=f"{first_name}.{last_name}{number}@example.com".lower() if draw.chance(0.95, "email", name) else None,
        locale=draw.one_of(LOCALES, "locale", name),
        external_data=f"CRM-{number}" if draw.chance(0.8, "external", name) else None,
        created_ms=created_ms,
        updated_ms=draw.between(created_ms, first_ms, "updated", name) if edited else created_ms,
    )


def _car(draw: Draw, name: str, largest_kwh: float) -> CarModel:
    """A car whose battery holds the user's largest session."""
    fitting = [model for model in CAR_MODELS if model.battery_kwh >= largest_kwh]
    return draw.one_of(fitting, "car", name)


def _location(
    draw: Draw, user: User, name: str, garage: str, first_ms: int, addresses: Mapping[str, Address]
) -> Location:
    what = f"{name}/{garage}"
    # The first garage is entered when signing up, another one shortly before it is first used.
    begin_ms = max(user.created_ms, first_ms - 40 * DAY_MS)
    created_ms = draw.between(begin_ms, max(first_ms - DAY_MS, begin_ms + MINUTE_MS), "location", what)
    edited = draw.chance(0.25, "location edited", what)
    return Location(
        id=location_id(name, garage),
        user_id=user.id,
        address=addresses[garage],
        tariff=draw_tariff(draw, what, garage),
        charger_id=stable_id("charger", what) if draw.chance(0.6, "charger", what) else None,
        panels=draw_panels(draw, what),
        created_ms=created_ms,
        updated_ms=draw.between(created_ms, first_ms, "location updated", what) if edited else created_ms,
    )


def _addresses(draw: Draw, garages: Iterable[str]) -> dict[str, Address]:
    """A street of its own for each garage."""
    return {
        garage: Address(
            street=STREETS[i],
            house_number=f"{draw.whole(60, 'house', garage) + 1}{draw.one_of(('', '', 'A', 'B'), 'entrance', garage)}",
            postal_code=str(7020 + draw.whole(28, "post", garage)),
            latitude=round(63.39 + 0.045 * draw.fraction("latitude", garage), 6),
            longitude=round(10.33 + 0.15 * draw.fraction("longitude", garage), 6),
        )
        for i, garage in enumerate(garages)
    }
