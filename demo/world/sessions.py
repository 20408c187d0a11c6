"""Sessions: the source's plug-ins at the tenant's time, with everything the API would say about them.

The source's oddities stay: rows without a plug-out, without length, twice at one moment, days long.
Does not belong here: money (charging.py), JSON and what is visible when (render.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from demo.world.draw import Draw, stable_id
from demo.world.people import Household, Location, location_id
from demo.world.source import SourceSession
from demo.world.times import MINUTE_MS, Shift

FOLLOW_UP_MINUTES = 1
"""A plug-in so soon after a managed one's end is what follows a forced end."""


@dataclass(frozen=True, slots=True)
class Money:
    """Costs and savings that somebody wrote into a session by hand, NOK."""

    costs: float | None
    savings: float | None


@dataclass(frozen=True, slots=True)
class Session:
    """One plug-in. location: as it was when it ended, with the tariff that is charged by; None where it was not
    recognised. end_ms: None where it never was seen to end.

    status: once it has ended (Active where it never does). Levels: percent, None for cars that do not tell.
    corrected: money that stands in the place of what follows from energy and tariff.
    """

    id: str
    user_id: str
    vehicle_id: str
    location: Location | None
    start_ms: int
    end_ms: int | None
    energy_kwh: float
    power_kw: float
    is_managed: bool
    status: str
    start_level: int | None
    end_level: int | None
    calibration: str
    corrected: Money | None = None


class ForcedEnds(NamedTuple):
    """Numbers of the source's sessions that were ended by force, and of those that follow them."""

    numbers: AbstractSet[int]
    follow_ups: AbstractSet[int]


def build_sessions(
    draw: Draw,
    shift: Shift,
    sources: Sequence[SourceSession],
    households: Mapping[str, Household],
    forced: ForcedEnds,
) -> list[Session]:
    """A session for each of the sources, in their order. households: by user of the source."""
    return [_session(draw, shift, source, households[source.user], forced) for source in sources]


def is_unrecognised(draw: Draw, source: SourceSession) -> bool:
    """Whether the tenant did not know where the car was."""
    return draw.chance(0.02, "unrecognised", source.number)


def _session(draw: Draw, shift: Shift, source: SourceSession, household: Household, forced: ForcedEnds) -> Session:
    number = source.number
    at = None if is_unrecognised(draw, source) else location_id(source.user, source.garage)
    location = None if at is None else household.locations[at]
    start_ms = shift.to_ms(source.start) + _within_minute(draw, source.user, source.start)
    end_ms = None
    if source.end is not None:
        # Summer time can swallow a short session's hour, but nothing ends before it starts.
        end_ms = max(start_ms, shift.to_ms(source.end) + _within_minute(draw, source.user, source.end))
    return plug_in(
        draw,
        number,
        household,
        location,
        (start_ms, end_ms),
        source.energy_kwh,
        is_steered=number not in forced.follow_ups,
        is_forced=number in forced.numbers,
    )


def plug_in(
    draw: Draw,
    name: object,
    household: Household,
    location: Location | None,
    span: tuple[int, int | None],
    energy_kwh: float,
    *,
    is_steered: bool = True,
    is_forced: bool = False,
) -> Session:
    """The session of a user's car. name: from which id and chance are drawn. span: start and end, None where it is
    not known. is_steered: whether it may be managed. is_forced: whether it was ended by force, if it was managed.
    """
    vehicle, (start_ms, end_ms) = household.vehicle, span
    is_managed = is_steered and vehicle.model.can_be_managed and location is not None
    levels = _levels(draw, name, energy_kwh, vehicle.model.battery_kwh) if vehicle.model.tells_level else (None, None)
    return Session(
        id=stable_id("session", name),
        user_id=household.user.id,
        vehicle_id=vehicle.id,
        location=location,
        start_ms=start_ms,
        end_ms=end_ms,
        energy_kwh=energy_kwh,
        power_kw=vehicle.model.power_kw,
        is_managed=is_managed,
        status="Active" if end_ms is None else "ForceEnded" if is_forced and is_managed else "Complete",
        start_level=levels[0],
        end_level=levels[1],
        calibration=draw.one_of(("Complete", "Complete", "InProgress", "NotStarted"), "calibration", name),
    )


def _within_minute(draw: Draw, user: str, minute: datetime) -> int:
    """Milliseconds into the source's minute: the same for all that happens to a user in one minute, so order stays."""
    return draw.whole(MINUTE_MS, "within", user, minute)


def _levels(draw: Draw, name: object, energy_kwh: float, battery_kwh: float) -> tuple[int, int]:
    gained = min(round(100 * energy_kwh / battery_kwh), 100)
    lowest = min(5, 100 - gained)
    start = lowest + draw.whole(101 - gained - lowest, "level", name)
    return start, start + gained


def forced_ends(sources: Iterable[SourceSession]) -> ForcedEnds:
    """Told by what comes soon after what, so all sources are needed."""
    forced: set[int] = set()
    follow_ups: set[int] = set()
    for earlier, later in _neighbours(sources):
        if earlier.end is None or earlier.number in follow_ups:
            continue
        minutes = (later.start - earlier.end).total_seconds() / 60
        if 0 <= minutes <= FOLLOW_UP_MINUTES and earlier.start < earlier.end:
            forced.add(earlier.number)
            follow_ups.add(later.number)
    return ForcedEnds(forced, follow_ups)


def _neighbours(sources: Iterable[SourceSession]) -> Iterator[tuple[SourceSession, SourceSession]]:
    """Each session with the next of the same user in the same garage."""
    last: dict[tuple[str, str], SourceSession] = {}
    for source in sources:
        place = (source.user, source.garage)
        if place in last:
            yield last[place], source
        last[place] = source


def as_of(session: Session, now_ms: int) -> Session:
    """The session as the tenant knows it at a moment: without an end that is still to come."""
    if session.end_ms is None or session.end_ms <= now_ms:
        return session
    return replace(session, end_ms=None, status="Active")
