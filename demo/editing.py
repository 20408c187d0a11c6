"""Changes that somebody asks for behind the API's back: which there are, and what they make of a thing.

Only what a tenant's own people could change or correct: prices, names, addresses, a session's money.
Does not belong here: what else follows from a change (demo/world/putting.py), changes by chance (demo/change).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import NamedTuple

import msgspec

from demo.answers import ProblemError, not_found
from demo.routes import UUID
from demo.truth import Scene
from demo.world.charging import MONEY_DECIMALS
from demo.world.people import Location, User
from demo.world.render import Item, session_bill
from demo.world.sessions import Money, Session, as_of
from demo.world.tariff_items import location_tariffs_item

USER_FIELDS = {
    "firstName": "first_name",
    "lastName": "last_name",
    "email": "email",
    "locale": "locale",
    "externalData": "external_data",
}
NULLABLE_USER_FIELDS = ("email", "externalData")
ADDRESS_FIELDS = {
    "street": "street",
    "postalCode": "postal_code",
    "houseNumber": "house_number",
    "city": "city",
    "region": "region",
    "country": "country",
    "area": "area",
}
PRICE_DECIMALS = 4
LARGEST_AMOUNT = 10**9
"""A larger number is taken for a mistake."""

Edited = User | Location | Session


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


def edited(scene: Scene, edit: Edit) -> Edited:
    """What is to be put in the place of the thing.

    Raises ProblemError 404 where there is nothing with that id, 400 for what cannot be changed so.
    """
    return EDITABLE[edit.table](scene, edit)


def told(scene: Scene, edit: Edit) -> Item:
    """The item that was changed, as it is from now on."""
    if edit.table == "location_tariffs":
        item = location_tariffs_item(scene.world.draw, scene.world.location_by_id[edit.id])
        assert item is not None, "a location without a tariff cannot be edited"
        return item
    row = scene.tables[edit.table].get(edit.id)
    assert row is not None, "what was edited is there"
    found: Item = msgspec.json.decode(row.body)
    return found


def _user(scene: Scene, edit: Edit) -> User:
    if scene.tables["users"].get(edit.id) is None:
        raise not_found("User does not exist.")
    _only(USER_FIELDS, edit.wanted, "set")
    for name, value in edit.wanted.items():
        if not isinstance(value, str) and not (value is None and name in NULLABLE_USER_FIELDS):
            raise ProblemError(400, f"set.{name}: Expected a text.")
    fields = {USER_FIELDS[name]: value for name, value in edit.wanted.items()}
    return replace(scene.world.households[edit.id].user, **fields, updated_ms=scene.now_ms)


def _location(scene: Scene, edit: Edit) -> Location:
    location = _location_of(scene, edit)
    _only(("address",), edit.wanted, "set")
    address = edit.wanted["address"]
    if not isinstance(address, dict) or not address:
        raise ProblemError(400, "set.address: Expected an object with at least one field.")
    _only(ADDRESS_FIELDS, address, "set.address")
    if not all(isinstance(value, str) for value in address.values()):
        raise ProblemError(400, "set.address: Expected texts.")
    fields = {ADDRESS_FIELDS[name]: value for name, value in address.items()}
    return replace(location, address=replace(location.address, **fields), updated_ms=scene.now_ms)


def _session(scene: Scene, edit: Edit) -> Session:
    if scene.tables["sessions"].get(edit.id) is None:
        raise not_found("Session does not exist.")
    _only(("chargeCosts", "savings"), edit.wanted, "set")
    if not all(value is None or _is_number(value) for value in edit.wanted.values()):
        raise ProblemError(400, "set: Expected numbers or null.")
    session = scene.world.session_by_id[edit.id]
    if as_of(session, scene.now_ms).end_ms is None:
        raise ProblemError(400, "The session goes on: it has no money before its end.")
    wanted = {name: None if value is None else round(value, MONEY_DECIMALS) for name, value in edit.wanted.items()}
    bill = session_bill(session)
    money = Money(wanted.get("chargeCosts", bill.costs), wanted.get("savings", bill.savings))
    return replace(session, corrected=money)


def _tariffs(scene: Scene, edit: Edit) -> Location:
    """Prices by type, or all of them by a factor. Past sessions keep what they were charged by."""
    location = _location_of(scene, edit)
    tariff = location.tariff
    if tariff is None:
        raise not_found("The charging location has no tariff.")
    if tariff.is_dynamic:
        raise ProblemError(400, "The location's tariff is dynamic: it has no prices of its own.")
    _only(("factor", *tariff.prices), edit.wanted, "set")
    if not all(_is_number(value) for value in edit.wanted.values()):
        raise ProblemError(400, "set: Expected numbers.")
    factor = edit.wanted.get("factor", 1)
    prices = {type_: edit.wanted.get(type_, factor * price) for type_, price in tariff.prices.items()}
    rounded = {type_: round(price, PRICE_DECIMALS) for type_, price in prices.items()}
    return replace(location, tariff=replace(tariff, prices=rounded))


EDITABLE: dict[str, Callable[[Scene, Edit], Edited]] = {
    "users": _user,
    "charging_locations": _location,
    "sessions": _session,
    "location_tariffs": _tariffs,
}


def _location_of(scene: Scene, edit: Edit) -> Location:
    if scene.tables["charging_locations"].get(edit.id) is None:
        raise not_found("Charging location does not exist.")
    return scene.world.location_by_id[edit.id]


def _only(known: Collection[str], wanted: Item, where: str) -> None:
    unknown = [name for name in wanted if name not in known]
    if unknown:
        raise ProblemError(400, f"{where}: Expected only {', '.join(known)}.")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_AMOUNT
