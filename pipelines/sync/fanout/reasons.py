"""Why each parent is worth asking: truth by reason, worked out for all parents at once in SQL over known.py's tables.

Reasons that say "something changed" hold whatever the clock says; those that only say "time has passed" hold for
buckets that were not asked up to `until` yet.
Does not belong here: which reasons a night can afford (choosing.py), reading the lake (known.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pyarrow as pa

from pipelines.contract.fan_outs import FanOut, Worth
from pipelines.lake import Record
from pipelines.lake.children import bucket_sql
from pipelines.settings import SyncSettings
from pipelines.sync.fanout.known import Known
from pipelines.sync.fanout.marks import Mark

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = timedelta(days=1)

_INSTANT = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True, slots=True)
class Tonight:
    """What choosing depends on beside the lake."""

    until: datetime
    now: datetime
    deep: bool
    settings: SyncSettings


class Reasons:
    """Makes the tables `parents` (who may be asked) and `chosen` (them, with a flag for each reason).

    Of a parent's bucket, `chosen` has the mark too; of what failed before, the range that is missing.
    """

    def __init__(self, known: Known, fan_out: FanOut, tonight: Tonight) -> None:
        self.sql = known.sql
        self._known = known
        self._fan_out = fan_out
        self._tonight = tonight
        self.parents = 0

    def make(self, marks: Sequence[Mark], pending: Sequence[Record]) -> None:
        """Make both tables. pending: records of parents that an earlier run could not finish."""
        if self.has(Worth.RECENT):
            self._known.load("sessions")
        self.make_parents()
        self._make_marks(marks)
        self._make_pending(pending)
        self._make_chosen()

    @property
    def deep_reach(self) -> datetime:
        return self._tonight.until - timedelta(days=self._tonight.settings.deep_correction_days)

    @property
    def is_of_sessions(self) -> bool:
        return self._fan_out.parent == "sessions"

    def has(self, reason: Worth) -> bool:
        return reason in self._fan_out.worth

    def make_parents(self) -> None:
        """Those that may be asked, with what is known of each."""
        self._known.load(self._fan_out.parent)
        self._known.bearing(self._fan_out.name, self.deep_reach)
        only_bearing = self._fan_out.known_from or (self.has(Worth.BEARING) and not self.has(Worth.NEW))
        unfinished = "or not k.is_final" if self.has(Worth.UNFINISHED) else ""
        self.sql.execute(
            f"""create or replace temp table parents as
                select k.id, k.user_id, k.begun, k.ended, k.is_final, k.seen,
                       coalesce(b.known_since, k.first_seen) as first_seen,
                       b.id is not null as is_bearing, b.forecast_from, b.changed_at,
                       {bucket_sql("k.id::varchar")} as bucket,
                       ('0x' || substr(md5(k.id::varchar), 9, 8))::ubigint as draw
                from known_{self._fan_out.parent} k left join bearing b on b.id = k.id
                where not k.gone and k.user_id is not null
                  and ({"b.id is not null " + unfinished if only_bearing else "true"})"""  # noqa: S608 - names of ours
        )
        self.parents = self.number("select count(*) from parents")

    def _make_marks(self, marks: Sequence[Mark]) -> None:
        watched = sorted(set(self._fan_out.watches.values()))
        columns: dict[str, Any] = {
            "bucket": pa.array([mark.bucket for mark in marks], pa.uint8()),
            "until": pa.array([mark.until for mark in marks], _INSTANT),
            "back": pa.array([mark.back for mark in marks], _INSTANT),
            "is_due": pa.array(
                [mark.is_due(self._tonight.until, self._tonight.now, deep=self._tonight.deep) for mark in marks],
                pa.bool_(),
            ),
            "last_night": pa.array([night_of(mark.until) for mark in marks], pa.int64()),
        } | {f"seen_{name}": pa.array([mark.seen.get(name) for mark in marks], _INSTANT) for name in watched}
        self._replace("marks", pa.table(columns))

    def _make_pending(self, pending: Sequence[Record]) -> None:
        columns: dict[str, pa.DataType] = {
            "parent_id": pa.string(),
            "asked_from": _INSTANT,
            "asked_until": _INSTANT,
        }
        self._replace(
            "pending",
            pa.table({name: pa.array([record[name] for record in pending], kind) for name, kind in columns.items()}),
        )

    def _replace(self, name: str, rows: pa.Table) -> None:
        self.sql.register("rows_in", rows)
        self.sql.execute(f"create or replace temp table {name} as select * from rows_in")  # noqa: S608 - a name of ours
        self.sql.unregister("rows_in")

    def _make_chosen(self) -> None:
        """One column of truth for each reason, and since when rows are worth asking."""
        self._make_changed_of_users()
        flags = ", ".join(f"coalesce({self._condition(reason)}, false) as {flag(reason)}" for reason in Worth)
        turns = max(self._tonight.settings.rotation_nights, -(-self.parents // max(self.few, 1)))
        self.sql.execute(
            f"""create or replace temp table chosen as
                with ready as (
                  select p.*, m.* exclude (bucket), c.sessions_since, c.recent_since,
                         c.sessions_changed, c.is_recent, c.payouts_changed, c.locations_changed, c.vehicles_changed,
                         f.parent_id is not null as has_failed, f.asked_from, f.asked_until,
                         (($tonight - p.draw % $turns) % $turns + $turns) % $turns < $tonight - m.last_night as in_turn,
                         (($tonight - p.draw % $probes) % $probes + $probes) % $probes < $tonight - m.last_night
                           as in_probe
                  from parents p
                  join marks m using (bucket)
                  left join changed c on c.user_id = p.id
                  left join pending f on f.parent_id = p.id::varchar
                )
                select * from (select *, {flags} from ready) where {any_reason()}""",  # noqa: S608 - names and conditions of ours
            {
                "tonight": night_of(self._tonight.until),
                "turns": turns,
                "probes": self._tonight.settings.probe_nights,
            },
        )

    def _make_changed_of_users(self) -> None:
        """What happened to each user since it was last asked, by the other tables that are watched.

        What passes to another user has changed for both: rows under the first one must not stay.
        """
        watches = self._fan_out.watches
        parts = []
        for reason, table, column in (
            (Worth.SESSIONS, "sessions", "sessions_changed"),
            (Worth.PAYOUTS, "payouts", "payouts_changed"),
            (Worth.LOCATIONS, "charging_locations", "locations_changed"),
            (Worth.VEHICLES, "vehicles", "vehicles_changed"),
        ):
            if reason in watches:
                parts.append(
                    f"""select k.user_id, '{column}' as what, min(k.earliest) as since from owned_{table} k
                        join parents p on p.id = k.user_id join marks m using (bucket)
                        where m.seen_{table} is null or k.seen > m.seen_{table} group by 1"""  # noqa: S608 - names of ours
                )
        if self.has(Worth.RECENT) and not self.is_of_sessions:
            reach = sql_instant(self._recent_reach)
            parts.append(
                f"""select user_id, 'is_recent' as what, min(begun) as since from known_sessions
                    where not gone and (begun >= {reach} or ended >= {reach}) group by 1"""  # noqa: S608 - an instant
            )
        nothing = "select null::uuid as user_id, '' as what, null::timestamptz as since where false"
        self.sql.execute(
            f"""create or replace temp table changed as
                select user_id,
                       min(since) filter (what = 'sessions_changed') as sessions_since,
                       min(since) filter (what = 'is_recent') as recent_since,
                       bool_or(what = 'sessions_changed') as sessions_changed,
                       bool_or(what = 'is_recent') as is_recent,
                       bool_or(what = 'payouts_changed') as payouts_changed,
                       bool_or(what = 'locations_changed') as locations_changed,
                       bool_or(what = 'vehicles_changed') as vehicles_changed
                from ({" union all ".join(parts) or nothing}) group by 1"""  # noqa: S608 - put together above
        )

    @property
    def _recent_reach(self) -> datetime:
        settings = self._tonight.settings
        days = settings.deep_correction_days if self._tonight.deep else settings.correction_days
        return self._tonight.until - timedelta(days=days)

    def _condition(self, reason: Worth) -> str:
        """SQL: whether a reason holds for a row of `ready`; changes hold always, the rest where the bucket is due."""
        if not self.has(reason):
            return "false"
        parent_seen = f"seen_{self._fan_out.watches.get(Worth.NEW, '')}"
        reach, deep_reach = sql_instant(self._recent_reach), sql_instant(self.deep_reach)
        never_asked = "until is null" if self.has(Worth.BACKFILL) else "false"
        few = self.parents <= self.few
        conditions = {
            Worth.FAILED: "has_failed",
            Worth.NEW: f"({parent_seen} is null or first_seen > {parent_seen}) and not ({never_asked})",
            Worth.EDITED: f"first_seen <= {parent_seen} and seen > {parent_seen}",
            Worth.LOCATIONS: "locations_changed",
            Worth.VEHICLES: "vehicles_changed",
            Worth.SESSIONS: "sessions_changed",
            Worth.PAYOUTS: "payouts_changed",
            Worth.TARIFFS: "changed_at > seen_location_tariffs",
            Worth.RECENT: "is_due and "
            + (f"(begun >= {reach} or ended >= {reach})" if self.is_of_sessions else "is_recent"),
            Worth.UNFINISHED: "is_due and not is_final",
            Worth.BEARING: "is_due and is_bearing",
            Worth.FEW: f"is_due and {few}",
            Worth.TURN: "is_due and in_turn",
            Worth.PROBE: "is_due and in_probe and not is_bearing",
            Worth.DEEP: f"is_due and {self._tonight.deep}"
            + (f" and (begun >= {deep_reach} or ended >= {deep_reach})" if self.is_of_sessions else ""),
            Worth.BACKFILL: "(until is null) or begun < back or (begun is null and back is not null)",
        }
        return conditions[reason]

    @property
    def few(self) -> int:
        return self._tonight.settings.ask_all_parents

    @property
    def all_parents(self) -> int:
        return self.number(f"select count(*) from known_{self._fan_out.parent} where not gone")  # noqa: S608

    def number(self, query: str) -> int:
        row = self.sql.execute(query).fetchone()
        return int(row[0]) if row else 0


def sql_instant(instant: datetime) -> str:
    """An instant as SQL literal."""
    return f"timestamptz '{instant.astimezone(timezone.utc).isoformat(sep=' ')}'"


def any_reason() -> str:
    """SQL: whether something speaks for a row of `chosen`."""
    return f"({' or '.join(map(flag, Worth))})"


def flag(reason: Worth) -> str:
    """The column of `chosen` that says whether a reason holds."""
    return f"is_{reason.name.lower()}_reason"


def night_of(until: datetime | None) -> int | None:
    """The number of a UTC day."""
    return None if until is None else (until - EPOCH) // DAY
