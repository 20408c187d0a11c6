"""Nights without end against the demo tenant in this process: changes, faults and crashes from fresh seeds.

    python -m benchmarks.soak --minutes 20            # fresh seeds; prints each that fails
    python -m benchmarks.soak --seed 1234             # the nights of one seed again

Seven seeds of eight ask for some of the tables only, which are drawn, so that there are more nights. Every other seed
meets faults that show, rows in other forms and crashes; the others meet faults that lie as well.
After `--nights` nights of a seed come deep runs in good weather; then every table is compared with the tenant's truth
by key and column, and one more run must write nothing. docs/reliability.md has the figures.
Does not belong here: real processes and SIGKILL (tests).
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from support.simulation import ALL_FAULTS, HONEST, Simulation, some_collections

from pipelines.contract import RESOURCES

Outcome = tuple[int, str, Counter[str]]
MEMORY = Path("/dev/shm")
"""Where it is there, lakes are kept in it: disks are not what is under test."""
SETTLING_NIGHTS = 2
"""After lies: what a lie took away the first deep run may only miss, and the second proves."""


def main() -> None:
    """Simulate until the time is over, and say what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--nights", type=int, default=8, help="of each seed")
    parser.add_argument("--rate", type=float, default=0.05, help="share of requests that meet a fault")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.seed is not None:
        sys.exit(1 if _told(_simulate((options.seed, options.nights, options.rate)), Counter()) else 0)
    ends = time.monotonic() + 60 * options.minutes
    totals: Counter[str] = Counter()
    failed = 0
    with ProcessPoolExecutor(options.workers, multiprocessing.get_context("spawn")) as pool:
        running: set[Future[Outcome]] = set()
        while running or time.monotonic() < ends:
            while len(running) < options.workers and time.monotonic() < ends:
                seed = random.SystemRandom().getrandbits(31)
                running.add(pool.submit(_simulate, (seed, options.nights, options.rate)))
            done, running = wait(running, return_when=FIRST_COMPLETED)
            failed += sum(_told(one.result(), totals) for one in done)
    for name, number in sorted(totals.items()):
        print(f"{name:<32}{number:>12,}")
    print(f"{'seeds that failed':<32}{failed:>12,}")
    sys.exit(1 if failed else 0)


def _simulate(order: tuple[int, int, float]) -> Outcome:
    """The nights of one seed: the seed, what is wrong in the end, what was counted."""
    seed, nights, rate = order
    home = Path(tempfile.mkdtemp(dir=MEMORY if MEMORY.is_dir() else None))
    figures: Counter[str] = Counter()
    lies = seed % 2 == 1
    asks_all = seed // 2 % 8 == 0
    simulation = Simulation(
        seed,
        home,
        users=3,
        newest_sessions=5,
        collections=tuple(RESOURCES) if asks_all else some_collections(random.Random(seed)),
        faults=ALL_FAULTS if lies else HONEST,
        rate=rate,
        malformed=0.01,
        pair_rate=0.2,
        maintain_rate=0.1,
    )
    try:
        for number in range(nights):
            simulation.night(deep=number % 4 == 3)
        simulation.settle(SETTLING_NIGHTS if lies else 1)
        wrong = [
            f"{name}: missing {missing[:3]}, extra {extra[:3]}, different {different[:1]}"
            for name, (missing, extra, different) in simulation.wrong().items()
        ]
        before = simulation.versions()
        simulation.run(deep=True, until=simulation.until)
        wrong += [
            f"{name}: written again" for name, version in simulation.versions().items() if version != before[name]
        ]
        figures["seeds that asked for all"] += asks_all
        figures.update(dict.fromkeys((f"asked {name}" for name in simulation.collections), 1))
        figures.update({"seeds with lies" if lies else "seeds without": 1})
        figures.update(simulation.figures)
        figures.update({f"fault {kind}": number for kind, number in simulation.injected().items()})
        figures.update({f"change {kind}": number for kind, number in simulation.changed.items()})
        figures.update({f"form {kind}": number for kind, number in simulation.malformed_rows().items()})
    except Exception as error:  # noqa: BLE001 - whatever it is, the seed is what matters
        wrong = ["".join(traceback.format_exception(error)[-4:])]
    finally:
        shutil.rmtree(home, ignore_errors=True)
    return seed, "; ".join(wrong), figures


def _told(outcome: Outcome, totals: Counter[str]) -> int:
    seed, wrong, figures = outcome
    totals.update(figures)
    print(f"seed {seed}: {wrong[:1500] if wrong else 'equal'}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    main()
