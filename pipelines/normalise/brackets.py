"""A body that a JSON reader refuses as a whole, because of one item: its items are found by counting brackets.

Does not belong here: bodies that are cut short; their brackets do not match, and asking again mends them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, NoReturn

import msgspec

from pipelines.normalise.model import UnreadableItem
from pipelines.normalise.numerals import exact_number, exact_whole_number

_TOKEN = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},:]', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Elements:
    """The elements of the array `items`, or of the body if that is an array. start, end: of what is between its
    brackets.
    """

    raws: list[bytes]
    start: int
    end: int


def find_elements(body: bytes) -> Elements | None:
    """The elements as they came, without blanks around them; None where brackets do not match or there is no array."""
    found: Elements | None = None
    raws: list[bytes] = []
    open_brackets: list[bytes] = []
    level, array_start, start = 0, 0, 0
    before: tuple[bytes, bytes] = (b"", b"")
    for match in _TOKEN.finditer(body):
        token = match.group()
        here = len(open_brackets)
        if token in {b"[", b"{"}:
            is_list = here == 0 or (open_brackets == [b"{"] and before == (b'"items"', b":"))
            if token == b"[" and is_list and not level:
                raws, level, array_start, start = [], here + 1, match.end(), match.end()
            open_brackets.append(token)
        elif token in {b"]", b"}"}:
            if not open_brackets or open_brackets.pop() + token not in {b"[]", b"{}"}:
                return None
            if level and here == level:
                last = body[start : match.start()].strip()
                found = Elements([*raws, last] if raws or last else [], array_start, match.start())
                level = 0
        elif token == b"," and level and here == level:
            raws.append(body[start : match.start()].strip())
            start = match.end()
        before = (before[1], token)
    return None if open_brackets else found


def decode_leniently(body: bytes) -> Any:
    """The JSON of a list whose items include some that a strict reader refuses; those come as they can be held.

    Texts with lone surrogates or broken UTF-8 come with lone surrogates, numbers beyond a double as Decimal, an item
    nested too deep as UnreadableItem. Normalising sets such rows aside.
    Raises ValueError if the body is not the JSON of a list, for example cut short.
    """
    elements = find_elements(body)
    if elements is None:
        raise ValueError("expected a JSON list, got something else or a part of one")
    items = [_decode_element(raw) for raw in elements.raws]
    around = msgspec.json.decode(body[: elements.start] + body[elements.end :])
    return {**around, "items": items} if isinstance(around, dict) else items


def _decode_element(raw: bytes) -> Any:
    try:
        return msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass
    try:
        return json.loads(
            raw.decode("utf-8", "surrogateescape"),
            parse_float=exact_number,
            parse_int=exact_whole_number,
            parse_constant=_refuse,
        )
    except RecursionError:
        return UnreadableItem("JSON nested deeper than any reader goes")
    except ValueError:
        return UnreadableItem("no JSON")  # its brackets match, so the body was not cut short


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"expected JSON, got {constant}")
