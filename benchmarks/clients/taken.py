"""What a piece of work took: wall and processor seconds, and the process's peak memory. Of the standard library alone.

Seconds are those of the work; the peak is that of the whole process, imports included.
Does not belong here: the work.
"""

from __future__ import annotations

import json
import re
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def telling() -> Iterator[dict[str, Any]]:
    """Measures what is done in it, and prints it as one line of JSON with what is put into the dictionary."""
    told: dict[str, Any] = {}
    began, used = time.monotonic(), _processor_seconds()
    yield told
    told |= {"seconds": time.monotonic() - began, "cpu": _processor_seconds() - used, "peak_mb": _peak_mb()}
    print(json.dumps(told), flush=True)


def _processor_seconds() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _peak_mb() -> float:
    """Of this program alone: what getrusage tells begins with the memory of whoever started it."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None, "Linux tells it"
    return int(found.group(1)) / 1000
