"""What a tenant says otherwise, days or weeks later, of sessions that have ended.

Does not belong here: sessions that begin or end (plug_ins.py).
"""

from __future__ import annotations

from dataclasses import replace

from demo.change.model import Change
from demo.change.occasion import Occasion
from demo.world.people import Household, Location
from demo.world.sessions import Session
from demo.world.tariffs import Tariff, flat_tariff


def corrected_energy(at: Occasion) -> Change | None:
    """Energy and levels; costs, savings, sun and the reward that is not paid out yet follow."""
    session = at.ended_session()
    if session is None:
        return None
    battery_kwh = at.scene.world.households[session.user_id].vehicle.model.battery_kwh
    energy_kwh = round(min(max(session.energy_kwh, 0.1) * (0.6 + 0.9 * at.draw.fraction("energy")), battery_kwh), 2)
    if energy_kwh == session.energy_kwh:
        energy_kwh = round(energy_kwh / 2, 3)
    levels = (session.start_level, session.end_level)
    if session.start_level is not None:
        gained = min(round(100 * energy_kwh / battery_kwh), 100)
        start = min(session.start_level, 100 - gained)
        levels = (start, start + gained)
    corrected = replace(session, energy_kwh=energy_kwh, start_level=levels[0], end_level=levels[1], corrected=None)
    return at.change("corrected_energy", corrected)


def corrected_levels(at: Occasion) -> Change | None:
    """Both levels, by as much."""
    session = at.ended_session()
    if session is None or session.start_level is None or session.end_level is None:
        return None
    step = at.draw.one_of((-7, -3, -1, 1, 2, 5), "step")
    if not (session.start_level + step >= 0 and session.end_level + step <= 100):
        step = -step
    levels = (session.start_level + step, session.end_level + step)
    if not 0 <= levels[0] <= levels[1] <= 100:
        return None
    return at.change("corrected_levels", replace(session, start_level=levels[0], end_level=levels[1]))


def repriced_session(at: Occasion) -> Change | None:
    """It was charged by the wrong tariff: other costs and savings, and other session tariffs that tell why."""
    session = at.ended_session()
    if session is None or session.location is None:
        return None
    tariff = _other_prices(at, session.location.tariff)
    return at.change(
        "repriced_session", replace(session, location=replace(session.location, tariff=tariff), corrected=None)
    )


def _other_prices(at: Occasion, tariff: Tariff | None) -> Tariff:
    """The same tariff at other prices; one price for all hours where the old one had none of its own."""
    if tariff is None or tariff.is_dynamic:
        return flat_tariff(round(0.9 + 0.6 * at.draw.fraction("price"), 4))
    factor = 1.02 + 0.3 * at.draw.fraction("factor")
    return replace(tariff, prices={type_: round(price * factor, 4) for type_, price in tariff.prices.items()})


def moved_to_location(at: Occasion) -> Change | None:
    """It was recognised at another location of the user, or at one at all."""
    session = at.ended_session()
    if session is None:
        return None
    now_at = session.location and session.location.id
    others = [location for location in _there(at, session.user_id, session) if location.id != now_at]
    location = at.pick(others, "where")
    household = at.scene.world.households[session.user_id]
    return None if location is None else at.change("moved_to_location", _moved(session, household, location))


def moved_to_user(at: Occasion) -> Change | None:
    """It was somebody else's."""
    session = at.ended_session()
    if session is None:
        return None
    others = [
        home for home in at.drivers() if home.user.id != session.user_id and home.vehicle.created_ms <= session.start_ms
    ]
    household = at.pick(others, "who")
    if household is None:
        return None
    location = at.pick(_there(at, household.user.id, session), "where")
    return at.change("moved_to_user", _moved(session, household, location))


def _there(at: Occasion, user_id: str, session: Session) -> list[Location]:
    """The user's locations at which the session can have begun."""
    return [location for location in at.locations(user_id) if location.created_ms <= session.start_ms]


def _moved(session: Session, household: Household, location: Location | None) -> Session:
    is_managed = session.is_managed and household.vehicle.model.can_be_managed and location is not None
    return replace(
        session,
        user_id=household.user.id,
        vehicle_id=household.vehicle.id,
        location=location,
        is_managed=is_managed,
        status="Complete" if session.status == "ForceEnded" and not is_managed else session.status,
        corrected=None,
    )
