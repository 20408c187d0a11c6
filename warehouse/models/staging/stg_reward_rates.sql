with current_reward_rates as (
    {{ current_rows(source('lake', 'reward_rates'), key='charging_location_id') }}
)

select
    charging_location_id,
    user_id,
    managed_rate as managed_rate_per_kwh,
    unmanaged_rate as unmanaged_rate_per_kwh,
    currency,
    _deleted as is_deleted,
    _synced_at as synced_at
from current_reward_rates
