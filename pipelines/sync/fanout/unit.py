"""A fan-out as a unit of a run: opens its tables, reads its state, plans, runs, and says what was done.

Does not belong here: asking and committing (fan_out.py), choosing (choosing.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from pipelines import local_clock
from pipelines.client.answer import Api
from pipelines.contract import RESOURCES, FanOut
from pipelines.contract.fan_outs import BUCKETS, Part
from pipelines.lake import ChildTable, Lake, Record
from pipelines.lake.changelog import to_version
from pipelines.sync.ahead import AHEAD, set_back
from pipelines.sync.asides import Asides
from pipelines.sync.clock import ReadClock
from pipelines.sync.fanout.asking import Asking
from pipelines.sync.fanout.choosing import Plan, choose, choose_range
from pipelines.sync.fanout.fan_out import FanOutSync
from pipelines.sync.fanout.known import Known
from pipelines.sync.fanout.left_behind import Outage
from pipelines.sync.fanout.marks import DEEP, Mark, app_id, known_until, read_marks
from pipelines.sync.fanout.pending import PENDING
from pipelines.sync.fanout.pending import resolutions as pending_resolutions
from pipelines.sync.fanout.probing import Probe
from pipelines.sync.fanout.reasons import Tonight
from pipelines.sync.fanout.spans import requests_of
from pipelines.sync.fanout.writing import TableWriter
from pipelines.sync.report import CollectionReport
from pipelines.sync.run_context import Run
from pipelines.sync.windows import Window, to_millisecond

UNSERVED = "the tenant does not serve this"
FURTHEST_BACK = timedelta(days=366)
"""Where nothing says up to when parents were asked before the API's clock was wrong."""


@dataclass(frozen=True, slots=True)
class _State:
    """What the lake holds of a fan-out before it runs."""

    tables: Mapping[str, ChildTable]
    writers: Sequence[TableWriter]
    pending: Sequence[Record]
    probes: Mapping[str, Probe]


async def run_unit(
    api: Api, lake: Lake, fan_out: FanOut, run: Run, reports: Sequence[CollectionReport], window: Window | None
) -> None:
    """Carry out one fan-out; reports: one for each table that it feeds, in the order of fan_out.tables.

    window: read just this of every parent, and move no state.
    """
    known = run.known
    known.begin()
    with _opened(lake, fan_out, run, reports) as state:
        asking = Asking(
            api,
            fan_out,
            ReadClock(max(filter(None, (table.newest_read() for table in state.tables.values())), default=None)),
            until=run.until,
            now=to_millisecond(run.now),
            budget=run.settings.backfill_requests,
            probes=state.probes,
        )
        for report in reports:
            report.window_until = run.until
        if not asking.is_served(fan_out.endpoint) and not run.deep and window is None:
            _skip_all(known, fan_out, reports)
            forget_pending(lake, fan_out, run)
        else:
            await _carry_out(asking, known, lake, run, state, reports, window)
        for report, table in zip(reports, state.tables.values(), strict=True):
            report.watermark = known_until({report.collection: table})


def plan_unit(known: Known, lake: Lake, fan_out: FanOut, tonight: Tonight) -> tuple[Plan, int] | None:
    """What a run would ask, from the lake alone, and in how many requests at the least.

    None where the tenant is known not to serve it. Nothing is written; what the run's lists would bring is not known.
    """
    marks, pending = [Mark(bucket) for bucket in range(BUCKETS)], []
    if all(lake.holds(name) for name in fan_out.tables):
        tables = {name: lake.children(RESOURCES[name], fan_out.parent_id) for name in fan_out.tables}
        if not tonight.deep and any(
            probe.was_served is False
            for probe in _probes(fan_out, tables, deep=False).values()
            if probe.endpoint is fan_out.endpoint
        ):
            return None
        marks = read_marks(fan_out, tables)
        pending = _pending(lake, fan_out) if lake.holds("_pending_parents") else []
    plan = choose(known, fan_out, marks, pending, tonight)
    return plan, sum(requests_of(fan_out, ask, tonight.until) for ask in (*plan.failed, *plan.asks))


async def _carry_out(
    asking: Asking,
    known: Known,
    lake: Lake,
    run: Run,
    state: _State,
    reports: Sequence[CollectionReport],
    window: Window | None,
) -> None:
    fan_out, tonight = asking.fan_out, Tonight(run.until, run.now, run.deep, run.settings)
    if window is None:
        plan = choose(known, fan_out, _marks(lake, fan_out, state, run, reports), state.pending, tonight)
    else:
        plan = choose_range(known, fan_out, window, tonight)
    for report in reports:
        report.parents = plan.parents
        report.asked = Counter({reason.value: number for reason, number in plan.asked.items()})
        report.skipped = Counter(plan.skipped)
    sync = FanOutSync(
        asking,
        state.writers,
        lake.pending_parents(),
        run_id=run.run_id,
        slice_rows=run.settings.slice_rows,
        group_asks=run.settings.fan_out_group,
        most_asks=run.settings.backfill_requests,
        side_by_side=run.side_by_side,
        progress=run.progress,
    )
    try:
        await sync.run(plan)
    except Outage as outage:
        for report in reports:
            report.fail(str(outage))
    # those that the tenant no longer has
    _forget(lake, fan_out, run, plan.gone)
    _note_probes(state, asking, run, reports)
    for report in reports:
        report.parents_failed = sync.outcome.failed
        if sync.outcome.failed:
            report.set_aside(
                f"{sync.outcome.failed} parents failed and are asked again; `chargelake status` names them"
            )
        if sync.outcome.vanished:
            report.notes.append(f"{sync.outcome.vanished} parents were gone when they were asked")
        if sync.outcome.postponed:
            report.notes.append(f"{sync.outcome.postponed} parents are asked for the first time in later nights")
        if sync.outcome.unfinished:
            report.notes.append(f"the history of {sync.outcome.unfinished} parents goes on the next night")


