"""A year of nights on a small tenant, with a deep run and the lake's maintenance each week: what a night takes then.

    python -m benchmarks.year                           # 365 nights
    python -m benchmarks.year --without-maintenance

Nights run in this process against the demo tenant's own code, over a transport instead of a socket. Told is each month:
processor seconds of a night (median of its last week), files, commits and bytes of the lake. At the end a second lake
is pulled anew from the same tenant and lives for a week; then both have forty nights in turn. So the ratio at the end
is that of the lakes' histories alone: the tenant is the same.

So that a week is over for Delta, too, what its log and the disk tell of the past is set a week earlier each week.
Does not belong here: what is true after such nights (benchmarks/soak.py, tests).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from support.demo_inside import inside, world_of
from support.demo_transport import ADDRESS, DemoTransport, VirtualTime
from support.syncing import api_settings

from demo.run import credentials
from pipelines.client import open_client
from pipelines.contract import LISTS
from pipelines.lake import Lake
from pipelines.lake.maintenance import maintain
from pipelines.settings import SyncSettings
from pipelines.sync import Order, Status
from pipelines.sync.run import sync_with

TABLES = (*LISTS, "financials", "session_tariffs")
"""Lists, and what hangs under users and under sessions; the others would say the same and take most of the time."""
WEEK_SECONDS = 7 * 86_400
SETTLING, ROUNDS = 6, 40
"""Nights at the end, in turn: those that are not counted, and those that are."""
MEMORY = Path("/dev/shm")


class SmallTenant:
    """A few users in this process, to whom something happens each night."""

    def __init__(self, changes: int) -> None:
        self._inside = inside(world_of(4, 6))
        self._changes = changes
        self._chance = random.Random(1)
        self._time = VirtualTime(self._inside.clock)

    def pass_a_day(self) -> None:
        self._inside.pass_time(hours=24)
        self._time = VirtualTime(self._inside.clock)
        self._inside.evolve(self._chance.getrandbits(30), self._changes, None)

    def night(self, home: Path, *, deep: bool = False) -> float:
        """Processor seconds of a sync into the lake at `home`."""
        began = time.process_time()
        asyncio.run(self._sync(home, Order(TABLES, deep=deep)))
        return time.process_time() - began

    async def _sync(self, home: Path, order: Order) -> None:
        transport = DemoTransport(self._inside.tenant, self._inside.clock, sleep=self._time.sleep)
        settings = SyncSettings(max_requests_per_second=100_000, max_concurrency=4)
        lake = Lake(str(home))
        lake.make()
        async with open_client(
            api_settings(credentials(ADDRESS)),
            settings,
            transport=transport,
            clock=self._time,
            sleep=self._time.sleep,
        ) as client:
            report = await sync_with(client, lake, order, settings)
        failed = [one.collection for one in report.collections if one.status is Status.FAILED]
        if failed:
            sys.exit(f"failed: {failed}")


def main() -> None:
    """Let the year pass and print what it brought."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--nights", type=int, default=365)
    parser.add_argument("--changes", type=int, default=4, help="each night")
    parser.add_argument("--without-maintenance", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as folder:
        tenant, year = SmallTenant(options.changes), Path(folder) / "year"
        print(f"{'night':>6}{'s of processor':>16}{'files':>8}{'commits':>9}{'MB':>8}{'maintenance, s':>16}")
        taken: list[float] = []
        kept = 0.0
        for number in range(1, options.nights + 1):
            is_deep = number % 7 == 0
            tenant.pass_a_day()
            seconds = tenant.night(year, deep=is_deep)
            if not is_deep:
                taken.append(seconds)
            if is_deep and not options.without_maintenance:
                kept = _maintained(year)
            if number in {7, 14} or number % 28 == 0 or number == options.nights:
                _tell(number, taken[-6:], year, kept)
            if is_deep:
                set_back(year, WEEK_SECONDS)
        _compare(tenant, year, Path(folder) / "anew")


def _compare(tenant: SmallTenant, year: Path, anew: Path) -> None:
    """Nights of the old lake and of one that is a week old, in turn, on one tenant."""
    tenant.night(anew, deep=True)
    _maintained(anew)
    rounds = []
    for number in range(ROUNDS + SETTLING):
        tenant.pass_a_day()
        homes = (year, anew) if number % 2 else (anew, year)
        taken = {home: tenant.night(home) for home in homes}
        if number >= SETTLING:
            rounds.append((taken[year], taken[anew]))
    ratios = [old / new for old, new in rounds]
    print(f"old lake: {statistics.median(old for old, _ in rounds):.3f} s, a week old: ", end="")
    print(f"{statistics.median(new for _, new in rounds):.3f} s; ", end="")
    print(f"ratio {statistics.median(ratios):.2f} (median of {len(ratios)}; {min(ratios):.2f} to {max(ratios):.2f})")


def _maintained(home: Path) -> float:
    done = list(maintain(str(home)))
    left = [f"{table.table}: {table.left}" for table in done if table.left]
    if left:
        sys.exit(f"maintenance left {left}")
    return sum(table.seconds for table in done)


def _tell(night: int, taken: list[float], home: Path, kept: float) -> None:
    files = [file for file in home.rglob("*") if file.is_file()]
    rows = sum(file.suffix == ".parquet" and "checkpoint" not in file.name for file in files)
    commits = sum(file.suffix == ".json" for file in files)
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{night:>6}{statistics.median(taken):>16.3f}{rows:>8,}{commits:>9,}{size:>8.1f}{kept:>16.2f}", flush=True)


def set_back(home: Path, seconds: float) -> None:
    """Let everything in the lake have happened so many seconds earlier: its log's moments and the files' own."""
    for file in home.rglob("*"):
        if not file.is_file():
            continue
        told = file.stat()
        if file.suffix == ".json":
            _set_log_back(file, int(seconds * 1000))
        elif "checkpoint" in file.name and file.suffix == ".parquet":
            _set_checkpoint_back(file, int(seconds * 1000))
        os.utime(file, (told.st_atime - seconds, told.st_mtime - seconds))


def _set_log_back(file: Path, milliseconds: int) -> None:
    actions = [json.loads(line) for line in file.read_text().splitlines()]
    for action in actions:
        for kind, name in (("remove", "deletionTimestamp"), ("commitInfo", "timestamp")):
            if kind in action:
                action[kind][name] -= milliseconds
    file.write_text("\n".join(map(json.dumps, actions)))


def _set_checkpoint_back(file: Path, milliseconds: int) -> None:
    rows = pq.read_table(file)
    place = rows.schema.get_field_index("remove")
    removed = rows["remove"].combine_chunks()
    names = [field.name for field in removed.type]
    parts: Iterable[pa.Array] = (
        pc.subtract(removed.field(name), milliseconds) if name == "deletionTimestamp" else removed.field(name)
        for name in names
    )
    earlier = pa.StructArray.from_arrays(list(parts), fields=list(removed.type), mask=removed.is_null())
    pq.write_table(rows.set_column(place, rows.schema.field(place), earlier), file)


if __name__ == "__main__":
    main()
