"""JSON Schemas of everything the read API answers.

`x-inferred` marks what no public source names. Enums are open strings in v2, so their words (`x-words`) are examples of
what to expect, never a bound.
Does not belong here: paths and parameters (operations.py), the document around them (openapi.py).
"""

from __future__ import annotations

from demo.api.model import JsonSchema

MILLISECONDS = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"
CLOCK_TIME = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"


def _plain(type_: str, **more: object) -> JsonSchema:
    return {"type": type_, **more}


def _null(schema: JsonSchema) -> JsonSchema:
    """The same, or null."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _guess(schema: JsonSchema) -> JsonSchema:
    """A name that no public source gives."""
    return {**schema, "x-inferred": True}


def _ref(name: str) -> JsonSchema:
    return {"$ref": f"#/components/schemas/{name}"}


def _list(items: JsonSchema) -> JsonSchema:
    return {"type": "array", "items": items}


def _words(*known: str) -> JsonSchema:
    return {"type": "string", "description": f"Open; so far: {', '.join(known)}.", "x-words": list(known)}


def _thing(properties: dict[str, JsonSchema], *, optional: tuple[str, ...] = ()) -> JsonSchema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


UUID = _plain("string", format="uuid")
INSTANT = _plain("string", format="date-time", pattern=MILLISECONDS)
CLOCK = _plain("string", pattern=CLOCK_TIME, description="Local time; 24:00 is the end of the day.")
TEXT = _plain("string")
FLAG = _plain("boolean")
CURRENCY = _plain("string", pattern="^[A-Z]{3}$", description="ISO 4217.")
PRICE = _plain("number", description="Currency per kWh.")
MONEY = _plain("number", description="In the currency beside it.")
KWH = _plain("number", minimum=0, description="kWh.")
KW = _plain("number", minimum=0, description="kW.")
PERCENT = _plain("integer", minimum=0, maximum=100)
TARIFF_TYPE = _words("Standard", "Peak", "OffPeak", "SuperOffPeak", "Dynamic")
CHARGE_STATE = _words("Complete", "Charging", "Disconnected", "Stopped")
CAPABILITIES = _null(_list(_words("ChargeState", "StateOfCharge", "GeoLocation", "StartStopCharging", "PullTelemetry")))

_LOCATION: dict[str, JsonSchema] = {
    "id": UUID,
    "userId": UUID,
    "coordinates": _thing(
        {
            "latitude": _plain("number", minimum=-90, maximum=90),
            "longitude": _plain("number", minimum=-180, maximum=180),
        }
    ),
    "address": _thing(
        {name: _null(TEXT) for name in ("street", "postalCode", "houseNumber", "city", "region", "country", "area")}
    ),
    "createdAt": INSTANT,
    "updatedAt": INSTANT,
}
_VEHICLE: dict[str, JsonSchema] = {
    "id": UUID,
    "userId": _guess(UUID),
    "createdAt": INSTANT,
    "details": _thing({name: _null(TEXT) for name in ("brand", "model", "version")}),
    "isConnected": FLAG,
    "isConnectable": FLAG,
    "capabilities": CAPABILITIES,
}
_SESSION: dict[str, JsonSchema] = {
    "id": _guess(UUID),
    "userId": _guess(UUID),
    "vehicleId": _guess(_null(UUID)),
    "chargerId": _guess(_null(UUID)),
    "chargingLocationId": _null(UUID),
    "status": _words("Active", "Complete", "ForceEnded"),
    "calibrationState": _null(_words("NoSession", "NotStarted", "InProgress", "Complete")),
    "isManaged": FLAG,
    "startTime": INSTANT,
    "endTime": _null(INSTANT),
    "chargedEnergy": _guess(_null(KWH)),
    "startBatteryLevel": _guess(_null(PERCENT)),
    "endBatteryLevel": _guess(_null(PERCENT)),
    "solarEnergy": _guess(_null(KWH)),
    "chargeCosts": _guess(_null(MONEY)),
    "savings": _guess(_null(MONEY)),
    "currency": _guess(_null(CURRENCY)),
}
_PRICE_SLOT: dict[str, JsonSchema] = {
    "startTime": _guess(INSTANT),
    "endTime": _guess(INSTANT),
    "price": _guess(PRICE),
    "currency": _guess(CURRENCY),
}

SCHEMAS: dict[str, JsonSchema] = {
    "Problem": _thing(
        {
            "type": _null(TEXT),
            "title": _null(TEXT),
            "status": _null(_plain("integer")),
            "detail": _null(TEXT),
            "instance": _null(TEXT),
            "errors": _guess(_plain("object", additionalProperties=_list(TEXT))),
        },
        optional=("errors",),
    ),
    "Token": _thing(
        {"access_token": TEXT, "token_type": TEXT, "expires_in": _plain("integer", minimum=1, description="Seconds.")}
    ),
    "TokenError": _thing({"error": TEXT, "error_description": TEXT}),
    "User": _thing(
        {
            "id": _guess(UUID),
            "firstName": _guess(_null(TEXT)),
            "lastName": _guess(_null(TEXT)),
            "email": _guess(_null(TEXT)),
            "locale": _null(TEXT),
            "externalData": _guess(_null(TEXT)),
            "defaultCountry": _null(_plain("string", pattern="^[A-Z]{2}$")),
            "agreementIds": _guess(_list(UUID)),
            "createdAt": _guess(INSTANT),
            "updatedAt": _guess(INSTANT),
        }
    ),
    "ChargingLocation": _thing(_LOCATION),
    "ChargingLocationDetail": _thing(
        {
            **_LOCATION,
            "energySupplierDetails": _null(_ref("UtilityContract")),
            "tariffDetails": _null(_ref("LocationTariffs")),
            "chargers": _list(_ref("Charger")),
        }
    ),
    "Vehicle": _thing(_VEHICLE),
    "VehicleDetail": _thing({**_VEHICLE, "chargeState": _null(_ref("VehicleState"))}),
    "VehicleState": _thing(
        {
            "batteryLevel": _null(PERCENT),
            "range": _null(_plain("integer", minimum=0, description="km.")),
            "chargeState": CHARGE_STATE,
            "updatedAt": INSTANT,
        }
    ),
    "Charger": _thing(
        {
            "id": UUID,
            "chargingLocationId": UUID,
            "detail": _thing({"brand": _null(TEXT), "model": _null(TEXT)}),
            "externalId": _guess(_null(TEXT)),
            "chargerState": _ref("ChargerState"),
        }
    ),
    "ChargerState": _thing({"chargeState": CHARGE_STATE, "chargePower": _null(KW), "timeStamp": _null(INSTANT)}),
    "Session": _thing({**_SESSION, "chargeSpeed": _null(KW)}),
    "SessionDetail": _thing(_SESSION),
    "SessionTariff": _thing({**_PRICE_SLOT, "tariffType": TARIFF_TYPE}),
    "ChargeSettings": _thing(
        {
            "isSmartChargingEnabled": FLAG,
            "enableSmartChargingAt": _null(INSTANT),
            "departureTimes": _thing(
                {
                    day: _guess(_null(CLOCK))
                    for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
                }
            ),
            "timeZone": _guess(TEXT),
            "directChargingBatteryLevel": _guess(PERCENT),
            "desiredBatteryLevel": _plain("integer", minimum=50, maximum=100),
            "defaultStartBatteryLevel": _null(PERCENT),
            "isSolarChargingEnabled": _guess(FLAG),
            "isBidirectionalChargingEnabled": _guess(_null(FLAG)),
        }
    ),
    "SessionSetting": _thing(
        {
            "type": _guess(_words("boostCharging", "currentBatteryLevel")),
            "enabled": _guess(FLAG),
            "currentSateOfCharge": {**_guess(PERCENT), "description": "The documented name is misspelt so."},
        },
        optional=("enabled", "currentSateOfCharge"),
    ),
    "TariffInterval": _thing(
        {
            "startTime": _null(CLOCK),
            "endTime": _null(CLOCK),
            "daysOfWeek": _list(TEXT),
            "tariffType": _words("standard", "peak", "offPeak", "superOffPeak", "dynamic"),
        }
    ),
    "LocationTariffs": _thing(
        {
            "chargingLocationId": UUID,
            "offPeakChargingOnly": FLAG,
            "tariffs": _list(_thing({"currency": _null(CURRENCY), "price": PRICE, "type": TARIFF_TYPE})),
            "tariffIntervals": _list(_ref("TariffInterval")),
            "holidayTariffIntervals": _null(_list(_ref("TariffInterval"))),
        }
    ),
    "DynamicTariff": _thing({**_PRICE_SLOT, "dataType": _words("Actual", "Forecast")}),
    "UtilityContract": _thing(
        {
            "chargingLocationId": UUID,
            "name": _null(TEXT),
            "energySupplierId": UUID,
            "contractNumber": _null(TEXT),
            "meterCode": _null(TEXT),
            "agreementIds": _guess(_list(UUID)),
            "status": _guess(_null(TEXT)),
        }
    ),
    "SolarEnergy": _thing({"startTime": _guess(INSTANT), "endTime": _guess(INSTANT), "energy": _guess(KWH)}),
    "SessionFinancials": _thing(
        {
            "sessionId": _guess(UUID),
            "vehicleId": _guess(_null(UUID)),
            "chargingLocationId": _guess(_null(UUID)),
            "startTime": _guess(INSTANT),
            "endTime": _guess(_null(INSTANT)),
            "chargedEnergy": _guess(_null(KWH)),
            "chargeCosts": _guess(_null(MONEY)),
            "savings": _guess(_null(MONEY)),
            "currency": _guess(_null(CURRENCY)),
        }
    ),
    "Message": _thing(
        {
            "id": _guess(UUID),
            "userId": _guess(UUID),
            "type": TEXT,
            "notificationType": _words("PushNotification", "Email", "SMS", "Banner"),
            "title": _guess(_null(TEXT)),
            "body": _guess(_null(TEXT)),
            "createdAt": _guess(INSTANT),
            "isDismissed": _guess(FLAG),
            "dismissedAt": _guess(_null(INSTANT)),
        }
    ),
    "Reward": _thing(
        {
            "sessionId": _guess(UUID),
            "startTime": _guess(INSTANT),
            "amount": _guess(MONEY),
            "currency": _guess(CURRENCY),
            "isPaidOut": _guess(FLAG),
        }
    ),
    "RewardBalance": _thing(
        {
            "currency": _guess(CURRENCY),
            "totalAmount": _guess(MONEY),
            "paidOutAmount": _guess(MONEY),
            "balance": _guess(MONEY),
        }
    ),
    "Payout": _thing(
        {
            "id": _guess(UUID),
            "userId": _guess(UUID),
            "amount": _guess(MONEY),
            "currency": _guess(CURRENCY),
            "status": _words("Pending", "Retry", "Failed", "Draft", "PaidOut", "Rejected"),
            "createdAt": _guess(INSTANT),
        }
    ),
    "RewardRate": _thing(
        {
            "currency": _guess(CURRENCY),
            "managedRate": _guess(PRICE),
            "unmanagedRate": _guess(PRICE),
        }
    ),
    "CarModel": _thing(
        {
            "id": _guess(TEXT),
            "brand": _guess(_null(TEXT)),
            "model": _guess(_null(TEXT)),
            "version": _guess(_null(TEXT)),
            "capabilities": CAPABILITIES,
        }
    ),
}
"""By the name under which the OpenAPI document holds them."""
