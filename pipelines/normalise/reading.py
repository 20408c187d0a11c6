"""One value at a time: what a declared field accepts and what is stored of it. The rule that columns.py hurries.

Does not belong here: whole columns (columns.py), spelling for the hash (canonical.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from pipelines.contract import Field, Kind
from pipelines.normalise.canonical import ENUMS, OUT_OF_BOUNDS, member_path, respelt
from pipelines.normalise.identifiers import canonical_uuid
from pipelines.normalise.instants import parse_instant
from pipelines.normalise.model import Unreadable, describe
from pipelines.normalise.numerals import fit_money

_INT64 = range(-(2**63), 2**63)


def read(field: Field, value: Any) -> Any:
    """What is stored of a value that is not null, as Arrow takes it for the field's column.

    Raises Unreadable, with the path of the field or of the member of an object list that is at fault.
    """
    if field.kind is Kind.OBJECT_LIST:
        return _objects(field, value)
    try:
        stored = _READERS[field.kind](value)
    except Unreadable as error:
        raise Unreadable(error.reason, field.path) from None
    return respelt(field, stored) if field.kind in ENUMS else stored


@lru_cache(maxsize=256)
def members_of(field: Field) -> Mapping[str, Field]:
    """What an object list's objects hold, by name; each with its whole path, `tariffs[].price`."""
    return {member.path: replace(member, path=member_path(field.path, member.path)) for member in field.members}


def _objects(field: Field, value: Any) -> list[dict[str, Any] | None]:
    if not isinstance(value, list):
        raise Unreadable(f"expected an array of objects, got {describe(value)}", field.path)
    columns = [
        (member.column, name, whole)
        for member, (name, whole) in zip(field.members, members_of(field).items(), strict=True)
    ]
    found: list[dict[str, Any] | None] = []
    for element in value:
        if element is not None and not isinstance(element, dict):
            raise Unreadable(f"expected an object, got {describe(element)}", f"{field.path}[]")
        found.append(
            None
            if element is None
            else {
                column: None if element.get(name) is None else read(whole, element[name])
                for column, name, whole in columns
            }
        )
    return found


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Unreadable(f"expected a string, got {describe(value)}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Unreadable(
            f"expected Unicode text, got {describe(value)} with a lone surrogate or broken UTF-8"
        ) from None
    return value


def _uuid(value: Any) -> str:
    uuid = canonical_uuid(value) if isinstance(value, str) else None
    if uuid is None:
        raise Unreadable(f"expected a UUID of 36 characters, got {describe(value)}")
    return uuid


def _instant(value: Any) -> Any:
    instant = parse_instant(value) if isinstance(value, str) else None
    if instant is None:
        raise Unreadable(f"expected an instant such as yyyy-MM-ddTHH:mm:ss.fffZ, got {describe(value)}")
    return instant


def _number(value: object, expected: str) -> int | float | Decimal:
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        if isinstance(value, float) and not math.isfinite(value):
            raise Unreadable(f"expected {expected}, got a number {OUT_OF_BOUNDS}")
        return value
    raise Unreadable(f"expected {expected}, got {describe(value)}")


def _money(value: Any) -> Decimal:
    amount = fit_money(_number(value, "an amount"))
    if amount is None:
        raise Unreadable("expected an amount, got a number that does not fit decimal(38,9)")
    return amount


def _measure(value: Any) -> float:
    number = _number(value, "a number")
    try:
        measure = float(number)
    except OverflowError:
        measure = math.inf
    if math.isinf(measure):
        raise Unreadable("expected a number, got one beyond the range of a double")
    return measure


def _integer(value: Any) -> int:
    number = _number(value, "a whole number")
    if not isinstance(number, int):
        exact = Decimal(number)
        if exact.adjusted() > 19 or exact != exact.to_integral_value():
            raise Unreadable("expected a whole number, got one with a fraction or beyond 64 bits")
        number = int(exact)
    if number not in _INT64:
        raise Unreadable("expected a whole number, got one beyond 64 bits")
    return number


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unreadable(f"expected true or false, got {describe(value)}")
    return value


def _texts(value: Any) -> list[str | None]:
    if not isinstance(value, list):
        raise Unreadable(f"expected an array of strings, got {describe(value)}")
    return [None if word is None else _text(word) for word in value]


_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.UUID: _uuid,
    Kind.TEXT: _text,
    Kind.ENUM: _text,
    Kind.INSTANT: _instant,
    Kind.MONEY: _money,
    Kind.NUMBER: _measure,
    Kind.INTEGER: _integer,
    Kind.FLAG: _flag,
    Kind.TEXT_LIST: _texts,
    Kind.ENUM_LIST: _texts,
}
