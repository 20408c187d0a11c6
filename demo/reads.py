"""What the tenant answers to each read that it serves.

A handler gets a Call and gives the JSON body; what cannot be answered is a ProblemError.
Does not belong here: tokens, routing (tenant.py), rows (tables.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from demo.answers import not_found
from demo.listing import EVER, Listing, Row, Span
from demo.parameters import Bounds, read_page, read_span
from demo.tables import CAR_MODEL_BODIES, Tables
from demo.world.render import session_detail
from demo.world.world import World


@dataclass(frozen=True, slots=True)
class Call:
    """One read that passed token, path and parameter names. ids: of the path, outermost first."""

    world: World
    tables: Tables
    bounds: Bounds
    now_ms: int
    ids: list[str]
    values: Mapping[str, str]

    def span(self, stem: str) -> Span:
        """The filter pair `{stem}From`, `{stem}To`."""
        return read_span(self.values, f"{stem}From", f"{stem}To", self.bounds)

    @property
    def user_id(self) -> str:
        """The user of the path. Raises ProblemError 404 where there is none."""
        if self.tables["users"].get(self.ids[0]) is None:
            raise not_found("User does not exist.")
        return self.ids[0]

    def rows_of_user(self, table: str) -> Listing:
        return self.tables.of_user(table, self.user_id)

    def row_of_user(self, table: str, what: str) -> Row:
        """The row that the path's second id means, if it is the user's. Raises ProblemError 404."""
        row = self.rows_of_user(table).get(self.ids[1])
        if row is None:
            raise not_found(f"{what} does not exist.")
        return row


Handler = Callable[[Call], bytes]


def page_of(call: Call, listing: Listing, listed: Span = EVER, ended: Span = EVER) -> bytes:
    """The five-field envelope around one page."""
    index, size = read_page(call.values)
    count, items = listing.page(index, size, listed, ended)
    return b'{"pageIndex":%d,"pageSize":%d,"totalPages":%d,"totalCount":%d,"items":[%b]}' % (
        index,
        size,
        -(-count // size),
        count,
        b",".join(items),
    )


def array_of(bodies: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(bodies)


def _created(table: str) -> Handler:
    return lambda call: page_of(call, call.tables[table], call.span("created"))


def _sessions(call: Call) -> bytes:
    return page_of(call, call.tables["sessions"], call.span("startTime"), call.span("endTime"))


def _sessions_of_user(call: Call) -> bytes:
    return page_of(call, call.rows_of_user("sessions"), call.span("startTime"), call.span("endTime"))


def _session(call: Call) -> bytes:
    return _detail_of(call.row_of_user("sessions", "Session"))


def _last_session(call: Call) -> bytes:
    vehicle = call.row_of_user("vehicles", "Vehicle")
    for row in call.rows_of_user("sessions"):
        if msgspec.json.decode(row.body)["vehicleId"] == vehicle.id:
            return _detail_of(row)
    raise not_found("The vehicle has no session.")


def _detail_of(row: Row) -> bytes:
    return msgspec.json.encode(session_detail(msgspec.json.decode(row.body)))


def _user(call: Call) -> bytes:
    row = call.tables["users"].get(call.user_id)
    assert row is not None
    return row.body


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
"""By operation id. An operation without a handler is declared but not served."""
