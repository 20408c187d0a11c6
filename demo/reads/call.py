"""What a handler gets, and the forms of what it gives.

Does not belong here: handlers (the sibling modules).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from demo.answers import not_found
from demo.listing import EVER, Listing, Paged, Row, Span
from demo.parameters import Bounds, read_page, read_span
from demo.tables import Rows
from demo.world.people import Household, Location
from demo.world.sessions import Session
from demo.world.world import World


class Lists(Protocol):
    """The lists of the whole tenant, by the lake's table name."""

    def __getitem__(self, name: str) -> Paged: ...


@dataclass(frozen=True, slots=True)
class Call:
    """One read that passed token, path and parameter names. ids: of the path, outermost first.

    world, tables: those of the path's user. lists: the whole tenant's.
    """

    world: World
    tables: Rows
    lists: Lists
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
        if not len(self.tables.of_user("users", self.ids[0])):
            raise not_found("User does not exist.")
        return self.ids[0]

    @property
    def household(self) -> Household:
        """The user of the path and what is theirs. Raises ProblemError 404."""
        return self.world.households[self.user_id]

    def rows_of_user(self, table: str) -> Listing:
        return self.tables.of_user(table, self.user_id)

    def row_of_user(self, table: str, what: str) -> Row:
        """The row that the path's second id means, if it is the user's. Raises ProblemError 404."""
        row = self.rows_of_user(table).get(self.ids[1])
        if row is None:
            raise not_found(f"{what} does not exist.")
        return row

    @property
    def location(self) -> Location:
        """The charging location of the path. Raises ProblemError 404."""
        return self.world.location_by_id[self.row_of_user("charging_locations", "Charging location").id]

    @property
    def session(self) -> Session:
        """The session of the path. Raises ProblemError 404."""
        return self.world.session_by_id[self.row_of_user("sessions", "Session").id]


Handler = Callable[[Call], bytes]


def page_of(call: Call, listing: Paged, listed: Span = EVER, ended: Span = EVER) -> bytes:
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


def encoded(value: object) -> bytes:
    return msgspec.json.encode(value)


def decoded(rows: Iterable[Row]) -> Sequence[dict[str, Any]]:
    """The items of some rows."""
    return [msgspec.json.decode(row.body) for row in rows]
