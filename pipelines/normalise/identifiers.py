"""UUIDs: 36 characters, hyphens where they belong, lower case. Nothing else ever counts as an identifier.

Does not belong here: keys made of identifiers (keys.py).
"""

from __future__ import annotations

import re

import numpy as np

from pipelines.normalise.arrow import Array, fixed_width_bytes

_UUID = re.compile(r"[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}")
_WIDTH = 36
_HYPHENS = [8, 13, 18, 23]


def canonical_uuid(text: str) -> str | None:
    """The UUID in lower case; None if `text` is none."""
    return text.lower() if _UUID.fullmatch(text) else None


def is_canonical_column(texts: Array) -> bool:
    """Whether every text that is not null is a lower-case UUID. False for a column of nulls only."""
    data = fixed_width_bytes(texts, _WIDTH)
    if not data or data.translate(None, b"0123456789abcdef-"):
        return False
    marks = np.frombuffer(data, np.uint8).reshape(-1, _WIDTH)[:, _HYPHENS]
    return bool((marks == ord("-")).all()) and data.count(b"-") == marks.size
