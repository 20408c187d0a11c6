"""Items as the API sends them, and pages of them."""

import json
from datetime import datetime, timezone

import msgspec

from pipelines.contract import RESOURCES
from pipelines.normalise import RawPage

SESSIONS = RESOURCES["sessions"]
LOCATIONS = RESOURCES["charging_locations"]
VEHICLES = RESOURCES["vehicles"]
CAR_MODELS = RESOURCES["supported_car_models"]
READ_AT = datetime(2026, 3, 1, 2, 0, 0, 123456, tzinfo=timezone.utc)


def identifier(number):
    return f"a0000000-0000-4000-8000-{number:012x}"


def session(number=1, **changes):
    return {
        "id": identifier(number),
        "userId": identifier(1000 + number % 7),
        "vehicleId": identifier(2000 + number % 7),
        "chargerId": None if number % 3 else identifier(3000),
        "chargingLocationId": identifier(4000),
        "status": "Complete",
        "calibrationState": None,
        "isManaged": number % 2 == 0,
        "startTime": f"2026-02-{1 + number % 28:02d}T18:02:11.{number % 1000:03d}Z",
        "endTime": f"2026-03-{1 + number % 28:02d}T06:41:57.000Z",
        "chargeSpeed": 11,
        "chargedEnergy": 27.4 + number,
        "startBatteryLevel": number % 100,
        "endBatteryLevel": 80,
        "solarEnergy": 0.25,
        "chargeCosts": 6.12,
        "savings": -2.31,
        "currency": "EUR",
    } | changes


def location(number=1, **changes):
    return {
        "id": identifier(number),
        "userId": identifier(1000 + number),
        "coordinates": {"latitude": 63.43, "longitude": 10.39},
        "address": {
            "street": "Kongens gate",
            "postalCode": "7011",
            "houseNumber": "1A",
            "city": "Trondheim",
            "region": "Trøndelag",
            "country": "NO",
            "area": "NO3",
        },
        "createdAt": "2025-01-15T08:00:12.345Z",
        "updatedAt": "2025-01-15T08:00:12.345Z",
    } | changes


def page(items, read_at=READ_AT):
    """A page of items (or of JSON texts of items) in the paged envelope, decoded as the client decodes."""
    texts = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in items]
    body = b'{"pageIndex": 1, "totalCount": %d, "items": [%s]}' % (len(texts), b", ".join(texts))
    return RawPage(body, msgspec.json.decode(body)["items"], read_at)
