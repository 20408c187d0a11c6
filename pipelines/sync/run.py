"""A run over several collections: the shell that opens client and lake and writes the run's record.

Does not belong here: what a collection needs (collection.py), how results are shown (pipelines/cli, assets).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from pipelines import local_clock
from pipelines.client.answer import Answer, Api, Counters
from pipelines.contract import FAN_OUTS, LISTS, RESOURCES, FanOut, Resource
from pipelines.errors import ApiError, ConfigurationError, CredentialsRefused, HostUnreachable, LakeError, NotPermitted
from pipelines.lake import ChangelogTable, Lake
from pipelines.memory import spare_memory
from pipelines.normalise.brackets import decode_leniently
from pipelines.occupancy import beside_others
from pipelines.settings import ApiSettings, LakeSettings, SyncSettings
from pipelines.sync.ahead import set_back
from pipelines.sync.asides import Asides
from pipelines.sync.clock import ReadClock
from pipelines.sync.collection import CollectionSync, marks_of
from pipelines.sync.deletions.absence import Absences
from pipelines.sync.deletions.cascade import Cascade
from pipelines.sync.deletions.follow_up import FollowUp
from pipelines.sync.deletions.upkeep import keep_up
from pipelines.sync.fanout import forget_pending, run_unit
from pipelines.sync.fanout.known import Known
from pipelines.sync.report import CollectionReport, RunReport
from pipelines.sync.run_context import Run
from pipelines.sync.slices import SliceWriter
from pipelines.sync.unfiltered import WORDS, UnfilteredSync
from pipelines.sync.windows import Window, to_millisecond

ALL_OF_IT = timedelta.max


@dataclass(frozen=True, slots=True)
class Order:
    """What a run is asked to do.

    collections: names, in the order of RESOURCES whatever the order given. until: upper end of every window;
    None takes the API's clock less the safety margin. ranges: re-read only these windows, move no watermark.
    deep: the weekly form, with the long re-reads, the audit of closed months and full listings.
    """

    collections: tuple[str, ...] = tuple(RESOURCES)
    until: datetime | None = None
    ranges: Mapping[str, Window] | None = None
    run_id: str | None = None
    deep: bool = False

    def __post_init__(self) -> None:
        if not self.collections:
            raise ConfigurationError(f"no collection named; there are: {', '.join(RESOURCES)}")
        unknown = sorted(set(self.collections) - set(RESOURCES))
        if unknown:
            raise ConfigurationError(f"unknown collection {', '.join(unknown)}; there are: {', '.join(RESOURCES)}")

        if strange := sorted(set(self.ranges or {}) - set(self.collections)):
            raise ConfigurationError(f"a range for {', '.join(strange)}, which the order does not name")

    @property
    def lists(self) -> list[Resource]:
        """The tenant's own lists that are named."""
        return [resource for name, resource in LISTS.items() if name in self.collections]

    @property
    def fan_outs(self) -> list[FanOut]:
        """Those that feed a table that is named; what else they feed comes along."""
        return [fan_out for fan_out in FAN_OUTS.values() if set(fan_out.tables) & set(self.collections)]


def instant_of(name: str, text: str) -> datetime:
    """A time that somebody typed, as UTC; UTC too where it names no zone. name: the option, for the error.

    Raises ConfigurationError.
    """
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=timezone.utc) if instant.tzinfo is None else instant.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise ConfigurationError(
            f"{name}: expected a time such as 2026-03-01T00:00:00Z or 2026-03-01, got {text!r}"
        ) from None
    if not 1990 <= instant.year < 2200:
        raise ConfigurationError(f"{name}: expected a time between 1990 and 2199, got {text!r}")
    return to_millisecond(instant)


def _silent(collection: str, rows: int) -> None:
    pass


