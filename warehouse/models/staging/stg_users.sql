with current_users as (
    {{ current_rows(source('lake', 'users')) }}
)

select
    id as user_id,
    first_name,
    last_name,
    email,
    locale,
    external_data,
    default_country,
    agreement_ids,
    created_at,
    updated_at,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_users
