select
    user_id,
    first_name,
    last_name,
    email,
    external_data
from {{ ref('stg_users') }}
