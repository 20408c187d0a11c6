"""A tenant's list without any filter: payouts. Read by page numbers, until two walks agree.

A night reads from the newest down to where nothing can have changed: payouts that are still on their way and those of
the correction range. A deep run reads it all.
Does not belong here: lists with a time filter (collection.py), walking (listing.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from pipelines.client.answer import Api
from pipelines.contract import MAX_PAGE_SIZE, Resource
from pipelines.contract.vocabulary import FINAL_PAYOUT_STATUS
from pipelines.lake import Lake
from pipelines.lake.scratch import scratch_database
from pipelines.sync.clock import ReadClock
from pipelines.sync.listing import read_pages
from pipelines.sync.pages import Page, empty_page, read_page
from pipelines.sync.run_context import Run
from pipelines.sync.slices import SliceWriter
from pipelines.sync.windows import to_millisecond

CREATED = "createdAt"
WORDS = ("served", "unserved")


class UnfilteredSync:
    """Syncs one such list into its table. Use once."""

    def __init__(
        self, api: Api, lake: Lake, resource: Resource, run: Run, clock: ReadClock, writer: SliceWriter
    ) -> None:
        self._api = api
        self._lake = lake
        self._resource = resource
        self._run = run
        self._clock = clock
        self._writer = writer
        self._is_served = True

    async def pull(self) -> bool:
        """Read the list; False where the tenant does not serve it. Raises ApiError."""
        served, unserved = (self._writer.watermark(f"{self._resource.name}/list/{word}") for word in WORDS)
        if unserved is not None and (served is None or served < unserved) and not self._run.deep:
            return False
        enough = None if self._run.deep or served is None else self._nothing_new_before()
        piece = await read_pages(self._ask, lambda page: _is_older(page, enough))
        instant = min(self._run.until, to_millisecond(self._run.now))
        if not self._is_served:
            if unserved is None or served is not None:
                self._writer.move(f"{self._resource.name}/list/unserved", instant)
                self._writer.flush()
            return False
        for note in piece.notes:
            self._writer.note(note, harmless=piece.settled)
        self._writer.add(piece.pages, None, None)
        self._run.progress(self._resource.name, sum(len(page.items) for page in piece.pages))
        if served is None or (unserved is not None and unserved >= served):
            self._writer.move(f"{self._resource.name}/list/served", instant)
        if piece.settled:
            self._writer.move(self._resource.name, instant)
        self._writer.flush()
        pending = self._writer.pending()
        self._writer.resolve(identity for identities in pending.values() for identity in identities)
        return True

    async def _ask(self, _lower: datetime | None, _upper: datetime | None, number: int) -> Page:
        params = {"pageSize": str(MAX_PAGE_SIZE), "pageIndex": str(number)}
        none = frozenset({404}) if number == 1 else frozenset({400, 404})
        answer = await self._api.get(self._resource.path, params, none_statuses=none)
        read_at = self._clock.stamp(answer.received_at)
        if answer.status == 200:
            return read_page(answer, read_at, self._resource.path)
        self._is_served = self._is_served and number > 1
        return empty_page(read_at)

    def _nothing_new_before(self) -> datetime:
        """When the oldest payout was made that may still change."""
        reach = self._run.until - timedelta(days=self._run.settings.correction_days)
        columns = ["id", "status", "created_at", "_synced_at", "_deleted"]
        with self._lake.reading(self._resource, columns) as versions, scratch_database() as connection:
            connection.register("versions", versions)
            row = connection.execute(
                """select min(now.created_at) from (
                     select arg_max(struct_pack(created_at := created_at, status := status, gone := _deleted),
                                    _synced_at) as now
                     from versions group by id
                   ) where not now.gone and not coalesce(list_contains(?, now.status), false)""",
                [sorted(FINAL_PAYOUT_STATUS)],
            ).fetchone()
        awaited = None if row is None or row[0] is None else row[0].astimezone(timezone.utc)
        return reach if awaited is None else min(reach, awaited)


def _is_older(page: Page, enough: datetime | None) -> bool:
    """Whether a page, and so all behind it, is older than what is wanted."""
    if enough is None:
        return False
    oldest = page.oldest_if_newest_first(CREATED)
    return oldest is not None and oldest < enough - timedelta(days=1)
