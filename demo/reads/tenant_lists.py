"""Reads of the whole tenant, and of what its lists hold: users and sessions.

Does not belong here: what hangs under locations and vehicles (the sibling modules).
"""

from __future__ import annotations

from demo.answers import not_found
from demo.listing import Row
from demo.reads.call import Call, Handler, array_of, decoded, encoded, page_of
from demo.tables import CAR_MODEL_BODIES
from demo.world.render import session_detail


def _created(table: str) -> Handler:
    return lambda call: page_of(call, call.lists[table], call.span("created"))


def _sessions(call: Call) -> bytes:
    return page_of(call, call.lists["sessions"], call.span("startTime"), call.span("endTime"))


def _sessions_of_user(call: Call) -> bytes:
    return page_of(call, call.rows_of_user("sessions"), call.span("startTime"), call.span("endTime"))


def _session(call: Call) -> bytes:
    return _detail_of(call.row_of_user("sessions", "Session"))


def _last_session(call: Call) -> bytes:
    vehicle = call.row_of_user("vehicles", "Vehicle")
    for row in call.rows_of_user("sessions"):
        if call.world.session_by_id[row.id].vehicle_id == vehicle.id:
            return _detail_of(row)
    raise not_found("The vehicle has no session.")


def _detail_of(row: Row) -> bytes:
    return encoded(session_detail(decoded([row])[0]))


def _user(call: Call) -> bytes:
    return next(iter(call.rows_of_user("users"))).body


HANDLERS: dict[str, Handler] = {
    "listUsers": _created("users"),
    "listChargingLocations": _created("charging_locations"),
    "listVehicles": _created("vehicles"),
    "listSessions": _sessions,
    "listSupportedCarModels": lambda _call: array_of(CAR_MODEL_BODIES),
    "getUser": _user,
    "listSessionsOfUser": _sessions_of_user,
    "getSession": _session,
    "getLastSessionOfVehicle": _last_session,
}
