with current_state as (
    {{ latest_rows(source('lake', '_reconciliation')) }}
)

select
    id as reconciliation_id,
    collection,
    month,
    api_rows,
    held_rows,
    api_rows - held_rows as difference,
    was_read_again,
    _synced_at as synced_at,
    _run_id as run_id
from current_state
