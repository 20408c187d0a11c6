select
    user_id,
    locale,
    external_data,
    default_country,
    agreement_ids,
    created_at,
    updated_at,
    is_deleted,
    synced_at
from {{ ref('stg_users') }}
