"""Nights of real processes: the command against a demo tenant on sockets, killed with SIGKILL at random instants.

    python -m benchmarks.kills --nights 24 --kills 3

Each night things happen, answers go wrong and rows come in other forms; `chargelake sync` is started and killed
`--kills` times, anywhere within what the last whole run took, and then left alone. Every other night a maintenance is
killed, every sixth a build and a publishing as well, and then left alone; whatever is killed, the published file must
be whole. After two deep runs in good weather every table is compared with the tenant's truth by key and column, the
published sessions and users are compared by key, and one more run must write nothing.
A seed gives the same changes and the same plan of faults, but not the same instants of death.
Does not belong here: deaths that can be replayed (soak.py).
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

import duckdb
from support.demo import RunningTenant, running_tenant
from support.lake_truth import SAME, differences, doubled

from demo.truth import TRUE_TABLES
from pipelines.contract import RESOURCES
from pipelines.lake import Lake
from warehouse.project import model_tables

SETTINGS = {"CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000", "CHARGELAKE_DEEP_CORRECTION_DAYS": "150"}
FIRST_GUESS_SECONDS = 4.0
FINE = {0, 3}
"""Exit codes of a run that came to its end."""


class Nights:
    """One tenant, one home, one night after the other."""

    def __init__(self, tenant: RunningTenant, home: Path, seed: int) -> None:
        self.figures: Counter[str] = Counter()
        self._tenant = tenant
        self._home = home
        self._chance = random.Random(seed)
        self._seconds: dict[str, float] = {}
        """What the last run of each kind took that was left alone."""

    def night(self, kills: int, rate: float, *, deep: bool) -> None:
        self.figures["nights"] += 1
        self._tenant.advance(hours=24)
        self.figures["changes"] += len(self._tenant.evolve(self._chance.getrandbits(30), changes=15))
        self._tenant.faults(self._chance.getrandbits(30), rate=rate, slow_seconds=0.1)
        self._tenant.malformed(self._chance.getrandbits(30), rate=0.01, permanent=0.001)
        sync = ("sync", "--deep") if deep else ("sync",)
        for _ in range(kills):
            self._killed(*sync)
        if self.run(*sync) not in FINE:
            self.figures["failed runs"] += 1
        if self.figures["nights"] % 2 == 0:
            self._killed("maintain")
            self._must("maintain")
        if self.figures["nights"] % 6 == 0:
            self.publish(kills=1)

    def publish(self, kills: int = 0) -> None:
        """Build and publish; before that, die so many times at each."""
        for verb in ("build", "publish"):
            for _ in range(kills):
                self._killed(verb)
                self._look()
            self._must(verb)
            self._look()

    def _must(self, *arguments: str) -> None:
        """Run what has no reason to fail."""
        if self.run(*arguments) not in FINE:
            raise SystemExit(f"`chargelake {' '.join(arguments)}` failed: {self._said.read_text()}")

    def settle(self) -> None:
        self._tenant.faults()
        self._tenant.malformed()
        self._tenant.mend()
        for _ in range(2):
            self._tenant.advance(hours=24)
            self._must("sync", "--deep")

    def run(self, *arguments: str) -> int:
        begun = time.monotonic()
        code = self._start(*arguments).wait(600)
        self._seconds[arguments[0]] = time.monotonic() - begun
        self.figures[f"runs of {arguments[0]}"] += 1
        return code

    def wrong(self) -> list[str]:
        found = []
        for name in TRUE_TABLES:
            truth, key = self._tenant.truth(name), RESOURCES[name].key_columns
            self.figures["rows compared"] += len(truth)
            difference = differences(self._home / "lake", name, truth, key)
            if difference != SAME:
                found.append(f"{name}: {str(difference)[:500]}")
            if twice := doubled(self._home / "lake", name, key):
                found.append(f"{name}: doubled {twice[:3]}")
        return found

    def versions(self) -> dict[str, int | None]:
        lake = Lake(str(self._home / "lake"))
        return {name: lake.version(name) for name in RESOURCES}

    def until(self) -> str:
        """The end of the last run's windows."""
        ends = [record["window_until"] for record in Lake(str(self._home / "lake")).runs().rows()]
        return max(ends).isoformat()

    def wrong_in_published(self) -> list[str]:
        """Tables of the published file that do not have the tenant's keys."""
        found = []
        for table, key, name in (("fct_sessions", "session_id", "sessions"), ("dim_users", "user_id", "users")):
            living = "" if name == "sessions" else "where not is_deleted"
            with duckdb.connect(str(self._published.resolve()), read_only=True) as connection:
                rows = connection.execute(f"select {key}::varchar from marts.{table} {living}").fetchall()
            truth = sorted(row["id"] for row in self._tenant.truth(name))
            if sorted(row[0] for row in rows) != truth:
                found.append(f"published {table}: {len(rows)} rows, expected the {len(truth)} keys of the tenant")
        return found

    @property
    def _published(self) -> Path:
        return self._home / "warehouse" / "current.duckdb"

    def _look(self) -> None:
        """Read all that is published, as whoever comes now would."""
        if not self._published.exists():
            return
        with duckdb.connect(str(self._published.resolve()), read_only=True) as connection:
            tables = connection.execute(
                "select schema_name || '.' || table_name from duckdb_tables() where schema_name in ('marts', 'ops')"
            ).fetchall()
            assert len(tables) == len(model_tables("marts", "ops"))
            for (table,) in tables:
                connection.execute(f"select * from {table}").fetchall()
        self.figures["looks at the published file"] += 1

    def _killed(self, *arguments: str) -> None:
        process = self._start(*arguments)
        try:
            process.wait(self._chance.uniform(0.1, self._seconds.get(arguments[0], FIRST_GUESS_SECONDS)))
            self.figures[f"{arguments[0]} too fast to be killed"] += 1
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.figures[f"kills of {arguments[0]}"] += 1

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            env=os.environ | self._tenant.env | SETTINGS | {"CHARGELAKE_HOME": str(self._home)},
            stdout=subprocess.DEVNULL,
            stderr=self._said.open("w"),
            start_new_session=True,
        )

    @property
    def _said(self) -> Path:
        """What the last process complained of."""
        return self._home / "said.txt"


def main() -> None:
    """Run the nights, and say what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--nights", type=int, default=24)
    parser.add_argument("--kills", type=int, default=3, help="of each night")
    parser.add_argument("--rate", type=float, default=0.03, help="share of requests that meet a fault")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(31))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    home = Path(tempfile.mkdtemp())
    try:
        with running_tenant(users=4, newest_sessions=8) as tenant:
            nights = Nights(tenant, home, options.seed)
            for number in range(options.nights):
                nights.night(options.kills, options.rate, deep=number % 4 == 3)
            nights.figures.update({f"fault {kind}": number for kind, number in tenant.injected().items()})
            nights.settle()
            nights.publish()
            wrong, before = nights.wrong() + nights.wrong_in_published(), nights.versions()
            nights.run("sync", "--deep", "--until", nights.until())
            wrong += [
                f"{name}: written again" for name, version in nights.versions().items() if version != before[name]
            ]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    for name, number in sorted(nights.figures.items()):
        print(f"{name:<32}{number:>12,}")
    for text in wrong:
        print(f"seed {options.seed}: {text}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
