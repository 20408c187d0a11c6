"""The bytes behind Arrow's text columns, so that a whole column is judged at once.

Does not belong here: what the bytes mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa


def text_bytes(texts: pa.StringArray) -> tuple[npt.NDArray[np.int32], memoryview]:
    """Offsets (one more than rows) and bytes of a text column. The column must not be a slice of another."""
    assert texts.offset == 0, "buffers of a slice begin elsewhere"
    _, offsets, data = texts.buffers()
    return np.frombuffer(offsets, np.int32, len(texts) + 1), memoryview(data if data is not None else b"")


def fixed_width_bytes(texts: pa.StringArray, width: int) -> bytes | None:
    """The texts that are not null, joined, if each of them is exactly `width` bytes long; else None."""
    if not len(texts):
        return b""
    offsets, data = text_bytes(texts)
    present = len(texts) - texts.null_count
    size = int(offsets[-1])
    if size != present * width or int(np.count_nonzero(np.diff(offsets) == width)) != present:
        return None
    return bytes(data[:size])
