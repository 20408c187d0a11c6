"""Numbers: one canonical spelling for each value, and columns of them without loss.

A number arrives as int, as float, or (where a double would lose digits) as Decimal: see bodies.py.
Does not belong here: booleans and texts, which are no numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Context, Decimal, InvalidOperation
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.normalise.arrow import Array, compute

Number = int | float | Decimal

MONEY = pa.decimal128(38, 9)
_MAX_INT_DIGITS = 4000
_MONEY_DECIMALS = 9
_MONEY_INTEGER_DIGITS = 29
_MONEY_STEP = Decimal(1).scaleb(-_MONEY_DECIMALS)
_EXACT = Context(prec=64)
_SCALE = 1e9
_EXACT_MONEY = 2.0**22
"""Below this, two decimals with nine places are never the same double."""
_PLAIN_FROM, _PLAIN_TO = -6, 9
"""Powers of ten of the first digit between which a number is spelt without an exponent; as Arrow does."""


def to_decimal(value: Number) -> Decimal:
    """Exactly what the JSON said. A float stands for its shortest decimal spelling."""
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def exact_number(text: str) -> float | Decimal:
    """A JSON number with fraction or exponent, as a float if its shortest spelling says the same."""
    number = float(text)
    if repr(number) == text:
        return number
    try:
        exact = Decimal(text)
        return number if Decimal(repr(number)) == exact else exact
    except InvalidOperation:
        return number


def exact_whole_number(text: str) -> int | Decimal:
    """A JSON number without fraction and exponent. Python's int ends at some thousand digits, Decimal does not."""
    return int(text) if len(text) <= _MAX_INT_DIGITS else Decimal(text)


def canonical_number(value: Number) -> str:
    """`27`, `-0.4123`, `15e399`: the digits without leading or trailing zeros, an exponent only where it is far out."""
    negative, digits, exponent = to_decimal(value).as_tuple()
    assert isinstance(exponent, int), "JSON has no infinity"
    significant = "".join(map(str, digits)).lstrip("0")
    stripped = significant.rstrip("0")
    if not stripped:
        return "0"
    exponent += len(significant) - len(stripped)
    sign = "-" if negative else ""
    first = len(stripped) + exponent - 1
    if not _PLAIN_FROM <= first <= _PLAIN_TO:
        return f"{sign}{stripped}e{exponent}"
    if exponent >= 0:
        return sign + stripped + "0" * exponent
    point = len(stripped) + exponent
    return f"{sign}{stripped[:point]}.{stripped[point:]}" if point > 0 else f"{sign}0.{'0' * -point}{stripped}"


def fit_money(value: Number) -> Decimal | None:
    """The amount as it is stored; None if it has more than 9 decimals or more than 29 digits before the point."""
    amount = to_decimal(value)
    if not amount:
        return Decimal(0)
    if amount.adjusted() >= _MONEY_INTEGER_DIGITS:
        return None
    _, digits, exponent = amount.as_tuple()
    assert isinstance(exponent, int), "JSON has no infinity"
    spare = -exponent - _MONEY_DECIMALS
    if spare > 0 and (spare >= len(digits) or any(digits[-spare:])):
        return None
    return amount.quantize(_MONEY_STEP, context=_EXACT)


def float_column(values: Sequence[int | float | None]) -> Array | None:
    """A column of doubles, if no integer in it needs more than a double has; else None."""
    try:
        return pa.array(values, pa.float64())
    except (pa.ArrowInvalid, OverflowError):
        return None


def is_ordinary_number(value: Any) -> bool:
    """Whether a value is a number that canonical_floats can spell."""
    return type(value) in {int, float} and (10.0**_PLAIN_FROM <= abs(value) < 10.0 ** (_PLAIN_TO + 1) or value == 0)


def canonical_floats(numbers: Array) -> Array | None:
    """canonical_number of a whole column; None if one of them has an exponent or is minus zero."""
    present = numbers.drop_null().to_numpy(zero_copy_only=False)
    size = np.abs(present)
    ordinary = (size >= 10.0**_PLAIN_FROM) & (size < 10.0 ** (_PLAIN_TO + 1)) | ((size == 0) & ~np.signbit(present))
    return compute.cast(numbers, pa.string()) if bool(ordinary.all()) else None


def money_from_floats(numbers: Array) -> Array | None:
    """A column of amounts, if each is surely the one decimal with at most nine places that the double stands for.

    Such a decimal is unique below 2**22, and dividing the scaled whole number gives the double again only for it.
    """
    amounts = numbers.fill_null(0.0).to_numpy(zero_copy_only=False)
    if not bool((np.abs(amounts) < _EXACT_MONEY).all()):
        return None
    scaled = np.rint(amounts * _SCALE)
    if not np.array_equal(scaled / _SCALE, amounts):
        return None
    words = np.empty((len(amounts), 2), np.int64)
    words[:, 0] = scaled
    words[:, 1] = words[:, 0] >> 63
    validity = numbers.buffers()[0]
    return pa.Decimal128Array.from_buffers(MONEY, len(amounts), [validity, pa.py_buffer(words.tobytes())])
