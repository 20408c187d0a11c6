"""The world's things as the API's JSON items, at a moment. Names of fields are written here and in demo/api only.

Each function gives the item as a dict, ready to be encoded. Does not belong here: envelopes, paths.
"""

from __future__ import annotations

from typing import Any

from demo.world.cars import CarModel
from demo.world.charging import Bill, bill
from demo.world.people import AGREEMENT_ID, Location, User, Vehicle
from demo.world.sessions import Session, as_of
from demo.world.tariffs import CURRENCY
from demo.world.times import iso

Item = dict[str, Any]


def user_item(user: User) -> Item:
    return {
        "id": user.id,
        "firstName": user.first_name,
        "lastName": user.last_name,
        "email": user.email,
        "locale": user.locale,
        "externalData": user.external_data,
        "defaultCountry": "NO",
        "agreementIds": [AGREEMENT_ID],
        "createdAt": iso(user.created_ms),
        "updatedAt": iso(user.updated_ms),
    }


def location_item(location: Location) -> Item:
    address = location.address
    return {
        "id": location.id,
        "userId": location.user_id,
        "coordinates": {"latitude": address.latitude, "longitude": address.longitude},
        "address": {
            "street": address.street,
            "postalCode": address.postal_code,
            "houseNumber": address.house_number,
            "city": address.city,
            "region": address.region,
            "country": address.country,
            "area": address.area,
        },
        "createdAt": iso(location.created_ms),
        "updatedAt": iso(location.updated_ms),
    }


def vehicle_item(vehicle: Vehicle) -> Item:
    model = vehicle.model
    return {
        "id": vehicle.id,
        "userId": vehicle.user_id,
        "createdAt": iso(vehicle.created_ms),
        "details": {"brand": model.brand, "model": model.model, "version": model.version},
        "isConnected": vehicle.is_connected,
        "isConnectable": True,
        "capabilities": list(model.capabilities),
    }


def car_model_item(model: CarModel) -> Item:
    return {
        "id": model.id,
        "brand": model.brand,
        "model": model.model,
        "version": model.version,
        "capabilities": list(model.capabilities),
    }


def session_item(session: Session, now_ms: int) -> Item:
    """The list's shape; money and the end's figures only once it has ended."""
    session = as_of(session, now_ms)
    location, ended = session.location, session.end_ms is not None
    item = {
        "id": session.id,
        "userId": session.user_id,
        "vehicleId": session.vehicle_id,
        "chargerId": location.charger_id if location else None,
        "chargingLocationId": location.id if location else None,
        "status": session.status,
        "calibrationState": None if ended else session.calibration,
        "isManaged": session.is_managed,
        "startTime": iso(session.start_ms),
        "endTime": None if session.end_ms is None else iso(session.end_ms),
        "chargeSpeed": session.power_kw,
        "chargedEnergy": session.energy_kwh,
        "startBatteryLevel": session.start_level,
        "endBatteryLevel": session.end_level if ended else None,
        "solarEnergy": None,
        "chargeCosts": None,
        "savings": None,
        "currency": None,
    }
    if session.end_ms is not None:
        money = session_bill(session)
        item |= {
            "solarEnergy": money.solar_kwh,
            "chargeCosts": money.costs,
            "savings": money.savings,
            "currency": None if money.costs is None else CURRENCY,
        }
    return item


def session_bill(session: Session) -> Bill:
    """The money of a session that has ended: what follows from energy and tariff, unless somebody corrected it."""
    location, found = session.location, Bill(None, None, None)
    if location is not None and session.end_ms is not None:
        span = (session.start_ms, session.end_ms)
        found = bill(location, *span, session.energy_kwh, session.power_kw, managed=session.is_managed)
    money = session.corrected
    return found if money is None else Bill(money.costs, money.savings, found.solar_kwh)


def session_detail(item: Item) -> Item:
    """The single session's shape: v2 has no charge speed there."""
    return {name: value for name, value in item.items() if name != "chargeSpeed"}
