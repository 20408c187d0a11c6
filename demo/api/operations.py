"""Every read endpoint of the API, one declaration each.

Does not belong here: which of them the tenant answers, and how (demo/tenant.py and its siblings).
"""

from __future__ import annotations

from demo.api.model import JsonSchema, Operation, Parameter, Shape
from demo.parameters import DEFAULT_PAGE_SIZE, MAX_PAGE_INDEX, MAX_PAGE_SIZE

INSTANT: JsonSchema = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$",
}
TEXT: JsonSchema = {"type": "string"}

PAGE = (
    Parameter(
        "pageIndex",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_INDEX, "default": 1},
        "The page that should be loaded, from 1.",
    ),
    Parameter(
        "pageSize",
        {"type": "integer", "minimum": 1, "maximum": MAX_PAGE_SIZE, "default": DEFAULT_PAGE_SIZE},
        "How many items a page holds.",
    ),
)


def _range(stem: str, what: str) -> tuple[Parameter, ...]:
    return (
        Parameter(f"{stem}From", INSTANT, f"Beginning of the range of {what}, UTC."),
        Parameter(f"{stem}To", INSTANT, f"End of the range of {what}, UTC."),
    )


CREATED = _range("created", "creation times")
SESSION_TIMES = (*_range("startTime", "session starts"), *_range("endTime", "session ends"))

USER = "/users/{userId}"
LOCATION = USER + "/charging-locations/{chargingLocationId}"
CHARGER = LOCATION + "/chargers/{chargerId}"
VEHICLE = USER + "/vehicles/{vehicleId}"
SESSION = USER + "/sessions/{sessionId}"

