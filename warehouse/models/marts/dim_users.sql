select
    user_id,
    locale,
    {{ reference_only('external_data') }} as external_reference,
    default_country,
    agreement_ids,
    created_at,
    updated_at,
    is_deleted,
    synced_at
from {{ ref('stg_users') }}