def run_sync(
    order: Order,
    *,
    api: ApiSettings,
    sync: SyncSettings,
    lake: LakeSettings,
    progress: Callable[[str, int], None] = _silent,
    now: datetime | None = None,
) -> RunReport:
    """Sync the ordered collections and return what was done.

    now: the API's clock, where somebody asked for it already: runs that share it have the same `until`.
    A fault of the API in one collection is in its report; the others go on. Raises CredentialsRefused, LakeError,
    and ApiError if not even the first request is answered.
    """
    spare_memory()

    async def session() -> RunReport:
        store = Lake(lake.lake_root)
        store.make()
        async with _client(api, sync) as client:
            return await sync_with(client, store, order, sync, progress, now)

    with beside_others(lake.home.absolute()) as beside_another:
        report = asyncio.run(session())
    report.began_beside_another = beside_another
    return report


async def sync_with(
    api: Api,
    lake: Lake,
    order: Order,
    settings: SyncSettings,
    progress: Callable[[str, int], None] = _silent,
    now: datetime | None = None,
) -> RunReport:
    """`run_sync` over an open client and lake."""
    now = now or await api_now(api)
    until = order.until or until_of(now, settings)
    with Known(lake) as known:
        run = Run(
            run_id=order.run_id or str(uuid.uuid4()),
            until=until,
            now=now,
            settings=settings,
            side_by_side=settings.max_concurrency,
            deep=order.deep,
            known=known,
            progress=progress,
        )
        return await _carry_out(api, lake, order, run)


async def _carry_out(api: Api, lake: Lake, order: Order, run: Run) -> RunReport:
    report, cascade = RunReport(run.run_id, run.until), Cascade(lake, run.run_id)
    try:
        for resource in order.lists:
            report.collections.append(CollectionReport(resource.name, local_clock.utc_now()))
            window = (order.ranges or {}).get(resource.name)
            await _sync_collection(api, lake, resource, run, report.collections[-1], window, cascade)
            # at once, so that those who ask for what is below ask for what came back, too
            keep_up(lake, cascade)
            report.collections[-1].notes += cascade.news()
        for fan_out in order.fan_outs:
            reports = [CollectionReport(name, local_clock.utc_now()) for name in fan_out.tables]
            report.collections += reports
            window = next((window for name, window in (order.ranges or {}).items() if name in fan_out.tables), None)
            unread = [name for name in fan_out.told_by if not lake.holds(name)]
            for untold in reports if unread else ():
                untold.set_aside(f"{not_known_before(unread)}: sync them, too")
            await _sync_fan_out(api, lake, fan_out, run, reports, window)
        keep_up(lake, cascade)
    except Exception as error:
        failed = report.collections[-1]
        failed.fail(str(error) or type(error).__name__)
        report.add_cascade(cascade.deleted, cascade.restored)
        with suppress(LakeError):
            _record(lake, report)
        raise
    report.add_cascade(cascade.deleted, cascade.restored)
    _record(lake, report)
    return report


def not_known_before(unread: Sequence[str]) -> str:
    """What there is to say where the tables that tell whom to ask were never read."""
    return f"whom to ask is not known before the {' and the '.join(unread).replace('_', ' ')} were read"


def until_of(now: datetime, settings: SyncSettings) -> datetime:
    """The upper end of every window of a run that begins at this time of the API's clock."""
    return to_millisecond(now - timedelta(seconds=settings.safety_margin_seconds))


@asynccontextmanager
async def _client(api: ApiSettings, sync: SyncSettings) -> AsyncIterator[Api]:
    from pipelines.client import open_client  # the HTTP library takes half a second, which `status` need not wait for

    async with open_client(api, sync, leniently=decode_leniently) as client:
        yield client


def ask_clock(api: ApiSettings, sync: SyncSettings) -> datetime:
    """`api_now` over a client of its own."""

    async def session() -> datetime:
        async with _client(api, sync) as client:
            return await api_now(client)

    return asyncio.run(session())


async def api_now(api: Api) -> datetime:
    """The API's clock, from its `Date` header; the local clock where it sends none. UTC."""
    _, answer = await first_answer(api)
    return answer.api_date or answer.received_at