OPERATIONS = (
    Operation("listUsers", "/users", Shape.PAGED, "User", "All users of the tenant", "S", (*CREATED, *PAGE)),
    Operation(
        "listChargingLocations",
        "/charging-locations",
        Shape.PAGED,
        "ChargingLocation",
        "All charging locations of the tenant",
        "S",
        (*CREATED, *PAGE),
    ),
    Operation(
        "listVehicles", "/vehicles", Shape.PAGED, "Vehicle", "All vehicles of the tenant", "S", (*CREATED, *PAGE)
    ),
    Operation(
        "listSessions", "/sessions", Shape.PAGED, "Session", "All sessions of the tenant", "S", (*SESSION_TIMES, *PAGE)
    ),
    Operation(
        "listSupportedCarModels",
        "/supported-car-models",
        Shape.ARRAY,
        "CarModel",
        "Supported car models",
        "S",
    ),
    Operation("getUser", USER, Shape.OBJECT, "User", "One user", "INF", is_inferred=True),
    Operation(
        "listChargingLocationsOfUser",
        USER + "/charging-locations",
        Shape.ARRAY,
        "ChargingLocationDetail",
        "The charging locations of a user",
        "A",
        (
            Parameter("area", TEXT, "Only locations in this price area."),
            Parameter("region", TEXT, "Only locations in this region."),
            Parameter("country", TEXT, "Only locations in this country."),
        ),
    ),
    Operation("getChargingLocation", LOCATION, Shape.OBJECT, "ChargingLocationDetail", "One charging location", "A"),
    Operation(
        "getLocationTariffs", LOCATION + "/tariffs", Shape.OBJECT, "LocationTariffs", "The tariffs of a location", "S"
    ),
    Operation(
        "listDynamicTariffs",
        LOCATION + "/dynamic-tariffs",
        Shape.ARRAY,
        "DynamicTariff",
        "Dynamic prices in a window of at most 14 days, up to 7 days ahead",
        "S, R:gettariffs",
        (
            Parameter("startTime", INSTANT, "Start of the window, UTC.", is_required=True, is_inferred=True),
            Parameter("endTime", INSTANT, "End of the window, UTC.", is_required=True, is_inferred=True),
        ),
    ),
    Operation(
        "listSolarEnergy",
        LOCATION + "/solar-energy",
        Shape.ARRAY,
        "SolarEnergy",
        "Solar production at a location",
        "S",
        (
            Parameter("startTime", INSTANT, "Time the interval started, UTC.", is_required=True),
            Parameter("endTime", INSTANT, "Time the interval finished, UTC.", is_required=True),
        ),
    ),
    Operation(
        "getUtilityContract",
        LOCATION + "/utility-contracts",
        Shape.OBJECT,
        "UtilityContract",
        "The energy contract of a location",
        "INF",
        is_inferred=True,
    ),
    Operation(
        "listChargersOfLocation", LOCATION + "/chargers", Shape.ARRAY, "Charger", "The chargers of a location", "S, A"
    ),
    Operation("getCharger", CHARGER, Shape.OBJECT, "Charger", "One charger", "S, A"),
    Operation("getChargerState", CHARGER + "/state", Shape.OBJECT, "ChargerState", "What a charger does now", "S, A"),
    Operation("listChargersOfUser", USER + "/chargers", Shape.ARRAY, "Charger", "The chargers of a user", "S, A"),
    Operation("listVehiclesOfUser", USER + "/vehicles", Shape.ARRAY, "VehicleDetail", "The vehicles of a user", "S, A"),
    Operation("getVehicle", VEHICLE, Shape.OBJECT, "VehicleDetail", "One vehicle", "S, A"),
    Operation("getVehicleState", VEHICLE + "/state", Shape.OBJECT, "VehicleState", "What a vehicle does now", "S"),
    Operation(
        "getLastSessionOfVehicle",
        VEHICLE + "/sessions/last",
        Shape.OBJECT,
        "SessionDetail",
        "The latest session of a vehicle",
        "S",
    ),
    Operation(
        "getChargeSettings",
        VEHICLE + "/charge-settings",
        Shape.OBJECT,
        "ChargeSettings",
        "How a vehicle is to be charged",
        "INF",
        is_inferred=True,
    ),
    Operation(
        "listSessionsOfUser",
        USER + "/sessions",
        Shape.PAGED,
        "Session",
        "The sessions of a user",
        "S",
        (*SESSION_TIMES, *PAGE),
    ),
    Operation("getSession", SESSION, Shape.OBJECT, "SessionDetail", "One session", "S"),
    Operation(
        "listSessionTariffs",
        SESSION + "/tariffs",
        Shape.ARRAY,
        "SessionTariff",
        "The prices that applied over a session",
        "S",
    ),
    Operation(
        "getActiveSessionSettings",
        SESSION + "/session-settings/active",
        Shape.ARRAY,
        "SessionSetting",
        "Settings of an active session",
        "S (path only)",
        is_inferred=True,
    ),
    Operation(
        "listFinancials",
        USER + "/financials",
        Shape.ARRAY,
        "SessionFinancials",
        "Costs and savings of a user's sessions",
        "S, R:getfinancialsbyuserid",
        (
            *SESSION_TIMES,
            Parameter(
                "vehicleId", {"type": "string", "format": "uuid"}, "Only sessions of this vehicle.", is_inferred=True
            ),
        ),
    ),
    Operation(
        "listMessages",
        USER + "/messages",
        Shape.PAGED,
        "Message",
        "Messages to a user",
        "S",
        (Parameter("includeDismissed", {"type": "boolean", "default": True}, "Dismissed ones too."), *PAGE),
    ),
    Operation("getMessage", USER + "/messages/{messageId}", Shape.OBJECT, "Message", "One message", "S"),
    Operation(
        "listRewards",
        USER + "/rewards",
        Shape.PAGED,
        "Reward",
        "Rewards of a user, newest session first",
        "R:getuserrewards",
        (
            Parameter("from", INSTANT, "Beginning of the range of session starts, UTC.", is_inferred=True),
            Parameter("to", INSTANT, "End of the range of session starts, UTC.", is_inferred=True),
            Parameter("currency", TEXT, "Only rewards in this currency, ISO 4217."),
            *PAGE,
        ),
        is_inferred=True,
    ),
    Operation(
        "listRewardBalances",
        USER + "/rewards/balance",
        Shape.ARRAY,
        "RewardBalance",
        "What a user has earned, been paid and is owed, per currency",
        "R:getuserrewardsbalance",
        (Parameter("currency", TEXT, "Only this currency, ISO 4217."),),
        is_inferred=True,
    ),
    Operation(
        "listPayoutsOfUser",
        USER + "/payouts",
        Shape.PAGED,
        "Payout",
        "Payouts to a user",
        "D:customer-journey",
        PAGE,
        is_inferred=True,
    ),
    Operation(
        "listPayouts",
        "/payouts",
        Shape.PAGED,
        "Payout",
        "Payouts to all users of the tenant",
        "D:customer-journey",
        PAGE,
        is_inferred=True,
    ),
    Operation(
        "getRewardRate",
        LOCATION + "/reward-rate",
        Shape.OBJECT,
        "RewardRate",
        "What a kWh earns at a location",
        "D:customer-journey",
        is_inferred=True,
    ),
)
