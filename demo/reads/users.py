"""Reads of a user's money and messages, and of what a session cost by whose tariff.

Does not belong here: how any of it comes about (demo/world).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from demo.answers import ProblemError
from demo.listing import Listing
from demo.parameters import read_flag, read_span
from demo.reads.call import Call, Handler, decoded, encoded, page_of
from demo.routes import UUID
from demo.world.render import Item
from demo.world.rewards import balance_items
from demo.world.sessions import as_of
from demo.world.states import active_setting_items
from demo.world.tariff_items import financials_item, session_tariff_items


def _session_tariffs(call: Call) -> bytes:
    return encoded(session_tariff_items(as_of(call.session, call.now_ms)))


def _active_settings(call: Call) -> bytes:
    return encoded(active_setting_items(call.world.draw, as_of(call.session, call.now_ms)))


def financials(sessions: Iterable[Item]) -> list[Item]:
    """The money of those sessions that have ended."""
    return [financials_item(item) for item in sessions if item["endTime"] is not None]


def _financials(call: Call) -> bytes:
    vehicle_id = call.values.get("vehicleId")
    if vehicle_id is not None and not UUID.fullmatch(vehicle_id):
        raise ProblemError(400, "vehicleId: Expected a UUID.")
    sessions = decoded(call.rows_of_user("sessions").rows(call.span("startTime"), call.span("endTime")))
    return encoded(
        [item for item in financials(sessions) if vehicle_id is None or item["vehicleId"] == vehicle_id.lower()]
    )


def _messages(call: Call) -> bytes:
    listing = call.rows_of_user("messages")
    if not read_flag(call.values, "includeDismissed", default=True):
        listing = Listing(row for row in listing if not msgspec.json.decode(row.body)["isDismissed"])
    return page_of(call, listing)


def _message(call: Call) -> bytes:
    return call.row_of_user("messages", "Message").body


def _rewards(call: Call) -> bytes:
    listing = call.rows_of_user("rewards")
    currency = call.values.get("currency")
    if currency is not None:
        listing = Listing(row for row in listing if msgspec.json.decode(row.body)["currency"] == currency)
    return page_of(call, listing, read_span(call.values, "from", "to", call.bounds))


def _balances(call: Call) -> bytes:
    currency = call.values.get("currency")
    items = balance_items(decoded(call.rows_of_user("rewards")))
    return encoded([item for item in items if currency in {None, item["currency"]}])


HANDLERS: dict[str, Handler] = {
    "listSessionTariffs": _session_tariffs,
    "getActiveSessionSettings": _active_settings,
    "listFinancials": _financials,
    "listMessages": _messages,
    "getMessage": _message,
    "listRewards": _rewards,
    "listRewardBalances": _balances,
    "listPayoutsOfUser": lambda call: page_of(call, call.rows_of_user("payouts")),
    "listPayouts": lambda call: page_of(call, call.lists["payouts"]),
}
