"""What the lake knows of the tenant's things, in an in-memory DuckDB: for choosing whom to ask.

One for a run: what one part of it read is there for the next, as long as nobody has committed to that table since.
One row a thing: whose it is, when it began, when it was first and last read, and whether it is gone. A thing that was
deleted and is there again counts as first read when it came back, so that it is asked for like a new one.
Does not belong here: what follows from it (choosing.py).
"""

from __future__ import annotations

from datetime import datetime, timezone
from types import TracebackType
from typing import Self

from pipelines.contract import RESOURCES
from pipelines.contract.vocabulary import DYNAMIC, FINAL_SESSION_STATUS, FORECAST
from pipelines.lake import Lake
from pipelines.lake.scratch import in_parts, scratch_database

_FINAL_WORDS = ", ".join(repr(word) for word in sorted(FINAL_SESSION_STATUS))

_SHAPES = {
    "users": ("id", "created_at", "null::timestamptz", "true"),
    "charging_locations": ("user_id", "created_at", "null::timestamptz", "true"),
    "vehicles": ("user_id", "created_at", "null::timestamptz", "true"),
    "payouts": ("user_id", "created_at", "null::timestamptz", "true"),
    "sessions": (
        "user_id",
        "start_time",
        "end_time",
        f"end_time is not null and coalesce(status in ({_FINAL_WORDS}), false)",
    ),
}
"""By table: whose a row is, when it began, when it ended, whether it can be taken for final."""

_KNOWN = """id uuid, user_id uuid, begun timestamptz, ended timestamptz, is_final bool, earliest timestamptz,
  first_seen timestamptz, seen timestamptz, gone bool, has_moved bool"""

_COLUMNS = ("id", "user_id", "created_at", "start_time", "end_time", "status")


