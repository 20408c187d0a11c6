"""Which rows an answer of the API holds, by the lake's tables: their keys, and what each field is.

Does not belong here: breaking them (spoiling.py).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import msgspec

from demo.answers import Reply
from demo.api.model import JsonSchema, Operation, Shape
from demo.api.operations import OPERATIONS
from demo.api.schemas import MONEY, PRICE, SCHEMAS
from demo.faults.model import Envelope

REFERENCES = frozenset({"id", "userId", "vehicleId", "chargerId", "chargingLocationId", "sessionId"})

Item = dict[str, Any]
Path = tuple[str, ...]


class Role(Enum):
    """What a field holds."""

    UUID = "uuid"
    INSTANT = "instant"
    WORD = "word"
    WORDS = "words"
    TEXT = "text"
    FLAG = "flag"
    INTEGER = "integer"
    NUMBER = "number"
    MONEY = "money"


@dataclass(frozen=True)
class TableRows:
    """The rows of one table. schema: the fields that every form of such a row has. key: of the item, or of its path.

    is_part: other rows hold such rows as parts, where they are never broken. has_other_key: a row without its key can
    be told from others by the rest of it.
    """

    table: str
    schema: str
    key: Path
    is_part: bool = False
    has_other_key: bool = False

    @cached_property
    def roles(self) -> dict[Path, Role]:
        """Of every field that is no object or array of objects, in the order of the schema; without those that a path
        may say as well, for then it is no matter what the item says.
        """
        paths = (operation.path for operation in OPERATIONS if rows_of(operation) is self)
        said = {name for path in paths for name in _placeholders(path)}
        return {path: role for path, role in _roles((), SCHEMAS[self.schema]) if path[0] not in said}

    @cached_property
    def words(self) -> dict[Path, list[str]]:
        """The listed words of every field that holds some."""
        listed: dict[Path, list[str]] = {}
        for path in self.roles:
            schema = SCHEMAS[self.schema]
            for name in path:
                schema = schema["properties"][name]
            listed[path] = schema.get("x-words") or schema.get("items", {}).get("x-words") or []
        return listed


def _roles(path: Path, schema: JsonSchema) -> list[tuple[Path, Role]]:
    found = []
    for name, inner in schema.get("properties", {}).items():
        if "properties" in inner:
            found += _roles((*path, name), inner)
        elif (role := _role(name, inner)) is not None:
            found.append(((*path, name), role))
    return found


def _role(name: str, schema: JsonSchema) -> Role | None:
    types = schema.get("type", [])
    types = {types} if isinstance(types, str) else set(types)
    if schema.get("format") == "uuid":
        # A supplier's or an agreement's id leads to nothing that can be asked for, so it may be kept as it comes.
        return Role.UUID if name in REFERENCES else None
    if schema.get("format") == "date-time":
        return Role.INSTANT
    if "x-words" in schema:
        return Role.WORD
    if "array" in types:
        return Role.WORDS if "x-words" in schema["items"] else None
    if "number" in types and schema.get("description") in {MONEY["description"], PRICE["description"]}:
        return Role.MONEY
    plain = {"string": Role.TEXT, "boolean": Role.FLAG, "integer": Role.INTEGER, "number": Role.NUMBER}
    role = next((role for type_, role in plain.items() if type_ in types), None)
    return None if role is Role.TEXT and "pattern" in schema else role


_TABLES = (
    TableRows("users", "User", ("id",)),
    TableRows("charging_locations", "ChargingLocation", ("id",)),
    TableRows("vehicles", "Vehicle", ("id",)),
    TableRows("sessions", "SessionDetail", ("id",)),
    TableRows("supported_car_models", "CarModel", ("id",), has_other_key=True),
    TableRows("location_tariffs", "LocationTariffs", ("chargingLocationId",), is_part=True),
    TableRows("dynamic_tariffs", "DynamicTariff", ("chargingLocationId", "startTime")),
    TableRows("solar_energy", "SolarEnergy", ("chargingLocationId", "startTime")),
    TableRows("utility_contracts", "UtilityContract", ("chargingLocationId",), is_part=True),
    TableRows("chargers", "Charger", ("id",), is_part=True),
    TableRows("charger_states", "ChargerState", ("chargerId",), is_part=True),
    TableRows("vehicle_states", "VehicleState", ("vehicleId",), is_part=True),
    TableRows("charge_settings", "ChargeSettings", ("vehicleId",)),
    TableRows("session_tariffs", "SessionTariff", ("sessionId", "startTime", "tariffType")),
    TableRows("session_settings", "SessionSetting", ("sessionId", "type")),
    TableRows("financials", "SessionFinancials", ("userId", "sessionId")),
    TableRows("messages", "Message", ("id",)),
    TableRows("rewards", "Reward", ("userId", "sessionId")),
    TableRows("reward_balances", "RewardBalance", ("userId", "currency")),
    TableRows("payouts", "Payout", ("id",)),
    TableRows("reward_rates", "RewardRate", ("chargingLocationId",)),
)
ROWS_OF_TABLE = {rows.table: rows for rows in _TABLES}

_TABLE_OF_ITEM = {rows.schema: rows for rows in _TABLES} | {
    "Session": ROWS_OF_TABLE["sessions"],
    "VehicleDetail": ROWS_OF_TABLE["vehicles"],
    "ChargingLocationDetail": ROWS_OF_TABLE["charging_locations"],
}


def rows_of(operation: Operation) -> TableRows:
    """The table whose rows an operation answers."""
    return _TABLE_OF_ITEM[operation.item]


def path_ids(operation: Operation, ids: Sequence[str]) -> dict[str, str]:
    """The ids of a request's path, by their names."""
    return dict(zip(_placeholders(operation.path), ids, strict=True))


def _placeholders(path: str) -> list[str]:
    return re.findall(r"{(\w+)}", path)


def key_of(rows: TableRows, item: Mapping[str, Any]) -> tuple[str, ...]:
    """The row's key. item: with the ids of its path."""
    return tuple(str(item.get(name)) for name in rows.key)


def raw_items(operation: Operation, reply: Reply) -> list[msgspec.Raw]:
    """The items of a good answer, as they are spelt."""
    if operation.shape is Shape.PAGED:
        return msgspec.json.decode(reply.body, type=Envelope).items
    if operation.shape is Shape.ARRAY:
        return msgspec.json.decode(reply.body, type=list[msgspec.Raw])
    return [msgspec.Raw(reply.body)]


def with_items(operation: Operation, reply: Reply, items: list[msgspec.Raw]) -> Reply:
    """The same answer with other items in the places of its own."""
    if operation.shape is Shape.OBJECT:
        return reply._replace(body=bytes(items[0]))
    if operation.shape is Shape.ARRAY:
        return reply._replace(body=msgspec.json.encode(items))
    page = msgspec.json.decode(reply.body, type=Envelope)
    page.items = items
    return reply._replace(body=msgspec.json.encode(page))
