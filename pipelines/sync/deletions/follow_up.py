"""What a list's night ends with: rows that are asked for one by one, and what follows from their answers.

First the sessions that go on and were not shown, then the rows that should have been shown: the answers of those that
are there are readings, those that are proved gone are deleted with all below them, the rest is remembered.
Does not belong here: who is missing (absence.py), what proves (proving.py), reading windows
(pipelines/sync/collection.py).
"""

from __future__ import annotations

from collections.abc import Sequence

from pipelines.client.answer import Api
from pipelines.contract import Resource
from pipelines.lake import Lake, Record
from pipelines.sync.clock import ReadClock
from pipelines.sync.deletions.absence import MASS, Absences, Missing, Row, row_of
from pipelines.sync.deletions.candidates import ALIVE, DELETED, OPEN, PROVED, settled_news, unproved_news
from pipelines.sync.deletions.cascade import Cascade
from pipelines.sync.deletions.deleting import delete
from pipelines.sync.deletions.owners import USERS
from pipelines.sync.deletions.proving import SingleRows, Verdicts, Witnesses
from pipelines.sync.deletions.unfinished import has_unfinished, is_due, look_after
from pipelines.sync.deletions.work import Work
from pipelines.sync.run_context import Run
from pipelines.sync.slices import SliceWriter

NOT_LISTED = "no longer listed"
WITNESSES = 3
SAMPLE = 5
"""Of very many rows that are missing at once so many are asked first: where one of them is there, the list is at
fault.
"""
LATER = "more rows are missing than a night proves (CHARGELAKE_DELETION_PROOFS)"