async def first_answer(api: Api) -> tuple[Resource, Answer]:
    """The shortest answer of the first list that gives one: a list that is broken must not stop the others.

    Raises what the first list met if none answers.
    """
    failure: ApiError | None = None
    for resource in LISTS.values():
        try:
            return resource, await api.get(resource.path, {"pageSize": "1"} if resource.listed_by else None)
        except NotPermitted as error:
            failure = failure or error
        except (CredentialsRefused, HostUnreachable):
            raise
        except ApiError as error:
            failure = failure or error
    if failure is None:
        raise AssertionError("the contract declares no list")
    raise failure


async def _sync_collection(
    api: Api,
    lake: Lake,
    resource: Resource,
    run: Run,
    report: CollectionReport,
    window: Window | None,
    cascade: Cascade,
) -> None:
    before = replace(api.counters)
    table = lake.table(resource)
    try:
        set_back(lake, table, marks_of(resource), run.now, report, at_most=ALL_OF_IT)
        absences = _absences(table, run)
        writer = SliceWriter(
            table,
            Asides(lake.quarantine(), lake.drift(), report, run.run_id),
            lake.reconciliation(),
            report,
            run_id=run.run_id,
            slice_rows=run.settings.slice_rows,
            absences=absences,
        )
        clock = ReadClock(table.newest_read())
        follow_up = FollowUp(api, lake, resource, run, clock, writer, absences, cascade)
        collection = CollectionSync(api, resource, run, clock, writer, follow_up)
        await (collection.pull() if window is None else collection.pull_range(window))
    finally:
        table.close()
        report.counters = _since(before, api.counters)
        report.finish()


def _absences(table: ChangelogTable, run: Run) -> Absences:
    """A run that ends at or before an earlier one never takes a row that is not shown for missing."""
    question = table.resource.listed_by
    watermark = None if question is None else table.watermark(table.resource.app_id(question))
    if watermark is None:
        return Absences(table.resource, judges=False, watches=False)
    return Absences(table.resource, judges=run.until > watermark)


async def _sync_fan_out(
    api: Api, lake: Lake, fan_out: FanOut, run: Run, reports: Sequence[CollectionReport], window: Window | None
) -> None:
    """One call for each parent; where the tenant serves a list of its own that brings the same rows, that list."""
    before = replace(api.counters)
    try:
        if fan_out.unless is not None and window is None and await _sync_list(api, lake, fan_out, run, reports[0]):
            forget_pending(lake, fan_out, run)
        else:
            await run_unit(api, lake, fan_out, run, reports, window)
    except ApiError as error:
        if isinstance(error, CredentialsRefused) and not isinstance(error, NotPermitted):
            raise
        for report in reports:
            report.fail(str(error))
    finally:
        # they were asked together: the first carries what it cost
        reports[0].counters = _since(before, api.counters)
        for report in reports:
            report.finish()


async def _sync_list(api: Api, lake: Lake, fan_out: FanOut, run: Run, report: CollectionReport) -> bool:
    """Whether the tenant's own list was there to be read."""
    resource = RESOURCES[fan_out.tables[0]]
    table = lake.table(resource)
    try:
        asides = Asides(lake.quarantine(), lake.drift(), report, run.run_id)
        writer = SliceWriter(
            table, asides, lake.reconciliation(), report, run_id=run.run_id, slice_rows=run.settings.slice_rows
        )
        report.window_until = run.until
        marks = [resource.name, *(f"{resource.name}/list/{word}" for word in WORDS)]
        set_back(lake, table, marks, run.now, report, at_most=ALL_OF_IT)
        clock = ReadClock(table.newest_read())
        if not await UnfilteredSync(api, lake, resource, run, clock, writer).pull():
            return False
        report.watermark = table.watermark(resource.name)
        return True
    finally:
        table.close()


def _since(before: Counters, after: Counters) -> Counters:
    return Counters(
        requests=after.requests - before.requests,
        retries=after.retries - before.retries,
        throttles=after.throttles - before.throttles,
        bytes_received=after.bytes_received - before.bytes_received,
    )


def _record(lake: Lake, report: RunReport) -> None:
    lake.runs().append([collection.as_record(report.run_id) for collection in report.collections])
