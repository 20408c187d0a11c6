"""Every read endpoint of the API (facts.md's rows 1 to 32), and what the sync uses each for.

A path whose evidence is INF is a guess: it is probed once and left alone where the tenant has none.
Does not belong here: fields (tenant_lists.py, under_*.py), when something is asked (fan_outs.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from pipelines.contract.model import Answer


class Use(Enum):
    """What the sync asks an endpoint for."""

    LISTED = "listed"
    """The tenant's own list, in windows of time or in full."""
    ASKED = "asked"
    """Asked for each parent."""
    INSTEAD = "instead"
    """Asked for a parent whose richer list leaves the part out."""
    ALIVE = "alive"
    """Tells whether one thing still exists, where an answer beneath it says 404."""
    SPARE = "spare"
    """The same rows come with another endpoint, in fewer calls."""


@dataclass(frozen=True)
class Endpoint:
    """One GET. number: its row in facts.md. path: below the base URL. table: the lake table whose rows it brings.

    is_inferred: no public source names the path.
    """

    number: int
    path: str
    answer: Answer
    table: str
    evidence: str
    use: Use
    is_inferred: bool = False


_USER = "/users/{userId}"
_LOCATION = _USER + "/charging-locations/{chargingLocationId}"
_CHARGER = _LOCATION + "/chargers/{chargerId}"
_VEHICLE = _USER + "/vehicles/{vehicleId}"
_SESSION = _USER + "/sessions/{sessionId}"
_PAGED, _ARRAY, _OBJECT = Answer.PAGED, Answer.ARRAY, Answer.OBJECT

ENDPOINTS: dict[str, Endpoint] = {
    "list_users": Endpoint(1, "/users", _PAGED, "users", "S", Use.LISTED),
    "list_locations": Endpoint(2, "/charging-locations", _PAGED, "charging_locations", "S", Use.LISTED),
    "list_vehicles": Endpoint(3, "/vehicles", _PAGED, "vehicles", "S", Use.LISTED),
    "list_sessions": Endpoint(4, "/sessions", _PAGED, "sessions", "S", Use.LISTED),
    "list_car_models": Endpoint(5, "/supported-car-models", _ARRAY, "supported_car_models", "S", Use.LISTED),
    "user": Endpoint(6, _USER, _OBJECT, "users", "INF", Use.ALIVE, is_inferred=True),
    "locations_of_user": Endpoint(7, _USER + "/charging-locations", _ARRAY, "charging_locations", "A", Use.ASKED),
    "location": Endpoint(8, _LOCATION, _OBJECT, "charging_locations", "A", Use.ALIVE),
    "location_tariffs": Endpoint(9, _LOCATION + "/tariffs", _OBJECT, "location_tariffs", "S", Use.INSTEAD),
    "dynamic_tariffs": Endpoint(
        10, _LOCATION + "/dynamic-tariffs", _ARRAY, "dynamic_tariffs", "S, R:gettariffs", Use.ASKED
    ),
    "solar_energy": Endpoint(11, _LOCATION + "/solar-energy", _ARRAY, "solar_energy", "S", Use.ASKED),
    "utility_contract": Endpoint(
        12, _LOCATION + "/utility-contracts", _OBJECT, "utility_contracts", "INF", Use.INSTEAD, is_inferred=True
    ),
    "chargers_of_location": Endpoint(13, _LOCATION + "/chargers", _ARRAY, "chargers", "S, A", Use.INSTEAD),
    "charger": Endpoint(14, _CHARGER, _OBJECT, "chargers", "S, A", Use.SPARE),
    "charger_state": Endpoint(15, _CHARGER + "/state", _OBJECT, "charger_states", "S, A", Use.INSTEAD),
    "chargers_of_user": Endpoint(16, _USER + "/chargers", _ARRAY, "chargers", "S, A", Use.SPARE),
    "vehicles_of_user": Endpoint(17, _USER + "/vehicles", _ARRAY, "vehicles", "S, A", Use.ASKED),
    "vehicle": Endpoint(18, _VEHICLE, _OBJECT, "vehicles", "S, A", Use.ALIVE),
    "vehicle_state": Endpoint(19, _VEHICLE + "/state", _OBJECT, "vehicle_states", "S", Use.INSTEAD),
    "last_session": Endpoint(20, _VEHICLE + "/sessions/last", _OBJECT, "sessions", "S", Use.SPARE),
    "charge_settings": Endpoint(
        21, _VEHICLE + "/charge-settings", _OBJECT, "charge_settings", "INF", Use.ASKED, is_inferred=True
    ),
    "sessions_of_user": Endpoint(22, _USER + "/sessions", _PAGED, "sessions", "S", Use.SPARE),
    "session": Endpoint(23, _SESSION, _OBJECT, "sessions", "S", Use.ALIVE),
    "session_tariffs": Endpoint(24, _SESSION + "/tariffs", _ARRAY, "session_tariffs", "S", Use.ASKED),
    "session_settings": Endpoint(
        25, _SESSION + "/session-settings/active", _ARRAY, "session_settings", "S (path only)", Use.ASKED
    ),
    "financials": Endpoint(26, _USER + "/financials", _ARRAY, "financials", "S, R:getfinancialsbyuserid", Use.ASKED),
    "messages": Endpoint(27, _USER + "/messages", _PAGED, "messages", "S", Use.ASKED),
    "message": Endpoint(28, _USER + "/messages/{messageId}", _OBJECT, "messages", "S", Use.SPARE),
    "rewards": Endpoint(29, _USER + "/rewards", _PAGED, "rewards", "R:getuserrewards", Use.ASKED, is_inferred=True),
    "reward_balances": Endpoint(
        30,
        _USER + "/rewards/balance",
        _ARRAY,
        "reward_balances",
        "R:getuserrewardsbalance",
        Use.ASKED,
        is_inferred=True,
    ),
    "list_payouts": Endpoint(31, "/payouts", _PAGED, "payouts", "D:customer-journey", Use.LISTED, is_inferred=True),
    "payouts_of_user": Endpoint(
        31, _USER + "/payouts", _PAGED, "payouts", "D:customer-journey", Use.INSTEAD, is_inferred=True
    ),
    "reward_rate": Endpoint(
        32, _LOCATION + "/reward-rate", _OBJECT, "reward_rates", "D:customer-journey", Use.ASKED, is_inferred=True
    ),
}
"""By a name of ours."""
