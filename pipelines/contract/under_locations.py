"""What hangs under a charging location: tariffs, prices, sun, contract, chargers (facts.md's rows 9 to 15 and 32).

`userId`, `chargingLocationId` and `chargerId` come from the path of the request. Names marked INF are guesses.
Does not belong here: which paths bring these rows and when they are asked (endpoints.py, fan_outs.py).
"""

from __future__ import annotations

from pipelines.contract.model import Answer, Field, Kind, Resource
from pipelines.contract.under_users import USER
from pipelines.contract.vocabulary import CHARGE_STATE, DAYS, PRICE_DATA_TYPE, TARIFF_TYPE

LOCATION = Field("chargingLocationId", Kind.UUID, "A", required=True)
"""The charging location of the path."""
_UNDER_LOCATION = ("userId", "chargingLocationId")
_AT = "/users/{userId}/charging-locations/{chargingLocationId}"

_INTERVAL = (
    # local wall time, `24:00` included, null where the tariff has no times
    Field("startTime", Kind.TEXT, "A"),
    Field("endTime", Kind.TEXT, "A"),
    Field("daysOfWeek", Kind.ENUM_LIST, "A", values=DAYS),
    Field("tariffType", Kind.ENUM, "A", values=TARIFF_TYPE),
)

LOCATION_TARIFFS = Resource(
    name="location_tariffs",
    path=f"{_AT}/tariffs",
    answer=Answer.OBJECT,
    evidence="S",
    key=("chargingLocationId",),
    under=_UNDER_LOCATION,
    description="The tariff of a location now; the changelog tells since when it was seen.",
    fields=(
        USER,
        LOCATION,
        Field("offPeakChargingOnly", Kind.FLAG, "R:createtariffs"),
        Field(
            "tariffs",
            Kind.OBJECT_LIST,
            "A",
            members=(
                Field("currency", Kind.TEXT, "A"),
                Field("price", Kind.MONEY, "A", unit="currency per kWh"),
                Field("type", Kind.ENUM, "S", values=TARIFF_TYPE),
            ),
        ),
        Field("tariffIntervals", Kind.OBJECT_LIST, "A", members=_INTERVAL),
        Field("holidayTariffIntervals", Kind.OBJECT_LIST, "A", members=_INTERVAL),
    ),
)

DYNAMIC_TARIFFS = Resource(
    name="dynamic_tariffs",
    path=f"{_AT}/dynamic-tariffs",
    answer=Answer.ARRAY,
    evidence="S, R:gettariffs",
    key=("chargingLocationId", "startTime"),
    under=_UNDER_LOCATION,
    time="startTime",
    description="Prices of each slot at locations with a dynamic tariff: a forecast first, then the actual.",
    fields=(
        USER,
        LOCATION,
        Field("startTime", Kind.INSTANT, "INF", required=True),
        Field("endTime", Kind.INSTANT, "INF"),
        Field("price", Kind.MONEY, "INF", unit="currency per kWh"),
        Field("currency", Kind.TEXT, "INF"),
        Field("dataType", Kind.ENUM, "S", values=PRICE_DATA_TYPE),
    ),
)

SOLAR_ENERGY = Resource(
    name="solar_energy",
    path=f"{_AT}/solar-energy",
    answer=Answer.ARRAY,
    evidence="S",
    key=("chargingLocationId", "startTime"),
    under=_UNDER_LOCATION,
    time="startTime",
    description="Solar production at a location by interval; an estimate that is revised.",
    fields=(
        USER,
        LOCATION,
        Field("startTime", Kind.INSTANT, "INF", required=True),
        Field("endTime", Kind.INSTANT, "INF"),
        Field("energy", Kind.NUMBER, "INF", unit="kWh"),
    ),
)

UTILITY_CONTRACTS = Resource(
    name="utility_contracts",
    path=f"{_AT}/utility-contracts",
    answer=Answer.OBJECT,
    evidence="A",
    key=("chargingLocationId",),
    under=_UNDER_LOCATION,
    description="The energy contract of a location.",
    fields=(
        USER,
        LOCATION,
        Field("name", Kind.TEXT, "A"),
        Field("energySupplierId", Kind.TEXT, "A"),
        Field("contractNumber", Kind.TEXT, "A", personal=True),
        Field("meterCode", Kind.TEXT, "A", personal=True),
        Field("agreementIds", Kind.TEXT_LIST, "R:createenergysupplier"),
        Field("status", Kind.TEXT, "INF"),
    ),
)

CHARGERS = Resource(
    name="chargers",
    path=f"{_AT}/chargers",
    answer=Answer.ARRAY,
    evidence="S, A",
    under=_UNDER_LOCATION,
    description="Charging stations at a location, with what they did when they were read (see charger_states).",
    fields=(
        Field("id", Kind.UUID, "A", required=True),
        USER,
        LOCATION,
        Field("detail.brand", Kind.TEXT, "A"),
        Field("detail.model", Kind.TEXT, "A"),
        Field("externalId", Kind.TEXT, "INF"),
        Field("chargerState.chargeState", Kind.ENUM, "S", values=CHARGE_STATE),
        Field("chargerState.chargePower", Kind.NUMBER, "A", unit="kW"),
        Field("chargerState.timeStamp", Kind.INSTANT, "A"),
    ),
)

CHARGER_STATES = Resource(
    name="charger_states",
    path=f"{_AT}/chargers/{{chargerId}}/state",
    answer=Answer.OBJECT,
    evidence="S, A",
    key=("chargerId",),
    under=(*_UNDER_LOCATION, "chargerId"),
    description="What a charger does; each new reading is a version, so the changelog is a time series.",
    fields=(
        USER,
        LOCATION,
        Field("chargerId", Kind.UUID, "A", required=True),
        Field("chargeState", Kind.ENUM, "S", required=True, values=CHARGE_STATE),
        Field("chargePower", Kind.NUMBER, "A", unit="kW"),
        Field("timeStamp", Kind.INSTANT, "A"),
    ),
)

REWARD_RATES = Resource(
    name="reward_rates",
    path=f"{_AT}/reward-rate",
    answer=Answer.OBJECT,
    evidence="D:customer-journey",
    key=("chargingLocationId",),
    under=_UNDER_LOCATION,
    description="What a kWh earns at a location.",
    fields=(
        USER,
        LOCATION,
        Field("currency", Kind.TEXT, "INF"),
        Field("managedRate", Kind.MONEY, "INF", unit="currency per kWh"),
        Field("unmanagedRate", Kind.MONEY, "INF", unit="currency per kWh"),
    ),
)
