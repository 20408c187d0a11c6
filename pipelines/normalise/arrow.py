"""Arrow's text columns: the bytes behind them, and joining them.

Does not belong here: what the texts mean.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute

Array: TypeAlias = "pa.Array[Any]"
"""A column of one batch. Which type it has is said in words: the stubs' generic types do not survive computing."""

compute: Any = pyarrow.compute
"""Arrow's functions, untyped: their stubs allow less than they do."""


def join_texts(*parts: Array | str, skip_nulls: bool = False) -> Array:
    """Row by row, one text of all parts; null where a part is null, unless nulls are skipped."""
    handling = "skip" if skip_nulls else "emit_null"
    joined: Array = compute.binary_join_element_wise(*parts, "", null_handling=handling)
    return joined


def text_bytes(texts: Array) -> tuple[npt.NDArray[np.int32], memoryview]:
    """Offsets (one more than rows) and bytes of a text column. The column must not be a slice of another."""
    assert texts.offset == 0, "buffers of a slice begin elsewhere"
    _, offsets, data = texts.buffers()
    assert offsets is not None, "text columns have offsets"
    starts = np.frombuffer(memoryview(offsets), np.int32, len(texts) + 1)
    return starts, memoryview(data if data is not None else b"")


def fixed_width_bytes(texts: Array, width: int) -> bytes | None:
    """The texts that are not null, joined, if each of them is exactly `width` bytes long; else None."""
    if not len(texts):
        return b""
    offsets, data = text_bytes(texts)
    present = len(texts) - texts.null_count
    size = int(offsets[-1])
    if size != present * width or int(np.count_nonzero(np.diff(offsets) == width)) != present:
        return None
    return bytes(data[:size])
