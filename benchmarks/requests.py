"""How many requests a night takes: the first, a quiet one, one after changes; on the demo tenant and on a large one.

    python -m benchmarks.requests                      # the demo tenant: 97 users
    python -m benchmarks.requests --copies 206 --newest-sessions 5 --without solar_energy,dynamic_tariffs

The second has about 20,000 users; without the two tables whose history alone would be 130 million rows.

Requests are counted at the server. The clock is moved by a day between nights, so a quiet night sees what a day brings
by itself: forecasts that become actuals, readings, messages. For the night after changes, `--changes` sessions get
other costs. Peak memory is that of the process that syncs. Does not belong here: how fast it is.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from demo.run import credentials
from pipelines.contract import RESOURCES

ROOT = Path(__file__).resolve().parents[1]
UNLIMITED = {"CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000", "CHARGELAKE_MAX_CONCURRENCY": "16"}


def main() -> None:
    """Run the nights and print one line for each."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--copies", type=int, default=1)
    parser.add_argument("--newest-sessions", type=int)
    parser.add_argument("--changes", type=int, default=20)
    parser.add_argument("--without", default="", help="lake tables that are left out, separated by commas")
    options = parser.parse_args()
    arguments = ["--copies", str(options.copies)] if options.copies > 1 else []
    arguments += ["--newest-sessions", str(options.newest_sessions)] if options.newest_sessions else []
    with tempfile.TemporaryDirectory() as home, _tenant(arguments) as address:
        print(f"{'night':<22}{'users':>8}{'requests':>10}{'seconds':>9}{'peak MB':>9}  asked most")
        left_out = set(options.without.split(","))
        tables = ",".join(name for name in RESOURCES if name not in left_out)
        _night("first", address, home, tables)
        _ask(address, "/_demo/advance", {"days": 1})
        _night("quiet", address, home, tables)
        _ask(address, "/_demo/advance", {"days": 1})
        _change_costs(address, options.changes)
        _night(f"{options.changes} sessions changed", address, home, tables)


def _night(name: str, address: str, home: str, tables: str) -> None:
    before = _requests(address)
    began = time.monotonic()
    code = f"import resource, sys; from pipelines.cli import main\ntry: main()\nfinally: {_REPORT_MEMORY}"
    done = subprocess.run(  # our own command
        [sys.executable, "-c", code, "sync", "--json", "--collections", tables],
        env=os.environ | credentials(address) | UNLIMITED | {"CHARGELAKE_HOME": home},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - began
    if done.returncode:
        sys.exit(f"the sync ended with {done.returncode}: {done.stderr[-500:]}")
    asked = {path: count - before.get(path, 0) for path, count in _requests(address).items()}
    most = sorted(((count, path) for path, count in asked.items() if count), reverse=True)[:4]
    users = _ask(address, "/_demo/health")["rows"]["users"]
    peak = int(re.findall(r"peak (\d+)", done.stderr)[-1]) / 1000
    shown = ", ".join(f"{path.removeprefix('GET ')} {count:,}" for count, path in most)
    print(f"{name:<22}{users:>8,}{sum(asked.values()):>10,}{seconds:>9.1f}{peak:>9.0f}  {shown}", flush=True)


_REPORT_MEMORY = "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"  # kB on Linux


def _change_costs(address: str, number: int) -> None:
    """Correct the costs of sessions that ended within the last days."""
    rows = [row for row in _ask(address, "/_demo/truth/sessions") if row["chargeCosts"] is not None]
    rows.sort(key=lambda row: str(row["endTime"]), reverse=True)
    for row in rows[:number]:
        change = {"chargeCosts": round(row["chargeCosts"] + 1, 4)}
        _ask(address, "/_demo/edit", {"table": "sessions", "id": row["id"], "set": change})


def _requests(address: str) -> dict[str, int]:
    found: dict[str, int] = _ask(address, "/_demo/stats")["requests"]
    return {path: count for path, count in found.items() if "/_demo" not in path}


def _ask(address: str, path: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(address + path, data, timeout=300) as answer:
        return json.load(answer)


@contextmanager
def _tenant(arguments: list[str]) -> Iterator[str]:
    command = [sys.executable, "-m", "demo", "--port", "0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        try:
            assert process.stdout is not None
            found = re.search(r"http://\S+", process.stdout.readline())
            if found is None:
                sys.exit("the demo tenant did not start")
            yield found.group()
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
