with localised as (
    select
        messages.*,
        {{ local_time('messages.created_at', "'" ~ env_var('CHARGELAKE_TIME_ZONE') ~ "'") }} as created_local
    from {{ ref('stg_messages') }} as messages
    where not messages.is_deleted
)

select
    message_id,
    user_id,
    type,
    channel,
    created_at,
    cast(created_local as date) as local_date,
    is_dismissed,
    dismissed_at,
    {{ minutes_between('created_at', 'dismissed_at') }} as minutes_to_dismiss,
    synced_at
from localised
