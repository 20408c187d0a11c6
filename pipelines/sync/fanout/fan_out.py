"""One fan-out, one run: asks whom the plan names, many at a time, and commits bucket by bucket.

Buckets are taken in groups, so that one commit carries as many finished ones as make a sensible file. Whatever dies
in between, a bucket whose mark was not committed is asked again, and no other.
Does not belong here: whom to ask (choosing.py), who is asked together (grouping.py), how (forms.py, paged.py, rich.py),
what becomes of it (writing.py) and of those who could not be asked (left_behind.py).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import datetime

from pipelines import local_clock
from pipelines.contract import FanOut
from pipelines.contract.fan_outs import Form, Worth
from pipelines.errors import ApiError
from pipelines.lake import RecordTable
from pipelines.sync.at_once import each_at_once
from pipelines.sync.fanout.ask import Ask, Piece
from pipelines.sync.fanout.asking import Asking, Interrupted
from pipelines.sync.fanout.choosing import Plan
from pipelines.sync.fanout.forms import ask_in_windows, ask_once
from pipelines.sync.fanout.grouping import Group, by_reach, earliest, groups
from pipelines.sync.fanout.left_behind import LeftBehind, Outage, Outcome
from pipelines.sync.fanout.marks import bucket_versions
from pipelines.sync.fanout.paged import ask_by_pages, ask_seeking
from pipelines.sync.fanout.pending import Left
from pipelines.sync.fanout.rich import ask_rich
from pipelines.sync.fanout.writing import EMPTIES_BY_ITSELF, TableWriter
from pipelines.sync.windows import Window

WINDOWS_OF_A_PARENT = 20
"""Of a year's history, about: by so much fewer parents make a group where each takes many requests."""
ASKED_AGAIN_SOON = frozenset({Worth.RECENT, Worth.UNFINISHED, Worth.FEW})
"""Reasons for which a parent is asked the next night too."""

FORMS: dict[Form, Callable[[Asking, Ask], AsyncIterator[Piece]]] = {
    Form.OBJECT: ask_once,
    Form.ARRAY: ask_once,
    Form.SPAN: ask_once,
    Form.WINDOWS: ask_in_windows,
    Form.PAGES: ask_by_pages,
    Form.SEEK: ask_seeking,
    Form.RICH: ask_rich,
}


