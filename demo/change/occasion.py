"""What a kind of change may look at: the tenant as it is now, chance, and whom it can pick.

Does not belong here: what is done with those that are picked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from demo.change.model import Change, Effect, Removal, Restoral
from demo.listing import Span
from demo.truth import Scene
from demo.world.draw import Draw
from demo.world.messages import Message, message_of
from demo.world.people import Household, Location
from demo.world.putting import place_of
from demo.world.sessions import Session, as_of
from demo.world.times import DAY_MS
from demo.world.world import Place

T = TypeVar("T")

CORRECTED_WITHIN_DAYS = 60
RECENT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Occasion:
    """The moment at which one change happens. draw: its own chance. name: unlike that of any other change."""

    scene: Scene
    draw: Draw
    name: str

    @property
    def now_ms(self) -> int:
        return self.scene.now_ms

    def pick(self, choices: Sequence[T], what: str) -> T | None:
        """One of them; None where there is none."""
        return self.draw.one_of(choices, what) if choices else None

    def user_ids(self) -> list[str]:
        return [row.id for row in self.scene.tables["users"]]

    def drivers(self) -> list[Household]:
        """Those whose car is there."""
        return list(self.scene.drivers())

    def locations(self, user_id: str | None = None) -> list[Location]:
        """Those that are there, of one user or of all."""
        tables = self.scene.tables
        listing = tables["charging_locations"] if user_id is None else tables.of_user("charging_locations", user_id)
        return [self.scene.world.location_by_id[row.id] for row in listing]

    def ended_session(self) -> Session | None:
        """One that ended within the last weeks, a day ago or longer; mostly a recent one."""
        span = Span(self.now_ms - CORRECTED_WITHIN_DAYS * DAY_MS, self.now_ms - DAY_MS)
        rows = self.scene.tables["sessions"].rows(ended=span)
        if not rows:
            return None
        row = rows[int(len(rows) * self.draw.fraction("which ended") ** 2)]
        return self.scene.world.session_by_id[row.id]

    def session_under_way(self, fits: Callable[[Session], bool] = lambda _session: True) -> Session | None:
        """One that goes on; those of long ago, which never end, are rarely picked, and the last of them never."""
        recent = [row.id for row in self.scene.tables["sessions"].rows(Span(self.now_ms - RECENT_DAYS * DAY_MS))]
        found = self._under_way(recent)
        if not found or self.draw.chance(0.05, "long ago"):
            found = self._under_way([row.id for row in self.scene.tables["sessions"]])[:-1]
        return self.pick([session for session in found if fits(session)], "which goes on")

    def _under_way(self, ids: Sequence[str]) -> list[Session]:
        sessions = (self.scene.world.session_by_id[id_] for id_ in ids)
        return [session for session in sessions if as_of(session, self.now_ms).end_ms is None]

    def with_messages(self, *sessions: Session) -> tuple[Session | Message, ...]:
        """New sessions, and what their users are told of their ends."""
        told = [message_of(self.scene.world.draw, session) for session in sessions]
        return (*sessions, *(message for message in told if message is not None))

    def change(self, kind: str, *effects: Effect, places: Sequence[Place] = ()) -> Change:
        """places: where the effects are about other rows than those that are put, removed or restored."""
        own = (place for effect in effects for place in _places_of(effect))
        return Change(kind, tuple(places) or tuple(own), effects)


def _places_of(effect: Effect) -> list[Place]:
    if isinstance(effect, Removal | Restoral):
        return [effect.place]
    if isinstance(effect, Household):
        return [place_of(effect.user), place_of(effect.vehicle), *map(place_of, effect.locations.values())]
    return [place_of(effect)]
