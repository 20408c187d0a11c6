"""What is asked once for each user, location, vehicle or session, and what makes asking worthwhile.

Does not belong here: fields (under_*.py), paths (endpoints.py), how a fan-out is run (pipelines/sync/fanout).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pipelines.contract.endpoints import ENDPOINTS, Endpoint
from pipelines.contract.model import Question

BUCKETS = 64
"""Parts over which parents are spread by a hash of their id: the unit of resuming and of distribution.

The number is part of each watermark's name: changing it asks everything again.
"""

PARENT_IDS = {
    "users": "userId",
    "charging_locations": "chargingLocationId",
    "vehicles": "vehicleId",
    "sessions": "sessionId",
}
"""The id that a parent has in the path of a request, by the lake table that holds it."""

ALIVE: dict[str, tuple[Endpoint, ...]] = {
    "users": (ENDPOINTS["user"], ENDPOINTS["locations_of_user"], ENDPOINTS["vehicles_of_user"]),
    "charging_locations": (ENDPOINTS["location"],),
    "vehicles": (ENDPOINTS["vehicle"],),
    "sessions": (ENDPOINTS["session"],),
}
"""What says 200 while a parent exists and 404 when it is gone. A user's own path is a guess, so others follow it."""


class Worth(Enum):
    """Why a parent is worth a request tonight; the value is how reports say it.

    New parents and those that failed before are always asked, whatever is declared.
    """

    FAILED = "left from before"
    NEW = "new"
    EDITED = "changed"
    """Its own row changed since it was last asked."""
    LOCATIONS = "locations changed"
    VEHICLES = "vehicles changed"
    SESSIONS = "sessions changed"
    """New, ended or corrected sessions of the user."""
    PAYOUTS = "payouts changed"
    TARIFFS = "tariff changed"
    RECENT = "in the correction range"
    """Sessions that started or ended within the correction range; of the user, or the session itself."""
    UNFINISHED = "goes on"
    """A session without an end, or in a status that is not known as final."""
    BEARING = "holds such rows"
    """It has, or ever had, what is asked for."""
    FEW = "few enough to ask all"
    """Every parent, as long as there are at most CHARGELAKE_ASK_ALL_PARENTS of them."""
    TURN = "its turn"
    """The part of all parents whose turn it is tonight (CHARGELAKE_ROTATION_NIGHTS)."""
    PROBE = "its turn to be probed"
    """The same, for parents that never bore anything (CHARGELAKE_PROBE_NIGHTS)."""
    DEEP = "deep run"
    BACKFILL = "history goes on"
    """Older sessions that a first run under a request budget has not come to yet."""


class Form(Enum):
    """How a fan-out's answers are asked for and read."""

    OBJECT = "object"
    """One object, or 404 for none."""
    ARRAY = "array"
    """One array, the whole of it; one object counts as an array of one."""
    SPAN = "span"
    """One array, which may be narrowed to sessions that started from some instant on."""
    WINDOWS = "windows"
    """Arrays within windows of time that both need bounds."""
    PAGES = "pages"
    """Pages, newest first, without a filter."""
    SEEK = "seek"
    """Pages, newest first by the time that a filter compares."""
    RICH = "rich"
    """An array whose items hold parts that are rows of several tables."""


@dataclass(frozen=True)
class Part:
    """Rows of a table within an item of a rich list.

    names: the item's fields that may hold it, the first that is there counts. id: the path id that the item's `id` is.
    instead: asked where the item has none of the names. parts: within the part's own rows.
    """

    table: str
    names: tuple[str, ...]
    id: str
    instead: Endpoint
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Span:
    """The window that a fan-out's answers may be narrowed to. lower, upper: query parameters.

    longest_days: of one request, None without a limit. ahead_days: how far beyond now rows are dated.
    back: name of the setting (days) that says from when on every night reads again.
    empty_windows: so many empty windows in a row end a search for rows of a parent that never had any (None: none do).
    """

    lower: str
    upper: str
    longest_days: int | None = None
    ahead_days: int = 0
    back: str = ""
    empty_windows: int | None = None


@dataclass(frozen=True)
class FanOut:
    """One question for each parent.

    name: of the fan-out in reports; that of its table where it feeds one. parent: the lake table of those asked.
    worth: when a parent is asked tonight; what is not named here only a deep run sees, if DEEP is.
    watches: other lake tables whose changes make a parent worth asking, by the reason.
    question: of Form.SEEK. parts: of Form.RICH.
    none: statuses that mean "has none" beside 404.
    known_from: the lake table by which a parent becomes worth asking, where that is not the parents' own.
    unless: a tenant's own list that brings the same rows; only where the tenant does not serve it, parents are asked.
    """

    name: str
    parent: str
    endpoint: Endpoint
    form: Form
    worth: frozenset[Worth]
    span: Span | None = None
    question: Question | None = None
    parts: tuple[Part, ...] = ()
    none: frozenset[int] = frozenset()
    known_from: str = ""
    unless: Endpoint | None = None

    @property
    def parent_id(self) -> str:
        """The id of those who are asked, by its JSON name."""
        return PARENT_IDS[self.parent]

    @property
    def tables(self) -> tuple[str, ...]:
        """The lake tables that it feeds, parents before children."""
        if not self.parts:
            return (self.endpoint.table,)
        return tuple(table for part in self.parts for table in (part.table, *(inner.table for inner in part.parts)))

    @property
    def told_by(self) -> tuple[str, ...]:
        """The lake tables that tell whom to ask."""
        return (self.parent, self.known_from) if self.known_from else (self.parent,)

    @property
    def watches(self) -> dict[Worth, str]:
        """The lake tables whose changes make a parent worth asking; how far each was known is part of the state."""
        tables = {
            Worth.NEW: self.known_from or self.parent,
            Worth.EDITED: self.parent,
            Worth.LOCATIONS: "charging_locations",
            Worth.VEHICLES: "vehicles",
            Worth.SESSIONS: "sessions",
            Worth.PAYOUTS: "payouts",
            Worth.TARIFFS: "location_tariffs",
        }
        return {reason: table for reason, table in tables.items() if reason in self.worth}


