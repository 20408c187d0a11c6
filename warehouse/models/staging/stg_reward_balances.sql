with current_reward_balances as (
    {{ current_rows(source('lake', 'reward_balances'), key='user_id, currency') }}
)

select
    user_id,
    currency,
    total_amount,
    paid_out_amount,
    balance as balance_amount,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_reward_balances
