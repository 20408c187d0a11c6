"""A lake of a large tenant, written straight to Delta tables: a million sessions with all that hangs under them.

Every value is a function of a row's number, so the same size is the same lake. Sessions lie in two years; a tenth of
the locations has dynamic prices and as many have panels, of which 60 days are held.
Does not belong here: what is measured (warehouse.py).
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import duckdb
import pyarrow as pa
from deltalake import DeltaTable, write_deltalake

from pipelines.contract import RESOURCES
from pipelines.lake.schemas import MONTH, OPERATIONS, table_schema

END = datetime(2026, 11, 1, tzinfo=timezone.utc)
SESSIONS_PER_USER = 50
HISTORY_DAYS, SLOT_DAYS = 730, 60

_SETUP = """
set TimeZone = 'UTC';
create macro uuid_of_digest(digest) as concat_ws(
    '-', digest[1:8], digest[9:12], '4' || digest[14:16], '8' || digest[18:20], digest[21:32]
);
create macro uuid_of(kind, number) as uuid_of_digest(md5(concat(kind, '/', number)));
create macro chance(number, what) as (hash(number, what) % 1000000) / 1000000.0;
create macro began(number, sessions) as
    date_trunc('millisecond', {end} - to_seconds((sessions - number) * {history_days} * 86400.0 / sessions));
"""

_USERS = """
select uuid_of(1, i) as id, 'Given' as first_name, 'Family' as last_name, 'mail@example.org' as email, 'nb' as locale,
    'NO' as default_country, timestamptz '2024-01-01' as created_at
from range({users}) as t(i)
"""
_VEHICLES = """
select uuid_of(2, i) as id, uuid_of(1, i) as user_id,
    ['Tesla', 'BMW', 'Kia', 'Audi', 'Volvo'][1 + i % 5] as details_brand,
    true as is_connected, ['StartStopCharging', 'GeoLocation'] as capabilities
from range({users}) as t(i)
"""
_LOCATIONS = """
select uuid_of(3, i) as id, uuid_of(1, i) as user_id, ['NO', 'NL', 'GB', 'DE'][1 + i % 4] as address_country,
    '7010' as address_postal_code, timestamptz '2024-01-01' as created_at
from range({users}) as t(i)
"""
_LOCATION_TARIFFS = """
select uuid_of(3, i) as charging_location_id, uuid_of(1, i) as user_id, false as off_peak_charging_only,
    case when i % 10 = 0 then [{{'currency': null, 'price': 0::decimal(38, 9), 'type': 'Dynamic'}}]
        else [{{'currency': 'EUR', 'price': 0.35::decimal(38, 9), 'type': 'Peak'}},
            {{'currency': 'EUR', 'price': 0.2::decimal(38, 9), 'type': 'OffPeak'}}] end as tariffs,
    case when i % 10 = 0
        then [{{'start_time': null, 'end_time': null, 'days_of_week': null::varchar[], 'tariff_type': 'Dynamic'}}]
        else [{{'start_time': '07:00', 'end_time': '23:00', 'days_of_week': null::varchar[], 'tariff_type': 'Peak'}},
            {{'start_time': '23:00', 'end_time': '07:00', 'days_of_week': null::varchar[], 'tariff_type': 'OffPeak'}}]
        end as tariff_intervals
from range({users}) as t(i)
"""
_CHARGE_SETTINGS = """
select uuid_of(2, i) as vehicle_id, uuid_of(1, i) as user_id, i % 20 > 0 as is_smart_charging_enabled
from range({users}) as t(i)
"""
_SESSIONS = """
select uuid_of(4, i) as id, uuid_of(1, i % {users}) as user_id, uuid_of(2, i % {users}) as vehicle_id,
    case when i % 50 > 0 then uuid_of(3, i % {users}) end as charging_location_id,
    case when i % 100 = 7 then 'ForceEnded' else 'Complete' end as status, i % 10 > 0 as is_managed,
    began(i, {sessions}) as start_time,
    began(i, {sessions}) + to_milliseconds(1800000 + (36000000 * chance(i, 1))::bigint) as end_time,
    11.0 as charge_speed, round(40 * chance(i, 2), 2) as charged_energy, 20 as start_battery_level,
    80 as end_battery_level, round(8 * chance(i, 3) + {costlier}, 4)::decimal(38, 9) as charge_costs,
    round(2 * chance(i, 4), 4)::decimal(38, 9) as savings, 'EUR' as currency
from {numbers} as t(i)
"""
_SESSION_TARIFFS = """
select sessions.id as session_id, sessions.user_id, sessions.start_time + to_hours(n * 3) as start_time,
    least(sessions.end_time, sessions.start_time + to_hours(n * 3 + 3)) as end_time,
    0.2::decimal(38, 9) + 0.05::decimal(38, 9) * n as price, 'EUR' as currency,
    ['Peak', 'OffPeak'][1 + n % 2] as tariff_type
from ({sessions_rows}) as sessions, range(4) as t(n)
where sessions.start_time + to_hours(n * 3) < sessions.end_time and sessions.charging_location_id is not null
"""
_FINANCIALS = """
select user_id, id as session_id, vehicle_id, charging_location_id, start_time, end_time, charged_energy, charge_costs,
    savings, currency
from ({sessions_rows})
"""
_REWARDS = """
select user_id, id as session_id, start_time, (charged_energy * 0.1)::decimal(38, 9) as amount, 'EUR' as currency,
    hash(id) % 2 = 0 as is_paid_out
