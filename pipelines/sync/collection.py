"""One collection, one run: what to ask, in which order, and when its watermarks move.

This is where re-reads and re-listings join in: each is one more window read through `_take`. What the windows did not
show is followed up at the end.
Does not belong here: how a window is read (listing.py, history.py), how rows are committed (slices.py), rows that are
asked for one by one (deletions).
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from datetime import datetime, timedelta

from pipelines.client.answer import Api
from pipelines.contract import MAX_PAGE_SIZE, Answer, Change, Question, Resource
from pipelines.contract.formats import format_instant
from pipelines.errors import ApiError, CredentialsRefused, NotPermitted
from pipelines.lake.held import HeldTimes
from pipelines.sync.clock import ReadClock
from pipelines.sync.deletions.follow_up import FollowUp
from pipelines.sync.deletions.unfinished import asked_app_id, has_unfinished
from pipelines.sync.history import read_in_order
from pipelines.sync.listing import Ask
from pipelines.sync.pages import Page, empty_page, read_array, read_page
from pipelines.sync.reconciling import MonthCount
from pipelines.sync.report import CollectionReport
from pipelines.sync.rereads import before_months, closed_months, has_a_turn, rotation
from pipelines.sync.run_context import Run
from pipelines.sync.slices import SliceWriter
from pipelines.sync.windows import EDGE, MILLISECOND, Window, next_window, shifted, to_millisecond

NONE: frozenset[int] = frozenset()
PAST_THE_END = frozenset({400, 404})
"""What an API may answer to a page number beyond the last page; nothing documents it."""
TAIL_ROWS = 10 * MAX_PAGE_SIZE
"""Rows dated after `until` that are taken along; of more than this, only the newest page is."""


class CollectionSync:
    """Syncs one collection into its table. Use once."""

    def __init__(
        self, api: Api, resource: Resource, run: Run, clock: ReadClock, writer: SliceWriter, follow_up: FollowUp
    ) -> None:
        self._api = api
        self._resource = resource
        self._run = run
        self._clock = clock
        self._writer = writer
        self._follow_up = follow_up
        self._has_rotated = False

    @property
    def _report(self) -> CollectionReport:
        return self._writer.report

    async def pull(self) -> None:
        """Everything new since the last run, then whatever was set aside."""
        self._report.window_until = self._run.until
        if self._run.until > self._run.now:
            self._writer.note(
                f"--until {format_instant(self._run.until)} lies after the API's clock {format_instant(self._run.now)}:"
                " rows were read up to there, the watermark stays at the clock",
                harmless=True,
            )
        if self._resource.answer is Answer.ARRAY:
            await self._pull_array()
            return
        fresh = self._watermark(self._listing) is None
        turns = None if fresh else self._turns()
        for question in self._resource.all_questions:
            await self._pull_question(question, begin_others=fresh)
        if await self._shielded(self._take_tail()):
            await self._shielded(self._look_back(turns))
        self._report.watermark = self._watermark(self._listing)

    async def _look_back(self, turns: Sequence[Window] | None) -> None:
        """What was read before: a part of history, months that differ, rows set aside, rows that were not shown."""
        if turns is not None:
            await self._shielded(self._rotate(turns))
        counts: dict[Window, MonthCount] = {}
        is_audited = (
            self._run.deep and self._resource.changes is Change.CORRECTED and await self._shielded(self._audit(counts))
        )
        await self._ask_again()
        await self._shielded(self._follow_up.follow(is_night=True))
        if self._has_rotated:
            # only now: whoever dies before must miss the same rows again
            self._move(self._rotation_id, self._run.until)
            self._writer.flush()
        if is_audited:
            self._reconcile(counts)

    async def pull_range(self, window: Window) -> None:
        """Read one window of the listing question again. Moves no watermark."""
        if self._resource.answer is Answer.ARRAY:
            await self._pull_array(moves=False)
            return
        if await self._shielded(self._take(self._listing, window)):
            await self._shielded(self._follow_up.follow(is_night=False))
        self._report.watermark = self._watermark(self._listing)

    @property
    def _listing(self) -> Question:
        question = self._resource.listed_by
        if question is None:
            raise AssertionError(f"{self._resource.name} is a paged list without a filter")
        return question

    def _watermark(self, question: Question) -> datetime | None:
        return self._writer.watermark(self._resource.app_id(question))

    async def _pull_question(self, question: Question, *, begin_others: bool) -> None:
        watermark = self._watermark(question)
        begins = question is self._listing and begin_others
        if begins:
            self._begin_others()
        elif begin_others and watermark == self._run.until:
            return
        window = self._whole() if self._relists else next_window(watermark, self._run.until, self._overlap(question))
        await self._shielded(self._take(question, window, self._resource.app_id(question)))

    def _begin_others(self) -> None:
        """The first pull reads every row, so the other questions only have to see what changes from now on."""
        for other in self._resource.questions:
            self._move(self._resource.app_id(other), self._run.until)
        self._move(self._rotation_id, self._run.until)
        if has_unfinished(self._resource):
            self._move(asked_app_id(self._resource), self._run.until)

    @property
    def _relists(self) -> bool:
        """Whether the whole list is read, because edits show in no filter and it is cheap or the run is deep."""
        cheap = len(self._writer) <= self._run.settings.relist_rows
        return self._resource.changes is Change.EDITED and (cheap or self._run.deep)

    def _whole(self) -> Window:
        return Window(None, self._run.until)

    def _overlap(self, question: Question) -> timedelta:
        """How far a window reaches back: for late arrivals, and for corrections that show in no filter."""
        settings = self._run.settings
        overlap = settings.overlap(question.overlap)
        if self._resource.changes is not Change.CORRECTED:
            return overlap
        reach_days = settings.deep_correction_days if self._run.deep else settings.correction_days
        return max(overlap, timedelta(days=reach_days))

    @property
    def _rotation_id(self) -> str:
        return _rotation_id(self._resource)

    def _turns(self) -> list[Window] | None:
        """Tonight's part of all history; None where it had its turn. To be asked before anything is read.

        What the night brings hides that nothing old was held.
        """
        last = self._writer.watermark(self._rotation_id)
        if self._resource.changes is Change.NONE or self._relists or not has_a_turn(last, self._run.until):
            return None
        oldest = self._writer.held_times(self._listing.time).oldest
        upper = shifted(self._run.until, -self._overlap(self._listing))
        return rotation(oldest, upper, last, self._run.until, self._run.settings.rotation_nights)

    async def _rotate(self, turns: Sequence[Window]) -> None:
        """Read a part of history again: what was changed long after it happened."""
        settled = [await self._take(self._listing, window) for window in turns]
        self._has_rotated = all(settled)

    async def _audit(self, counts: dict[Window, MonthCount]) -> None:
        """Compare the API's count of each closed month with ours, and read the months again that differ.

        First of all that is before them: whoever comes to the tenant may bring rows older than any that is held.
        """
        path = self._listing.time
        held = self._writer.held_times(path)
        before = before_months(held.oldest, self._run.until)
        counts[before] = await self._count(held, before)
        if counts[before].differs:
            await self._take(self._listing, before)
            held = self._writer.held_times(path)
        for month in closed_months(held.oldest, self._run.until):
            was_before = month.upper is not None and before.upper is not None and month.upper <= before.upper
            counts[month] = await self._count(held, month, was_read_again=was_before)
        for month in [month for month, count in counts.items() if count.differs and month != before]:
            await self._take(self._listing, month)

    async def _count(self, held: HeldTimes, window: Window, *, was_read_again: bool = False) -> MonthCount:
        assert window.upper is not None
        page = await self._asker(self._listing)(window.lower, window.upper - MILLISECOND, 1)
        return MonthCount(page.total, self._ours(held, window), was_read_again)

    def _reconcile(self, counts: dict[Window, MonthCount]) -> None:
        """Count the months that differed once more, now that what is gone is deleted, and record all of them."""
        differing = [month for month, count in counts.items() if count.differs]
        held = self._writer.held_times(self._listing.time) if differing else None
        for month in differing:
            assert held is not None
            counts[month] = MonthCount(counts[month].api_rows, self._ours(held, month), was_read_again=True)
            if counts[month].differs:
                self._writer.note(
                    f"{month}: the API counts {counts[month].api_rows} rows, the lake holds {counts[month].held_rows},"
                    " after reading them again",
                    harmless=True,
                )
        self._writer.reconcile(counts)

    def _ours(self, held: HeldTimes, month: Window) -> int:
        """Rows of a month that we have, and those set aside or of people erased, which the API counts too."""
        others = self._writer.set_aside_within(month, self._listing.time) + self._writer.erased_within(month)
        return held.count(month.lower, month.upper) + others

    def _move(self, app_id: str, instant: datetime) -> None:
        """Never past the API's own clock: nothing can be complete up to a time that has not come."""
        self._writer.move(app_id, min(instant, to_millisecond(self._run.now)))

    async def _take(self, question: Question, window: Window, app_id: str | None = None) -> bool:
        """Read a window into the writer; move `app_id`'s watermark along as far as everything is settled.

        Returns whether everything was.
        """
        settled, known_until = True, self._clock.last
        pieces = read_in_order(self._asker(question), question, window, self._run.now, self._run.side_by_side)
        async for piece in pieces:
            settled = settled and piece.settled
            for note in piece.notes:
                self._writer.note(note, harmless=piece.settled)
            self._writer.add(piece.pages, question, piece.window)
            if piece.settled:
                self._writer.absences.asked(question, piece.window, known_until)
            if app_id is not None and settled and piece.window.upper is not None:
                self._move(app_id, piece.window.upper)
            self._run.progress(self._resource.name, sum(len(page.items) for page in piece.pages))
            self._writer.flush_if_large()
        self._writer.flush()
        return settled

    async def _take_tail(self) -> None:
        """Rows dated after `until`: the last minutes, and rows from a clock that runs ahead."""
        question, known_until = self._listing, self._clock.last
        page = await self._asker(question)(self._run.until, None, 1)
        if len(page.items) < page.total <= TAIL_ROWS:
            await self._take(question, Window(self._run.until, None))
            return
        if page.total > TAIL_ROWS:
            self._writer.note(
                f"{page.total} rows are dated after {format_instant(self._run.until)}; the newest"
                f" {len(page.items)} were taken, the others come when a window reaches them",
                harmless=True,
            )
        self._writer.add([page], question, Window(self._run.until, None))
        if page.is_complete(MAX_PAGE_SIZE):
            # asked for without the second that windows reach over their borders
            self._writer.absences.asked(question, Window(shifted(self._run.until, EDGE), None), known_until)
        self._writer.flush()

    async def _ask_again(self) -> None:
        """The windows of rows that an earlier run could not read."""
        questions = {question.name: question for question in self._resource.all_questions}
        for (name, window), identities in self._writer.pending().items():
            question = questions.get(name or "")
            if question is not None and await self._shielded(self._take(question, window)):
                self._writer.resolve(identities)

    async def _pull_array(self, *, moves: bool = True) -> None:
        async def take() -> None:
            answer = await self._api.get(self._resource.path)
            page = read_array(answer, self._clock.stamp(answer.received_at), self._resource.path)
            self._writer.add([Page(page, len(page.items))], None, None)
            if moves:
                self._move(self._resource.name, self._run.until)
            self._run.progress(self._resource.name, len(page.items))
            self._writer.flush()
            self._writer.resolve(identity for identities in self._writer.pending().values() for identity in identities)

        await self._shielded(take())
        self._report.watermark = self._writer.watermark(self._resource.name)

    async def _shielded(self, work: Awaitable[object]) -> bool:
        """Do a part of the night; a fault of the API ends this part only. Returns whether it was done."""
        try:
            await work
        except ApiError as error:
            if isinstance(error, CredentialsRefused) and not isinstance(error, NotPermitted):
                raise
            self._writer.flush()
            self._report.fail(str(error))
            return False
        return True

    def _asker(self, question: Question) -> Ask:
        resource = self._resource

        async def ask(lower: datetime | None, upper: datetime | None, number: int) -> Page:
            params = {"pageSize": str(MAX_PAGE_SIZE), "pageIndex": str(number)}
            if lower is not None:
                params[question.lower] = format_instant(lower)
            if upper is not None:
                params[question.upper] = format_instant(upper)
            answer = await self._api.get(resource.path, params, none_statuses=PAST_THE_END if number > 1 else NONE)
            read_at = self._clock.stamp(answer.received_at)
            return read_page(answer, read_at, resource.path) if answer.status == 200 else empty_page(read_at)

        return ask


def marks_of(resource: Resource) -> list[str]:
    """The names of all marks of a collection that are instants of the API's clock."""
    if resource.answer is Answer.ARRAY:
        return [resource.name]
    own = [resource.app_id(question) for question in resource.all_questions]
    return [*own, _rotation_id(resource), *([asked_app_id(resource)] if has_unfinished(resource) else [])]


def _rotation_id(resource: Resource) -> str:
    return f"{resource.name}/rotation"
