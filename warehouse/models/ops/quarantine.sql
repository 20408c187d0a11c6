{# The raw row stays in the lake, and so does a key that is no UUID: both may name a person. #}
with current_state as (
    {{ latest_rows(source('lake', '_quarantine')) }}
)

select
    id as quarantine_id,
    collection,
    status,
    reason,
    field,
    case when {{ is_uuid('key') }} then key end as row_key,
    question,
    asked_from,
    asked_until,
    first_seen_at,
    _synced_at as synced_at,
    _run_id as run_id
from current_state
