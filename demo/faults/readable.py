"""Forms that can be read: other legal spellings of the same row, fields besides, and values that say something else.

Does not belong here: forms that are refused (refused.py).
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec

from demo.faults.forms import NUMBERS, Spoiled, fields, plain_fields, told_otherwise, value_at, with_value, without
from demo.faults.rows import Item, Role, TableRows
from demo.world.draw import Draw


def exotic_instants(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """Every instant of the row in another legal spelling of the same millisecond."""
    served = item
    for path in fields(rows, item, draw, {Role.INSTANT}):
        served = with_value(served, path, _other_spelling(value_at(item, path), draw.apart(*path)))
    return None if served == item else Spoiled(msgspec.json.encode(served), item)


def _other_spelling(text: str, draw: Draw) -> str:
    instant = datetime.fromisoformat(text)
    shift = draw.one_of((-330, -60, 0, 60, 120, 345, 720), "offset")
    how = draw.one_of(("fraction", "offset", "no zone", "no colon", "space", "shorter"), "how")
    if how == "fraction":
        return text[:-1] + "".join(str(draw.whole(10, "digit", i)) for i in range(1 + draw.whole(6, "digits"))) + "Z"
    if how in {"offset", "no colon"}:
        local = instant.astimezone(timezone(timedelta(minutes=shift)))
        spelt = local.isoformat(timespec="milliseconds")
        return spelt if how == "offset" else spelt[:-3] + spelt[-2:]
    if how == "no zone":
        return text[:-1] + draw.one_of(("", "000"), "v1 digits")
    if how == "space":
        return text.replace("T", " ")
    # Digits at the end that say nothing can be left out.
    head, _, digits = text[:-1].partition(".")
    digits = digits.rstrip("0")
    return f"{head}.{digits}Z" if digits else f"{head}Z"


def v1_words(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    served = item
    for path in fields(rows, item, draw, {Role.WORD, Role.WORDS}):
        value, known = value_at(item, path), rows.words[path]
        words = [_v1(word) if word in known else word for word in (value if isinstance(value, list) else [value])]
        served = with_value(served, path, words if isinstance(value, list) else words[0])
    return None if served == item else Spoiled(msgspec.json.encode(served), item)


def _v1(word: str) -> str:
    return word.lower() if word.isupper() else word[0].lower() + word[1:]


def upper_case_ids(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    served = item
    for path in fields(rows, item, draw, {Role.UUID}):
        served = with_value(served, path, value_at(item, path).upper())
    return None if served == item else Spoiled(msgspec.json.encode(served), item)


def exotic_numbers(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """The same amounts with an exponent, or with zeros behind."""
    served = item
    for path in fields(rows, item, draw, NUMBERS):
        number = Decimal(repr(value_at(item, path)))
        plain = f"{number:f}"
        zeros = f"{plain}00" if "." in plain else f"{plain}.00"
        spelt = f"{number:E}" if draw.chance(0.5, "exponent", *path) else zeros
        served = with_value(served, path, msgspec.Raw(spelt.encode()))
    return None if served is item else Spoiled(msgspec.json.encode(served), item)


def respaced(_rows: TableRows, item: Item, _draw: Draw) -> Spoiled:
    """Other order, white space and escapes: to JSON all the same."""
    turned = dict(reversed(item.items()))
    return Spoiled(json.dumps(turned, indent=1, ensure_ascii=True).replace("/", "\\/").encode(), item)


UNKNOWN: Item = {
    "vatRate": 0.25,
    "_deleted": True,
    "_synced_at": "2020-01-01T00:00:00.000Z",
    "_row_hash": "0",
    "_extra": "{}",
    "id_": "4711",
    "user_id": "00000000-0000-4000-8000-000000000000",
    "meta": {"source": {"id": 5, "tags": ["a", None]}, "_deleted": False},
    "a.b": 1,
    "ÆØÅ 🔌": "ja",
    "": "nameless",
    "constructor": None,
}


def unknown_fields(_rows: TableRows, item: Item, draw: Draw) -> Spoiled:
    names = [name for name in UNKNOWN if draw.chance(0.25, "field", name)] or ["_deleted"]
    told = item | {name: UNKNOWN[name] for name in names if name not in item}
    return Spoiled(msgspec.json.encode(told), told)


def missing_field(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """To a reader that is null."""
    roles = {*NUMBERS, Role.TEXT, Role.FLAG, Role.WORD}
    path = next(plain_fields(rows, item, draw, roles), None)
    return None if path is None else Spoiled(msgspec.json.encode(without(item, path)), with_value(item, path, None))


def unlisted_word(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(plain_fields(rows, item, draw, {Role.WORD}), None)
    word = draw.one_of(("PausedByGrid", "complete_with_errors", "Ünbekannt", "NULL"), "word")
    return None if path is None else told_otherwise(item, path, word, word)


ODD_NUMBERS: dict[Role, tuple[Any, ...]] = {
    Role.NUMBER: (-3.25, 123456789012.5, -0.001, 1e300),
    Role.INTEGER: (-5, 101, 10**15),
    Role.MONEY: (-99999.123456789, 1e12, -0.000000001),
}


def odd_number(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """Negative or huge, but a number."""
    path = next(plain_fields(rows, item, draw, NUMBERS), None)
    if path is None:
        return None
    number = draw.one_of(ODD_NUMBERS[rows.roles[path]], "number")
    return told_otherwise(item, path, number, number)


EXOTIC_TEXTS = (
    "\u202eKari\u202c \u0627\u0644\u0639\u0631\u0628\u064a\u0629",
    "👩‍🔧🔌 z\u0351\u036bal\u0327go",
    "a\x00b\x07c",
    "'; drop table users; --",
    '<script>alert("x")</script>',
    "line\r\nline\ttab\u2028end",
    "=cmd|' /C calc'!A0",
    "NaN",
    "2026-01-01T10:00:00.000Z",
    " \u00a0\ufeff ",
    "x" * 100_000,
    "\U0010ffff\ufffd",
)


def exotic_text(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(plain_fields(rows, item, draw, {Role.TEXT}), None)
    text = draw.one_of(EXOTIC_TEXTS, "text")
    return None if path is None else told_otherwise(item, path, text, text)
