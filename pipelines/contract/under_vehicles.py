"""What hangs under a vehicle or a session (facts.md's rows 19, 21, 24 and 25).

`userId`, `vehicleId` and `sessionId` come from the path of the request. Names marked INF are guesses.
Does not belong here: which paths bring these rows and when they are asked (endpoints.py, fan_outs.py).
"""

from __future__ import annotations

from pipelines.contract.model import Answer, Field, Kind, Resource
from pipelines.contract.under_users import USER
from pipelines.contract.vocabulary import CHARGE_STATE, SESSION_SETTING_TYPE, TARIFF_TYPE

VEHICLE = Field("vehicleId", Kind.UUID, "A", required=True)
"""The vehicle of the path."""
SESSION = Field("sessionId", Kind.UUID, "S", required=True)
"""The session of the path."""

VEHICLE_STATES = Resource(
    name="vehicle_states",
    path="/users/{userId}/vehicles/{vehicleId}/state",
    answer=Answer.OBJECT,
    evidence="S, A",
    key=("vehicleId",),
    under=("userId", "vehicleId"),
    description="A car's last reading; each new one is a version, so the changelog is a time series.",
    fields=(
        USER,
        VEHICLE,
        Field("batteryLevel", Kind.INTEGER, "A", unit="percent"),
        Field("range", Kind.INTEGER, "A", unit="km"),
        Field("chargeState", Kind.ENUM, "S", required=True, values=CHARGE_STATE),
        Field("updatedAt", Kind.INSTANT, "A", required=True),
    ),
)

CHARGE_SETTINGS = Resource(
    name="charge_settings",
    path="/users/{userId}/vehicles/{vehicleId}/charge-settings",
    answer=Answer.OBJECT,
    evidence="R:charge-settings",
    key=("vehicleId",),
    under=("userId", "vehicleId"),
    description="How a user wants a car to be charged.",
    fields=(
        USER,
        VEHICLE,
        Field("isSmartChargingEnabled", Kind.FLAG, "R:charge-settings"),
        Field("enableSmartChargingAt", Kind.INSTANT, "R:charge-settings"),
        # local wall time `HH:mm` in `timeZone`
        *(
            Field(f"departureTimes.{day}", Kind.TEXT, "INF")
            for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
        ),
        Field("timeZone", Kind.TEXT, "INF"),
        Field("directChargingBatteryLevel", Kind.INTEGER, "INF", unit="percent"),
        Field("desiredBatteryLevel", Kind.INTEGER, "D", unit="percent"),
        Field("defaultStartBatteryLevel", Kind.INTEGER, "C", unit="percent"),
        Field("isSolarChargingEnabled", Kind.FLAG, "INF"),
        Field("isBidirectionalChargingEnabled", Kind.FLAG, "INF"),
    ),
)

SESSION_TARIFFS = Resource(
    name="session_tariffs",
    path="/users/{userId}/sessions/{sessionId}/tariffs",
    answer=Answer.ARRAY,
    evidence="S",
    key=("sessionId", "startTime", "tariffType"),
    under=("userId", "sessionId"),
    time="startTime",
    description="The prices that applied over a session.",
    fields=(
        USER,
        SESSION,
        Field("startTime", Kind.INSTANT, "INF", required=True),
        Field("endTime", Kind.INSTANT, "INF"),
        Field("price", Kind.MONEY, "INF", unit="currency per kWh"),
        Field("currency", Kind.TEXT, "INF"),
        Field("tariffType", Kind.ENUM, "S", required=True, values=TARIFF_TYPE),
    ),
)

SESSION_SETTINGS = Resource(
    name="session_settings",
    path="/users/{userId}/sessions/{sessionId}/session-settings/active",
    answer=Answer.ARRAY,
    evidence="S (path only)",
    key=("sessionId", "type"),
    under=("userId", "sessionId"),
    description="Settings of a session that goes on, such as a boost.",
    fields=(
        USER,
        SESSION,
        Field("type", Kind.ENUM, "D", required=True, values=SESSION_SETTING_TYPE),
        Field("enabled", Kind.FLAG, "D"),
        # the documented name is misspelt so
        Field("currentSateOfCharge", Kind.INTEGER, "C", unit="percent"),
    ),
)