def _marks(lake: Lake, fan_out: FanOut, state: _State, run: Run, reports: Sequence[CollectionReport]) -> list[Mark]:
    """The state of every bucket, set back where it lies after the API's clock."""
    marks = read_marks(fan_out, state.tables)
    ahead = [mark.bucket for mark in marks if mark.until is not None and mark.until > run.now + AHEAD]
    if not ahead:
        return marks
    for report, (name, table) in zip(reports, state.tables.items(), strict=True):
        named = [app_id(name, bucket, about) for bucket in ahead for about in ("", DEEP)]
        set_back(lake, table, named, run.now, report, at_most=FURTHEST_BACK)
    return read_marks(fan_out, state.tables)


def _skip_all(known: Known, fan_out: FanOut, reports: Sequence[CollectionReport]) -> None:
    known.load(fan_out.parent)
    row = known.sql.execute(f"select count(*) from known_{fan_out.parent} where not gone").fetchone()  # noqa: S608
    for report in reports:
        report.parents = int(row[0]) if row else 0
        report.skipped = Counter({UNSERVED: report.parents})
        report.notes.append(f"{fan_out.endpoint.path}: {UNSERVED}; the next deep run looks again")


def forget_pending(lake: Lake, fan_out: FanOut, run: Run) -> None:
    """No parent waits for what is not asked of parents any more."""
    _forget(lake, fan_out, run, [record["parent_id"] for record in _pending(lake, fan_out)])


def _forget(lake: Lake, fan_out: FanOut, run: Run, parents: Sequence[str]) -> None:
    """These pending parents are not asked again."""
    if not parents:
        return
    now, name, run_id = local_clock.utc_now(), fan_out.name, run.run_id
    lake.pending_parents().write(lambda held: pending_resolutions(name, run_id, now, parents, held))


def _note_probes(state: _State, asking: Asking, run: Run, reports: Sequence[CollectionReport]) -> None:
    """Remember which guessed paths the tenant serves."""
    for probe in asking.probes.values():
        if probe.news is None:
            continue
        table = state.tables[probe.endpoint.table]
        word = "served" if probe.news else "unserved"
        instant = min(run.until, to_millisecond(run.now))
        table.commit_marks(table.complete(table.empty()), {f"{table.resource.name}/{word}": to_version(instant)})
        if not probe.news:
            report = next(report for report in reports if report.collection == probe.endpoint.table)
            report.notes.append(f"{probe.endpoint.path}: {probe.misses} parents asked, 404 from all: {UNSERVED}")


@contextmanager
def _opened(lake: Lake, fan_out: FanOut, run: Run, reports: Sequence[CollectionReport]) -> Iterator[_State]:
    tables = {name: lake.children(RESOURCES[name], fan_out.parent_id) for name in fan_out.tables}
    try:
        quarantine, drift = lake.quarantine(), lake.drift()
        writers = [
            TableWriter(table, Asides(quarantine, drift, report, run.run_id), report, run.run_id)
            for table, report in zip(tables.values(), reports, strict=True)
        ]
        pending = _pending(lake, fan_out)
        pending += _unreadable(writers, {record["parent_id"] for record in pending})
        yield _State(tables, writers, pending, _probes(fan_out, tables, deep=run.deep))
    finally:
        for table in tables.values():
            table.close()


def _pending(lake: Lake, fan_out: FanOut) -> list[Record]:
    return [
        record
        for record in lake.pending_parents().current().values()
        if record["fan_out"] == fan_out.name and record["status"] == PENDING
    ]


def _unreadable(writers: Sequence[TableWriter], known: set[str]) -> list[Record]:
    """Parents of whom an earlier run could not read some row, in the form of pending ones."""
    found: dict[str, Record] = {}
    for writer in writers:
        for record in writer.asides.pending():
            parent = record["parent_id"]
            if parent is not None and parent not in known:
                found[parent] = {"parent_id": parent, "asked_from": None, "asked_until": None}
    return list(found.values())


def _probes(fan_out: FanOut, tables: Mapping[str, ChildTable], *, deep: bool) -> dict[str, Probe]:
    """By path, of every guessed path that the fan-out may ask. A deep run looks again at what was not served."""
    endpoints = [fan_out.endpoint, *(part.instead for part in _all_parts(fan_out.parts))]
    return {
        endpoint.path: Probe(endpoint, _was_served(tables[endpoint.table], deep=deep))
        for endpoint in endpoints
        if endpoint.is_inferred
    }


def _was_served(table: ChildTable, *, deep: bool) -> bool | None:
    served, unserved = (table.mark(f"{table.resource.name}/{word}") for word in ("served", "unserved"))
    if served is None and unserved is None:
        return None
    was_served = (served or 0) >= (unserved or 0)
    return None if deep and not was_served else was_served


def _all_parts(parts: Sequence[Part]) -> Iterator[Part]:
    for part in parts:
        yield part
        yield from _all_parts(part.parts)