from ({sessions_rows})
"""
_SOLAR = """
select uuid_of(3, 10 * i + 1) as charging_location_id, uuid_of(1, 10 * i + 1) as user_id, start_time,
    start_time + interval 1 hour as end_time, round(3 * chance(i, epoch_ms(start_time)), 3) as energy
from range({users} // 10) as t(i),
    generate_series({slots_from}, {slots_until} - interval 1 hour, interval 1 hour) as s(start_time)
"""
_PRICES = """
select uuid_of(3, 10 * i) as charging_location_id, uuid_of(1, 10 * i) as user_id, start_time,
    start_time + interval 1 hour as end_time, round(chance(7, epoch_ms(start_time)), 5)::decimal(38, 9) as price,
    'EUR' as currency, 'Actual' as data_type
from range({users} // 10) as t(i),
    generate_series({slots_from}, {slots_until} - interval 1 hour, interval 1 hour) as s(start_time)
"""
_RUNS = """
select 'run' as run_id, name as collection, 'complete' as status, {until_at} as started_at, {until_at} as finished_at,
    {until_at} as window_until, {until_at} as watermark, 0 as rows_read, 0 as rows_new, 0 as rows_changed,
    0 as rows_deleted, 0 as rows_set_aside, 0 as requests, 0 as retries, 0 as throttles, 0 as bytes_received,
    0.0 as duration_seconds
from (values ('sessions'), ('solar_energy'), ('financials')) as t(name)
"""


class LargeLake:
    """The lake in a folder. sessions: number of them; a user has fifty."""

    def __init__(self, root: Path, sessions: int) -> None:
        self.root, self.sessions = root, sessions
        self._nights, self._new, self._until = 0, 0, END
        self.users = max(sessions // SESSIONS_PER_USER, 20)
        self._connection = duckdb.connect()
        self._connection.execute(_SETUP.format(end=_literal(END), history_days=HISTORY_DAYS))

    def first_night(self) -> None:
        """Everything that a first pull brings."""
        for table, sql in (
            ("users", _USERS),
            ("vehicles", _VEHICLES),
            ("charging_locations", _LOCATIONS),
            ("location_tariffs", _LOCATION_TARIFFS),
            ("charge_settings", _CHARGE_SETTINGS),
        ):
            self._append(table, sql.format(**self._values))
        self._slots(END - timedelta(days=SLOT_DAYS), END)
        for first in range(0, self.sessions, 50_000):
            last = min(first + 50_000, self.sessions)
            self._under_sessions(f"range({first}, {last})", costlier=0)
        self._append("_runs", _RUNS.format(**self._values))

    def next_night(self, changed: int) -> None:
        """So many sessions, one half new, the other corrected and spread over 90 days; prices and sun until then."""
        half = changed // 2
        first = self.sessions + self._new
        self._new += half
        earlier, self._until = self._until, END + timedelta(days=HISTORY_DAYS * self._new / self.sessions)
        self._nights += 1
        step = max(self.sessions * 90 // HISTORY_DAYS // half, 1)
        self._under_sessions(f"range({first}, {self.sessions + self._new})", costlier=0)
        self._under_sessions(f"range({self.sessions - half * step}, {self.sessions}, {step})", costlier=self._nights)
        self._slots(earlier, self._until)
        self._append("_runs", _RUNS.format(**self._values))

    def _under_sessions(self, numbers: str, costlier: int) -> None:
        values = self._values | {"numbers": numbers, "costlier": costlier}
        rows = _SESSIONS.format(**values)
        self._append("sessions", rows)
        for table, sql in (
            ("session_tariffs", _SESSION_TARIFFS),
            ("financials", _FINANCIALS),
            ("rewards", _REWARDS),
        ):
            self._append(table, sql.replace("{sessions_rows}", rows))

    def _slots(self, first: datetime, last: datetime) -> None:
        hours = [moment.replace(minute=0, second=0, microsecond=0) for moment in (first, last)]
        bounds = dict(zip(("slots_from", "slots_until"), map(_literal, hours), strict=True))
        for table, sql in (("solar_energy", _SOLAR), ("dynamic_tariffs", _PRICES)):
            self._append(table, sql.format(**self._values, **bounds))

    @property
    def _values(self) -> dict[str, object]:
        return {"users": self.users, "sessions": self.sessions, "until_at": _literal(self._until)}

    def _append(self, table: str, sql: str) -> None:
        resource = RESOURCES.get(table)
        schema = OPERATIONS[table] if resource is None else table_schema(resource)
        read_at = _literal(self._until + timedelta(hours=1))
        is_by_month = resource is not None and resource.is_by_month
        system = f"{read_at} as _synced_at, 'run' as _run_id, false as _deleted, uuid()::varchar as _row_hash"
        if is_by_month:
            system += f", strftime(start_time, '%Y-%m') as {MONTH}"
        rows = self._connection.sql(f"select {system}, * from ({sql})")
        stored = rows.to_arrow_table()
        columns = [
            stored[field.name].cast(field.type)
            if field.name in stored.column_names
            else pa.nulls(len(stored), field.type)
            for field in schema
        ]
        path = str(self.root / table)
        if not DeltaTable.is_deltatable(path):
            DeltaTable.create(path, schema, partition_by=[MONTH] if is_by_month else None)
        write_deltalake(path, pa.table(columns, schema=schema), mode="append")


def _literal(moment: datetime) -> str:
    return f"timestamptz '{moment:%Y-%m-%d %H:%M:%S}+00'"
