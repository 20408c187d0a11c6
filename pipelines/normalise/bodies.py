"""The bytes of an answer: its numbers to the last digit, and its items exactly as they came.

Does not belong here: fetching, or judging whether a body is whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from pipelines.normalise.brackets import find_elements
from pipelines.normalise.model import RawPage
from pipelines.normalise.numerals import exact_number

DOUBLE_DIGITS = 15
"""Significant digits that a double surely keeps."""

_STRIDE = 8
_REACH = 32
"""Characters to either side; the shortest spelling of a double has at most 24."""
_NUMBER = re.compile(rb"[0-9.eE+/-]+")
_ENDS_IN_NUMBER = re.compile(rb"[0-9.eE+-]+\Z")
_LONG_NUMBER = re.compile(rb"[0-9.]{%d}" % (DOUBLE_DIGITS + 1))


class _Envelope(msgspec.Struct):
    items: list[msgspec.Raw]


def exact_items(pages: Sequence[RawPage]) -> list[list[Any]]:
    """Each page's items with numbers as the body says: Decimal where a double would lose digits."""
    lossy = lossy_bodies([page.body for page in pages])
    return [_decoded_exactly(page) if number in lossy else page.items for number, page in enumerate(pages)]


def exact_body(body: bytes, data: Any) -> Any:
    """`data`, which is the decoded body, with numbers as the body says: for who takes an answer apart into pages."""
    exact = _decode_exactly(body) if lossy_bodies([body]) else None
    return data if exact is None else exact


def _decoded_exactly(page: RawPage) -> list[Any]:
    exact = _items_in(_decode_exactly(page.body), page)
    return page.items if exact is None else exact


def _decode_exactly(body: bytes) -> Any:
    """None where a strict reader refuses the body."""
    try:
        return _EXACT.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def lossy_bodies(bodies: Sequence[bytes]) -> set[int]:
    """Those of the bodies in which a number may stand that is not the shortest spelling of a double.

    All are looked at as one, for there may be many small ones.
    """
    together = b" ".join(bodies)
    places = _long_runs(together)
    ends = np.cumsum([len(body) + 1 for body in bodies])
    lossy: set[int] = set()
    for place, number in zip(places.tolist(), np.searchsorted(ends, places, "right").tolist(), strict=True):
        if number not in lossy and _is_lossy(together, place):
            lossy.add(number)
    return lossy


def _long_runs(body: bytes) -> npt.NDArray[np.int64]:
    """A place within each run of 16 digits or more, and some that are none.

    Such a run covers two neighbours among every eighth byte and all between them, so only those are looked at first.
    """
    data = np.frombuffer(body, np.uint8)
    sampled = _is_numeric(data[::_STRIDE])
    starts = np.flatnonzero(sampled[1:] & sampled[:-1]) * _STRIDE
    for step in (4, 2, 6, 1, 3, 5, 7):
        starts = starts[_is_numeric(data[starts + step])]
    return starts


def _is_lossy(body: bytes, place: int) -> bool:
    """Whether the number around a digit would lose some as a double. Whole numbers are never read as doubles."""
    before = _ENDS_IN_NUMBER.search(body[max(0, place - _REACH) : place])
    after = _NUMBER.match(body, place, place + _REACH)
    assert after is not None, "the place is that of a digit"
    text = (before.group() if before else b"") + after.group()
    if not _LONG_NUMBER.search(text) or text.lstrip(b"-").isdigit():
        return False
    try:
        return repr(float(text)).encode() != text
    except ValueError:
        return True


def _is_numeric(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Digits and the point (and a slash, which does no harm)."""
    return data - np.uint8(ord(".")) < np.uint8(12)


_EXACT = msgspec.json.Decoder(float_hook=exact_number)


def raw_items(page: RawPage) -> Callable[[int], str]:
    """Index of an item -> its JSON as it came."""
    if _is_one_object(page):
        return lambda _: page.body.strip().decode("utf-8", "backslashreplace")
    raws = _raws_by_reader(page.body, len(page.items)) or _raws_by_brackets(page.body, len(page.items))
    if raws is None:
        return lambda index: json.dumps(page.items[index], ensure_ascii=True, default=repr)
    return lambda index: raws[index].decode("utf-8", "backslashreplace")


def _items_in(data: Any, page: RawPage) -> list[Any] | None:
    """The items of a decoded body, in the form in which the page has them."""
    items = data.get("items") if isinstance(data, dict) else data
    if isinstance(items, list) and len(items) == len(page.items) and not _is_one_object(page):
        return items
    return [data] if len(page.items) == 1 and isinstance(data, dict) else None


def _is_one_object(page: RawPage) -> bool:
    """Whether the body is the item itself, not an envelope, though it has a field `items`."""
    if len(page.items) != 1 or not isinstance(page.items[0], dict) or "items" not in page.items[0]:
        return False
    try:
        return msgspec.json.decode(page.body, type=dict[str, msgspec.Raw]).keys() == page.items[0].keys()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _raws_by_reader(body: bytes, count: int) -> Sequence[bytes] | None:
    forms: tuple[Any, ...] = (list[msgspec.Raw], _Envelope, msgspec.Raw)
    for form in forms:
        try:
            found: Any = msgspec.json.decode(body, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            continue
        raws = found.items if isinstance(found, _Envelope) else found if isinstance(found, list) else [found]
        if len(raws) == count:
            return [bytes(raw) for raw in raws]
    return None


def _raws_by_brackets(body: bytes, count: int) -> Sequence[bytes] | None:
    found = find_elements(body)
    return found.raws if found is not None and len(found.raws) == count else None
