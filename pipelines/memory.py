"""How a process of ours gets memory from the machine: so that it gives back what it does not need any more.

Arrow's own allocator (see pipelines/__init__.py), a heap for each of the libraries' many threads, and the C library's
habit of taking ever larger pieces from its heaps keep what was freed: the same night took 630 MB instead of 410.
Does not belong here: who needs memory for what.
"""

from __future__ import annotations

import ctypes
from functools import cache

HEAPS = 2
MAPPED_BYTES = 131_072
"""Pieces from this size on are taken from the machine one by one, and go back to it one by one."""

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""Of glibc's mallopt(3)."""


@cache
def spare_memory() -> None:
    """To be called before the work begins. Where the C library is not glibc, nothing happens."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, HEAPS)
        mallopt(_M_MMAP_THRESHOLD, MAPPED_BYTES)
