"""Building the world of a tenant from the source files and a seed.

Does not belong here: what the things are (the sibling modules), how they change afterwards (putting.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import cache

from demo.world.draw import Draw
from demo.world.messages import build_messages
from demo.world.people import build_households
from demo.world.rewards import build_account
from demo.world.sessions import Session, build_sessions, forced_ends
from demo.world.small import choose_users, newest_of_each
from demo.world.source import SourceSession, read_sessions
from demo.world.times import Shift, latest_shift, wall_ms
from demo.world.world import World

DEFAULT_SEED = 20260101


def build_world(
    shift: Shift,
    seed: int = DEFAULT_SEED,
    sources: Sequence[SourceSession] | None = None,
    *,
    users: int | None = None,
    newest_sessions: int | None = None,
) -> World:
    """The tenant's world: every session of the source, moved; ids do not depend on the move or the seed.

    users: keep so many, chosen so that few of them show every kind of thing; who is kept is as in the whole world.
    newest_sessions: keep no more than so many of each user.
    """
    draw = Draw(seed)
    sources = read_sessions() if sources is None else sources
    by_name = build_households(draw, shift, sources)
    forced = forced_ends(sources)
    if newest_sessions is not None:
        sources = newest_of_each(shift, sources, newest_sessions)
    if users is not None and users < len(by_name):
        names = choose_users(draw, by_name, sources, forced, users)
        by_name = {name: household for name, household in by_name.items() if name in names}
        sources = [source for source in sources if source.user in names]
    sessions = build_sessions(draw, shift, sources, by_name, forced)
    by_user = _grouped(by_name[name].user.id for name in by_name)
    locations = {location.id: location for home in by_name.values() for location in home.locations.values()}
    by_location = _grouped(locations)
    for session in sorted(sessions, key=lambda session: (session.start_ms, session.id)):
        by_user[session.user_id].append(session)
        if session.location is not None:
            by_location[session.location.id].append(session)
    return World(
        draw=draw,
        shift=shift,
        start_ms=shift.to_ms(_end_of_last_day()),
        households={household.user.id: household for household in by_name.values()},
        location_by_id=locations,
        session_by_id={session.id: session for session in sessions},
        sessions_by_user=by_user,
        sessions_by_location=by_location,
        messages={
            home.user.id: {message.id: message for message in build_messages(draw, home, by_user[home.user.id])}
            for home in by_name.values()
        },
        accounts={user_id: build_account(draw, user_id, own) for user_id, own in by_user.items()},
    )


def _grouped(ids: Iterable[str]) -> dict[str, list[Session]]:
    return {id_: [] for id_ in ids}


def shift_until(not_after_ms: int) -> Shift:
    """The latest whole-week move that brings the end of the source's last day to no later than this instant."""
    return latest_shift(_end_of_last_day(), not_after_ms)


def end_of_day_ms(day: date) -> int:
    """The instant at which a local day in Oslo is over."""
    return wall_ms(datetime.combine(day + timedelta(days=1), time.min))


@cache
def _end_of_last_day() -> datetime:
    last = max(row.end or row.start for row in read_sessions())
    return datetime.combine(last.date() + timedelta(days=1), time.min)
