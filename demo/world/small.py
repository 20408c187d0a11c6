"""Which part of the source a small tenant keeps: few users who show every kind of thing, and their newest sessions.

Does not belong here: building anything for them (build.py).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from demo.world.contracts import contract_item
from demo.world.draw import Draw, stable_id
from demo.world.people import Household, Location
from demo.world.sessions import ForcedEnds, is_unrecognised
from demo.world.source import SourceSession
from demo.world.times import Shift

WEIGHTS = {
    "tariff": 10,
    "panels": 10,
    "never ends": 10,
    "several locations": 10,
    "forced end": 5,
    "management": 5,
    "telemetry": 5,
    "charger": 5,
}
"""How much the first household of a kind counts, by the kind's first word or words; any other kind counts 1."""


def newest_of_each(shift: Shift, sources: Sequence[SourceSession], count: int) -> list[SourceSession]:
    """The sources without all but the newest of each user, in their order."""
    by_user: dict[str, list[SourceSession]] = {}
    for source in sources:
        by_user.setdefault(source.user, []).append(source)
    kept = {
        source.number
        for rows in by_user.values()
        for source in sorted(rows, key=lambda row: (shift.to_ms(row.start), stable_id("session", row.number)))[-count:]
    }
    return [source for source in sources if source.number in kept]


def choose_users(
    draw: Draw,
    households: Mapping[str, Household],
    sources: Sequence[SourceSession],
    forced: ForcedEnds,
    count: int,
) -> set[str]:
    """The names of so many users: always the one who adds most that is new, so fewer users are a part of more."""
    kinds = {name: set(_of_household(draw, household)) for name, household in households.items()}
    for source in sources:
        kinds[source.user].update(_of_session(draw, source, forced))
    chosen: set[str] = set()
    shown: set[str] = set()
    while len(chosen) < count:
        best = max(kinds.keys() - chosen, key=lambda name: (sum(map(_weight, kinds[name] - shown)), name))
        chosen.add(best)
        shown |= kinds[best]
    return chosen


def _weight(kind: str) -> int:
    return WEIGHTS.get(kind.partition(":")[0], 1)


def _of_household(draw: Draw, household: Household) -> Iterator[str]:
    vehicle, locations = household.vehicle, household.locations.values()
    yield f"car: {vehicle.model.id}"
    yield f"management: {vehicle.model.can_be_managed}"
    yield f"telemetry: {vehicle.model.sends_pushes}"
    yield f"level: {vehicle.model.tells_level}"
    yield f"connected: {vehicle.is_connected}"
    if len(locations) > 1:
        yield "several locations"
    for location in locations:
        yield from _of_location(draw, location)


def _of_location(draw: Draw, location: Location) -> Iterator[str]:
    tariff, contract = location.tariff, contract_item(draw, location)
    yield f"tariff: {'none' if tariff is None else '/'.join(tariff.prices)}"
    if tariff is not None:
        yield f"slot: {tariff.slot_minutes}"
        yield f"holidays: {tariff.holiday_intervals is not None}"
    yield f"panels: {location.panels is not None}"
    yield f"charger: {location.charger_id is not None}"
    yield f"contract: {contract['status'] if contract else 'none'}"


def _of_session(draw: Draw, source: SourceSession, forced: ForcedEnds) -> Iterator[str]:
    if source.end is None:
        yield "never ends"
    elif source.end == source.start:
        yield "no length"
    if source.number in forced.numbers:
        yield "forced end"
    if is_unrecognised(draw, source):
        yield "unrecognised"