def _all_of(*reasons: Worth) -> frozenset[Worth]:
    return frozenset({Worth.FAILED, Worth.NEW, Worth.TURN, Worth.DEEP, *reasons})


_CHARGER_STATE = Part("charger_states", ("chargerState",), "chargerId", ENDPOINTS["charger_state"])

FAN_OUTS: dict[str, FanOut] = {
    fan_out.name: fan_out
    for fan_out in (
        FanOut(
            "user_locations",
            "users",
            ENDPOINTS["locations_of_user"],
            Form.RICH,
            _all_of(Worth.LOCATIONS, Worth.FEW),
            parts=(
                Part("location_tariffs", ("tariffDetails",), "chargingLocationId", ENDPOINTS["location_tariffs"]),
                Part(
                    "utility_contracts",
                    ("energySupplierDetails", "utilityContract"),
                    "chargingLocationId",
                    ENDPOINTS["utility_contract"],
                ),
                Part(
                    "chargers",
                    ("chargers",),
                    "chargingLocationId",
                    ENDPOINTS["chargers_of_location"],
                    parts=(_CHARGER_STATE,),
                ),
            ),
        ),
        FanOut(
            "user_vehicles",
            "users",
            ENDPOINTS["vehicles_of_user"],
            Form.RICH,
            _all_of(Worth.VEHICLES, Worth.SESSIONS, Worth.FEW),
            parts=(Part("vehicle_states", ("chargeState",), "vehicleId", ENDPOINTS["vehicle_state"]),),
        ),
        FanOut(
            "charge_settings", "vehicles", ENDPOINTS["charge_settings"], Form.OBJECT, _all_of(Worth.EDITED, Worth.FEW)
        ),
        FanOut("reward_rates", "charging_locations", ENDPOINTS["reward_rate"], Form.OBJECT, _all_of(Worth.EDITED)),
        FanOut(
            "session_settings",
            "sessions",
            ENDPOINTS["session_settings"],
            Form.ARRAY,
            frozenset({Worth.FAILED, Worth.UNFINISHED, Worth.BEARING}),
        ),
        FanOut(
            "session_tariffs",
            "sessions",
            ENDPOINTS["session_tariffs"],
            Form.ARRAY,
            _all_of(Worth.EDITED, Worth.RECENT, Worth.UNFINISHED, Worth.BACKFILL),
        ),
        FanOut(
            "payouts",
            "users",
            ENDPOINTS["payouts_of_user"],
            Form.PAGES,
            _all_of(Worth.FEW),
            unless=ENDPOINTS["list_payouts"],
        ),
        FanOut(
            "financials",
            "users",
            ENDPOINTS["financials"],
            Form.SPAN,
            _all_of(Worth.SESSIONS, Worth.RECENT),
            span=Span("startTimeFrom", "startTimeTo"),
        ),
        FanOut(
            "rewards",
            "users",
            ENDPOINTS["rewards"],
            Form.SEEK,
            _all_of(Worth.SESSIONS, Worth.RECENT, Worth.PAYOUTS),
            question=Question("earned", "startTime", "from", "to", overlap="session_start_overlap_hours"),
        ),
        FanOut(
            "reward_balances",
            "users",
            ENDPOINTS["reward_balances"],
            Form.ARRAY,
            _all_of(Worth.SESSIONS, Worth.RECENT, Worth.PAYOUTS),
        ),
        FanOut("messages", "users", ENDPOINTS["messages"], Form.PAGES, _all_of(Worth.SESSIONS, Worth.FEW)),
        FanOut(
            "dynamic_tariffs",
            "charging_locations",
            ENDPOINTS["dynamic_tariffs"],
            Form.WINDOWS,
            frozenset({Worth.FAILED, Worth.NEW, Worth.TARIFFS, Worth.BEARING, Worth.TURN, Worth.DEEP}),
            span=Span("startTime", "endTime", longest_days=14, ahead_days=7, back="price_overlap_days"),
            none=frozenset({400}),
            known_from="location_tariffs",
        ),
        FanOut(
            "solar_energy",
            "charging_locations",
            ENDPOINTS["solar_energy"],
            Form.WINDOWS,
            frozenset({Worth.FAILED, Worth.NEW, Worth.BEARING, Worth.PROBE, Worth.TURN, Worth.DEEP}),
            span=Span(
                "startTime", "endTime", longest_days=90, ahead_days=2, back="solar_overlap_days", empty_windows=2
            ),
        ),
    )
}
"""In the order in which they run: what tells where others are worth asking comes first."""
