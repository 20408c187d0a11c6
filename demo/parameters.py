"""Query parameters, read strictly: what the contract does not name, or names otherwise, is refused.

Does not belong here: what is done with the values (tenant.py).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime, timezone
from enum import StrEnum
from urllib.parse import parse_qsl

from demo.answers import ProblemError
from demo.listing import Span
from demo.world.times import to_ms

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 100
MAX_PAGE_INDEX = 2**31 - 1

_WHOLE_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_INSTANT = re.compile(r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)", re.ASCII)


class Bounds(StrEnum):
    """Whether the bounds of a time filter belong to it, which the API does not say."""

    INCLUSIVE = "inclusive"
    HALF_OPEN = "half-open"
    EXCLUSIVE = "exclusive"


def read_query(query: str, allowed: Collection[str] = (), required: Collection[str] = ()) -> dict[str, str]:
    """The parameters of a query string, each at most once, none unknown, none missing.

    Raises ProblemError 400 that names what is wrong.
    """
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), errors="strict", max_num_fields=100
        )
    except ValueError:
        raise ProblemError(400, "The query string cannot be read: expected name=value pairs in UTF-8.") from None
    values = dict(pairs)
    errors = {name: ["Unknown parameter."] for name in values if name not in allowed}
    errors |= {name: ["This parameter is required."] for name in required if name not in values}
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        errors |= {name: ["Given more than once."] for name in values if names.count(name) > 1}
    if errors:
        raise _invalid(errors)
    return values


def read_page(values: Mapping[str, str]) -> tuple[int, int]:
    """`pageIndex` and `pageSize`, or their defaults."""
    index = _whole_number(values, "pageIndex", 1, MAX_PAGE_INDEX)
    size = _whole_number(values, "pageSize", DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE)
    return index, size


def _whole_number(values: Mapping[str, str], name: str, default: int, largest: int) -> int:
    text = values.get(name)
    if text is None:
        return default
    if not _WHOLE_NUMBER.fullmatch(text) or not 1 <= int(text) <= largest:
        raise _invalid({name: [f"Expected a whole number from 1 to {largest}."]})
    return int(text)


def read_span(values: Mapping[str, str], lower: str, upper: str, bounds: Bounds) -> Span:
    """The moments that a pair of time filters lets through, in whole milliseconds."""
    first = after = None
    if lower in values:
        floor, is_whole = read_instant(values, lower)
        first = floor + (bounds is Bounds.EXCLUSIVE or not is_whole)
    if upper in values:
        floor, is_whole = read_instant(values, upper)
        after = floor + (bounds is Bounds.INCLUSIVE or not is_whole)
    return Span(first, after)


def read_instant(values: Mapping[str, str], name: str) -> tuple[int, bool]:
    """The milliseconds of a moment, and whether it is exactly that."""
    match = _INSTANT.fullmatch(values[name])
    if not match:
        raise _invalid({name: ["Expected UTC in ISO 8601, such as 2024-03-01T18:02:11.000Z."]})
    *parts, fraction = match.groups()
    try:
        second = datetime(*map(int, parts), tzinfo=timezone.utc)  # type: ignore[arg-type,misc]
    except ValueError:
        raise _invalid({name: ["No such moment."]}) from None
    digits = (fraction or "").ljust(9, "0")
    return to_ms(second) + int(digits[:3]), not int(digits[3:])


def read_flag(values: Mapping[str, str], name: str, *, default: bool) -> bool:
    text = values.get(name, "true" if default else "false")
    if text not in {"true", "false"}:
        raise _invalid({name: ["Expected true or false."]})
    return text == "true"


def _invalid(errors: dict[str, list[str]]) -> ProblemError:
    what = " ".join(f"{name}: {' '.join(messages)}" for name, messages in errors.items())
    return ProblemError(400, what, errors=errors)
