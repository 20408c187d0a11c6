select
    message_id,
    title,
    body
from {{ ref('stg_messages') }}
