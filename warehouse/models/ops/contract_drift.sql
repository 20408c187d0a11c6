with current_state as (
    {{ latest_rows(source('lake', '_contract_drift')) }}
)

select
    id as drift_id,
    collection,
    kind,
    path,
    value,
    rows_seen,
    _synced_at as synced_at,
    _run_id as run_id
from current_state
