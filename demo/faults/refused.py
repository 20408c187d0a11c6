"""Forms in which no reader can take a row as it was, or needs not to.

Does not belong here: forms that can be read (readable.py).
"""

from __future__ import annotations

import msgspec

from demo.faults.forms import NUMBERS, Spoiled, fields, plain_fields, refused, value_at, without
from demo.faults.rows import Item, Role, TableRows
from demo.world.draw import Draw


def without_id(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """Left out, null or empty: what tells the row from others."""
    path = next(((name,) for name in rows.key if (name,) in rows.roles and item.get(name) is not None), None)
    if path is None or rows.has_other_key:
        return None
    ways = ("left out", "null", "empty") if rows.roles[path] is Role.UUID else ("left out", "null")
    how = draw.one_of(ways, "how")
    if how == "left out":
        return Spoiled(msgspec.json.encode(without(item, path)), item)
    return refused(item, path, None if how == "null" else "")


WRONG_VALUES: dict[Role, tuple[object, ...]] = {
    Role.UUID: (7, {}, [], True),
    Role.INSTANT: (1_700_000_000, {}, [], True),
    Role.TEXT: (7, {"text": "x"}, ["x"], False),
    Role.WORD: (7, {}, ["Complete"]),
    Role.FLAG: ("yes", 2, {}),
    Role.INTEGER: ({}, [], True, 50.5),
    Role.NUMBER: ({}, [], True),
    Role.MONEY: ({}, [], True),
}


def wrong_type(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(fields(rows, item, draw, WRONG_VALUES), None)
    return None if path is None else refused(item, path, draw.one_of(WRONG_VALUES[rows.roles[path]], "value"))


BAD_INSTANTS = (
    "",
    "yesterday",
    "2026-02-30T10:00:00.000Z",
    "2026-13-01T10:00:00.000Z",
    "2026-01-01T24:00:00.000Z",
    "2026-01-01T10:60:00.000Z",
    "2026-01-01",
    "01.02.2026 10:00",
    "1767261600",
    "2026-01-01T10:00:00.000+99:00",
)


def bad_instant(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(fields(rows, item, draw, {Role.INSTANT}), None)
    return None if path is None else refused(item, path, draw.one_of(BAD_INSTANTS, "value"))


PATH_TRICKS = (
    "../x",
    "..%2f..%2fusers",
    "%2e%2e",
    "../../_demo/health",
    "..\\..\\x",
    "/etc/passwd",
    "?pageSize=1",
    "4711",
    "{0}/../{0}",
    "{0}/",
    "{{{0}}}",
    " {0}",
    "{0}\n",
    "{0}#",
)


def path_trick(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """An id that is none, and would lead elsewhere if it became part of an address or a file's name."""
    path = next(fields(rows, item, draw, {Role.UUID}), None)
    if path is None:
        return None
    return refused(item, path, draw.one_of(PATH_TRICKS, "value").format(value_at(item, path)))


def not_a_number(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(fields(rows, item, draw, NUMBERS), None)
    literal = draw.one_of((b"NaN", b"Infinity", b"-Infinity", b"+1", b"0x1F", b".5"), "literal")
    return None if path is None else refused(item, path, msgspec.Raw(literal))


def too_large(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """More than any table could hold."""
    path = next(fields(rows, item, draw, NUMBERS), None)
    if path is None:
        return None
    literal = {Role.NUMBER: b"1e400", Role.INTEGER: b"1%b" % (b"0" * 30), Role.MONEY: b"-1.5e60"}[rows.roles[path]]
    return refused(item, path, msgspec.Raw(literal))


def not_an_object(_rows: TableRows, item: Item, draw: Draw) -> Spoiled:
    return Spoiled(draw.one_of((b"null", b'"gone"', b"[]", b"7"), "what"), item)


def number_as_text(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(plain_fields(rows, item, draw, NUMBERS), None)
    return None if path is None else refused(item, path, str(value_at(item, path)))


def lone_surrogate(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    path = next(plain_fields(rows, item, draw, {Role.TEXT}), None)
    literal = draw.one_of((rb'"\ud83d half"', rb'"\udc00"', b'"\xff\xfe"'), "literal")
    return None if path is None else refused(item, path, msgspec.Raw(literal))


def key_twice(rows: TableRows, item: Item, draw: Draw) -> Spoiled | None:
    """First with another value, then with the right one."""
    path = next((path for path in plain_fields(rows, item, draw, {*NUMBERS, Role.TEXT}) if len(path) == 1), None)
    if path is None:
        return None
    other = 7 if rows.roles[path] in NUMBERS else "another"
    return Spoiled(b'{"%b":%b,%b' % (path[0].encode(), msgspec.json.encode(other), msgspec.json.encode(item)[1:]), item)
