{# An id that is no UUID stays in the lake, like such a key in quarantine. #}
with current_state as (
    {{ latest_rows(source('lake', '_deletion_candidates')) }}
)

select
    case when {{ is_uuid('row_id') }} then collection || '/' || row_id else collection || '/?' end as unproved_deletion_id,
    collection,
    case when {{ is_uuid('row_id') }} then row_id end as row_id,
    case when {{ is_uuid('user_id') }} then user_id end as user_id,
    case when status = 'proved' then 'being deleted' else 'unproved' end as state,
    missing_since,
    attempts as runs_without_proof,
    reason,
    _synced_at as synced_at,
    _run_id as run_id
from current_state
where status in ('candidate', 'proved')
