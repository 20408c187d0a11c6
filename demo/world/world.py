"""The whole world of one tenant as it is at the moment, and the moment at which its clock starts.

Does not belong here: building it (build.py), changing it (putting.py), how any of it is asked for (demo/tenant.py).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from demo.world.draw import Draw
from demo.world.messages import Message
from demo.world.people import Household, Location, User, Vehicle
from demo.world.rewards import Account, Payout, Reward
from demo.world.sessions import Session
from demo.world.times import Shift

Place = tuple[str, str]
"""Where a thing stands: the lake's name of its table, and its id."""

Entity = User | Vehicle | Location | Session | Message | Reward | Payout
"""What has a row of its own in a list of the API."""


@dataclass
class World:
    """Everything by id, and what belongs together.

    households: by user id, those of users who are gone included. messages, accounts: by user id; those of one user by
    their own. sessions_by_user, sessions_by_location: in order of start, without those that are gone.
    gone: what was deleted, and since when. start_ms: when the tenant's clock starts.
    Dicts are the world's own; whatever is in them may be shared with a copy, and is replaced instead of changed.
    """

    draw: Draw
    shift: Shift
    start_ms: int
    households: dict[str, Household]
    location_by_id: dict[str, Location]
    session_by_id: dict[str, Session]
    sessions_by_user: dict[str, list[Session]]
    sessions_by_location: dict[str, list[Session]]
    messages: dict[str, dict[str, Message]]
    accounts: dict[str, Account]
    gone: dict[Place, int] = field(default_factory=dict)

    @property
    def sessions(self) -> list[Session]:
        """All of them, in the order in which they came: the source's at first."""
        return list(self.session_by_id.values())

    def copy(self) -> World:
        """A world that can be changed on its own."""
        return replace(
            self,
            households=dict(self.households),
            location_by_id=dict(self.location_by_id),
            session_by_id=dict(self.session_by_id),
            sessions_by_user=dict(self.sessions_by_user),
            sessions_by_location=dict(self.sessions_by_location),
            messages=dict(self.messages),
            accounts=dict(self.accounts),
            gone=dict(self.gone),
        )

    def charger_id(self, location: Location) -> str | None:
        """The charger that is at a location now; a session keeps the one that it was charged by."""
        return None if ("chargers", location.charger_id or "") in self.gone else location.charger_id
