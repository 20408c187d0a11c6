"""What hangs under what: by which field a row belongs to its parent, and so what is gone when the parent is.

A row belongs to what stands last before it in its path (a price to its location, not to the location's user), so that
rows of a location that passed to another user do not go with the first one.
Does not belong here: whether something is gone, and what follows (pipelines/sync/deletions).
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.contract.model import column_name


@dataclass(frozen=True)
class Link:
    """Rows of the lake table `child` hang under a row of `parent`, whose id they have at the JSON path `field`."""

    parent: str
    child: str
    field: str

    @property
    def column(self) -> str:
        return column_name(self.field)


LINKS = tuple(
    Link(parent, child, field)
    for parent, field, children in (
        (
            "users",
            "userId",
            (
                "vehicles",
                "charging_locations",
                "sessions",
                "payouts",
                "financials",
                "rewards",
                "reward_balances",
                "messages",
            ),
        ),
        (
            "charging_locations",
            "chargingLocationId",
            (
                "location_tariffs",
                "utility_contracts",
                "chargers",
                "reward_rates",
                "dynamic_tariffs",
                "solar_energy",
            ),
        ),
        ("chargers", "chargerId", ("charger_states",)),
        ("vehicles", "vehicleId", ("vehicle_states", "charge_settings")),
        ("sessions", "sessionId", ("session_tariffs", "session_settings", "financials", "rewards")),
    )
    for child in children
)

PARENTS = tuple(dict.fromkeys(link.parent for link in LINKS))
"""Tables under whose rows others hang, those above before those below."""


def links_under(table: str) -> tuple[Link, ...]:
    """What hangs directly under the rows of a table."""
    return tuple(link for link in LINKS if link.parent == table)
