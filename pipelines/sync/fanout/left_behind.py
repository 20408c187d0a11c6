"""The parents that a fan-out could not ask to the end: counted, remembered, and resolved when they were.

Does not belong here: what is remembered of one (pending.py), whose turn it is (choosing.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipelines import local_clock
from pipelines.contract.fan_outs import Worth
from pipelines.errors import CredentialsRefused, HostUnreachable, NotPermitted
from pipelines.lake import RecordTable
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.fanout.asking import Interrupted
from pipelines.sync.fanout.pending import Left, pending_news, resolutions
from pipelines.sync.fanout.writing import TableWriter
from pipelines.sync.windows import Window

OUTAGE = 25
"""Parents in a row that fail before the API counts as down, and the rest is left for another run."""


class Outage(Exception):
    """Too many parents in a row failed. The message is the last fault's."""


@dataclass(slots=True)
class Outcome:
    """What became of a plan's parents so far.

    vanished: gone when they were asked. failed: asked again the next time. unfinished: their history is long.
    postponed: never asked yet, and too many for a night.
    """

    vanished: int = 0
    failed: int = 0
    unfinished: int = 0
    postponed: int = 0


class LeftBehind:
    """Of one fan-out in one run; group by group, as their records are written."""

    def __init__(self, fan_out: str, run_id: str, pending: RecordTable) -> None:
        self.outcome = Outcome()
        self._fan_out = fan_out
        self._run_id = run_id
        self._pending = pending
        self._left: dict[str, Left] = {}
        self._failed_in_a_row = 0

    def begin_group(self) -> None:
        """Nobody of the next group has been left yet."""
        self._left = {}

    def succeeded(self) -> None:
        """A parent was asked to the end: the API is not down."""
        self._failed_in_a_row = 0

    def failed(self, ask: Ask, stop: Interrupted) -> None:
        """A parent could not be. Raises Outage, and CredentialsRefused where that holds for all others, too."""
        error = stop.error
        if isinstance(error, CredentialsRefused) and not isinstance(error, NotPermitted):
            raise error
        self.leave(Left(ask, stop.left, None if error is None else str(error)))
        # one that failed before says nothing of the others, unless nobody answers at all
        if error is not None and (Worth.FAILED not in ask.reasons or isinstance(error, HostUnreachable)):
            self._failed_in_a_row += 1
            if self._failed_in_a_row >= OUTAGE:
                raise Outage(f"{OUTAGE} parents in a row failed, the last one with: {error}")

    def leave(self, left: Left) -> None:
        """A parent is to be asked again; of several gaps the record spans them all."""
        parent = left.ask.parent_id
        self._left[parent] = left if parent not in self._left else replace(left, window=Window(None, None))

    def remember(self) -> None:
        """Write down who was left; to be done before the buckets' state moves on."""
        if not self._left:
            return
        now, left = local_clock.utc_now(), list(self._left.values())
        self._pending.write(lambda held: pending_news(self._fan_out, self._run_id, now, left, held))
        self.outcome.failed += sum(1 for one in left if one.reason is not None)
        self.outcome.unfinished += sum(1 for one in left if one.reason is None)

    def resolve(self, asks: Iterable[Ask], writers: Sequence[TableWriter]) -> None:
        """Parents that an earlier run had to leave, and that were now read to their end."""
        done = {ask.parent_id for ask in asks if Worth.FAILED in ask.reasons and ask.parent_id not in self._left}
        if not done:
            return
        now = local_clock.utc_now()
        self._pending.write(lambda held: resolutions(self._fan_out, self._run_id, now, sorted(done), held))
        for writer in writers:
            writer.asides.resolve(record["id"] for record in writer.asides.pending() if record["parent_id"] in done)
