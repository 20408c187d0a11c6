"""Sessions that go on and that no window of the run has shown: each is asked for by its own GET, as many as a night
may.

Does not belong here: the arithmetic of turns (turns.py), what a 404 proves (proving.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timezone

from pipelines import local_clock
from pipelines.client.answer import Answer
from pipelines.contract import Change, Resource
from pipelines.contract.fan_outs import Worth
from pipelines.errors import ApiError, CredentialsRefused, NotPermitted
from pipelines.lake import Lake
from pipelines.sync.deletions.absence import Row, row_of
from pipelines.sync.deletions.details import item_of
from pipelines.sync.deletions.listed import may_show, page_around, second_of
from pipelines.sync.deletions.turns import turn
from pipelines.sync.deletions.work import Reading, Work
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.fanout.asking import NONE
from pipelines.sync.fanout.known import Known
from pipelines.sync.fanout.pending import PENDING, Left, pending_news, resolutions
from pipelines.sync.windows import Window, to_millisecond


@dataclass(frozen=True, slots=True)
class Unfinished:
    """failed: that an earlier run could not read, who come first. chosen: whose turn it is. left: how many wait longer.

    mark: how far round this night comes. over: of those that failed before, who need not be asked any more.
    """

    failed: tuple[Row, ...]
    chosen: tuple[Row, ...]
    left: int
    mark: int
    over: tuple[str, ...]

    @property
    def asked(self) -> Counter[str]:
        """How many are asked for which reason."""
        return +Counter({Worth.FAILED.value: len(self.failed), Worth.UNFINISHED.value: len(self.chosen)})


def has_unfinished(resource: Resource) -> bool:
    """Whether rows of a list go on for a while, and so must be looked after until they end."""
    return resource.changes is Change.CORRECTED


def asked_app_id(resource: Resource) -> str:
    """The watermark that says up to when those that go on were asked for."""
    return f"{resource.name}/unfinished"


def turn_app_id(resource: Resource) -> str:
    """The mark that says whose turn it was last."""
    return f"{resource.name}/unfinished/turn"


def failed_before(lake: Lake, resource: Resource) -> frozenset[str]:
    """Those whose own GET failed in an earlier run."""
    if not lake.holds("_pending_parents"):
        return frozenset()
    records = lake.pending_parents().current().values()
    return frozenset(r["parent_id"] for r in records if r["fan_out"] == resource.name and r["status"] == PENDING)


def choose(
    known: Known, resource: Resource, failed: Collection[str], mark: int, most: int, shown: str = "shown"
) -> Unfinished:
    """known: with the list's table and the users loaded. failed: ids of those whose GET failed before.

    shown: table or SQL in brackets of the ids that the run's windows show. A user that is gone answers for no session.
    """
    rows = known.sql.execute(
        f"""select k.id::varchar, k.user_id::varchar, k.begun, k.seen
            from known_{resource.name} k anti join {shown} as s on s.id = k.id
            where not k.gone and not k.is_final and k.user_id is not null
              and not exists (select 1 from known_users u where u.id = k.user_id and u.gone)
            order by k.seen, k.id"""  # noqa: S608 - names of ours
    ).fetchall()
    waiting = {id_: row_of(id_, user_id, begun) for id_, user_id, begun, _ in rows}
    first = [id_ for id_ in sorted(failed) if id_ in waiting][:most]
    others = [(seen.astimezone(timezone.utc), id_) for id_, _, _, seen in rows if id_ not in failed]
    chosen, new_mark = turn(others, mark, most - len(first))
    return Unfinished(
        failed=tuple(waiting[id_] for id_ in first),
        chosen=tuple(waiting[id_] for id_ in chosen),
        left=len(waiting) - len(first) - len(chosen),
        mark=new_mark,
        over=tuple(id_ for id_ in sorted(failed) if id_ not in waiting),
    )


def is_due(work: Work) -> bool:
    """Whether those that go on were not asked for up to this end yet."""
    last = work.writer.watermark(asked_app_id(work.resource))
    return last is None or last < _end(work)


async def look_after(work: Work) -> list[Row]:
    """Ask for tonight's; returns those that answered 404 and that the list does not show either."""
    failed = failed_before(work.lake, work.resource) | work.writer.unreadable_single()
    mark = work.writer.mark_of(turn_app_id(work.resource)) or 0
    chosen = choose(work.known, work.resource, failed, mark, work.run.settings.unfinished_requests)
    readings: list[Reading] = []
    missed: list[Row] = []
    left: dict[Row, str] = {}

    def said(row: Row, answer: Answer | str) -> None:
        if isinstance(answer, str):
            left[row] = answer
        elif answer.status in NONE:
            missed.append(row)
        else:
            try:
                readings.append((row, answer, item_of(work.resource, answer, row)))
            except ApiError as error:
                left[row] = str(error)

    await work.single.ask([*chosen.failed, *chosen.chosen], said)
    lost = await _not_listed_either(work, missed, left)
    work.take(readings)
    work.known.sql.execute("insert into shown select unnest(?)::uuid", [[row.id for row, _, _ in readings]])
    _remember(work, chosen, left)
    if chosen.mark > mark:
        work.writer.mark(turn_app_id(work.resource), chosen.mark)
    work.writer.move(asked_app_id(work.resource), _end(work))
    work.writer.flush()
    _tell(work, chosen, len(left))
    return lost


async def _not_listed_either(work: Work, missed: list[Row], left: dict[Row, str]) -> list[Row]:
    """Of those whose path says 404, whom the list does not show: one may only have passed to another user."""
    lost: list[Row] = []
    question = work.resource.listed_by
    for row in missed:
        try:
            page = await page_around(work.api, work.clock, work.resource, row)
        except ApiError as error:
            if isinstance(error, CredentialsRefused) and not isinstance(error, NotPermitted):
                raise
            left[row] = str(error)
            continue
        if not may_show(page, row):
            lost.append(row)
        elif page is not None:
            work.writer.add([page], question, second_of(row))
    return lost


def _remember(work: Work, chosen: Unfinished, left: dict[Row, str]) -> None:
    """Those that failed are asked first the next time; those that did not fail again are settled."""
    records, now = work.lake.pending_parents(), local_clock.utc_now()
    name, run_id = work.resource.name, work.run.run_id
    failing = [Left(_as_ask(row), Window(None, None), reason) for row, reason in left.items()]
    if failing:
        records.write(lambda held: pending_news(name, run_id, now, failing, held))
    failing_ids = {row.id for row in left}
    done = [*chosen.over, *(row.id for row in chosen.failed if row.id not in failing_ids)]
    if done:
        records.write(lambda held: resolutions(name, run_id, now, done, held))


def _as_ask(row: Row) -> Ask:
    assert row.user_id is not None, "who has no user is not chosen"
    return Ask(row.id, row.user_id, 0, ())


def _end(work: Work) -> datetime:
    return min(work.run.until, to_millisecond(work.run.now))


def _tell(work: Work, chosen: Unfinished, failed: int) -> None:
    work.report.asked.update(chosen.asked)
    if failed:
        work.writer.note(
            f"{failed} {work.resource.name} that go on failed and are asked again; `chargelake status` names them",
            harmless=False,
        )
    if chosen.left:
        work.report.skipped[Worth.UNFINISHED.value] += chosen.left
        work.writer.note(
            f"{chosen.left} {work.resource.name} that go on are asked in later nights (CHARGELAKE_UNFINISHED_REQUESTS)",
            harmless=True,
        )
