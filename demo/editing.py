"""Changes behind the API's back: which there are, and what they make of an item.

Only what a tenant's own people could change or correct: prices, names, addresses, a session's money.
Does not belong here: keeping them (edits.py).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

import msgspec

from demo.answers import ProblemError, not_found
from demo.listing import Row
from demo.routes import UUID
from demo.truth import Scene
from demo.world.charging import MONEY_DECIMALS
from demo.world.render import Item
from demo.world.tariff_items import location_tariffs_item
from demo.world.tariffs import CURRENCY
from demo.world.times import iso

USER_FIELDS = ("firstName", "lastName", "email", "locale", "externalData")
NULLABLE_USER_FIELDS = ("email", "externalData")
PRICE_DECIMALS = 4
LARGEST_AMOUNT = 10**9
"""A larger number is taken for a mistake."""


class Edit(NamedTuple):
    """One change that was asked for. table: by the lake's name. wanted: by field."""

    table: str
    id: str
    wanted: Item


def read_edit(body: bytes) -> Edit:
    """Raises ProblemError 400 for anything that is no change."""
    try:
        order = msgspec.json.decode(body)
    except msgspec.DecodeError:
        order = None
    if not isinstance(order, dict) or order.keys() != {"table", "id", "set"}:
        raise ProblemError(400, 'Expected {"table": "users", "id": "...", "set": {"firstName": "..."}}.')
    table, id_, wanted = order["table"], order["id"], order["set"]
    if not isinstance(table, str) or table not in EDITABLE:
        raise ProblemError(400, f"table: Expected one of {', '.join(EDITABLE)}.")
    if not isinstance(id_, str) or not UUID.fullmatch(id_):
        raise ProblemError(400, "id: Expected a UUID.")
    if not isinstance(wanted, dict) or not wanted:
        raise ProblemError(400, "set: Expected an object with at least one field.")
    return Edit(table, id_.lower(), wanted)


def perform(scene: Scene, edit: Edit) -> Item:
    """Make the change, and give the item as it is from now on.

    Raises ProblemError 404 where there is nothing with that id, 400 for what cannot be changed so.
    """
    item = EDITABLE[edit.table](scene, edit)
    scene.tables.edits.put(edit.table, edit.id, item)
    return item


def _user(scene: Scene, edit: Edit) -> Item:
    item = _item(scene.tables["users"].get(edit.id), "User")
    _only(USER_FIELDS, edit.wanted, "set")
    for name, value in edit.wanted.items():
        if not isinstance(value, str) and not (value is None and name in NULLABLE_USER_FIELDS):
            raise ProblemError(400, f"set.{name}: Expected a text.")
    return item | edit.wanted | {"updatedAt": iso(scene.now_ms)}


def _location(scene: Scene, edit: Edit) -> Item:
    item = _item(scene.tables["charging_locations"].get(edit.id), "Charging location")
    _only(("address",), edit.wanted, "set")
    address = edit.wanted["address"]
    if not isinstance(address, dict) or not address:
        raise ProblemError(400, "set.address: Expected an object with at least one field.")
    _only(item["address"], address, "set.address")
    if not all(isinstance(value, str) for value in address.values()):
        raise ProblemError(400, "set.address: Expected texts.")
    return item | {"address": item["address"] | address, "updatedAt": iso(scene.now_ms)}


def _session(scene: Scene, edit: Edit) -> Item:
    item = _item(scene.tables["sessions"].get(edit.id), "Session")
    _only(("chargeCosts", "savings"), edit.wanted, "set")
    if not all(value is None or _is_number(value) for value in edit.wanted.values()):
        raise ProblemError(400, "set: Expected numbers or null.")
    if item["endTime"] is None:
        raise ProblemError(400, "The session goes on: it has no money before its end.")
    item |= {name: None if value is None else round(value, MONEY_DECIMALS) for name, value in edit.wanted.items()}
    return item | {"currency": None if item["chargeCosts"] is None else CURRENCY}


def _tariffs(scene: Scene, edit: Edit) -> Item:
    """Prices by type, or all of them by a factor. Past sessions keep what they were charged by."""
    location = scene.world.location_by_id.get(edit.id)
    if location is None or scene.tables["charging_locations"].get(edit.id) is None:
        raise not_found("Charging location does not exist.")
    told = location_tariffs_item(scene.world.draw, location)
    if told is None:
        raise not_found("The charging location has no tariff.")
    item = scene.tables.edits.item("location_tariffs", edit.id, told)
    prices = {tariff["type"]: tariff["price"] for tariff in item["tariffs"]}
    if "Dynamic" in prices:
        raise ProblemError(400, "The location's tariff is dynamic: it has no prices of its own.")
    _only(("factor", *prices), edit.wanted, "set")
    if not all(_is_number(value) for value in edit.wanted.values()):
        raise ProblemError(400, "set: Expected numbers.")
    factor = edit.wanted.get("factor", 1)
    prices = {type_: edit.wanted.get(type_, factor * price) for type_, price in prices.items()}
    return item | {
        "tariffs": [tariff | {"price": round(prices[tariff["type"]], PRICE_DECIMALS)} for tariff in item["tariffs"]]
    }


EDITABLE: dict[str, Callable[[Scene, Edit], Item]] = {
    "users": _user,
    "charging_locations": _location,
    "sessions": _session,
    "location_tariffs": _tariffs,
}


def _item(row: Row | None, what: str) -> Item:
    if row is None:
        raise not_found(f"{what} does not exist.")
    item: Item = msgspec.json.decode(row.body)
    return item


def _only(known: Collection[str], wanted: Item, where: str) -> None:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ProblemError(400, f"{where}: Expected only {', '.join(known)}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_AMOUNT