class FollowUp:
    """Use once, after the list's windows were read and committed."""

    def __init__(
        self,
        api: Api,
        lake: Lake,
        resource: Resource,
        run: Run,
        clock: ReadClock,
        writer: SliceWriter,
        absences: Absences,
        cascade: Cascade,
    ) -> None:
        self._known = run.known
        self._witnesses = Witnesses()
        single = SingleRows(api, resource, self._users_gone, run.side_by_side)
        self._work = Work(api, lake, resource, run, clock, writer, absences, cascade, self._known, single)

    async def follow(self, *, is_night: bool) -> None:
        """is_night: False for a range that is read again, which looks after no session that goes on."""
        work, records = self._work, self._open_records()
        looks_after = is_night and has_unfinished(work.resource) and is_due(work)
        if looks_after or work.absences.has_judged() or records:
            self._known.begin()
            self._known.load(work.resource.name)
            self._known.load(USERS)
            work.absences.register(self._known)
            lost = await look_after(work) if looks_after else []
            await self._judge(records, lost)

    def _open_records(self) -> list[Record]:
        """Rows that an earlier run missed. A run that may not judge takes up only what a kill left half done."""
        lake, statuses = self._work.lake, OPEN if self._work.absences.judges else {PROVED}
        if not lake.holds("_deletion_candidates"):
            return []
        found = lake.deletion_candidates().current().values()
        mine = [r for r in found if r["collection"] == self._work.resource.name and r["status"] in statuses]
        return sorted(mine, key=lambda r: (r["status"] != PROVED, r["missing_since"], r["id"]))

    async def _judge(self, records: Sequence[Record], lost: Sequence[Row]) -> None:
        work = self._work
        missing = work.absences.missing(self._known)
        waiting = {row.id: row for row in (*self._still_missing(records), *lost)}
        fresh = [row for row in missing.rows if row.id not in waiting]
        self._witnesses = self._find_witnesses([*waiting, *(row.id for row in fresh)])
        found = Verdicts()
        if missing.is_mass:
            fresh = await self._sample(fresh, missing, found)
        # those that were asked in vain come last, so that they keep nobody waiting
        vain = {r["row_id"] for r in records if r["attempts"] and r["status"] != PROVED}
        rows = [*waiting.values()]
        queue = [*(row for row in rows if row.id not in vain), *fresh, *(row for row in rows if row.id in vain)]
        proofs = work.run.settings.deletion_proofs
        found.add(await self._prove(queue[:proofs], needs_witness=len(queue) > MASS))
        found.unproved |= dict.fromkeys(queue[proofs:], LATER)
        await self._settle(found, records)

    def _still_missing(self, records: Sequence[Record]) -> list[Row]:
        """Of rows that an earlier run missed those that live in the lake and were not shown; the others are settled."""
        ids = {record["row_id"]: record for record in records}
        rows = self._known.sql.execute(
            f"""select k.id::varchar, k.user_id::varchar, k.begun, k.gone, s.id is not null
                from known_{self._work.resource.name} k left join shown s on s.id = k.id
                where k.id in (select unnest(?)::uuid)""",  # noqa: S608 - a name of the contract
            [list(ids)],
        ).fetchall()
        state = {id_: (row_of(id_, user_id, begun), gone, shown) for id_, user_id, begun, gone, shown in rows}
        self._close(DELETED, [id_ for id_ in ids if id_ not in state or state[id_][1]], ids)
        self._close(ALIVE, [id_ for id_ in ids if id_ in state and state[id_][2] and not state[id_][1]], ids)
        return [state[id_][0] for id_ in ids if id_ in state and not (state[id_][1] or state[id_][2])]

    def _close(self, status: str, ids: Sequence[str], records: dict[str, Record]) -> None:
        """Nothing is open of these rows any more; what was deleted under one that lives comes back."""
        if not ids:
            return
        if status == ALIVE:
            half_done = [id_ for id_ in ids if records[id_]["status"] == PROVED]
            self._work.cascade.bring_back_under(self._work.resource.name, half_done)
        self._work.note_candidates(lambda name, run_id, at, held: settled_news(name, run_id, at, ids, status, held))

    async def _prove(self, rows: Sequence[Row], *, needs_witness: bool) -> Verdicts:
        return await self._work.single.prove(rows, self._witnesses, needs_witness=needs_witness)

    async def _sample(self, fresh: list[Row], missing: Missing, found: Verdicts) -> list[Row]:
        """Ask some of very many rows; which of them are still to be proved."""
        step = max(1, len(fresh) // SAMPLE)
        sample = fresh[::step][:SAMPLE]
        said = await self._prove(sample, needs_witness=True)
        found.add(said)
        rest = [row for row in fresh if row not in set(sample)]
        if said.alive:
            self._work.writer.note(
                f"the list lacked {len(missing.rows)} of {missing.judged} rows, and {len(said.alive)} of {len(sample)}"
                " that were asked for are there: its absences are not believed",
                harmless=False,
            )
            return []
        if said.unproved and not said.gone:
            found.unproved |= dict.fromkeys(rest, next(iter(said.unproved.values())))
            return []
        return rest

    def _find_witnesses(self, missing: Sequence[str]) -> Witnesses:
        """Rows that nobody misses, those that were shown tonight first."""
        found = self._known.sql.execute(
            f"""select k.id::varchar, k.user_id::varchar, k.begun, s.id is not null as is_shown
                from known_{self._work.resource.name} k left join shown s on s.id = k.id
                where not k.gone and k.user_id is not null and k.id not in (select unnest(?)::uuid)
                  and not exists (select 1 from known_users u where u.id = k.user_id and u.gone)
                order by s.id is null, k.begun desc nulls last, k.id limit {WITNESSES}""",  # noqa: S608 - names of ours
            [list(missing)],
        ).fetchall()
        return Witnesses([row_of(*row[:3]) for row in found], any(row[3] for row in found))

    def _users_gone(self) -> frozenset[str]:
        rows = self._known.sql.execute("select id::varchar from known_users where gone").fetchall()
        return frozenset(id_ for (id_,) in rows)

    async def _settle(self, found: Verdicts, records: Sequence[Record]) -> None:
        work, held = self._work, {record["row_id"]: record for record in records}
        work.take(found.alive)
        self._close(ALIVE, [row.id for row, _, _ in found.alive if row.id in held], held)
        unclear = await delete(work, found.gone)
        unproved = found.unproved | unclear
        if unproved:
            work.note_candidates(
                lambda name, run_id, at, current: unproved_news(name, run_id, at, unproved, found.attempted, current)
            )
        self._tell(found, unproved)

    def _tell(self, found: Verdicts, unproved: dict[Row, str]) -> None:
        report, note = self._work.report, self._work.writer.note
        if found.attempted:
            report.asked[NOT_LISTED] += len(found.attempted)
        later = sum(1 for reason in unproved.values() if reason == LATER)
        if later:
            report.skipped[NOT_LISTED] += later
            note(f"{later} rows are no longer listed and are proved in later nights", harmless=True)
        if failed := len(unproved) - later:
            reason = next(reason for reason in unproved.values() if reason != LATER)
            note(
                f"{failed} rows are no longer listed and could not be proved gone ({reason}); `chargelake status` names"
                " them",
                harmless=False,
            )
        if found.alive:
            note(f"{len(found.alive)} rows that the list did not show are there", harmless=True)
