"""New sessions, those that arrive late or at the moment of another, and ends that are told late.

Does not belong here: what is said otherwise of a session that has ended (corrections.py).
"""

from __future__ import annotations

from dataclasses import replace

from demo.change.model import Change
from demo.change.occasion import Occasion
from demo.world.messages import Message
from demo.world.people import Household, Location
from demo.world.sessions import Session, plug_in
from demo.world.times import DAY_MS, HOUR_MS, SECOND_MS

LATE_WITHIN_DAYS = 20
LONGEST_MS = 14 * HOUR_MS
PAGE_SIZES = (100, 50, 20, 10, 5)
"""At whose boundaries ties are put, the largest first that the list has several pages of."""


def new_session(at: Occasion) -> Change | None:
    """Begun within the last day: over already, to end later today, or with an end that nobody knows yet."""
    start_ms = at.now_ms - at.draw.whole(DAY_MS, "how long ago")
    end_ms: int | None = start_ms + at.draw.whole(LONGEST_MS, "how long")
    if at.draw.chance(0.3, "end unknown"):
        end_ms = None
    session = _somebodys(at, at.name, start_ms, end_ms)
    return None if session is None else at.change("new_session", *at.with_messages(session))


def late_session(at: Occasion) -> Change | None:
    """Over for days when the tenant first tells of it."""
    ago_ms = DAY_MS + int(at.draw.fraction("how long ago") ** 2 * (LATE_WITHIN_DAYS - 1) * DAY_MS)
    start_ms = at.now_ms - ago_ms
    end_ms = start_ms + at.draw.whole(min(LONGEST_MS, ago_ms), "how long")
    session = _somebodys(at, at.name, start_ms, end_ms)
    return None if session is None else at.change("late_session", *at.with_messages(session))


def tied_sessions(at: Occasion) -> Change | None:
    """Two or three sessions that began in the same millisecond as one that is there, which half the time stands at the
    end of a page of the tenant's list.
    """
    listing = at.scene.tables["sessions"]
    count = len(listing)
    size = next((size for size in PAGE_SIZES if count > size), None)
    if size is None:
        return None
    rank = at.draw.whole(count, "rank")
    if at.draw.chance(0.5, "at a boundary"):
        rank = size * (1 + at.draw.whole(min((count - 1) // size, 5), "page")) - 1
    start_ms = listing.at(rank).listed_ms
    end_ms = min(start_ms + at.draw.whole(LONGEST_MS, "how long"), at.now_ms)
    names = [f"{at.name}/{number}" for number in range(2 + at.draw.whole(2, "how many"))]
    sessions = [_somebodys(at, name, start_ms, end_ms) for name in names]
    found = [session for session in sessions if session is not None]
    return at.change("tied_sessions", *at.with_messages(*found)) if found else None


def session_end(at: Occasion) -> Change | None:
    """A session under way has ended within the last day."""
    return _end(at, "session_end", at.now_ms - at.draw.whole(DAY_MS, "end"))


def back_dated_end(at: Occasion) -> Change | None:
    """A session under way turns out to have ended days ago."""
    return _end(at, "back_dated_end", at.now_ms - at.draw.between(DAY_MS, 7 * DAY_MS, "end"))


def _end(at: Occasion, kind: str, end_ms: int) -> Change | None:
    session = at.session_under_way()
    if session is None:
        return None
    ended = replace(session, end_ms=max(session.start_ms, end_ms), status="Complete")
    return at.change(kind, *at.with_messages(ended))


def forced_end(at: Occasion) -> Change | None:
    """A managed session is ended by force, and the car goes on charging in an unmanaged one."""
    session = at.session_under_way(lambda session: session.is_managed)
    household = None if session is None else _driver(at, session.user_id)
    if session is None or household is None:
        return None
    end_ms = max(session.start_ms, at.now_ms - at.draw.whole(12 * HOUR_MS, "end"))
    next_ms = min(end_ms + at.draw.whole(60 * SECOND_MS, "next start"), at.now_ms)
    next_end_ms: int | None = min(next_ms + at.draw.whole(LONGEST_MS, "how long"), at.now_ms)
    if at.draw.chance(0.5, "goes on"):
        next_end_ms = None
    forced = replace(session, end_ms=end_ms, status="ForceEnded")
    follow_up = _session(at, at.name, household, session.location, (next_ms, next_end_ms), is_steered=False)
    return at.change("forced_end", *at.with_messages(forced, follow_up))


def session_progress(at: Occasion) -> Change | None:
    """A session under way has taken more energy."""
    session = at.session_under_way()
    if session is None:
        return None
    energy_kwh = round(session.energy_kwh + 0.01 + 5 * at.draw.fraction("energy"), 2)
    calibration = at.draw.one_of(("InProgress", "Complete", "NoSession"), "calibration")
    return at.change("session_progress", replace(session, energy_kwh=energy_kwh, calibration=calibration))


def first_session(at: Occasion, name: str, household: Household) -> tuple[Session | Message, ...]:
    """What a new user has done so far, and was told about it."""
    start_ms = at.draw.between(household.vehicle.created_ms, at.now_ms, "first start", name)
    end_ms = None if at.draw.chance(0.3, "goes on", name) else at.draw.between(start_ms, at.now_ms, "first end", name)
    location = at.pick(list(household.locations.values()), f"where/{name}")
    return at.with_messages(_session(at, name, household, location, (start_ms, end_ms)))


def _driver(at: Occasion, user_id: str) -> Household | None:
    return next((household for household in at.drivers() if household.user.id == user_id), None)


def _somebodys(at: Occasion, name: str, start_ms: int, end_ms: int | None) -> Session | None:
    """A session of anybody whose car was there at its start; None where there is nobody."""
    household = at.pick([home for home in at.drivers() if home.vehicle.created_ms <= start_ms], f"who/{name}")
    if household is None:
        return None
    there = [location for location in at.locations(household.user.id) if location.created_ms <= start_ms]
    location = None if at.draw.chance(0.05, "unrecognised", name) else at.pick(there, f"where/{name}")
    return _session(at, name, household, location, (start_ms, end_ms))


def _session(
    at: Occasion,
    name: str,
    household: Household,
    location: Location | None,
    span: tuple[int, int | None],
    *,
    is_steered: bool = True,
) -> Session:
    """Charged for some of the time that the car was plugged in, at most what its battery holds."""
    start_ms, end_ms = span
    hours = ((at.now_ms if end_ms is None else end_ms) - start_ms) / HOUR_MS
    model = household.vehicle.model
    most_kwh = min(model.battery_kwh, model.power_kw * max(hours, 0.05))
    energy_kwh = round(0.05 + most_kwh * at.draw.fraction("energy", name) * 0.95, 2)
    return plug_in(at.scene.world.draw, name, household, location, span, energy_kwh, is_steered=is_steered)
