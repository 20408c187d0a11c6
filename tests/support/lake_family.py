"""Whether rows of the lake live under rows that are gone; read by DuckDB, told from the paths by hand.

Does not belong here: what the tenant has (lake_truth.py).
"""

from pathlib import Path

import duckdb
from deltalake import DeltaTable

UNDER = {
    "users": {
        "user_id": "vehicles charging_locations sessions payouts financials rewards reward_balances messages",
    },
    "charging_locations": {
        "charging_location_id": "location_tariffs utility_contracts chargers reward_rates dynamic_tariffs solar_energy",
    },
    "chargers": {"charger_id": "charger_states"},
    "vehicles": {"vehicle_id": "vehicle_states charge_settings"},
    "sessions": {"session_id": "session_tariffs session_settings financials rewards"},
}
KEYS = {
    "financials": "user_id, session_id",
    "rewards": "user_id, session_id",
    "reward_balances": "user_id, currency",
    "location_tariffs": "charging_location_id",
    "utility_contracts": "charging_location_id",
    "reward_rates": "charging_location_id",
    "dynamic_tariffs": "charging_location_id, start_time",
    "solar_energy": "charging_location_id, start_time",
    "charger_states": "charger_id",
    "vehicle_states": "vehicle_id",
    "charge_settings": "vehicle_id",
    "session_tariffs": "session_id, start_time, tariff_type",
    "session_settings": "session_id, type",
}


def current(lake, table):
    """SQL of the newest version of every key; None where there is none."""
    folder = Path(lake) / table
    files = DeltaTable(str(folder)).file_uris() if DeltaTable.is_deltatable(str(folder)) else []
    if not files:
        return None
    return f"""(select * from read_parquet({files!r}, union_by_name => true) qualify row_number() over
                (partition by {KEYS.get(table, "id")} order by _synced_at desc) = 1)"""


def orphans(lake):
    """How many rows live under one that is gone, by parent and child."""
    found = {}
    with duckdb.connect() as connection:
        for parent, columns in UNDER.items():
            for column, children in columns.items():
                for child in children.split():
                    above, below = current(lake, parent), current(lake, child)
                    if above and below:
                        [number] = connection.execute(
                            f"""select count(*) from {below} c join {above} p on p.id = c.{column}
                                where p._deleted and not c._deleted"""
                        ).fetchone()
                        if number:
                            found[parent, child] = number
    return found
