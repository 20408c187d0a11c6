with current_messages as (
    {{ current_rows(source('lake', 'messages')) }}
)

select
    id as message_id,
    user_id,
    type,
    notification_type as channel,
    title,
    body,
    created_at,
    is_dismissed,
    dismissed_at,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_messages
