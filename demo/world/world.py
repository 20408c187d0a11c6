"""The whole world of one tenant, and the moment at which its clock starts.

Does not belong here: how any of it is asked for (demo/tenant.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from functools import cached_property

from demo.world.draw import Draw
from demo.world.people import Household, Location, build_households
from demo.world.sessions import Session, build_sessions
from demo.world.source import SourceSession, read_sessions
from demo.world.times import Shift, latest_shift, wall_ms

DEFAULT_SEED = 20260101


@dataclass(frozen=True)
class World:
    """households: by user id. sessions: in order of start. start_ms: when the tenant's clock starts."""

    draw: Draw
    shift: Shift
    households: dict[str, Household]
    sessions: list[Session]
    start_ms: int

    @cached_property
    def session_by_id(self) -> dict[str, Session]:
        return {session.id: session for session in self.sessions}

    @cached_property
    def location_by_id(self) -> dict[str, Location]:
        return {location.id: location for home in self.households.values() for location in home.locations.values()}

    @cached_property
    def sessions_by_location(self) -> dict[str, list[Session]]:
        """In order of start."""
        found: dict[str, list[Session]] = {location_id: [] for location_id in self.location_by_id}
        for sessions in self.sessions_by_user.values():
            for session in sessions:
                if session.location is not None:
                    found[session.location.id].append(session)
        return found

    @cached_property
    def sessions_by_user(self) -> dict[str, list[Session]]:
        """In order of start."""
        found: dict[str, list[Session]] = {user_id: [] for user_id in self.households}
        for session in self.sessions:
            found[session.user_id].append(session)
        return {user_id: sorted(rows, key=lambda row: (row.start_ms, row.id)) for user_id, rows in found.items()}


def build_world(shift: Shift, seed: int = DEFAULT_SEED, sources: Sequence[SourceSession] | None = None) -> World:
    """The tenant's world: every session of the source, moved; ids do not depend on the move or the seed."""
    draw = Draw(seed)
    sources = read_sessions() if sources is None else sources
    by_name = build_households(draw, shift, sources)
    return World(
        draw=draw,
        shift=shift,
        households={household.user.id: household for household in by_name.values()},
        sessions=build_sessions(draw, shift, sources, by_name),
        start_ms=shift.to_ms(_end_of_last_day()),
    )


def newest_only(world: World, sessions_per_user: int) -> World:
    """The world with no more than so many sessions of each user, the newest."""
    kept = {session.id for rows in world.sessions_by_user.values() for session in rows[-sessions_per_user:]}
    return replace(world, sessions=[session for session in world.sessions if session.id in kept])


def shift_until(not_after_ms: int) -> Shift:
    """The latest whole-week move that brings the end of the source's last day to no later than this instant."""
    return latest_shift(_end_of_last_day(), not_after_ms)


def end_of_day_ms(day: date) -> int:
    """The instant at which a local day in Oslo is over."""
    return wall_ms(datetime.combine(day + timedelta(days=1), time.min))


def _end_of_last_day() -> datetime:
    last = max(row.end or row.start for row in read_sessions())
    return datetime.combine(last.date() + timedelta(days=1), time.min)
