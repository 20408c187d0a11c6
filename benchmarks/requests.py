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
import os
import re
import subprocess
import sys
import tempfile
import time

from benchmarks.tenant import ROOT, ask, correct_costs, requests_of, running_tenant
from demo.run import credentials
from pipelines.contract import RESOURCES

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
    with tempfile.TemporaryDirectory() as home, running_tenant(*arguments) as address:
        print(f"{'night':<22}{'users':>8}{'requests':>10}{'seconds':>9}{'peak MB':>9}  asked most")
        left_out = set(options.without.split(","))
        tables = ",".join(name for name in RESOURCES if name not in left_out)
        _night("first", address, home, tables)
        ask(address, "/_demo/advance", {"days": 1})
        _night("quiet", address, home, tables)
        ask(address, "/_demo/advance", {"days": 1})
        correct_costs(address, options.changes)
        _night(f"{options.changes} sessions changed", address, home, tables)


def _night(name: str, address: str, home: str, tables: str) -> None:
    before = requests_of(address)
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
    asked = {path: count - before.get(path, 0) for path, count in requests_of(address).items()}
    most = sorted(((count, path) for path, count in asked.items() if count), reverse=True)[:4]
    users = ask(address, "/_demo/health")["rows"]["users"]
    peak = int(re.findall(r"peak (\d+)", done.stderr)[-1]) / 1000
    shown = ", ".join(f"{path.removeprefix('GET ')} {count:,}" for count, path in most)
    print(f"{name:<22}{users:>8,}{sum(asked.values()):>10,}{seconds:>9.1f}{peak:>9.0f}  {shown}", flush=True)


_REPORT_MEMORY = "print('peak', resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"  # kB on Linux


if __name__ == "__main__":
    main()
