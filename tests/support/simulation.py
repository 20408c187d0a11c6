"""Nights against the demo tenant in this process, on a clock of its own: what happens, what goes wrong and when the
sync dies all come from a seed, so that any failure can be replayed.

A crash is raised at one of the steps at which the sync touches the world outside: a request, the making of a table, a
commit - before it, after its files were written but not its entry in the log, after the entry but before the checkpoint
that follows some, or when all is written. From then on every further step of that run fails too, as nothing goes on
after a SIGKILL. Of two syncs at once either may die. A maintenance of the lake comes between syncs or at any step of
one, as if another process did it, and dies like them.
Does not belong here: changes and faults themselves (demo/), real processes (test_*_kills.py).
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest.mock import patch

from deltalake import DeltaTable
from deltalake.table import TableOptimizer
from support.demo_inside import inside, young_world_of
from support.demo_transport import ADDRESS, DemoTransport, VirtualTime
from support.lake_truth import SAME, differences, doubled
from support.syncing import api_settings

from demo.faults.kinds import FAULT_KINDS
from demo.run import credentials
from demo.truth import TRUE_TABLES
from pipelines import local_clock
from pipelines.client import open_client
from pipelines.contract import FAN_OUTS, LINKS, LISTS, RESOURCES
from pipelines.errors import ChargelakeError
from pipelines.lake import Lake, maintenance, store
from pipelines.normalise.brackets import decode_leniently
from pipelines.settings import SyncSettings
from pipelines.sync import Order
from pipelines.sync.run import sync_with

CORRECTED_DAYS = 150
"""How far back a deep run looks: beyond all that is corrected, so that nothing is left for later nights."""
HONEST = tuple(kind.name for kind in FAULT_KINDS if not kind.lies)
"""Faults that show: an answer is either right, or it is plain that it is none."""
ALL_FAULTS = tuple(kind.name for kind in FAULT_KINDS)
RECORDS = ("_quarantine", "_contract_drift", "_pending_parents", "_deletion_candidates")
"""Tables beside those of data that a run on a still tenant leaves alone."""


def some_collections(chance):
    """One or two lists or fan-outs, drawn, and all that they need: a night costs a fifth of a whole one."""
    units = [*((name,) for name in LISTS), *(fan_out.tables for fan_out in FAN_OUTS.values())]
    chosen = {name for tables in chance.sample(units, chance.randint(1, 2)) for name in tables}
    told_by = [(name, above) for fan_out in FAN_OUTS.values() for name in fan_out.tables for above in fan_out.told_by]
    above = {*told_by, *((link.child, link.parent) for link in LINKS)}
    while more := {parent for child, parent in above if child in chosen} - chosen:
        chosen |= more
    return tuple(name for name in RESOURCES if name in chosen)


class Crash(BaseException):
    """The process is gone."""


class Steps:
    """Counts the steps of a run and ends it at one of them. last: None lets it live. chance: how a commit ends.

    between: at which step somebody else does what.
    """

    def __init__(self, last=None, chance=None, between=None):
        self.taken = 0
        self._last = last
        self._chance = chance or random.Random(0)
        self._between = between or {}

    def take(self, *_):
        self.taken += 1
        if self._is_over:
            raise Crash(f"at step {self._last}")
        if self.taken in self._between:
            self._between.pop(self.taken)()

    @property
    def _is_over(self):
        return self._last is not None and self.taken >= self._last

    def commit(self, real, table, *arguments, **options):
        """What `real` does commits once."""
        self.take()
        log = Path(table.table_uri.removeprefix("file://")) / "_delta_log"
        before = set(log.iterdir())
        done = real(table, *arguments, **options)
        self.taken += 1
        if self._is_over and (written := set(log.iterdir()) - before):
            entry = next(file for file in written if file.suffix == ".json")
            checkpoints = [file for file in written if file.suffix == ".parquet"]
            if self._chance.random() < 0.5:
                # the data files lie there, and nothing says so
                for file in (entry, *checkpoints):
                    file.unlink()
                if checkpoints:
                    (log / "_last_checkpoint").unlink()
            elif checkpoints and self._chance.random() < 0.5:
                checkpoints[0].unlink()
                (log / "_last_checkpoint").unlink()
            raise Crash(f"at step {self._last}, within a commit")
        self.take()
        return done

    def make(self, real, *arguments, **options):
        self.take()
        made = real(*arguments, **options)
        self.take()
        return made


_steps: ContextVar[Steps] = ContextVar("steps")
"""Of the run that goes on: of two at once, each has its own."""


@contextmanager
def _at_commits() -> Iterator[None]:
    """Steps at every commit of the lake, and at every table that is made."""
    write, create = store.write_deltalake, store.DeltaTable.create
    with (
        patch.object(store, "write_deltalake", lambda *a, **o: _steps.get().commit(write, *a, **o)),
        patch.object(store.DeltaTable, "create", lambda *a, **o: _steps.get().make(create, *a, **o)),
    ):
        yield


@contextmanager
def _at_steps_of_maintenance(steps: Steps) -> Iterator[None]:
    """Steps before and after each thing that a maintenance changes; its compaction may lose its entry in the log."""

    def around(real):
        return lambda *a, **o: steps.make(real, *a, **o)

    real = TableOptimizer.compact

    def compact(optimizer, **options):
        return steps.commit(lambda table, **o: real(table.optimize, **o), optimizer.table, **options)

    with (
        patch.object(maintenance, "_claimed", around(maintenance._claimed)),
        patch.object(TableOptimizer, "compact", compact),
        patch.object(DeltaTable, "vacuum", around(DeltaTable.vacuum)),
        patch.object(DeltaTable, "create_checkpoint", around(DeltaTable.create_checkpoint)),
    ):
        yield


@dataclass
class Simulation:
    """One tenant and one lake over many nights. kinds: of changes, all where None; faults: names of their kinds.

    rate: the share of requests that meet a fault. malformed: the share of served rows in another form; a tenth of it is
    so for good, until it is mended. pair_rate: how often two syncs run at once; maintain_rate: how often the lake is
    maintained between two runs, and how often during one.
    collections: what is asked for and compared. until: of the last run that came to its end.
    figures: nights, runs, crashes, requests, rows compared; changed: changes by kind.
    """

    seed: int
    home: Path
    users: int = 5
    newest_sessions: int = 8
    changes: int = 12
    kinds: tuple | None = None
    collections: tuple = tuple(RESOURCES)
    faults: tuple = HONEST
    rate: float = 0.03
    malformed: float = 0.0
    crash_rate: float = 0.5
    pair_rate: float = 0.0
    maintain_rate: float = 0.0
    figures: Counter = field(default_factory=Counter)
    changed: Counter = field(default_factory=Counter)

    def __post_init__(self):
        self.chance = random.Random(self.seed)
        self.tenant = inside(young_world_of(self.users, self.newest_sessions))
        self.time = VirtualTime(self.tenant.clock)
        self.until = None
        self._steps_of_a_run = 400
        self._steps_of_a_maintenance = 50
        self._between = {}
        """What somebody else does at which step of the next run."""

    def night(self, *, deep=False):
        """A day passes, things happen, and syncs run until one is not killed."""
        self.figures["nights"] += 1
        self._pass(hours=self.chance.choice((23, 24, 25)))
        happened = self.tenant.evolve(self.chance.getrandbits(30), self.changes, self.kinds)
        self.changed.update(change.kind for change in happened)
        self._inject(seed=self.chance.getrandbits(30), rate=self.rate, kinds=self.faults)
        self._spoil()
        while self.chance.random() < self.crash_rate:
            self._somebody_maintains()
            crash_at = self.chance.randint(1, self._steps_of_a_run)
            if self.chance.random() < self.pair_rate:
                self.run_two(deep=deep, crash_at=crash_at)
            elif self.run(deep=deep, crash_at=crash_at) is not None:
                break
        self._somebody_maintains()
        report = self.run_two(deep=deep) if self.chance.random() < self.pair_rate else self.run(deep=deep)
        self._inject()
        return report

    def maintain(self, crash_at=None, chance=None):
        """Maintain the lake once, to the end or to a step."""
        steps = Steps(crash_at, chance)
        self.figures["maintenances"] += 1
        with _at_steps_of_maintenance(steps):
            try:
                for table in maintenance.maintain(str(self.home / "lake")):
                    self.figures["tables put together"] += table.files_after < table.files_before
            except Crash:
                self.figures["maintenances killed"] += 1
        self._steps_of_a_maintenance = max(steps.taken, 50)

    def _somebody_maintains(self):
        """Now, or at a step of the next run, if at all."""

        def drawn():
            dies = self.chance.random() < self.crash_rate
            crash_at = self.chance.randint(1, self._steps_of_a_maintenance) if dies else None
            return partial(self.maintain, crash_at, random.Random(self.chance.getrandbits(30)))

        if self.chance.random() < self.maintain_rate:
            drawn()()
        if self.chance.random() < self.maintain_rate:
            self._between[self.chance.randint(1, self._steps_of_a_run)] = drawn()

    def settle(self, nights=1):
        """Honest weather: deep runs that see everything, a day apart, and one that has nothing to do."""
        self._inject()
        self._control("malformed", {})
        self._control("mend", {})
        for _ in range(nights):
            self._pass(hours=24)
            self.run(deep=True)
        return self.run(deep=True)

    def run(self, *, deep=False, crash_at=None, until=None):
        """One sync; its report, or None where it crashed or the API would not let it go on."""
        [report] = self._run([Order(self.collections, deep=deep, until=until)], [crash_at])
        return report

    def run_two(self, *, deep=False, crash_at=None):
        """Two syncs at once, of which one may be killed; a report of those that came to their end, None of none."""
        self.figures["pairs"] += 1
        crashes = [crash_at, None]
        self.chance.shuffle(crashes)
        reports = self._run([Order(self.collections, deep=deep)] * 2, crashes)
        return next((report for report in reports if report is not None), None)

    def _run(self, orders, crashes):
        self.figures["runs"] += len(orders)
        between, self._between = self._between, {}
        steps = [Steps(crash_at, random.Random(self.chance.getrandbits(30)), between) for crash_at in crashes]

        async def side_by_side():
            syncs = [self._sync(own, order) for own, order in zip(steps, orders, strict=True)]
            return await asyncio.gather(*syncs, return_exceptions=True)

        with _at_commits(), patch.object(local_clock, "utc_now", self.time.utc_now):
            outcomes = asyncio.run(side_by_side())
        self._steps_of_a_run = max(*(own.taken for own in steps), 50)
        reports = []
        for outcome in outcomes:
            if isinstance(outcome, Crash):
                self.figures["crashes"] += 1
            elif isinstance(outcome, ChargelakeError):
                # a run that fails openly: the next one makes up for it
                self.figures["failed runs"] += 1
            elif isinstance(outcome, BaseException):
                raise outcome
            else:
                self.until = outcome.until
            reports.append(None if isinstance(outcome, BaseException) else outcome)
        return reports

    async def _sync(self, steps, order):
        _steps.set(steps)
        transport = DemoTransport(
            self.tenant.tenant, self.tenant.clock, sleep=self.time.sleep, gives_up_seconds=60, before_each=steps.take
        )
        settings = SyncSettings(
            max_requests_per_second=100_000, max_tries=4, max_concurrency=4, deep_correction_days=CORRECTED_DAYS
        )
        lake = Lake(str(self.home / "lake"))
        lake.make()
        async with open_client(
            api_settings(credentials(ADDRESS)),
            settings,
            transport=transport,
            clock=self.time,
            sleep=self.time.sleep,
            rng=random.Random(self.seed),
            leniently=decode_leniently,
        ) as client:
            try:
                return await sync_with(client, lake, order, settings)
            finally:
                self.figures["requests"] += client.counters.requests

    def wrong(self):
        """Tables that differ from the tenant's truth: missing, extra and different rows, and doubled versions."""
        found = {}
        for name in filter(self.collections.__contains__, TRUE_TABLES):
            truth, key = self.tenant.truth(name), RESOURCES[name].key_columns
            self.figures["rows compared"] += len(truth)
            found[name] = differences(self.home / "lake", name, truth, key)
            if twice := doubled(self.home / "lake", name, key):
                found[f"{name}, doubled"] = (twice, [], [])
        return {name: difference for name, difference in found.items() if difference != SAME}

    def versions(self):
        """The Delta version of every table of data, and of the records that follow from it."""
        lake = Lake(str(self.home / "lake"))
        return {name: lake.version(name) for name in (*RESOURCES, *RECORDS)}

    def _pass(self, **length):
        self.tenant.pass_time(**length)
        self.time = VirtualTime(self.tenant.clock)

    def _inject(self, **plan):
        """Follow a plan of faults; nothing goes wrong where there is none."""
        self._control("faults", plan)

    def _spoil(self):
        """Serve rows in other forms tonight; those that are so for good are mended every few nights."""
        if not self.malformed:
            return
        plan = {"seed": self.chance.getrandbits(30), "rate": self.malformed, "permanent": self.malformed / 10}
        self._control("malformed", plan)
        if self.chance.random() < 0.3:
            self._control("mend", {})

    def _control(self, name, order):
        reply = self.tenant.tenant.respond("POST", f"/_demo/{name}", "", {}, json.dumps(order).encode())
        assert reply.status == 200, reply
        return reply

    def injected(self):
        """How often each kind of fault was met."""
        stats = json.loads(self.tenant.tenant.respond("GET", "/_demo/stats", "", {}, b"").body)
        return Counter(stats["faults"])

    def malformed_rows(self):
        """How often rows were served in each form, as far as the tenant remembers."""
        rows = json.loads(self.tenant.tenant.respond("GET", "/_demo/malformed", "", {}, b"").body)
        return Counter(row["kind"] for row in rows)