class Known:
    """Tables are read when they are first needed. Use as a context."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._loaded: dict[str, datetime | None] = {}
        self._versions: dict[str, int | None] = {}
        self._is_fresh: set[str] = set()
        self.sql = scratch_database()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.sql.close()

    def begin(self) -> None:
        """Another part of the run begins: the tables it needs are looked at again. Within one they stay as they are."""
        self._is_fresh.clear()

    def load(self, table: str) -> datetime | None:
        """Make `known_{table}`; the newest read time of the table, None where it is empty.

        Columns: id, user_id (uuid), begun, ended, is_final, earliest (begin of any version), first_seen, seen, gone.
        `owned_{table}` has user_id, earliest and seen once for each user that a thing belongs to or ever belonged to.
        """
        if table not in self._is_fresh:
            version = self._lake.version(table)
            if table not in self._loaded or version != self._versions[table]:
                self._versions[table] = version
                self._loaded[table] = self._load_things(table) if table in _SHAPES else self._newest(table)
            self._is_fresh.add(table)
        return self._loaded[table]

    def _load_things(self, table: str) -> datetime | None:
        whose, begun, ended, final = _SHAPES[table]
        resource = RESOURCES[table]
        columns = [*dict.fromkeys(name for name in _COLUMNS if name in {f.column for f in resource.fields})]
        with self._lake.reading(resource, ["id", "_synced_at"], deleted=True) as deletions:
            self.sql.register("deletions", deletions)
            self.sql.execute(
                "create or replace temp table ends as"
                " select id::uuid as key, max(_synced_at) as ended_at from deletions group by id"
            )
            self.sql.unregister("deletions")
        with self._lake.reading(resource, [*columns, "_synced_at", "_deleted"]) as versions:
            self.sql.execute(f"create or replace temp table known_{table} ({_KNOWN})")
            kept = f"""id::uuid as key, _synced_at as read_at, {whose}::uuid as whose, {begun} as begun,
                       {ended} as ended, {final} as is_final, _deleted as gone"""
            for _ in in_parts(self.sql, versions, kept):
                self.sql.execute(
                    f"""insert into known_{table}
                        select id, now.whose, now.begun, now.ended, now.is_final, earliest, first_seen, seen, now.gone,
                               has_moved
                        from (
                          select key as id, max(read_at) as seen, min(begun) as earliest,
                                 min(read_at) filter (where ended_at is null or read_at > ended_at) as first_seen,
                                 min(whose) is distinct from max(whose) as has_moved,
                                 arg_max(struct_pack(whose := whose, begun := begun, ended := ended,
                                                     is_final := is_final, gone := gone), read_at) as now
                          from versions left join ends using (key) group by key
                        )"""  # noqa: S608 - names of the contract
                )
        self._load_former_owners(table, whose)
        return self._max(f"select max(seen) from known_{table}")  # noqa: S608 - a name of ours

    def _load_former_owners(self, table: str, whose: str) -> None:
        self.sql.execute("create or replace temp table former (id uuid, user_id uuid)")
        if self._max(f"select max(seen) from known_{table} where has_moved") is not None:  # noqa: S608 - a name of ours
            with self._lake.reading(RESOURCES[table], ["id", whose]) as versions:
                self.sql.register("versions", versions)
                self.sql.execute(
                    f"""insert into former select distinct v.id::uuid, v.{whose}::uuid
                        from versions v join known_{table} k on k.id = v.id::uuid
                        where k.has_moved and v.{whose}::uuid is distinct from k.user_id"""  # noqa: S608 - as above
                )
                self.sql.unregister("versions")
        self.sql.execute(
            f"""create or replace temp table owned_{table} as
                select k.user_id, k.earliest, k.seen from known_{table} k
                union all select f.user_id, k.earliest, k.seen from former f join known_{table} k using (id)"""  # noqa: S608
        )

    def _newest(self, table: str) -> datetime | None:
        """For a table whose rows are not things themselves."""
        with self._lake.reading(RESOURCES[table], ["_synced_at"]) as versions:
            self.sql.register("versions", versions)
            newest = self._max("select max(_synced_at) from versions")
            self.sql.unregister("versions")
        return newest

    def bearing(self, fan_out: str, since: datetime) -> None:
        """Make `bearing`: the parents that have, or ever had, what is asked for.

        Columns: id; known_since when; changed_at, when what makes them bear last changed; forecast_from, the earliest
        price that is awaited as an actual. since: how old such a price may be.
        """
        self.sql.execute(
            """create or replace temp table bearing (
                 id uuid, known_since timestamptz, changed_at timestamptz, forecast_from timestamptz
               )"""
        )
        if fan_out == "dynamic_tariffs":
            self._bearing_dynamic(since)
        elif fan_out == "solar_energy":
            self._bearing_rows("solar_energy", "charging_location_id", ever=True)
        elif fan_out == "session_settings":
            self._bearing_rows("session_settings", "session_id", ever=False)

    def _bearing_rows(self, table: str, column: str, *, ever: bool) -> None:
        """Parents with rows; ever: also with rows that are gone."""
        resource = RESOURCES[table]
        keys = [key for key in resource.key_columns if key != column]
        newest = (
            f"(select {column}, {', '.join(keys)}, arg_max(_deleted, _synced_at) as gone from versions group by all)"  # noqa: S608 - names of the contract
        )
        rows = "versions" if ever else f"{newest} where not gone"
        with self._lake.reading(resource, [column, *([] if ever else keys), "_synced_at", "_deleted"]) as versions:
            self.sql.register("versions", versions)
            self.sql.execute(f"insert into bearing select distinct {column}::uuid, null, null, null from {rows}")  # noqa: S608 - names of the contract
            self.sql.unregister("versions")

    def _bearing_dynamic(self, since: datetime) -> None:
        tariffs, prices = RESOURCES["location_tariffs"], RESOURCES["dynamic_tariffs"]
        with self._lake.reading(tariffs, ["charging_location_id", "tariffs", "_synced_at"]) as versions:
            self.sql.register("versions", versions)
            self.sql.execute(
                """insert into bearing
                   select id, min(told_at) filter (is_dynamic), max(told_at), null from (
                     select charging_location_id::uuid as id, _synced_at as told_at,
                            coalesce(list_contains(list_transform(tariffs, lambda tariff: tariff.type), ?), false)
                              as is_dynamic
                     from versions
                   ) group by id having bool_or(is_dynamic)""",
                [DYNAMIC],
            )
            self.sql.unregister("versions")
        columns = ["charging_location_id", "start_time", "data_type", "_synced_at", "_deleted"]
        with self._lake.reading(prices, columns, since=since) as versions:
            self.sql.register("versions", versions)
            self.sql.execute(
                """update bearing set forecast_from = awaited.start_time from (
                     select charging_location_id::uuid as id, min(start_time) as start_time from (
                       select charging_location_id, start_time,
                              arg_max(struct_pack(type := data_type, gone := _deleted), _synced_at) as now
                       from versions group by all
                     ) where now.type = ? and not now.gone and start_time >= ? group by 1
                   ) as awaited where awaited.id = bearing.id""",
                [FORECAST, since],
            )
            self.sql.unregister("versions")

    def children(self, table: str) -> dict[str, tuple[str, ...]]:
        """Ids of the living rows of a table by user."""
        self.load(table)
        rows = self.sql.execute(
            f"select user_id::varchar, list(id::varchar order by id) from known_{table}"  # noqa: S608 - a name of ours
            " where not gone and user_id is not null group by 1"
        ).fetchall()
        return {user: tuple(ids) for user, ids in rows}

    def _max(self, query: str) -> datetime | None:
        row = self.sql.execute(query).fetchone()
        return None if row is None or row[0] is None else row[0].astimezone(timezone.utc)
