r"""The canonical content of a row, and its hash. This page is the definition; columns.py only computes it faster.

`_row_hash` is XXH3-128 (seed 0, 32 lower-case hex digits) of the UTF-8 bytes of one JSON object without blanks:

- **Members** are the item's leaves: `"path":value`, sorted by path (by code point). An object's members are leaves
  of their own, so objects vanish in favour of dotted paths, and an empty object is nothing at all. A `\`, `.` or
  `[` inside a field's name is written `\\`, `\.` or `\[` in the path, so that no name can pose as a nested one.
- **Null** members are left out: a missing field equals null. An empty array is a value and stays.
- **Values** are spelt by their own JSON shape, never by what the contract says of them, so that a field which moves
  from `_extra` into the contract changes nothing:
  - a text that is an instant (instants.py) becomes `yyyy-MM-ddTHH:mm:ss.fffZ`, one of 36 characters that is a UUID
    becomes lower case, any other stays. Escaped are `"`, `\` and characters below U+0020, as Python's json does;
  - a number is spelt by canonical_number (numerals.py): 27, 27.0 and 2.70e1 are `27`. It is exactly what the JSON
    says; only numbers nearer to zero than 1e-300 are taken as a double reads them;
  - true, false;
  - an array keeps its order; nulls in it stay; objects in it have their names sorted and their nulls left out.
- The **one exception**: words of fields that the contract declares as an enum are first put into v2's spelling,
  also where the field is a member of the objects in a declared array.

`_extra` is the object of those members whose path the contract does not know. To them come, for the names that the
objects of a declared array have beyond the contract, members `"path[].name":[...]`: one value for each element of the
array, null where it has none, and no member where none has one. Those are not members of the hashed object, for the
array's own text holds them: a name that moves into the contract changes nothing.

Does not belong here: what is stored in columns (reading.py, columns.py).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

import xxhash

from pipelines.contract import Field, Kind, Resource
from pipelines.contract.vocabulary import spelling_map
from pipelines.normalise.model import Unreadable
from pipelines.normalise.numerals import canonical_number
from pipelines.normalise.words import canonical_string, json_string

MAX_DEPTH = 64
"""Levels of arrays and objects in an item; a deeper one is set aside."""
MAX_PATH_CHARACTERS = 1_000_000
"""Of all paths of an item together; one with more (nested names repeat in each path) is set aside."""

_MARKS = re.compile(r"[\\.\[]")
"""What means something in a path."""

OUT_OF_BOUNDS = "whose exponent no reader can hold"

ENUMS = frozenset({Kind.ENUM, Kind.ENUM_LIST})


def canonical_hash(content: Mapping[str, Any], resource: Resource | None = None) -> str:
    """The `_row_hash` of a decoded JSON item.

    resource: whose declared enums are put into v2's spelling; without it no word is.
    Raises Unreadable if the item is nested too deep or holds no Unicode text.
    """
    return hash_of(members(content, resource))


def hash_of(texts: Mapping[str, str]) -> str:
    """The hash of members: path -> JSON text."""
    return xxhash.xxh3_128_hexdigest(encodable(object_text(texts)).encode())


def encodable(text: str) -> str:
    """The text itself. Raises Unreadable if it is no Unicode text."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable("expected Unicode text, got a lone surrogate or broken UTF-8") from None
    return text


def object_text(texts: Mapping[str, str]) -> str:
    """The canonical JSON object of members: path -> JSON text."""
    return "{" + ",".join([f"{json_string(path)}:{texts[path]}" for path in sorted(texts)]) + "}"


def members(content: Mapping[str, Any], resource: Resource | None) -> dict[str, str]:
    """Path -> canonical JSON text of every leaf that is not null."""
    declared = resource.by_path if resource else {}
    texts = {}
    for path, value, depth in leaves(content):
        if value is None or isinstance(value, dict):
            continue
        known = declared.get(path)
        try:
            texts[path] = canonical_text(respelt(known, value) if known else value, depth)
        except Unreadable as error:
            raise Unreadable(error.reason, path) from None
    return texts


def leaves(content: Mapping[str, Any]) -> Iterator[tuple[str, Any, int]]:
    """Every (path, value, depth) that is no object with members of its own; nulls and empty objects included."""
    characters = 0
    pending = [(escape_name(name), value, 1) for name, value in content.items()]
    while pending:
        path, value, depth = pending.pop()
        characters += len(path)
        if characters > MAX_PATH_CHARACTERS:
            raise Unreadable(f"expected an item of ordinary size, got paths of over {MAX_PATH_CHARACTERS} characters")
        if isinstance(value, dict) and value:
            if depth >= MAX_DEPTH:
                raise Unreadable(f"expected at most {MAX_DEPTH} levels of nesting, got more")
            pending.extend((f"{path}.{escape_name(name)}", child, depth + 1) for name, child in value.items())
        else:
            yield path, value, depth


def escape_name(name: str) -> str:
    """A field's name as one part of a path."""
    return _MARKS.sub(r"\\\g<0>", name) if _MARKS.search(name) else name


def member_path(path: str, name: str) -> str:
    """The path of what the objects of an array call `name`: `tariffs[].price`."""
    return f"{path}[].{escape_name(name)}"


def unknown_members(declared: Field, value: list[Any], depth: int) -> dict[str, str]:
    """What a declared array of objects adds to `_extra`. Raises Unreadable if something in it is nested too deep."""
    objects = [element if isinstance(element, dict) else {} for element in value]
    names = {name for element in objects for name, held in element.items() if held is not None}
    return {
        member_path(declared.path, name): canonical_text([element.get(name) for element in objects], depth)
        for name in names.difference(member.path for member in declared.members)
    }


def canonical_text(value: Any, depth: int = 1) -> str:
    """The canonical JSON text of a value that is not null. Raises Unreadable if it is nested too deep."""
    if isinstance(value, str):
        return json_string(canonical_string(value))
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float | Decimal):
        if isinstance(value, float) and not math.isfinite(value):
            raise Unreadable(f"expected a number, got one {OUT_OF_BOUNDS}")
        return canonical_number(value)
    if depth > MAX_DEPTH:
        raise Unreadable(f"expected at most {MAX_DEPTH} levels of nesting, got more")
    if isinstance(value, list):
        return "[" + ",".join(["null" if v is None else canonical_text(v, depth + 1) for v in value]) + "]"
    assert isinstance(value, dict), "JSON has no other values"
    return object_text({name: canonical_text(v, depth + 1) for name, v in value.items() if v is not None})


def respelt(declared: Field, value: Any) -> Any:
    """The value of a declared field with the words of enums in v2's spelling; anything else as it is."""
    if declared.kind in ENUMS:
        spelling = _spelling(declared.values)
        if isinstance(value, str):
            return spelling.get(value, value)
        if isinstance(value, list):
            return [spelling.get(word, word) if isinstance(word, str) else word for word in value]
    elif declared.kind is Kind.OBJECT_LIST and isinstance(value, list):
        enums = {member.path: member for member in declared.members if member.kind in ENUMS}
        return [_respelt_object(enums, element) if isinstance(element, dict) else element for element in value]
    return value


def _respelt_object(enums: Mapping[str, Field], element: Mapping[str, Any]) -> dict[str, Any]:
    return {name: respelt(enums[name], value) if name in enums else value for name, value in element.items()}


@lru_cache(maxsize=256)
def _spelling(words: tuple[str, ...]) -> Mapping[str, str]:
    return spelling_map(words)
