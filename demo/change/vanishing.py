"""Deletions, which leave no trace, and the return of what was deleted, under its old id.

Only a part of a table is ever gone, so that a tenant does not die out.
Does not belong here: what else is gone with a thing (demo/world/putting.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from demo.change.model import Change, Removal, Restoral
from demo.change.occasion import Occasion
from demo.world.times import HOUR_MS
from demo.world.world import Place, World

GONE_AT_MOST = 0.2
"""As a share of all that are known; one may always be gone."""
FEWEST = 3
"""Fewer than that stay."""
BACK_AFTER_MS = 36 * HOUR_MS

TABLES = {
    "deleted_session": "sessions",
    "deleted_user": "users",
    "deleted_vehicle": "vehicles",
    "deleted_location": "charging_locations",
    "deleted_charger": "chargers",
}


def deleted_session(at: Occasion) -> Change | None:
    """Of the last weeks, whether it has ended or not."""
    session = at.session_under_way() if at.draw.chance(0.2, "under way") else at.ended_session()
    return None if session is None else _removal(at, "deleted_session", session.id, len(at.scene.tables["sessions"]))


def deleted_user(at: Occasion) -> Change | None:
    return _one_of(at, "deleted_user", at.user_ids())


def deleted_vehicle(at: Occasion) -> Change | None:
    return _one_of(at, "deleted_vehicle", [household.vehicle.id for household in at.drivers()])


def deleted_location(at: Occasion) -> Change | None:
    return _one_of(at, "deleted_location", [location.id for location in at.locations()])


def deleted_charger(at: Occasion) -> Change | None:
    chargers = (at.scene.world.charger_id(location) for location in at.locations())
    return _one_of(at, "deleted_charger", [charger_id for charger_id in chargers if charger_id])


def _one_of(at: Occasion, kind: str, ids: Sequence[str]) -> Change | None:
    id_ = at.pick(ids, "which")
    return None if id_ is None else _removal(at, kind, id_, len(ids))


def _removal(at: Occasion, kind: str, id_: str, there: int) -> Change | None:
    table = TABLES[kind]
    gone = sum(name == table for name, _ in at.scene.world.gone)
    if there < FEWEST or gone + 1 > max(1, GONE_AT_MOST * (there + gone)):
        return None
    return at.change(kind, Removal((table, id_)))


def returned(at: Occasion) -> Change | None:
    """Something is there again that was gone for a night or more."""
    world = at.scene.world
    since_ms = at.now_ms - BACK_AFTER_MS
    choices = [place for place, gone_ms in world.gone.items() if gone_ms <= since_ms and _has_a_home(world, place)]
    place = at.pick(choices, "which")
    return None if place is None else at.change("returned", Restoral(place))


def _has_a_home(world: World, place: Place) -> bool:
    """Whether that under which it would be found is there."""
    table, id_ = place
    if table == "users":
        return True
    if table == "sessions":
        return ("users", world.session_by_id[id_].user_id) not in world.gone
    if table == "vehicles":
        owner = next(household for household in world.households.values() if household.vehicle.id == id_)
        return ("users", owner.user.id) not in world.gone
    location = next(at for at in world.location_by_id.values() if id_ in {at.id, at.charger_id})
    above = {("users", location.user_id), ("charging_locations", location.id)} - {place}
    return not above & world.gone.keys()
