{# What is still pending. A parent's id that is no UUID stays in the lake, like such a key in quarantine. #}
with current_state as (
    {{ latest_rows(source('lake', '_pending_parents')) }}
)

select
    case when {{ is_uuid('parent_id') }} then fan_out || '/' || parent_id else fan_out || '/?' end as pending_parent_id,
    fan_out as collection,
    case when {{ is_uuid('parent_id') }} then parent_id end as parent_id,
    case when {{ is_uuid('user_id') }} then user_id end as user_id,
    case when attempts > 0 then 'failing' else 'history goes on' end as state,
    case when attempts > 0 then failing_since end as failing_since,
    attempts as failed_runs,
    reason,
    asked_from,
    asked_until,
    _synced_at as synced_at,
    _run_id as run_id
from current_state
where status = 'pending'
