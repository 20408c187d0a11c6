"""A demo tenant for measurements: a process of its own, on a processor of its own where there are two.

Does not belong here: what is asked of it, and how long that takes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TOKEN_SECONDS = 86_400
"""So that peers that fetch a token once come to their end."""


def processors() -> tuple[set[int], set[int]]:
    """For the tenant, and for who asks it: apart where there are two."""
    first, *others = sorted(os.sched_getaffinity(0))
    return {first}, set(others[:1]) or {first}


@contextmanager
def running_tenant(*arguments: str) -> Iterator[str]:
    """Its address. arguments: of `python -m demo`."""
    command = [sys.executable, "-m", "demo", "--port", "0", "--token-lifetime", str(TOKEN_SECONDS), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            os.sched_setaffinity(process.pid, processors()[0])
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                sys.exit("the demo tenant did not start")
            yield found.group()
        finally:
            process.terminate()


def ask(address: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """A control of the tenant, such as `/_demo/health`."""
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(address + path, data, timeout=600) as answer:
        return json.load(answer)


def requests_of(address: str) -> dict[str, int]:
    """How often what was asked so far, by method and path."""
    found: dict[str, int] = ask(address, "/_demo/stats")["requests"]
    return {path: count for path, count in found.items() if "/_demo" not in path}


def correct_costs(address: str, number: int, step: int = 1) -> None:
    """Let so many of the newest sessions cost one more: every `step`th of those that have costs."""
    rows = [row for row in ask(address, "/_demo/truth/sessions") if row["chargeCosts"] is not None]
    rows.sort(key=lambda row: str(row["endTime"]), reverse=True)
    chosen: Sequence[dict[str, Any]] = rows[: number * step : step]
    for row in chosen:
        change = {"chargeCosts": round(row["chargeCosts"] + 1, 4)}
        ask(address, "/_demo/edit", {"table": "sessions", "id": row["id"], "set": change})
