"""Whom to ask tonight: those that something speaks for, as many as the settings allow, bucket by bucket.

Does not belong here: what speaks for whom (reasons.py), asking (fan_out.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from pipelines.contract.fan_outs import BUCKETS, FanOut, Form, Worth
from pipelines.lake import Record
from pipelines.sync.fanout.ask import Ask
from pipelines.sync.fanout.known import Known
from pipelines.sync.fanout.marks import Mark
from pipelines.sync.fanout.reasons import Reasons, Tonight, any_reason, flag, sql_instant
from pipelines.sync.windows import Window, shifted

FETCHED = 5_000
"""Parents that are made into objects at a time."""
ORDERED = 20_000
"""Parents that are put in order at a time, about; a bucket stays whole."""

_OTHERS = {
    "dynamic_tariffs": "never had a dynamic tariff",
    "session_settings": "has ended",
}
"""Why those that are no parents of a fan-out are not asked."""


@dataclass(slots=True)
class Plan:
    """Whom to ask. parents: how many there are; asked and skipped: how many of them, by the first reason that holds.

    buckets: those whose state moves on when the plan has been carried out; untouched: those that never were asked.
    seen: the newest read time of each watched table. back: how far back history is asked, None: to its beginning.
    failed: those that an earlier run had to leave, who come first; asks: all others.
    gone: pending parents that are no parents any more.
    """

    parents: int
    asked: Counter[Worth]
    skipped: Counter[str]
    buckets: tuple[int, ...]
    seen: Mapping[str, datetime | None]
    back: datetime | None
    asks: Iterator[Ask] = field(repr=False)
    failed: Sequence[Ask] = field(default=(), repr=False)
    gone: Sequence[str] = ()
    deep: bool = False
    untouched: frozenset[int] = frozenset()


def choose(known: Known, fan_out: FanOut, marks: Sequence[Mark], pending: Sequence[Record], tonight: Tonight) -> Plan:
    """The plan of one fan-out. pending: records of parents that an earlier run could not finish."""
    chooser = _Chooser(known, fan_out, tonight)
    return chooser.plan(marks, pending)


def choose_range(known: Known, fan_out: FanOut, window: Window, tonight: Tonight) -> Plan:
    """Every parent, for one window, whatever was asked before: a resync. Moves no state."""
    return _Chooser(known, fan_out, tonight).plan_of_range(window)


class _Chooser:
    """Takes from the reasons what a night can afford."""

    def __init__(self, known: Known, fan_out: FanOut, tonight: Tonight) -> None:
        self._known = known
        self._sql = known.sql
        self._reasons = Reasons(known, fan_out, tonight)
        self._fan_out = fan_out
        self._tonight = tonight

    def plan(self, marks: Sequence[Mark], pending: Sequence[Record]) -> Plan:
        seen = {name: self._known.load(name) for name in set(self._fan_out.watches.values())}
        self._reasons.make(marks, pending)
        back = self._choose()
        asked = Counter(dict(self._reason_counts()))
        parents = self._reasons.all_parents
        return Plan(
            parents=parents,
            asked=asked,
            skipped=self._skipped(parents, asked.total()),
            buckets=tuple(mark.bucket for mark in marks),
            seen=seen,
            back=back,
            asks=self._asks("not has_failed"),
            failed=list(self._asks("has_failed")) if pending else [],
            gone=self._gone() if pending else [],
            deep=self._tonight.deep,
            untouched=frozenset(mark.bucket for mark in marks if mark.until is None),
        )

    def plan_of_range(self, window: Window) -> Plan:
        self._reasons.make_parents()
        lower, upper = (None if border is None else sql_instant(border) for border in (window.lower, window.upper))
        within = "true"
        if self._reasons.is_of_sessions and lower and upper:
            within = f"begun >= {lower} and begun < {upper}"
        chosen = self._reasons.number(f"select count(*) from parents where {within}")  # noqa: S608 - instants
        left = Counter({"not in the range": self._reasons.all_parents - chosen})
        asks = (
            Ask(id_, user_id, bucket, (Worth.DEEP,), since=window.lower, created_at=begun, only=window)
            for id_, user_id, bucket, begun in self._sql.execute(
                f"select id::varchar, user_id::varchar, bucket, begun from parents where {within} order by bucket, id"  # noqa: S608
            ).fetchall()
        )
        return Plan(self._reasons.all_parents, Counter({Worth.DEEP: chosen}), +left, (), {}, None, asks)

    def _choose(self) -> datetime | None:
        """Drop reasons that would cost too much; returns how far back history is asked, None: to its beginning."""
        back = None
        if self._reasons.parents > min(self._reasons.few, self._tonight.settings.backfill_requests):
            if self._reasons.has(Worth.RECENT) and not self._tonight.deep:
                self._drop_if_many(Worth.RECENT)
            back = self._bound_backfill() if self._reasons.has(Worth.BACKFILL) else None
            self._sql.execute(f"delete from chosen where not {any_reason()}")  # noqa: S608 - names of ours
        return back

    def _drop_if_many(self, reason: Worth) -> None:
        """Where corrections may lie at more parents than are asked in full, only changed ones are asked."""
        if self._reasons.number(f"select count(*) from chosen where {flag(reason)}") > self._reasons.few:  # noqa: S608
            self._sql.execute(f"update chosen set {flag(reason)} = false")  # noqa: S608

    def _bound_backfill(self) -> datetime | None:
        """Keep the newest of those whose history goes on, as many as one night may ask."""
        waits, bound = flag(Worth.BACKFILL), self._tonight.settings.backfill_requests
        if self._reasons.number(f"select count(*) from chosen where {waits}") <= bound:  # noqa: S608
            return None
        row = self._sql.execute(
            f"select begun from chosen where {waits} order by begun desc nulls last limit 1 offset {bound - 1}"  # noqa: S608
        ).fetchone()
        begun: datetime | None = row[0] if row else None
        if begun is None:
            return None
        self._sql.execute(f"update chosen set {waits} = false where begun < ? or begun is null", [begun])  # noqa: S608
        return begun.astimezone(timezone.utc)

    def _reason_counts(self) -> list[tuple[Worth, int]]:
        """How many parents are asked for each reason; the first that holds counts."""
        first = " ".join(f"when {flag(reason)} then '{reason.value}'" for reason in Worth)
        rows = self._sql.execute(f"select case {first} end, count(*) from chosen group by 1").fetchall()  # noqa: S608
        return [(Worth(reason), number) for reason, number in rows]

    def _skipped(self, parents: int, asked: int) -> Counter[str]:
        left = Counter[str]()
        later = self._reasons.parents - asked
        if self._reasons.has(Worth.BACKFILL):
            waiting = self._reasons.number(
                """select count(*) from parents p join marks m using (bucket) anti join chosen c on c.id = p.id
                   where m.until is null or p.begun < m.back"""
            )
            left["history is asked in later nights"] = waiting
            later -= waiting
        left["nothing changed"] = later
        left[_OTHERS.get(self._fan_out.name, "no user is known")] = parents - self._reasons.parents
        return +left

    def _gone(self) -> list[str]:
        rows = self._sql.execute(
            "select parent_id from pending anti join parents on parent_id = id::varchar"
        ).fetchall()
        return [parent for (parent,) in rows]

    def _asks(self, which: str) -> Iterator[Ask]:
        """Bucket by bucket, the newest first. which: a condition in SQL."""
        flags = ", ".join(flag(reason) for reason in Worth)
        children = self._children()
        for first, last in list(self._portions(which)):
            # taken out at once: the next query of whoever plans something else would end a stream
            rows = self._sql.execute(
                f"""select id::varchar as id, user_id::varchar as user_id, bucket, begun, until, sessions_since,
                           recent_since, forecast_from, is_bearing, has_failed, asked_from, asked_until, {flags}
                    from chosen where bucket between ? and ? and {which}
                    order by bucket, begun desc nulls last, id""",  # noqa: S608 - names of ours
                [first, last],
            ).to_arrow_table()
            for batch in rows.to_batches(FETCHED):
                for row in batch.to_pylist():
                    yield self._ask(row, children)

    def _portions(self, which: str) -> Iterator[tuple[int, int]]:
        """First and last bucket of portions that are put in order together: that happens in memory."""
        counts = self._sql.execute(
            f"select bucket, count(*) from chosen where {which} group by 1 order by 1"  # noqa: S608 - a condition of ours
        ).fetchall()
        first, rows = None, 0
        for bucket, count in counts:
            if first is not None and rows + count > ORDERED:
                yield first, bucket - 1
                first, rows = None, 0
            first, rows = bucket if first is None else first, rows + count
        if first is not None:
            yield first, BUCKETS - 1

    def _children(self) -> dict[str, tuple[str, ...]]:
        if self._fan_out.form is not Form.RICH:
            return {}
        holder = {"user_locations": "charging_locations", "user_vehicles": "vehicles"}[self._fan_out.name]
        return self._known.children(holder)

    def _ask(self, row: dict[str, Any], children: Mapping[str, tuple[str, ...]]) -> Ask:
        reasons = tuple(reason for reason in Worth if row[flag(reason)])
        return Ask(
            parent_id=row["id"],
            user_id=row["user_id"],
            bucket=row["bucket"],
            reasons=reasons,
            since=self._since(row, reasons),
            last_until=row["until"],
            created_at=row["begun"],
            is_history=self._is_history(row, reasons),
            left=Window(row["asked_from"], row["asked_until"]) if row["has_failed"] else None,
            children=children.get(row["id"], ()),
        )

    def _is_history(self, row: dict[str, Any], reasons: Sequence[Worth]) -> bool:
        if self._fan_out.form is not Form.WINDOWS:
            return False
        whole = {Worth.NEW, Worth.TARIFFS, Worth.TURN, Worth.PROBE}
        return bool(whole.intersection(reasons)) or (Worth.DEEP in reasons and not row["is_bearing"])

    def _since(self, row: dict[str, Any], reasons: Sequence[Worth]) -> datetime | None:
        """From when on rows are worth asking; None: all of them."""
        if self._fan_out.form is Form.WINDOWS:
            return self._since_in_windows(row)
        narrow = {Worth.SESSIONS: row["sessions_since"], Worth.RECENT: row["recent_since"]}
        if not narrow.keys() >= set(reasons):
            return None
        found = [narrow[reason] for reason in reasons]
        return None if None in found else min(found)

    def _since_in_windows(self, row: dict[str, Any]) -> datetime:
        """Where tonight's windows begin: before the watermark, or at the first price that is still a forecast."""
        span, settings = self._fan_out.span, self._tonight.settings
        assert span is not None
        if self._tonight.deep:
            return self._reasons.deep_reach
        begins = shifted(row["until"] or self._tonight.until, -timedelta(days=float(getattr(settings, span.back))))
        begins = min(begins, self._tonight.until)
        awaited = row["forecast_from"]
        return begins if awaited is None else min(begins, awaited)
