"""The five lists that a tenant can ask for as a whole: facts.md's rows 1 to 5.

Names marked INF are guesses that no public source gives; a tenant that spells one otherwise
needs a change in this module and nowhere else.
"""

from __future__ import annotations

from pipelines.contract.model import Answer, Change, Field, Kind, Question, Resource
from pipelines.contract.vocabulary import CALIBRATION_STATE, SESSION_STATUS, VEHICLE_CAPABILITIES


def _created(name: str) -> Question:
    return Question(name, "createdAt", "createdFrom", "createdTo", overlap="created_overlap_hours")


USERS = Resource(
    name="users",
    path="/users",
    answer=Answer.PAGED,
    evidence="S",
    listed_by=_created("created"),
    changes=Change.EDITED,
    description="People whose cars are charged smartly.",
    fields=(
        Field("id", Kind.UUID, "INF", required=True),
        Field("firstName", Kind.TEXT, "INF", personal=True),
        Field("lastName", Kind.TEXT, "INF", personal=True),
        Field("email", Kind.TEXT, "INF", personal=True),
        Field("locale", Kind.TEXT, "R"),
        Field("externalData", Kind.TEXT, "INF", personal=True),
        Field("defaultCountry", Kind.TEXT, "D"),
        Field("agreementIds", Kind.TEXT_LIST, "R"),
        Field("createdAt", Kind.INSTANT, "INF", required=True),
        Field("updatedAt", Kind.INSTANT, "INF"),
    ),
)

CHARGING_LOCATIONS = Resource(
    name="charging_locations",
    path="/charging-locations",
    answer=Answer.PAGED,
    evidence="S",
    listed_by=_created("created"),
    changes=Change.EDITED,
    description="Addresses at which users charge.",
    fields=(
        Field("id", Kind.UUID, "S", required=True),
        Field("userId", Kind.UUID, "S", required=True),
        Field("coordinates.latitude", Kind.NUMBER, "S", required=True, personal=True, unit="degrees"),
        Field("coordinates.longitude", Kind.NUMBER, "S", required=True, personal=True, unit="degrees"),
        Field("address.street", Kind.TEXT, "S", personal=True),
        Field("address.postalCode", Kind.TEXT, "S", personal=True),
        Field("address.houseNumber", Kind.TEXT, "S", personal=True),
        Field("address.city", Kind.TEXT, "S"),
        Field("address.region", Kind.TEXT, "S"),
        Field("address.country", Kind.TEXT, "S"),
        Field("address.area", Kind.TEXT, "S"),
        Field("createdAt", Kind.INSTANT, "S", required=True),
        Field("updatedAt", Kind.INSTANT, "S", required=True),
    ),
)

VEHICLES = Resource(
    name="vehicles",
    path="/vehicles",
    answer=Answer.PAGED,
    evidence="S",
    listed_by=_created("created"),
    changes=Change.EDITED,
    description="Cars, and what their makers' clouds let the API do with them.",
    fields=(
        Field("id", Kind.UUID, "A", required=True),
        Field("userId", Kind.UUID, "INF", required=True),
        Field("createdAt", Kind.INSTANT, "A", required=True),
        Field("details.brand", Kind.TEXT, "A"),
        Field("details.model", Kind.TEXT, "A"),
        Field("details.version", Kind.TEXT, "A"),
        Field("isConnected", Kind.FLAG, "A", required=True),
        Field("isConnectable", Kind.FLAG, "A", required=True),
        Field("capabilities", Kind.ENUM_LIST, "S", values=VEHICLE_CAPABILITIES),
    ),
)

SESSIONS = Resource(
    name="sessions",
    path="/sessions",
    answer=Answer.PAGED,
    evidence="S",
    listed_by=Question("started", "startTime", "startTimeFrom", "startTimeTo", overlap="session_start_overlap_hours"),
    questions=(Question("ended", "endTime", "endTimeFrom", "endTimeTo", overlap="session_end_overlap_hours"),),
    changes=Change.CORRECTED,
    # S: v2 took it out of the detail; no list diff mentions it
    not_in_detail=frozenset({"chargeSpeed"}),
    description="Plug-ins. Back-dated at both ends, and corrected after they end.",
    fields=(
        Field("id", Kind.UUID, "INF", required=True),
        Field("userId", Kind.UUID, "INF", required=True),
        Field("vehicleId", Kind.UUID, "INF"),
        Field("chargerId", Kind.UUID, "INF"),
        Field("chargingLocationId", Kind.UUID, "D"),
        Field("status", Kind.ENUM, "S", required=True, values=SESSION_STATUS),
        Field("calibrationState", Kind.ENUM, "S", values=CALIBRATION_STATE),
        Field("isManaged", Kind.FLAG, "D", required=True),
        Field("startTime", Kind.INSTANT, "D", required=True),
        Field("endTime", Kind.INSTANT, "D"),
        Field("chargeSpeed", Kind.NUMBER, "S", unit="kW"),
        Field("chargedEnergy", Kind.NUMBER, "INF", unit="kWh"),
        Field("startBatteryLevel", Kind.INTEGER, "INF", unit="percent"),
        Field("endBatteryLevel", Kind.INTEGER, "INF", unit="percent"),
        Field("solarEnergy", Kind.NUMBER, "INF", unit="kWh"),
        Field("chargeCosts", Kind.MONEY, "INF"),
        Field("savings", Kind.MONEY, "INF"),
        Field("currency", Kind.TEXT, "INF"),
    ),
)

SUPPORTED_CAR_MODELS = Resource(
    name="supported_car_models",
    path="/supported-car-models",
    answer=Answer.ARRAY,
    evidence="S",
    key=("id",),
    alternative_key=("brand", "model", "version"),
    description="Car models that the API can steer.",
    fields=(
        Field("id", Kind.TEXT, "INF"),
        Field("brand", Kind.TEXT, "INF"),
        Field("model", Kind.TEXT, "INF"),
        Field("version", Kind.TEXT, "INF"),
        Field("capabilities", Kind.ENUM_LIST, "S", values=VEHICLE_CAPABILITIES),
    ),
)