class FanOutSync:
    """Carries out one plan. Use once.

    group_asks: parents between two commits. most_asks: parents of a first reading in one night.
    """

    def __init__(
        self,
        asking: Asking,
        writers: Sequence[TableWriter],
        pending: RecordTable,
        *,
        run_id: str,
        slice_rows: int,
        group_asks: int,
        most_asks: int,
        side_by_side: int,
        progress: Callable[[str, int], None],
    ) -> None:
        self._left_behind = LeftBehind(asking.fan_out.name, run_id, pending)
        self._asking = asking
        self._writers = writers
        self._slice_rows = slice_rows
        self._group_asks = group_asks
        self._most_asks = most_asks
        self._asks_made = 0
        self._side_by_side = side_by_side
        self._progress = progress
        self._pieces: list[Piece] = []
        self._buffered = 0
        self._under_way: set[str] = set()
        self._flushing = asyncio.Lock()

    @property
    def outcome(self) -> Outcome:
        """What became of the plan's parents so far."""
        return self._left_behind.outcome

    @property
    def _fan_out(self) -> FanOut:
        return self._asking.fan_out

    async def run(self, plan: Plan) -> None:
        """Ask, commit, move the buckets' state on. Raises Outage, CredentialsRefused."""
        try:
            await self._run_groups(plan)
        except Outage:
            # what came is kept and who failed remembered, so that the next run does not meet the same wall
            await self._flush()
            self._left_behind.remember()
            raise

    async def _run_groups(self, plan: Plan) -> None:
        if plan.failed:
            await self._run_group(Group((), list(plan.failed)), plan)
        windows = self._fan_out.form is Form.WINDOWS
        for group in groups(plan, max(1, self._group_asks // WINDOWS_OF_A_PARENT) if windows else self._group_asks):
            if self._asks_made >= self._most_asks and plan.untouched.issuperset(group.buckets):
                self.outcome.postponed += len(group.asks)
                continue
            await self._run_group(group, plan)
            self._asks_made += len(group.asks)
            if not self._goes_on():
                break

    def _goes_on(self) -> bool:
        """False once every path of the fan-out turned out not to be served by the tenant."""
        return self._asking.is_served(self._fan_out.endpoint)

    async def _run_group(self, group: Group, plan: Plan) -> None:
        self._left_behind.begin_group()
        recent, older = by_reach(group.asks)
        await self._ask_all(recent, earliest(recent, self._fan_out))
        await self._ask_all(older, None)
        if self._goes_on():
            await self._flush(group, plan)
            self._left_behind.resolve(group.asks, self._writers)

    async def _ask_all(self, asks: Sequence[Ask], since: datetime | None) -> None:
        """Ask some parents, `side_by_side` at a time; pieces are buffered, and committed when there are many.

        since: what the parents are asked for does not lie before.
        """
        if not asks:
            return
        await self._flush()
        for writer in self._writers:
            writer.table.narrow({ask.bucket for ask in asks}, since)
        self._under_way = {ask.parent_id for ask in asks}
        await each_at_once(asks, self._ask_one, self._side_by_side, self._goes_on)

    async def _ask_one(self, ask: Ask) -> None:
        try:
            items = 0
            async for piece in self._form(ask):
                items += piece.items
                await self._take(piece)
            if not items and self._is_worth_a_second_look(ask):
                async for piece in self._form(ask):
                    if piece.items:
                        await self._take(piece)
        except Interrupted as stop:
            self._left_behind.failed(ask, stop)
        else:
            self._left_behind.succeeded()
        finally:
            self._under_way.discard(ask.parent_id)
        self._progress(self._fan_out.name, 1)

    def _is_worth_a_second_look(self, ask: Ask) -> bool:
        """Whether nothing, where nothing was held yet, might be a fault that no later night would come back to soon.

        Where something was held, its absence is asked about again anyway. Windows and what ends by itself have probes
        and nights of their own.
        """
        is_first = ask.last_until is None or not {Worth.NEW, Worth.BACKFILL}.isdisjoint(ask.reasons)
        return (
            is_first
            and ASKED_AGAIN_SOON.isdisjoint(ask.reasons)
            and self._fan_out.form is not Form.WINDOWS
            and EMPTIES_BY_ITSELF.isdisjoint(self._fan_out.tables)
            and self._asking.surely_serves(self._fan_out.endpoint)
        )

    async def _take(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._buffered += piece.items
        if piece.problem is not None:
            self._left_behind.leave(Left(piece.ask, Window(None, None), piece.problem))
        if self._buffered >= self._slice_rows:
            async with self._flushing:
                await self._flush()

    async def _flush(self, finished: Group | None = None, plan: Plan | None = None) -> None:
        """Commit what is buffered; rows that seem to be gone are first asked about again.

        finished: whose buckets' state moves on with this commit, as all of their rows are in it or before it.
        """
        pieces, self._pieces, self._buffered = self._pieces, [], 0
        if not pieces and finished is None:
            return
        reads = {writer.name: writer.read(pieces) for writer in self._writers}
        absent = [writer.absent(reads[writer.name]) for writer in self._writers]
        unbelieved = set[str]().union(*(found.unbelieved for found in absent))
        self._doubt(unbelieved, pieces)
        doubtful = set[str]().union(*(found.parents for found in absent)) - unbelieved
        second, confirmed = await self._ask_about(doubtful, pieces)
        again = {writer.name: writer.read(second) for writer in self._writers} if second else {}
        at = self._asking.clock.stamp(local_clock.utc_now())
        if finished is not None:
            self._left_behind.remember()
        for writer in self._writers:
            other = again.get(writer.name)
            sure = confirmed - (other.unreadable if other else frozenset())
            writer.commit(reads[writer.name], other, sure, at, self._marks(writer, finished, plan))
            writer.table.release(self._under_way | {piece.ask.parent_id for piece in self._pieces})

    def _doubt(self, parents: set[str], pieces: Sequence[Piece]) -> None:
        """Most parents lost all they had at once: that is taken for a fault of the API's, and they are asked again."""
        for ask in {piece.ask.parent_id: piece.ask for piece in pieces if piece.ask.parent_id in parents}.values():
            self._left_behind.leave(Left(ask, Window(None, None), "empty, as most others were: not believed"))

    def _marks(self, writer: TableWriter, finished: Group | None, plan: Plan | None) -> dict[str, int]:
        if finished is None or plan is None:
            return {}
        return bucket_versions(
            writer.name,
            finished.buckets,
            min(self._asking.until, self._asking.now),
            plan.seen,
            plan.back,
            is_backwards=Worth.BACKFILL in self._fan_out.worth,
            deep=plan.deep,
        )

    async def _ask_about(self, doubtful: set[str], pieces: Sequence[Piece]) -> tuple[list[Piece], set[str]]:
        """Second answers to the questions whose first answers lack rows, and of whom they are whole."""
        second: list[Piece] = []
        confirmed: set[str] = set()
        first: dict[str, list[Piece]] = {parent: [] for parent in sorted(doubtful)}
        for piece in pieces:
            if piece.judges and piece.ask.parent_id in first:
                first[piece.ask.parent_id].append(piece)

        async def ask_again(parent: str) -> None:
            answers = await self._second_answers(first[parent])
            if answers is not None:
                second.extend(answers)
                confirmed.add(parent)

        await each_at_once(first, ask_again, self._side_by_side, self._goes_on)
        return second, confirmed

    async def _second_answers(self, pieces: Sequence[Piece]) -> list[Piece] | None:
        """None where absence means nothing: the parent itself is gone, or cannot be asked."""
        ask = pieces[0].ask
        try:
            if any(piece.is_none for piece in pieces) and not await self._asking.is_alive(ask):
                self.outcome.vanished += 1
                return None
            answers = [answer for question in self._questions(pieces) async for answer in self._form(question)]
        except ApiError as error:
            self._left_behind.failed(ask, Interrupted(Window(None, None), error))
            return None
        except Interrupted as stop:
            self._left_behind.failed(ask, Interrupted(Window(None, None), stop.error))
            return None
        judged = frozenset[str]().union(*(piece.judges for piece in pieces))
        whole = all(answer.problem is None and answer.judges >= judged for answer in answers)
        return answers if whole else None

    def _questions(self, pieces: Sequence[Piece]) -> list[Ask]:
        """What to ask to get the same pieces once more."""
        if self._fan_out.form is not Form.WINDOWS:
            return [pieces[0].ask]
        return [replace(piece.ask, only=Window(piece.lower, piece.upper)) for piece in pieces]

    def _form(self, ask: Ask) -> AsyncIterator[Piece]:
        return FORMS[self._fan_out.form](self._asking, ask)
