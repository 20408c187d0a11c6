"""Nights against the demo tenant in this process, on a clock of its own: what happens, what goes wrong and when the
sync dies all come from a seed, so that any failure can be replayed.

A crash is raised at one of the steps at which the sync touches the world outside: a request, or a commit, just before
or just after it. From then on every further step of that run fails too, as nothing goes on after a SIGKILL.
Does not belong here: changes and faults themselves (demo/), real processes (test_kills_*.py).
"""

import asyncio
import json
import random
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from support.demo_inside import inside, world_of
from support.demo_transport import ADDRESS, DemoTransport, VirtualTime
from support.lake_truth import SAME, differences
from support.syncing import api_settings

from demo.faults.kinds import FAULT_KINDS
from demo.run import credentials
from demo.truth import TRUE_TABLES
from pipelines.client import open_client
from pipelines.contract import RESOURCES
from pipelines.lake import Lake, store
from pipelines.normalise.brackets import decode_leniently
from pipelines.settings import SyncSettings
from pipelines.sync import Order
from pipelines.sync.run import sync_with

CORRECTED_DAYS = 150
"""How far back a deep run looks: beyond all that is corrected, so that nothing is left for later nights."""
HONEST = tuple(kind.name for kind in FAULT_KINDS if not kind.lies)
"""Faults that show: an answer is either right, or it is plain that it is none."""


class Crash(BaseException):
    """The process is gone."""


class Steps:
    """Counts the steps of a run and ends it at one of them. last: None lets it live."""

    def __init__(self, last=None):
        self.taken = 0
        self._last = last

    def take(self, *_):
        self.taken += 1
        if self._last is not None and self.taken >= self._last:
            raise Crash(f"at step {self._last}")

    @contextmanager
    def at_commits(self):
        """Steps before and after every commit of the lake."""
        commit = store.write_deltalake

        def stepping(*arguments, **options):
            self.take()
            commit(*arguments, **options)
            self.take()

        with patch.object(store, "write_deltalake", stepping):
            yield


@dataclass
class Simulation:
    """One tenant and one lake over many nights. kinds: of changes, all where None; faults: names of their kinds.

    until: of the last run that came to its end. figures: nights, runs, crashes, requests, rows compared; changed: changes by kind.
    """

    seed: int
    home: Path
    users: int = 5
    newest_sessions: int = 8
    changes: int = 12
    kinds: tuple | None = None
    faults: tuple = HONEST
    rate: float = 0.03
    crash_rate: float = 0.5
    figures: Counter = field(default_factory=Counter)
    changed: Counter = field(default_factory=Counter)

    def __post_init__(self):
        self.chance = random.Random(self.seed)
        self.tenant = inside(world_of(self.users, self.newest_sessions))
        self.time = VirtualTime(self.tenant.clock)
        self.until = None
        self._steps_of_a_run = 400

    def night(self, *, deep=False):
        """A day passes, things happen, and syncs run until one is not killed."""
        self.figures["nights"] += 1
        self._pass(hours=self.chance.choice((23, 24, 25)))
        happened = self.tenant.evolve(self.chance.getrandbits(30), self.changes, self.kinds)
        self.changed.update(change.kind for change in happened)
        self._inject(seed=self.chance.getrandbits(30), rate=self.rate, kinds=self.faults)
        while self.chance.random() < self.crash_rate:
            if self.run(deep=deep, crash_at=self.chance.randint(1, self._steps_of_a_run)) is not None:
                break
        report = self.run(deep=deep)
        self._inject()
        return report

    def settle(self):
        """Honest weather: a deep run that sees everything, and one that has nothing to do."""
        self._inject()
        self._pass(hours=24)
        for _ in range(2):
            report = self.run(deep=True)
        return report

    def run(self, *, deep=False, crash_at=None, until=None):
        """One sync; its report, or None where it crashed."""
        steps = Steps(crash_at)
        self.figures["runs"] += 1
        try:
            with steps.at_commits():
                report = asyncio.run(self._sync(steps, Order(deep=deep, until=until)))
        except Crash:
            self.figures["crashes"] += 1
            return None
        self._steps_of_a_run = max(steps.taken, 50)
        self.until = report.until
        return report

    async def _sync(self, steps, order):
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
            report = await sync_with(client, lake, order, settings)
        self.figures["requests"] += client.counters.requests
        return report

    def wrong(self):
        """Tables that differ from the tenant's truth: missing, extra and different rows."""
        found = {}
        for name in TRUE_TABLES:
            truth = self.tenant.truth(name)
            self.figures["rows compared"] += len(truth)
            found[name] = differences(self.home / "lake", name, truth, RESOURCES[name].key_columns)
        return {name: difference for name, difference in found.items() if difference != SAME}

    def versions(self):
        """The Delta version of every table of data."""
        return {name: Lake(str(self.home / "lake")).table(RESOURCES[name]).version for name in RESOURCES}

    def _pass(self, **length):
        self.tenant.pass_time(**length)
        self.time = VirtualTime(self.tenant.clock)

    def _inject(self, **plan):
        """Follow a plan of faults; nothing goes wrong where there is none."""
        reply = self.tenant.tenant.respond("POST", "/_demo/faults", "", {}, json.dumps(plan).encode())
        assert reply.status == 200, reply

    def injected(self):
        """How often each kind of fault was met."""
        stats = json.loads(self.tenant.tenant.respond("GET", "/_demo/stats", "", {}, b"").body)
        return Counter(stats["faults"])
