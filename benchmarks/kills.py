"""Nights of real processes: `chargelake sync` against a demo tenant on sockets, killed with SIGKILL at random instants.

    python -m benchmarks.kills --nights 8 --kills 3

Each night things happen, answers go wrong and rows come in other forms; the command is started and killed `--kills`
times, anywhere within what the last whole run took, and then left alone. After two deep runs in good weather every
table is compared with the tenant's truth by key and column, and one more run must write nothing.
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

from support.demo import RunningTenant, running_tenant
from support.lake_truth import SAME, differences, doubled

from demo.truth import TRUE_TABLES
from pipelines.contract import RESOURCES
from pipelines.lake import Lake

SETTINGS = {"CHARGELAKE_MAX_REQUESTS_PER_SECOND": "100000", "CHARGELAKE_DEEP_CORRECTION_DAYS": "150"}
FINE = {0, 3}
"""Exit codes of a run that came to its end."""


class Nights:
    """One tenant, one home, one night after the other."""

    def __init__(self, tenant: RunningTenant, home: Path, seed: int) -> None:
        self.figures: Counter[str] = Counter()
        self._tenant = tenant
        self._home = home
        self._chance = random.Random(seed)
        self._seconds = 4.0
        """What the last run took that was left alone."""

    def night(self, kills: int, rate: float, *, deep: bool) -> None:
        self.figures["nights"] += 1
        self._tenant.advance(hours=24)
        self.figures["changes"] += len(self._tenant.evolve(self._chance.getrandbits(30), changes=15))
        self._tenant.faults(self._chance.getrandbits(30), rate=rate, slow_seconds=0.1)
        self._tenant.malformed(self._chance.getrandbits(30), rate=0.01, permanent=0.001)
        for _ in range(kills):
            self._killed(deep=deep)
        if self.run(deep=deep) not in FINE:
            self.figures["failed runs"] += 1

    def settle(self) -> None:
        self._tenant.faults()
        self._tenant.malformed()
        self._tenant.mend()
        for _ in range(2):
            self._tenant.advance(hours=24)
            assert self.run(deep=True) in FINE

    def run(self, *arguments: str, deep: bool = False) -> int:
        begun = time.monotonic()
        code = self._start(*arguments, deep=deep).wait(300)
        self._seconds = time.monotonic() - begun
        self.figures["runs"] += 1
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

    def _killed(self, *, deep: bool) -> None:
        process = self._start(deep=deep)
        try:
            process.wait(self._chance.uniform(0.1, self._seconds))
            self.figures["too fast to be killed"] += 1
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            self.figures["kills"] += 1
        self.figures["runs"] += 1

    def _start(self, *arguments: str, deep: bool) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "sync", *arguments, *(["--deep"] if deep else [])],
            env=os.environ | self._tenant.env | SETTINGS | {"CHARGELAKE_HOME": str(self._home)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def main() -> None:
    """Run the nights, and say what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--nights", type=int, default=8)
    parser.add_argument("--kills", type=int, default=3, help="of each night")
    parser.add_argument("--rate", type=float, default=0.03, help="share of requests that meet a fault")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(31))
    options = parser.parse_args()
    home = Path(tempfile.mkdtemp())
    try:
        with running_tenant(users=4, newest_sessions=8) as tenant:
            nights = Nights(tenant, home, options.seed)
            for number in range(options.nights):
                nights.night(options.kills, options.rate, deep=number % 4 == 3)
            nights.figures.update({f"fault {kind}": number for kind, number in tenant.injected().items()})
            nights.settle()
            wrong, before = nights.wrong(), nights.versions()
            nights.run("--until", nights.until(), deep=True)
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
