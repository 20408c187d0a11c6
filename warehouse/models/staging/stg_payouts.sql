with current_payouts as (
    {{ current_rows(source('lake', 'payouts')) }}
)

select
    id as payout_id,
    user_id,
    amount,
    currency,
    status,
    created_at,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_payouts
